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
		for (nth = oom_first(&oom), total = nth; nth <= total;
		     nth = oom_next(&oom, nth, 24)) {
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

static void *limited_alloc(size_t n, unsigned int nr)
{
	return nr % 2 ? bw_alloc(n) : bw_alloc_noscan(n);
}

static bool heap_is_whole(void)
{
	return !bw_mheap_check(bw_mheap());
}

static void trim(void)
{
	bw_mheap_scavenge(bw_mheap(), ~0ULL);
}

static int in_cgroup(size_t left)
{
	static const struct crig_calls calls = {
		limited_alloc, bw_free, heap_is_whole, trim,
	};
	struct crig_seen was[] = {
		{ .n = 32768 }, { .n = 200000 }, { .n = 2048 },
	};

	return !bw_mheap() ||
	       crig_there(&calls, left, was, ARRAY_SIZE(was));
}

static void at_the_limit_of_a_cgroup_it_is_ENOMEM_and_nobody_is_killed(void)
{
	crig_everywhere();
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
