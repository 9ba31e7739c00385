// SPDX-License-Identifier: MIT
/*
 * kmsg: read the kernel log and say whether it got dirty.
 *
 * Every record is looked at once, in order. A record that names a kernel
 * fault makes the log dirty until kmsg_take_dirty() is called, and goes to
 * the report together with the records around it.
 *
 * Not dirty: the dumps of a fault injection that a test asked for, the
 * out-of-memory reports of a memory cgroup, and user programs that die.
 *
 * K1. ring[] holds the last RING records; nr_seen counts all of them.
 * K2. Records before nr_mark belong to an earlier program: no context.
 * K3. owed is the number of records that still follow a dirty one.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define RING	32
#define BEFORE	3	/* records shown before a dirty one */
#define AFTER	60	/* and after it */

static const char *const dirty_texts[] = {
	"KASAN:", "KFENCE:", "UBSAN:", "ODEBUG:", "refcount_t:",
	"cut here", "Kernel panic", "Oops", "general protection",
	"Unable to handle kernel", "stack guard page",
	"possible circular locking", "possible recursive locking",
	"possible irq lock inversion", "inconsistent lock state",
	"suspicious RCU usage", "INFO: trying to register non-static key",
	"lock held when returning to user space", "held lock freed",
	"sleeping function called", "scheduling while atomic",
	"blocked for more than", "detected stall", "self-detected stall",
	"soft lockup", "hard LOCKUP",
	"new suspected memory leak", "Bad rss-counter", "Bad page",
	"list_add corruption", "list_del corruption", "nobody cared",
};

/* Beginnings of records that are clean whatever else they say. */
static const char *const clean_starts[] = {
	"FAULT_INJECTION: forcing a failure", "traps: ",
	"Memory cgroup out of memory",
};

static int kmsg_fd = -1;
static char ring[RING][512];
static unsigned long nr_seen;
static unsigned long nr_mark;
static unsigned int owed;
static bool dirty;

/* BUG and WARNING count as whole words, not inside CONFIG_DEBUG_BUGVERBOSE. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);
	const char *p = text;

	while ((p = strstr(p, word))) {
		bool starts = p == text || !(isalnum(p[-1]) || p[-1] == '_');
		bool ends = !(isalnum(p[len]) || p[len] == '_');

		if (starts && ends)
			return true;
		p += len;
	}
	return false;
}

static bool is_dirty(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(clean_starts) / sizeof(*clean_starts); i++)
		if (!strncmp(text, clean_starts[i], strlen(clean_starts[i])))
			return false;
	if (has_word(text, "BUG") || has_word(text, "WARNING"))
		return true;
	for (i = 0; i < sizeof(dirty_texts) / sizeof(*dirty_texts); i++)
		if (strstr(text, dirty_texts[i]))
			return true;
	return false;
}

static void show(unsigned long nr)
{
	const char *text = ring[nr % RING];

	report_text("@kmsg", text, strlen(text));
}

static void judge(const char *text)
{
	unsigned long nr = nr_seen++;
	unsigned long first;

	snprintf(ring[nr % RING], sizeof(ring[0]), "%s", text);
	if (is_dirty(text)) {
		if (!owed) {
			first = nr > nr_mark + BEFORE ? nr - BEFORE : nr_mark;
			for (; first < nr; first++)
				show(first);
		}
		dirty = true;
		owed = AFTER;
		show(nr);
	} else if (owed) {
		owed--;
		show(nr);
	}
}

/* Records are "level,seq,time,flags;text" and lines of key=value after it. */
void kmsg_read(void)
{
	char buf[8192];
	char *text;
	ssize_t len;

	for (;;) {
		len = read(kmsg_fd, buf, sizeof(buf) - 1);
		if (len < 0 && errno == EPIPE) {
			judge("(records were overwritten before they were read)");
			continue;
		}
		if (len <= 0)
			return;
		buf[len] = '\0';
		text = strchr(buf, ';');
		if (!text)
			continue;
		text++;
		text[strcspn(text, "\n")] = '\0';
		judge(text);
	}
}

/* Open the log and pass over what the boot wrote: dirt there is not ours. */
int kmsg_open(void)
{
	kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg_fd < 0) {
		report("@fail cannot read the kernel log: %s", strerror(errno));
		return -1;
	}
	kmsg_read();
	if (kmsg_take_dirty())
		report("@note the kernel log was dirty before any test ran");
	return kmsg_fd;
}

bool kmsg_take_dirty(void)
{
	bool was;

	kmsg_read();
	was = dirty;
	dirty = false;
	owed = 0;
	nr_mark = nr_seen;
	return was;
}

void kmsg_report_last(void)
{
	unsigned long nr = nr_seen > RING ? nr_seen - RING : 0;

	for (; nr < nr_seen; nr++)
		report_text("@diag", ring[nr % RING], strlen(ring[nr % RING]));
}
