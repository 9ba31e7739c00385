// SPDX-License-Identifier: MIT
/* What the environment may say, and what is said when it says something else. */
#include "base/fmt.h"
#include "base/options.h"
#include "rig.h"

#define M	(1024 * 1024ULL)
#define G	(1024 * M)

static const struct row {
	const char *burrow;
	const char *mode;
	int err;
	const char *says;	/* part of the message */
	struct bw_options want;
} rows[] = {
	{ NULL, NULL, 0, NULL, { .mode = BW_MODE_AUTO } },
	{ "", "", 0, NULL, { .mode = BW_MODE_AUTO } },
	{ NULL, "auto", 0, NULL, { .mode = BW_MODE_AUTO } },
	{ NULL, "kernel", 0, NULL, { .mode = BW_MODE_KERNEL } },
	{ NULL, "user", 0, NULL, { .mode = BW_MODE_USER } },
	{ "verbose=1", NULL, 0, NULL, { .verbose = true } },
	{ "verbose=1,verbose=0", NULL, 0, NULL, { .verbose = false } },
	{ "verify=1,verbose=1", "user", 0, NULL,
	  { .mode = BW_MODE_USER, .verify = true, .verbose = true } },
	{ "window=64M", NULL, 0, NULL, { .window = 64 * M } },
	{ "window=65536K", NULL, 0, NULL, { .window = 64 * M } },
	{ "window=67108864", NULL, 0, NULL, { .window = 64 * M } },
	{ "window=16G", NULL, 0, NULL, { .window = 16 * G } },
	{ "window=1T", NULL, 0, NULL, { .window = 1024 * G } },
	{ "clobberfree=1,guard=1,efence=1", NULL, 0, NULL,
	  { .clobberfree = true, .guard = true, .efence = true } },
	{ "stacksize=64K", NULL, 0, NULL, { .stacksize = 65536 } },
	{ "stacksize=1M,deadlock=off", NULL, 0, NULL,
	  { .stacksize = 1 << 20, .deadlock = BW_DEADLOCK_OFF } },
	{ "deadlock=off,deadlock=report", NULL, 0, NULL,
	  { .deadlock = BW_DEADLOCK_REPORT } },
	{ "deadlock=off,deadlock=fatal", NULL, 0, NULL, { 0 } },
	{ "schedtrace=1000,scheddetail=1", NULL, 0, NULL,
	  { .schedtrace = 1000, .scheddetail = true } },
	{ "schedtrace=86400000", NULL, 0, NULL, { .schedtrace = 86400000 } },
	{ "sigquit=go-on", NULL, 0, NULL, { .quit_goes_on = true } },
	{ "sigquit=go-on,sigquit=exit", NULL, 0, NULL, { 0 } },
	{ "schedtrace=86400001", NULL, -EINVAL, "schedtrace=86400001", { 0 } },
	{ "schedtrace=99999999999", NULL, -EINVAL, "0 to 86400000", { 0 } },
	{ "schedtrace=-1", NULL, -EINVAL, "schedtrace=-1 is not", { 0 } },
	{ "schedtrace=1s", NULL, -EINVAL, "schedtrace=1s", { 0 } },
	{ "schedtrace=", NULL, -EINVAL, "schedtrace is milliseconds", { 0 } },
	{ "scheddetail=yes", NULL, -EINVAL, "scheddetail is 0 or 1", { 0 } },
	{ "sigquit=goon", NULL, -EINVAL, "exit or go-on", { 0 } },
	{ "device=/a/b", NULL, 0, NULL, { .device = "/a/b" } },
	{ "device=a=b", NULL, 0, NULL, { .device = "a=b" } },
	{ NULL, "User", -EINVAL, "BURROW_MODE=User", { 0 } },
	{ NULL, "both", -EINVAL, "auto, kernel or user", { 0 } },
	{ "verbose", NULL, -EINVAL, "'verbose' is not key=value", { 0 } },
	{ "verbose=", NULL, -EINVAL, "verbose= is not allowed", { 0 } },
	{ "verbose=2", NULL, -EINVAL, "verbose is 0 or 1", { 0 } },
	{ "verify=yes", NULL, -EINVAL, "verify=yes", { 0 } },
	{ "loud=1", NULL, -EINVAL, "unknown key 'loud' (value '1')", { 0 } },
	{ "Verbose=1", NULL, -EINVAL, "a key is verbose, verify", { 0 } },
	{ "=1", NULL, -EINVAL, "unknown key ''", { 0 } },
	{ ",", NULL, -EINVAL, "'' is not key=value", { 0 } },
	{ "verbose=1,,verify=1", NULL, -EINVAL, "'' is not", { 0 } },
	{ "window=", NULL, -EINVAL, "a multiple of 64M", { 0 } },
	{ "window=G", NULL, -EINVAL, "window=G", { 0 } },
	{ "window=0", NULL, -EINVAL, "window=0", { 0 } },
	{ "window=63M", NULL, -EINVAL, "window=63M", { 0 } },
	{ "window=65M", NULL, -EINVAL, "window=65M", { 0 } },
	{ "window=2T", NULL, -EINVAL, "at most 1T", { 0 } },
	{ "window=1025G", NULL, -EINVAL, "at most 1T", { 0 } },
	{ "window=-64M", NULL, -EINVAL, "window=-64M", { 0 } },
	{ "window=64MB", NULL, -EINVAL, "window=64MB", { 0 } },
	{ "window=18446744073776660480", NULL, -EINVAL, "window=", { 0 } },
	{ "window=17592186044416M", NULL, -EINVAL, "window=", { 0 } },
	{ "clobberfree=", NULL, -EINVAL, "clobberfree is 0 or 1", { 0 } },
	{ "guard=x", NULL, -EINVAL, "guard=x is not allowed", { 0 } },
	{ "stacksize=96K", NULL, -EINVAL, "64K, 128K, 256K", { 0 } },
	{ "stacksize=2M", NULL, -EINVAL, "stacksize=2M", { 0 } },
	{ "deadlock=no", NULL, -EINVAL, "fatal, report or off", { 0 } },
	{ "device=", NULL, -EINVAL, "1 to 127 bytes", { 0 } },
	{ "ver\nbose=1", NULL, -EINVAL, "'ver?bose'", { 0 } },
};

static void each_row_gives_its_options_or_its_error(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct bw_options o;
		bool good;

		bw_options_init(&o);
		good = EXPECT(bw_options_parse(&o, r->burrow, r->mode) ==
			      r->err);
		if (r->says)
			good &= EXPECT(strstr(bw_error_last(), r->says));
		else
			good &= EXPECT(o.mode == r->want.mode &&
				       o.verbose == r->want.verbose &&
				       o.verify == r->want.verify &&
				       o.clobberfree == r->want.clobberfree &&
				       o.guard == r->want.guard &&
				       o.efence == r->want.efence &&
				       o.stacksize == r->want.stacksize &&
				       o.deadlock == r->want.deadlock &&
				       o.schedtrace == r->want.schedtrace &&
				       o.scheddetail == r->want.scheddetail &&
				       o.quit_goes_on ==
					       r->want.quit_goes_on &&
				       o.window == r->want.window &&
				       !strcmp(o.device, r->want.device[0] ?
					       r->want.device :
					       BURROW_DEVICE));
		if (!good)
			printf("# row %u: BURROW=%s: %s\n", i, r->burrow,
			       bw_error_last());
	}
}

static void a_device_path_may_have_127_bytes_and_no_more(void)
{
	char text[160] = "device=";
	struct bw_options o;

	bw_options_init(&o);
	memset(text + 7, 'x', 127);
	EXPECT(!bw_options_parse(&o, text, NULL));
	EXPECT(strlen(o.device) == 127);
	text[7 + 127] = 'x';
	EXPECT(bw_options_parse(&o, text, NULL) == -EINVAL);
	EXPECT(strlen(o.device) == 127);
}

static void an_open_without_options_reads_the_environment(void)
{
	struct bw_heap *heap;

	setenv("BURROW_MODE", "user", 1);
	setenv("BURROW", "window=128M", 1);
	if (!EXPECT(!bw_heap_open(&heap, NULL)))
		return;
	EXPECT(!strcmp(bw_heap_mode(heap), "user"));
	EXPECT(bw_heap_window_pages(heap) == 2 * BURROW_ARENA_PAGES);
	bw_heap_close(heap);
	setenv("BURROW", "window=1M", 1);
	EXPECT(bw_heap_open(&heap, NULL) == -EINVAL);
	EXPECT(strstr(bw_heap_error(), "window=1M"));
}

static void an_open_with_options_does_not(void)
{
	struct bw_heap_opts opts = {
		.size = sizeof(opts), .mode = BW_MODE_USER, .window = 64 * M,
	};
	struct bw_heap *heap;

	setenv("BURROW", "nonsense", 1);
	if (!EXPECT(!bw_heap_open(&heap, &opts)))
		return;
	EXPECT(bw_heap_window_pages(heap) == BURROW_ARENA_PAGES);
	bw_heap_close(heap);
	unsetenv("BURROW");
}

static void options_out_of_range_are_refused(void)
{
	const struct bw_heap_opts bad[] = {
		{ .size = 8 },
		{ .size = sizeof(bad[0]), .mode = BW_MODE_USER + 1 },
		{ .size = sizeof(bad[0]), .flags = 1U << 31 },
		{ .size = sizeof(bad[0]), .pad = 1 },
		{ .size = sizeof(bad[0]), .window = 1 },
		{ .size = sizeof(bad[0]), .device = "" },
	};
	struct bw_heap *heap;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		bw_error(0, "%s", "");
		EXPECT(bw_heap_open(&heap, &bad[i]) == -EINVAL);
		EXPECT(*bw_heap_error());
	}
}

static void the_formatter_says_what_printf_would(void)
{
	char mine[96], theirs[96];

#define SAME(...) do {							\
	EXPECT(bw_fmt(mine, sizeof(mine), __VA_ARGS__) ==		\
	       (size_t)snprintf(theirs, sizeof(theirs), __VA_ARGS__));	\
	EXPECT(!strcmp(mine, theirs));					\
} while (0)
	SAME("%s|%c|%%|%d", "text", 'x', -42);
	SAME("%d %d %u", INT32_MIN, INT32_MAX, UINT32_MAX);
	SAME("%x %lx %llx", 0xdeadbeefU, 0UL, ~0ULL);
	SAME("%ld %lld %lu %llu", INT64_MIN, -1LL, ~0UL, ~0ULL);
	SAME("%zu %zd", (size_t)-1, (ssize_t)-1);
	SAME("%p", (void *)mine);
#undef SAME
}

static void the_formatter_cuts_what_does_not_fit(void)
{
	char buf[8] = "#######";

	EXPECT(bw_fmt(buf, 5, "%s", "abcdefgh") == 4);
	EXPECT(!strcmp(buf, "abcd") && buf[5] == '#');
	EXPECT(bw_fmt(buf, 0, "x") == 0);
}

static void an_error_keeps_its_line_even_when_it_quotes_the_last_one(void)
{
	EXPECT(bw_error(-EIO, "one") == -EIO);
	bw_error(-EIO, "two: %s", bw_error_last());
	EXPECT(!strcmp(bw_error_last(), "two: one"));
	EXPECT(!strcmp(bw_errno_name(-ENOSPC), "ENOSPC"));
	EXPECT(!strcmp(bw_errno_name(ENOSPC), "ENOSPC"));
	EXPECT(!strcmp(bw_errno_name(0), "OK"));
}

int main(void)
{
	TEST(each_row_gives_its_options_or_its_error);
	TEST(a_device_path_may_have_127_bytes_and_no_more);
	TEST(an_open_without_options_reads_the_environment);
	TEST(an_open_with_options_does_not);
	TEST(options_out_of_range_are_refused);
	TEST(the_formatter_says_what_printf_would);
	TEST(the_formatter_cuts_what_does_not_fit);
	TEST(an_error_keeps_its_line_even_when_it_quotes_the_last_one);
	return tap_end();
}
