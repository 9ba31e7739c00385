// SPDX-License-Identifier: MIT
/*
 * options: a table of keys, each with what it allows and what sets it.
 *
 *	bw_heap_open()			heap/heap.c
 *	  bw_options_from_env()		<- here
 */
#include <stdlib.h>

#include "burrow/burrow.h"
#include "burrow/heap.h"
#include "error.h"
#include "options.h"

#define MAX_WINDOW	((u64)BURROW_MAX_ARENAS << BURROW_ARENA_SHIFT)
#define WINDOW_ALLOWED	"a size such as 64M or 16G, a multiple of 64M, at most 1T"
#define MAX_TRACE_MS	86400000U
#define DEVICE_ALLOWED	"a path of 1 to 127 bytes"

/* A piece of the environment, not NUL-terminated. */
struct text {
	const char *at;
	size_t len;
};

static bool text_is(struct text t, const char *word)
{
	return strlen(word) == t.len && !memcmp(t.at, word, t.len);
}

static bool set_bool(struct text value, bool *out)
{
	if (!text_is(value, "0") && !text_is(value, "1"))
		return false;
	*out = text_is(value, "1");
	return true;
}

static bool set_verbose(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->verbose);
}

static bool set_verify(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->verify);
}

static bool set_clobberfree(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->clobberfree);
}

static bool set_guard(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->guard);
}

static bool set_efence(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->efence);
}

static bool set_gctrace(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->gctrace);
}

static bool set_gcpacertrace(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->gcpacertrace);
}

static bool set_gccheckmark(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->gccheckmark);
}

static bool set_gcverify(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->gcverify);
}

static bool set_typecheck(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->typecheck);
}

static bool set_leakcheck(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->leakcheck);
}

static bool set_gcstoptheworld(struct bw_options *o, struct text value)
{
	if (value.len != 1 || *value.at < '0' || *value.at > '2')
		return false;
	o->gcstoptheworld = (u32)(*value.at - '0');
	return true;
}

static bool set_gcevery(struct bw_options *o, struct text value)
{
	u32 n = 0;
	size_t i;

	for (i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9' || n > 100000000)
			return false;
		n = n * 10 + (u32)(value.at[i] - '0');
	}
	o->gcevery = n;
	return value.len && n <= 1000000000;
}

static bool window_is_good(u64 bytes)
{
	return bytes && bytes <= MAX_WINDOW && bytes % BURROW_ARENA_SIZE == 0;
}

static u32 suffix_shift(char c)
{
	switch (c) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	case 'T':
		return 40;
	default:
		return 0;
	}
}

static bool set_window(struct bw_options *o, struct text value)
{
	size_t digits = value.len, i;
	u32 shift = 0;
	u64 n = 0;

	if (digits) {
		shift = suffix_shift(value.at[digits - 1]);
		digits -= shift != 0;
	}
	if (!digits)
		return false;
	for (i = 0; i < digits; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		n = n * 10 + (u64)(value.at[i] - '0');
		if (n > MAX_WINDOW)
			return false;
	}
	if (n > MAX_WINDOW >> shift || !window_is_good(n << shift))
		return false;
	o->window = n << shift;
	return true;
}

static bool set_stacksize(struct bw_options *o, struct text value)
{
	static const char *const size[] = { "64K", "128K", "256K", "512K",
					    "1M" };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		if (!text_is(value, size[i]))
			continue;
		o->stacksize = 65536U << i;
		return true;
	}
	return false;
}

static bool set_deadlock(struct bw_options *o, struct text value)
{
	static const char *const name[] = {
		[BW_DEADLOCK_FATAL]	= "fatal",
		[BW_DEADLOCK_REPORT]	= "report",
		[BW_DEADLOCK_OFF]	= "off",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(name); i++) {
		if (!text_is(value, name[i]))
			continue;
		o->deadlock = i;
		return true;
	}
	return false;
}

static bool set_schedtrace(struct bw_options *o, struct text value)
{
	size_t i;
	u32 n = 0;

	for (i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9' ||
		    n > MAX_TRACE_MS / 10)
			return false;
		n = n * 10 + (u32)(value.at[i] - '0');
	}
	if (!i || n > MAX_TRACE_MS)
		return false;
	o->schedtrace = n;
	return true;
}

static bool set_scheddetail(struct bw_options *o, struct text value)
{
	return set_bool(value, &o->scheddetail);
}

static bool set_sigquit(struct bw_options *o, struct text value)
{
	o->quit_goes_on = text_is(value, "go-on");
	return o->quit_goes_on || text_is(value, "exit");
}

static bool set_device(struct bw_options *o, struct text value)
{
	if (!value.len || value.len >= sizeof(o->device))
		return false;
	memcpy(o->device, value.at, value.len);
	o->device[value.len] = '\0';
	return true;
}

static const struct key {
	const char *name;
	const char *allowed;
	bool (*set)(struct bw_options *o, struct text value);
} keys[] = {
	{ "verbose", "0 or 1", set_verbose },
	{ "verify", "0 or 1", set_verify },
	{ "clobberfree", "0 or 1", set_clobberfree },
	{ "guard", "0 or 1", set_guard },
	{ "efence", "0 or 1", set_efence },
	{ "stacksize", "64K, 128K, 256K, 512K or 1M", set_stacksize },
	{ "deadlock", "fatal, report or off", set_deadlock },
	{ "schedtrace", "milliseconds, 0 to 86400000", set_schedtrace },
	{ "scheddetail", "0 or 1", set_scheddetail },
	{ "sigquit", "exit or go-on", set_sigquit },
	{ "gctrace", "0 or 1", set_gctrace },
	{ "gcpacertrace", "0 or 1", set_gcpacertrace },
	{ "gccheckmark", "0 or 1", set_gccheckmark },
	{ "gcverify", "0 or 1", set_gcverify },
	{ "gcstoptheworld", "0, 1 or 2", set_gcstoptheworld },
	{ "gcevery", "a number from 0 to 1000000000", set_gcevery },
	{ "typecheck", "0 or 1", set_typecheck },
	{ "leakcheck", "0 or 1", set_leakcheck },
	{ "window", WINDOW_ALLOWED, set_window },
	{ "device", DEVICE_ALLOWED, set_device },
};

#define KEYS_ALLOWED	"verbose, verify, clobberfree, guard, efence, " \
			"stacksize, deadlock, schedtrace, scheddetail, " \
			"sigquit, gctrace, gcpacertrace, gccheckmark, " \
			"gcverify, gcstoptheworld, gcevery, typecheck, " \
			"leakcheck, window or device"

/* For messages: as much of a piece as is fit to be shown. */
struct shown {
	char text[80];
};

static struct shown show(struct text t)
{
	struct shown s;
	size_t i, len = min(t.len, sizeof(s.text) - 1);

	for (i = 0; i < len; i++)
		s.text[i] = t.at[i] < ' ' || t.at[i] > '~' ? '?' : t.at[i];
	s.text[len] = '\0';
	return s;
}

static int set_item(struct bw_options *o, struct text item)
{
	const char *eq = memchr(item.at, '=', item.len);
	struct text key = { item.at, eq ? (size_t)(eq - item.at) : item.len };
	struct text value;
	u32 i;

	if (!eq)
		return bw_error(-EINVAL, "BURROW: '%s' is not key=value; "
				"a key is " KEYS_ALLOWED, show(item).text);
	value = (struct text){ eq + 1, item.len - key.len - 1 };
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!text_is(key, keys[i].name))
			continue;
		if (keys[i].set(o, value))
			return 0;
		return bw_error(-EINVAL, "BURROW: %s=%s is not allowed; "
				"%s is %s", keys[i].name, show(value).text,
				keys[i].name, keys[i].allowed);
	}
	return bw_error(-EINVAL, "BURROW: unknown key '%s' (value '%s'); "
			"a key is " KEYS_ALLOWED, show(key).text,
			show(value).text);
}

static int set_mode(struct bw_options *o, const char *mode)
{
	struct text t = { mode, strlen(mode) };

	if (text_is(t, "auto"))
		o->mode = BW_MODE_AUTO;
	else if (text_is(t, "kernel"))
		o->mode = BW_MODE_KERNEL;
	else if (text_is(t, "user"))
		o->mode = BW_MODE_USER;
	else
		return bw_error(-EINVAL, "BURROW_MODE=%s is not allowed; "
				"BURROW_MODE is auto, kernel or user",
				show(t).text);
	return 0;
}

void bw_options_init(struct bw_options *o)
{
	memset(o, 0, sizeof(*o));
	o->mode = BW_MODE_AUTO;
	memcpy(o->device, BURROW_DEVICE, sizeof(BURROW_DEVICE));
}

int bw_options_parse(struct bw_options *o, const char *burrow,
		     const char *mode)
{
	int err = mode && *mode ? set_mode(o, mode) : 0;

	while (!err && burrow && *burrow) {
		const char *comma = strchr(burrow, ',');
		size_t len = comma ? (size_t)(comma - burrow) : strlen(burrow);

		err = set_item(o, (struct text){ burrow, len });
		burrow = comma ? comma + 1 : NULL;
	}
	return err;
}

int bw_options_set_window(struct bw_options *o, u64 bytes)
{
	if (!window_is_good(bytes))
		return bw_error(-EINVAL, "a window of %llu bytes is not "
				"allowed; it is " WINDOW_ALLOWED,
				(unsigned long long)bytes);
	o->window = bytes;
	return 0;
}

int bw_options_set_device(struct bw_options *o, const char *path, size_t len)
{
	if (!set_device(o, (struct text){ path, len }))
		return bw_error(-EINVAL, "a device path of %zu bytes is not "
				"allowed; it is " DEVICE_ALLOWED, len);
	return 0;
}

int bw_options_from_env(struct bw_options *o)
{
	return bw_options_parse(o, getenv("BURROW"), getenv("BURROW_MODE"));
}
