// SPDX-License-Identifier: MIT
/*
 * What one thread sees of mcaches: a shadow of every object beside it, and the
 * invariants O, E and M after each few steps.
 */
#include "base/atomic.h"
#include "failnth_rig.h"
#include "mcache_rig.h"

#define OBJECTS	3000
#define STEPS	60000

static void check(void)
{
	int bad = bw_mcache_check(c);

	if (!EXPECT(!bad))
		printf("# M%d\n", bad);
	bad = bw_mheap_check(h);
	if (!EXPECT(!bad))
		printf("# invariant %d of the heap\n", bad);
}

static u64 objects(void)
{
	struct bw_memstats m;

	bw_mcache_flush_frees(c);
	EXPECT(!bw_memstats_of(h, &m));
	return m.nr_objects;
}

static u32 conservative(size_t n)
{
	return bw_spanclass(bw_class_of(n), BURROW_KIND_CONSERVATIVE);
}

static void what_is_allocated_is_there_until_it_is_freed(void)
{
	static struct shadow o[OBJECTS];
	u64 seed = tap_seed(1), live = 0;
	u32 step;

	begin();
	for (step = 0; step < STEPS; step++) {
		struct shadow *at = &o[rig_random(&seed) % OBJECTS];
		u8 fill = (u8)(rig_random(&seed) % 255 + 1);

		if (at->p) {
			EXPECT(rig_drop(c, at));
			live--;
		} else {
			EXPECT(rig_make(c, at, rig_size(&seed), step % 3,
					fill));
			live++;
		}
		if (step % 5000 == 0) {
			check();
			EXPECT(objects() == live);
		}
	}
	for (step = 0; step < OBJECTS; step++)
		if (o[step].p)
			EXPECT(rig_drop(c, &o[step]));
	EXPECT(objects() == 0);
	check();
	end();
}

/* By each way that a free can take. */
static void what_was_dirty_is_zero_when_it_comes_again(void)
{
	u32 cls, i, k, nr;
	u8 *p[200];

	begin();
	for (cls = 1; cls < BURROW_NR_CLASSES; cls++) {
		size_t n = bw_sizeclass[cls].size;

		nr = min(2U * bw_sizeclass[cls].nelems + 3, 200U);
		for (k = 0; k < 3; k++) {
			for (i = 0; i < nr; i++) {
				p[i] = alloc(n);
				EXPECT(p[i] && rig_is_filled(p[i], n, 0));
				memset(p[i], 0xa5, n);
			}
			for (i = 0; i < nr; i++)
				mcache_free(c, p[i]);
			/* from stashes and shelves, and from spans */
			if (k)
				bw_mcache_flush_frees(c);
		}
	}
	check();
	end();
}

static void a_span_is_used_up_before_the_next_is_fetched(void)
{
	const struct bw_sizeclass *sc = &bw_sizeclass[bw_class_of(48)];
	struct bw_mspan *s;
	u32 i;

	begin();
	for (i = 0; i < sc->nelems; i++)
		EXPECT(alloc(48));
	s = c->span[conservative(48)];
	EXPECT(bw_mspan_count_locked(s) == sc->nelems);
	EXPECT(alloc(48) && c->span[conservative(48)] != s);
	EXPECT(s->state == BW_MSPAN_FULL && s->nalloc == sc->nelems);
	check();
	for (i = 0; i < sc->nelems; i++)
		mcache_free(c, s->base + i * 48);
	bw_mcache_flush_frees(c);
	EXPECT(s->state == BW_MSPAN_SPARE);
	bw_mcache_release(c);
	EXPECT(!bw_mheap_check(h));
	bw_mheap_close(h);
}

static void what_others_free_comes_back_to_whose_span_it_is(void)
{
	struct bw_mcache *other;
	struct bw_mspan *s;
	void *p[128];
	u32 i;

	begin();
	other = bw_mcache_make(h);
	if (!EXPECT(other))
		return;
	for (i = 0; i < 128; i++)
		p[i] = alloc(64);
	s = c->span[conservative(64)];
	EXPECT(s->nelems == 128);
	for (i = 0; i < 128; i += 2)
		mcache_free(other, p[i]);
	EXPECT(!s->nr_freed && bw_mspan_is_allocated(s, 0));
	bw_mcache_flush_frees(other);
	EXPECT(s->nr_freed == 64 && !bw_mheap_check(h));
	for (i = 0; i < 128; i += 2)
		EXPECT(alloc(64) == p[i]);
	EXPECT(c->span[conservative(64)] == s);
	for (i = 0; i < 128; i++)
		mcache_free(other, p[i]);
	bw_mcache_release(other);
	check();
	end();
}

/* Though mcentral has a span that it would rather give. */
static void frees_behind_the_window_are_found_again(void)
{
	void *p[512];
	u32 i;

	begin();
	for (i = 0; i < 512; i++)
		p[i] = alloc(32);
	for (i = 0; i < 64; i++)
		mcache_free(c, p[i]);
	bw_mcache_flush_frees(c);
	for (i = 256; i < 276; i++)
		mcache_free(c, p[i]);
	bw_mcache_flush_frees(c);
	for (i = 256; i < 276; i++)
		EXPECT(alloc(32) == p[i]);
	for (i = 0; i < 64; i++)
		EXPECT(alloc(32) < p[256]);
	check();
	for (i = 0; i < 512; i++)
		mcache_free(c, p[i]);
	end();
}

static void a_slot_is_allocated_from_when_it_is_zero_until_it_is_freed(void)
{
	struct bw_mspan *s;
	void *p[200];
	u32 i, k;

	begin();
	for (i = 0; i < 200; i++) {
		p[i] = alloc(32);
		s = c->span[conservative(32)];
		for (k = 0; k < 256; k++)
			EXPECT(bw_mspan_is_allocated(s, k) == (k <= i));
	}
	for (i = 0; i < 200; i++) {
		mcache_free(c, p[i]);
		EXPECT(bw_mspan_is_allocated(s, i));
		bw_mcache_flush_frees(c);
		for (k = 0; k < 200; k++)
			EXPECT(bw_mspan_is_allocated(s, k) == (k > i));
	}
	end();
}

static void tiny_objects_share_blocks_and_are_aligned_by_their_size(void)
{
	u8 *p, *block = NULL;
	u64 seed = 2;
	u32 i, n, new_blocks = 0;

	begin();
	for (i = 0; i < 1000; i++) {
		p = bw_tiny_alloc(c, 4);
		EXPECT(p && (uintptr_t)p % 4 == 0 && rig_is_filled(p, 4, 0));
		memset(p, 0xff, 4);
		if (p - block >= 16 || p < block)
			new_blocks++;
		block = (u8 *)((uintptr_t)p & ~15UL);
		mcache_free(c, p);
	}
	EXPECT(new_blocks == 250);
	for (i = 0; i < 1000; i++) {
		n = rig_random(&seed) % 15 + 1;
		p = bw_tiny_alloc(c, n);
		EXPECT(p && rig_is_filled(p, n, 0));
		EXPECT(n % 8 || (uintptr_t)p % 8 == 0);
		EXPECT(n % 2 || (uintptr_t)p % 2 == 0);
		memset(p, 0xff, n);
	}
	EXPECT(bw_mcache_slot_size(h, p) == 0);
	check();
	bw_mcache_release(c);
	bw_mheap_close(h);
}

static void a_large_object_has_a_span_to_itself(void)
{
	size_t n = 5 * BURROW_PAGE_SIZE + 1;
	struct bw_mspan *s;
	u8 *p, round;

	begin();
	for (round = 0; round < 3; round++) {
		p = alloc(n);
		s = bw_mspan_of(h, p);
		EXPECT(s && s->state == BW_MSPAN_LARGE && s->npages == 6);
		EXPECT((u8 *)s->base == p && rig_is_filled(p, n, 0));
		EXPECT(bw_mspan_is_allocated(s, 0) && objects() == 1);
		EXPECT(bw_mcache_slot_size(h, p) == 6 * BURROW_PAGE_SIZE);
		memset(p, 0xee, n);
		check();
		mcache_free(c, p);
		EXPECT(!bw_mspan_of(h, p));
	}
	EXPECT(!alloc(RIG_WINDOW + 1) && !alloc(SIZE_MAX));
	end();
}

/* How many objects of all there were, and that those are whole. */
static u32 chain(void)
{
	static struct shadow o[400];
	u64 seed = 7;
	u32 i, got = 0;

	for (i = 0; i < 400; i++) {
		size_t n = i % 8 ? rig_size(&seed) : 40000;

		o[i].p = NULL;
		EXPECT(rig_make(c, &o[i], n, true, (u8)(i % 255 + 1)) ||
		       !o[i].p);
		got += !!o[i].p;
	}
	check();
	for (i = 0; i < 400; i++)
		if (o[i].p)
			EXPECT(rig_drop(c, &o[i]));
	return got;
}

static u64 attempt(u64 nth, int err, u32 *got)
{
	struct bw_backend *be = rig_failing(nth, err);
	u64 steps;

	begin_on(be);
	*got = chain();
	steps = bw_backend_failnth_steps(be);
	end();
	return steps;
}

static void a_backend_that_fails_at_any_step_gives_null_and_no_more(void)
{
	u64 total, nth;
	u32 got, fewest = 400;

	total = attempt(0, -EIO, &got);
	EXPECT(got == 400);
	printf("# %llu steps\n", (unsigned long long)total);
	for (nth = 1; nth <= total; nth += 1 + nth / 40) {
		attempt(nth, -EIO, &got);
		fewest = min(fewest, got);
	}
	EXPECT(fewest < 400);
}

static void a_span_that_had_a_guard_is_whole_for_the_next(void)
{
	const u32 npages = 8;
	struct bw_mspan *s;
	char *p;

	begin();
	h->guard = true;
	p = bw_large_alloc(h, 7 * BURROW_PAGE_SIZE - 40, BURROW_KIND_MANUAL,
			   false);
	if (!EXPECT(p))
		return;
	s = bw_mspan_of(h, p);
	EXPECT(s->npages == npages && s->base == p);
	bw_large_free(h, s, p);
	h->guard = false;
	s = bw_mspan_get(h, npages, 0, BURROW_KIND_MANUAL, 0);
	if (!EXPECT(s))
		return;
	EXPECT(s->base == bw_window_page_addr(&h->be->window, s->ref.page));
	EXPECT(s->elem_size == npages * BURROW_PAGE_SIZE);
	memset(s->base, 1, npages * BURROW_PAGE_SIZE);
	bw_mspan_put(h, s);
	end();
}

int main(void)
{
	TEST(what_is_allocated_is_there_until_it_is_freed);
	TEST(what_was_dirty_is_zero_when_it_comes_again);
	TEST(a_span_is_used_up_before_the_next_is_fetched);
	TEST(what_others_free_comes_back_to_whose_span_it_is);
	TEST(frees_behind_the_window_are_found_again);
	TEST(a_slot_is_allocated_from_when_it_is_zero_until_it_is_freed);
	TEST(tiny_objects_share_blocks_and_are_aligned_by_their_size);
	TEST(a_large_object_has_a_span_to_itself);
	TEST(a_span_that_had_a_guard_is_whole_for_the_next);
	TEST(a_backend_that_fails_at_any_step_gives_null_and_no_more);
	return tap_end();
}
