// SPDX-License-Identifier: MIT
/*
 * When memory runs out: each call says NULL and ENOMEM, what there is stays as it
 * was, and what is freed can be had again.
 */
#include "alloc_rig.h"
#include "burrow.h"
#include "cgroup_rig.h"
#include "oom_rig.h"

#define UNIT	(BURROW_HUGE_PAGES * BURROW_PAGE_SIZE)
#define SIZES	12
#define CALLS	5
#define REGION	40

static const size_t sizes[SIZES] = {
	1, 8, 16, 40, 300, 4000, 20000, 32768, 40000, 500000, UNIT + UNIT / 2,
	2 * UNIT,
};

/* Of large ones the test looks at the beginning. */
static size_t seen(size_t n)
{
	return n < 40000 ? n : 40000;
}

static void *call(u32 which, size_t n)
{
	/* tiny ones share blocks that only a collector frees: not here */
	if (which && n < BW_TINY_BLOCK)
		n = BW_TINY_BLOCK;
	switch (which) {
	case 0:
		return bw_alloc(n);
	case 1:
		return bw_alloc_noscan(n);
	case 2:
		return bw_alloc_raw(n);
	case 3:
		return bw_alloc_array(n, 1);
	default:
		return bw_new_plain_array(char, n);
	}
}

/* Each call with each size; how many had something. */
static u32 make_objects(struct shadow *o)
{
	u32 i, got = 0;

	for (i = 0; i < SIZES * CALLS; i++) {
		o[i].n = sizes[i % SIZES];
		o[i].fill = (u8)(i + 1);
		errno = 0;
		o[i].p = call(i / SIZES, o[i].n);
		EXPECT(o[i].p || errno == ENOMEM);
		if (!o[i].p)
			continue;
		o[i].n = seen(o[i].n);
		EXPECT(i / SIZES == 2 || rig_is_filled(o[i].p, o[i].n, 0));
		memset(o[i].p, o[i].fill, o[i].n);
		got++;
	}
	return got;
}

static u32 use_region(void)
{
	struct shadow o[REGION];
	struct bw_region *r = bw_region_make();
	u32 i, got = !!r;

	EXPECT(r || errno == ENOMEM);
	for (i = 0; r && i < REGION; i++) {
		o[i].n = 100 + 3001 * i;
		errno = 0;
		o[i].p = bw_region_alloc(r, o[i].n);
		EXPECT(o[i].p || errno == ENOMEM);
		if (!o[i].p)
			continue;
		EXPECT(rig_is_filled(o[i].p, o[i].n, 0));
		memset(o[i].p, (int)i + 1, o[i].n);
		got++;
	}
	for (i = 0; r && i < REGION; i++)
		EXPECT(!o[i].p || rig_is_filled(o[i].p, o[i].n, (u8)(i + 1)));
	if (r)
		bw_region_reset(r);
	EXPECT(!r || bw_region_alloc(r, 100) || errno == ENOMEM);
	bw_region_free(r);
	return got;
}

static u32 chain(void)
{
	struct shadow o[SIZES * CALLS];
	u32 i, got = make_objects(o);

	got += use_region();
	for (i = 0; i < SIZES * CALLS; i++) {
		EXPECT(!o[i].p || rig_is_filled(o[i].p, o[i].n, o[i].fill));
		bw_free(o[i].p);
	}
	return got;
}

/* Nothing is kept: each attempt begins with what the first began with. */
static void empty(struct bw_mheap *h)
{
	struct bw_mcache *c = bw_mcache_attach();

	bw_mcache_flush_frees(c);
	bw_mcache_flush(c);
	bw_mheap_scavenge(h, ~0ULL);
}

static void each_step_of_the_backend_may_fail_and_nothing_is_lost(void)
{
	static const int errs[] = { -ENOMEM, -ENOMEM, -ENOSPC, -EBUSY };
	static const u64 in_a_row[] = { 1, 1000000, 3, 20 };
	u64 total = 1, nth, used;
	u32 e, all, got, fewer = 0;
	struct oom oom;

	EXPECT(bw_mcache_attach());
	all = chain();
	EXPECT(all == SIZES * CALLS + 1 + REGION);
	empty(bw_mheap());
	used = bw_mheap()->used_pages;
	oom_begin(&oom, bw_mheap());
	for (e = 0; e < ARRAY_SIZE(errs); e++)
		/* until an attempt comes to its end before the step */
		for (nth = 1, total = nth; nth <= total; nth += 1 + nth / 24) {
			bw_backend_failnth_again(oom.failing, nth, in_a_row[e],
						 errs[e]);
			got = chain();
			total = bw_backend_failnth_steps(oom.failing);
			EXPECT(got <= all);
			fewer += got < all;
			bw_backend_failnth_again(oom.failing, 0, 0, 0);
			empty(oom.h);
			if (!EXPECT(!bw_mheap_check(oom.h)) ||
			    !EXPECT(oom.h->used_pages == used)) {
				printf("# %d at step %llu, %llu of %llu pages\n",
				       errs[e], (unsigned long long)nth,
				       (unsigned long long)oom.h->used_pages,
				       (unsigned long long)used);
				exit(1);
			}
		}
	EXPECT(chain() == all);
	EXPECT(fewer > 10);
	printf("# %llu steps, %u times less\n", (unsigned long long)total,
	       fewer);
	oom_end(&oom);
}

static void tiny_objects_run_out_as_others_do(void)
{
	struct oom oom;
	u8 *p = NULL;
	u32 nr;

	empty(bw_mheap());
	oom_begin(&oom, bw_mheap());
	bw_backend_failnth_again(oom.failing, 1, ~0U, -ENOMEM);
	for (nr = 0; nr < 10000; nr++) {
		errno = 0;
		p = bw_alloc_noscan(8);
		if (!p)
			break;
		EXPECT(rig_is_filled(p, 8, 0));
	}
	EXPECT(!p && errno == ENOMEM);
	bw_backend_failnth_again(oom.failing, 0, 0, 0);
	EXPECT(bw_alloc_noscan(8));
	EXPECT(!bw_mheap_check(oom.h));
	oom_end(&oom);
}

/* Objects hang on each other, and are filled behind that. */
struct link {
	struct link *next;
	u8 fill[];
};

/* Until there is no more; how many. */
static u32 take_all(struct link **head, size_t n)
{
	struct link *o;
	u32 nr = 0;

	*head = NULL;
	for (;;) {
		errno = 0;
		o = nr % 2 ? bw_alloc(n) : bw_alloc_noscan(n);
		if (!o)
			return errno == ENOMEM ? nr : 0;
		o->next = *head;
		memset(o->fill, (u8)nr++, n - sizeof(*o));
		*head = o;
	}
}

/* False: one is not as it was. */
static bool give_all(struct link *o, u32 nr, size_t n)
{
	struct link *next;
	bool good = true;

	for (; o; o = next) {
		next = o->next;
		good = good && rig_is_filled(o->fill, n - sizeof(*o),
					     (u8)(nr -= 1));
		bw_free(o);
	}
	return good && !nr;
}

/* What in_cgroup() saw of a size; said when there is no limit any more. */
struct seen_there {
	size_t n;
	u32 nr, again;
	bool intact, whole;
};

static void meet_the_limit(struct seen_there *w, size_t left)
{
	struct link *all;

	w->nr = take_all(&all, w->n);
	w->intact = give_all(all, w->nr, w->n);
	w->whole = !bw_mheap_check(bw_mheap());
	w->again = take_all(&all, w->n);
	w->intact = give_all(all, w->again, w->n) && w->intact;
	bw_mheap_scavenge(bw_mheap(), ~0ULL);
	w->whole = w->whole && !bw_mheap_check(bw_mheap());
	/* else it is not the limit that was met */
	w->whole = w->whole && w->nr * w->n > left / 2 &&
		   w->nr * w->n <= left + (2UL << 20);
}

static int in_cgroup(size_t left)
{
	struct seen_there was[] = {
		{ .n = 32768 }, { .n = 200000 }, { .n = 2048 },
	};
	bool good = bw_mheap() && crig_enter();
	u32 i;

	bw_free(bw_alloc(64));
	/* the page of the stack that all of it takes */
	memset(__builtin_alloca(16384), 1, 16384);
	good = good && crig_limit(left);
	for (i = 0; i < ARRAY_SIZE(was) && good; i++)
		meet_the_limit(&was[i], left);
	good = crig_no_limit() && good;
	for (i = 0; i < ARRAY_SIZE(was); i++) {
		bool well = was[i].intact && was[i].whole &&
			    was[i].again >= was[i].nr - was[i].nr / 8;

		good = good && well;
		if (!well)
			printf("# %zu bytes left, %u of %zu, then %u, %s, "
			       "%s\n", left, was[i].nr, was[i].n,
			       was[i].again, was[i].intact ? "intact" : "bad",
			       was[i].whole ? "whole" : "not whole");
	}
	return !good;
}

static void at_the_limit_of_a_cgroup_it_is_ENOMEM_and_nobody_is_killed(void)
{
	if (!crig_make()) {
		tap_skip("no memory cgroup can be made");
		return;
	}
	EXPECT(crig_run() == CRIG_PLACES);
	EXPECT(crig_nobody_was_killed());
	EXPECT(crig_drop());
}

int main(int argc, char **argv)
{
	/* nothing but what the test does */
	setenv("BURROW_GC", "off", 1);
	if (argc == 3 && !strcmp(argv[1], "cgroup"))
		return in_cgroup(strtoul(argv[2], NULL, 0));
	TEST(each_step_of_the_backend_may_fail_and_nothing_is_lost);
	TEST(tiny_objects_run_out_as_others_do);
	/* in user mode who goes beyond it is killed: memory comes by touch */
	if (!strcmp(bw_mheap()->be->mode, "kernel"))
		TEST(at_the_limit_of_a_cgroup_it_is_ENOMEM_and_nobody_is_killed);
	return tap_end();
}
