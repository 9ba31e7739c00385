// SPDX-License-Identifier: MIT
/* Who dies of touching the heap where nothing is hears what was there. */

#include "burrow/alloc.h"
#include "heap/pageheap.h"
#include "sched_rig.h"

#define LONG	(1UL << 20)

static char said[1 << 14];

/* A sanitizer would say it first. */
static __attribute__((no_sanitize_address, noinline))
char peek(const volatile char *p)
{
	return *p;
}

/* Freed, and its memory given back: the page where an object was. */
static volatile char *freed_object(void)
{
	volatile char *p = bw_alloc_noscan(LONG);

	p[0] = 1;
	bw_free((void *)p);
	bw_mheap_scavenge(bw_mheap(), UINT64_MAX);
	return p;
}

static int touch_freed(void *arg)
{
	volatile char *p = freed_object();

	return peek(p + LONG / 2);
}

static int touch_beyond(void *arg)
{
	struct bw_mheap *h = bw_mheap();
	const struct bw_window *w = &h->be->window;
	volatile char *p = bw_alloc(64);

	p = w->data + ((size_t)(w->nr_arenas - 1) << BURROW_ARENA_SHIFT);
	return *p;
}

/* The same without anybody who gives memory back. */
static int touch_at_once(void *arg)
{
	volatile char *p;

	p = bw_alloc_noscan(LONG);
	p[LONG / 2] = 1;
	bw_free((void *)p);
	return peek(p + LONG / 2);
}

/* It comes and goes, zero each time, and what is live is not in the way. */
static int use_with_fences(void *arg)
{
	char *live, *p;
	u32 i, n;

	live = memset(bw_alloc_noscan(LONG), 'l', LONG);
	for (i = 0; i < 64; i++) {
		n = 1U << (10 + i % 12);
		p = bw_alloc_noscan(n);
		if (p[0] || p[n / 2] || p[n - 1])
			_exit(1);
		memset(p, 'p', n);
		bw_free(p);
	}
	_exit(live[0] != 'l' || live[LONG - 1] != 'l');
}

static void run(void *arg)
{
	bw_run((int (*)(void *))arg, NULL);
}

static void exit_with_freed(void *arg)
{
	_exit(peek(freed_object() + LONG / 2) != 0);
}

static void expect_segv(int (*fn)(void *arg), const char *what)
{
	int status = rig_child(run, (void *)fn, said, sizeof(said));

	if (!EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
	    !EXPECT(strstr(said, what)))
		printf("# status 0x%x, wanted '%s', said: %s\n", status, what,
		       said);
}

static void a_touch_beyond_the_arenas_is_said(void)
{
	expect_segv(touch_beyond, "in no arena: nothing was ever there");
}

static void expect_zero(void)
{
	int status = rig_child(exit_with_freed, NULL, said, sizeof(said));

	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* In user mode such a page is memory again when it is touched. */
static void a_touch_of_what_was_freed_and_given_back_is_said(void)
{
	const char *mode = getenv("BURROW_MODE");

	if (mode && !strcmp(mode, "kernel"))
		expect_segv(touch_freed, "what was there was freed");
	else
		expect_zero();
}

static void with_efence_a_touch_of_what_was_freed_is_a_fault(void)
{
	setenv("BURROW", "efence=1", 1);
	expect_segv(touch_at_once, "SIGSEGV at");
	unsetenv("BURROW");
}

static void with_efence_memory_can_be_used_again(void)
{
	int status;

	setenv("BURROW", "efence=1", 1);
	status = rig_child(run, (void *)use_with_fences, said, sizeof(said));
	unsetenv("BURROW");
	if (!EXPECT(WIFEXITED(status) && !WEXITSTATUS(status)))
		printf("# status 0x%x: %s\n", status, said);
}

static void words_are_found_for_any_address(void)
{
	char *p = bw_alloc(48), *q = bw_alloc_noscan(LONG), *r, buf[160];
	int local;

	EXPECT(bw_mheap_explain(p, buf, sizeof(buf)) == strlen(buf));
	EXPECT(strstr(buf, "page 0 of a live conservative span at "));
	EXPECT(bw_mheap_explain(q + LONG / 2, buf, sizeof(buf)));
	EXPECT(strstr(buf, "page 64 of a live noscan span at "));
	EXPECT(!bw_mheap_explain(&local, buf, sizeof(buf)));
	EXPECT(!bw_mheap_explain(NULL, buf, sizeof(buf)));
	r = (char *)freed_object();
	EXPECT(bw_mheap_explain(r, buf, sizeof(buf)));
	EXPECT(strstr(buf, "in a page that is free"));
	EXPECT(bw_mheap_explain(p, buf, 8) == 7);
	bw_free(p);
	bw_free(q);
}

int main(void)
{
	/* children first: they open heaps of their own */
	TEST(a_touch_beyond_the_arenas_is_said);
	TEST(a_touch_of_what_was_freed_and_given_back_is_said);
	TEST(with_efence_a_touch_of_what_was_freed_is_a_fault);
	TEST(with_efence_memory_can_be_used_again);
	TEST(words_are_found_for_any_address);
	return tap_end();
}
