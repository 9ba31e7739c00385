// SPDX-License-Identifier: MIT
/* Memory that the heap will not need goes back between cycles, a little at a time. */
#include "gc_rig.h"

#define SPANS		48U
#define SPAN_PAGES	64U
#define MIB		(1UL << 20)

static struct bw_collector *const c = &bw_collector;

/*
 * In a child that has no collector's thread: @SPANS spans were used, and are lazy.
 * What the heap had is forgotten.
 */
static struct bw_mheap *lazy_heap(void)
{
	struct bw_mheap *h = bw_mheap();
	struct bw_mspan *s[SPANS];
	u32 i;

	bw_keepalive(bw_alloc(16));
	EXPECT(READ_ONCE(c->h) == h);
	for (i = 0; i < SPANS; i++) {
		s[i] = bw_mspan_get(h, SPAN_PAGES, 0, BURROW_KIND_NOSCAN, 0);
		if (EXPECT(s[i]))
			memset(s[i]->base, 1, SPAN_PAGES * BURROW_PAGE_SIZE);
	}
	WRITE_ONCE(h->gc.scavenger, 1);
	for (i = 0; i < SPANS; i++)
		bw_mspan_put(h, s[i]);
	bw_mheap_scavenge(h, 0);
	EXPECT(h->lazy_pages >= SPANS * SPAN_PAGES);
	return h;
}

static void in_child(void (*fn)(void *arg))
{
	char said[1000];

	if (!EXPECT(!rig_child(fn, NULL, said, sizeof(said))))
		printf("# %s\n", said);
}

/* V1 */
static void slices_child(void *arg)
{
	struct bw_mheap *h = lazy_heap();
	u64 had = h->lazy_pages, now, until;

	bw_mheap_retain(h, 0, bw_gc_now());
	c->scavenger.next = UINT64_MAX;
	EXPECT(bw_scavenge_some(c) == UINT64_MAX);
	EXPECT(h->lazy_pages == had && !c->scavenger.given);
	c->scavenger.next = 0;
	now = bw_gc_now();
	until = bw_scavenge_some(c);
	EXPECT(c->scavenger.given >= 4 * MIB && c->scavenger.given < 6 * MIB);
	EXPECT(h->lazy_pages + 4 * MIB / BURROW_PAGE_SIZE == had);
	EXPECT(c->scavenger.cpu);
	EXPECT(c->scavenger.rest == 99 * c->scavenger.cpu);
	EXPECT(until >= now + c->scavenger.rest && until == c->scavenger.next);
	/* not before */
	EXPECT(bw_scavenge_some(c) == until);
	EXPECT(c->scavenger.rest == 99 * c->scavenger.cpu);
	EXPECT(c->scavenger.given < 6 * MIB);
}

/* As if there were so many Ps. */
static void procs_child(void *arg)
{
	static const u32 procs[] = { 2, 4, 1000 }, times[] = { 49, 24, 1 };
	u64 cpu, rest;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(procs); i++) {
		bw_mheap_retain(lazy_heap(), 0, bw_gc_now());
		bw_sched.nr_procs = procs[i];
		cpu = c->scavenger.cpu;
		rest = c->scavenger.rest;
		c->scavenger.next = 0;
		EXPECT(bw_scavenge_some(c));
		EXPECT(c->scavenger.cpu > cpu);
		EXPECT(c->scavenger.rest - rest ==
		       times[i] * (c->scavenger.cpu - cpu));
	}
	bw_sched.nr_procs = 0;
}

static void with_more_Ps_it_may_have_more(void)
{
	in_child(procs_child);
}

static void a_slice_is_followed_by_99_times_as_much_rest(void)
{
	in_child(slices_child);
}

/* V3 */
static void all_child(void *arg)
{
	struct bw_mheap *h = lazy_heap();
	u32 n = 0;

	bw_mheap_retain(h, 0, bw_gc_now());
	do {
		c->scavenger.next = 0;
		n++;
	} while (bw_scavenge_some(c) && n < 100);
	EXPECT(n > 4 && n < 100);
	EXPECT(!h->lazy_pages && !h->spare_pages);
	EXPECT(c->scavenger.given >= SPANS * SPAN_PAGES * BURROW_PAGE_SIZE);
}

static void it_ends_when_all_is_given_back(void)
{
	in_child(all_child);
}

static void kept_child(void *arg)
{
	struct bw_mheap *h = lazy_heap();
	u64 had = h->lazy_pages;

	c->pacer.goal = READ_ONCE(h->gc.live) + 64 * (s64)MIB;
	bw_scavenge_begin(c);
	EXPECT(!bw_scavenge_some(c));
	EXPECT(!c->scavenger.given && h->lazy_pages == had);
	/* less is to be needed, and a tenth more */
	c->scavenger.next = 0;
	c->pacer.goal = READ_ONCE(h->gc.live) + 10 * (s64)MIB;
	bw_scavenge_begin(c);
	while (bw_scavenge_some(c))
		c->scavenger.next = 0;
	EXPECT(h->lazy_pages >= 10 * MIB / BURROW_PAGE_SIZE);
	EXPECT(h->lazy_pages < 13 * MIB / BURROW_PAGE_SIZE);
}

static void what_the_goal_will_need_stays(void)
{
	in_child(kept_child);
}

static void puts_child(void *arg)
{
	struct bw_mheap *h = lazy_heap();
	u64 had = h->lazy_pages;
	struct bw_mspan *s;
	u32 bell, i;

	bw_mheap_retain(h, 0, 0);
	WRITE_ONCE(c->scavenger.asked, 0);
	bell = c->bell;
	/* more than BW_LAZY_PAGES: each put looks at the clock */
	for (i = 0; i < 3; i++) {
		s = bw_mspan_get(h, 200, 0, BURROW_KIND_NOSCAN, 0);
		if (EXPECT(s))
			bw_mspan_put(h, s);
	}
	EXPECT(c->scavenger.asked && c->bell == bell + 1);
	EXPECT(h->lazy_pages >= had);
	/* without the thread whoever puts does it */
	WRITE_ONCE(h->gc.scavenger, 0);
	for (i = 0; i < 4; i++) {
		bw_mheap_decay(h, bw_gc_now() + (i + 1) * BW_DECAY_NS);
		h->decayed = 0;
		s = bw_mspan_get(h, 200, 0, BURROW_KIND_NOSCAN, 0);
		if (EXPECT(s))
			bw_mspan_put(h, s);
	}
	EXPECT(h->lazy_pages < had);
}

static void who_puts_a_span_asks_for_it_and_does_not_wait(void)
{
	in_child(puts_child);
}

static void forked_child(void *arg)
{
	struct bw_mheap *h = lazy_heap();
	int status = -1;
	pid_t pid;

	bw_gc();
	EXPECT(READ_ONCE(h->gc.scavenger));
	pid = fork();
	if (!pid)
		_exit(h->gc.scavenger || h->retain);
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
}

static void a_child_of_fork_has_nobody_who_does_it(void)
{
	in_child(forked_child);
}

#define DEAD	(24 * MIB)

static __attribute__((noinline)) void make_garbage(void)
{
	u64 n;

	for (n = 0; n < DEAD; n += sizeof(struct node))
		bw_new(node);
}

static void maker(void *arg)
{
	make_garbage();
	WRITE_ONCE(*(u32 *)arg, 1);
}

/* Nobody allocates, frees or collects meanwhile; it goes all the same. */
static int idle_main(void *arg)
{
	static u32 made;
	struct bw_gc_stats before, after;
	int percent = bw_gc_set_percent(-1);

	bw_go(maker, &made);
	while (!READ_ONCE(made))
		bw_yield();
	/* a sanitizer's own data are globals, by which the goal is higher */
	bw_gc_set_percent(1);
	collect();
	bw_gc_stats(&before);
	/* but for what the next goal may need */
	while (READ_ONCE(c->scavenger.given) < DEAD / 4)
		usleep(1000);
	bw_gc_stats(&after);
	EXPECT(after.cycles == before.cycles);
	EXPECT(READ_ONCE(c->scavenger.cpu));
	bw_gc_set_percent(percent);
	return 0;
}

static void it_comes_without_anybody_doing_anything(void)
{
	in_run(idle_main);
}

int main(void)
{
	setenv("BURROW_GC", "100", 1);
	TEST(a_slice_is_followed_by_99_times_as_much_rest);
	TEST(with_more_Ps_it_may_have_more);
	TEST(it_ends_when_all_is_given_back);
	TEST(what_the_goal_will_need_stays);
	TEST(who_puts_a_span_asks_for_it_and_does_not_wait);
	TEST(a_child_of_fork_has_nobody_who_does_it);
	TEST(it_comes_without_anybody_doing_anything);
	return tap_end();
}
