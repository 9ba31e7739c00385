// SPDX-License-Identifier: MIT
/* Guards that the system refuses, or has no more of. */
#include "stack_rig.h"

static void use_up_the_fences(void *arg)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[150];
	u32 i;

	heap = stack_heap(false, 1);
	bw_to_user(heap->be)->guards.max_fences = 100;
	bw_to_user(heap->be)->verbose = arg;
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 150, NULL));
	for (i = 0; i < 150; i++)
		EXPECT(is_guarded(ref[i].page) == (i < 100));
	EXPECT(guard_is_good(ref[99].page));
	EXPECT(!is_forbidden(words(ref[100].page)));
	fill(ref[100].page, 4, 3);
	/* one goes, one comes */
	EXPECT(!bw_heap_span_free(heap, 0, &ref[7], 1, NULL));
	EXPECT(!bw_heap_span_free(heap, 0, &ref[100], 1, NULL));
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 2, NULL));
	EXPECT(guard_is_good(ref[0].page) && !is_guarded(ref[1].page));
	EXPECT(!bw_heap_check(heap));
	bw_heap_close(heap);
}

static void beyond_the_budget_stacks_have_no_guard_and_it_is_told_once(void)
{
	char said[800], *first;

	EXPECT(!rig_child(use_up_the_fences, "", said, sizeof(said)));
	first = strstr(said, "stacks beyond 100 have no guard");
	EXPECT(first && !strstr(first + 1, "stacks"));
	EXPECT(!rig_child(use_up_the_fences, NULL, said, sizeof(said)));
	EXPECT(!said[0]);
}

static void fences_may_take_half_of_the_mappings_a_process_may_have(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	u32 count = 0;

	EXPECT(f && fscanf(f, "%u", &count) == 1);
	if (f)
		fclose(f);
	heap = stack_heap(false, 1);
	EXPECT(!bw_to_user(heap->be)->guards.markers);
	EXPECT(bw_to_user(heap->be)->guards.max_fences == count / 4);
	bw_heap_close(heap);
}

static void a_marker_that_is_refused_becomes_a_fence(void)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[10];
	u32 from, i;

	for (from = 1; from <= 11; from++) {
		heap = stack_heap(true, 1);
		refuse_from(INSTALL, EINVAL, from);
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 10, NULL));
		for (i = 0; i < 10; i++)
			EXPECT(guard_is_good(ref[i].page));
		expect_counts(10, 11 - from);
		EXPECT(!bw_heap_span_free(heap, 0, ref, 10, NULL));
		expect_counts(0, 0);
		bw_heap_close(heap);
	}
}

static void advice_that_does_nothing_is_no_guard(void)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[10];
	u32 i;

	idle_markers = true;
	heap = stack_heap(true, 1);
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 10, NULL));
	for (i = 0; i < 10; i++)
		EXPECT(is_guarded(ref[i].page) && guard_is_good(ref[i].page));
	expect_counts(10, 10);
	bw_heap_close(heap);
	idle_markers = false;
}

static void no_memory_for_a_marker_is_ENOMEM(void)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[10];
	u32 done;

	heap = stack_heap(true, 1);
	refuse_from(INSTALL, ENOMEM, 4);
	EXPECT(bw_heap_span_alloc(heap, &want, ref, 10, &done) == -ENOMEM);
	EXPECT(done == 3 && guard_is_good(ref[2].page));
	expect_counts(3, 0);
	refuse.err = 0;
	EXPECT(!bw_heap_span_alloc(heap, &want, ref + 3, 7, NULL));
	EXPECT(guard_is_good(ref[9].page));
	bw_heap_close(heap);
}

static void a_fence_that_is_refused_is_none(void)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[10];
	u32 from, i;

	for (from = 1; from <= 11; from++) {
		heap = stack_heap(false, 1);
		refuse_from(FENCES, ENOMEM, from);
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 10, NULL));
		refuse.err = 0;
		for (i = 0; i < 10; i++) {
			EXPECT(is_guarded(ref[i].page) == (i < from - 1));
			if (is_guarded(ref[i].page))
				EXPECT(guard_is_good(ref[i].page));
			else
				fill(ref[i].page, 4, 1);
		}
		expect_counts(10, from - 1);
		EXPECT(!bw_heap_span_free(heap, 0, ref, 10, NULL));
		expect_counts(0, 0);
		bw_heap_close(heap);
	}
}

static void a_guard_that_cannot_be_taken_away_keeps_its_stack(void)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[10], odd[5];
	u32 way, i, done;

	for (way = 0; way < 2; way++) {
		heap = stack_heap(way, 1);
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 10, NULL));
		for (i = 0; i < 5; i++)
			odd[i] = ref[2 * i];
		refuse_from(way ? REMOVE : UNFENCES, ENOMEM, 3);
		EXPECT(bw_heap_span_free(heap, 0, odd, 5, &done) == -ENOMEM);
		EXPECT(done == 2);
		refuse.err = 0;
		expect_counts(8, way ? 0 : 8);
		EXPECT(guard_is_good(odd[2].page));
		EXPECT(!bw_heap_span_free(heap, 0, odd + 2, 3, NULL));
		expect_counts(5, way ? 0 : 5);
		bw_heap_close(heap);
	}
}

/* Ten stacks are free, and something was written where their guards were. */
static void make_used(struct burrow_span_ref *ref)
{
	struct bw_span_want whole = want_stack(40);
	struct burrow_span_ref all;

	EXPECT(!bw_heap_span_free(heap, 0, ref, 10, NULL));
	EXPECT(!bw_heap_span_alloc(heap, &whole, &all, 1, NULL) &&
	       all.page == ref[0].page);
	fill(all.page + BURROW_GUARD_PAGES, 40 - BURROW_GUARD_PAGES, 1);
	EXPECT(!bw_heap_span_free(heap, 0, &all, 1, NULL));
}

static void markers_of_new_stacks_are_set_in_one_call(void)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[10];
	u32 way, i;

	for (way = 0; way < 2; way++) {
		no_together = way;
		heap = stack_heap(true, 1);
		nr_together = 0;
		nr_installs = 0;
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 10, NULL));
		EXPECT(nr_together == (way ? 0 : 10) && nr_installs == 10);
		for (i = 0; i < 10; i++)
			EXPECT(guard_is_good(ref[i].page));
		make_used(ref);
		nr_together = 0;
		nr_installs = 0;
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 10, NULL));
		/* the first has the guard that the long one had */
		EXPECT(nr_together <= 1 && nr_installs == 10);
		for (i = 0; i < 10; i++)
			EXPECT(guard_is_good(ref[i].page));
		expect_counts(10, 0);
		EXPECT(!bw_heap_span_free(heap, 0, ref, 10, NULL));
		bw_heap_close(heap);
	}
	no_together = false;
}

/* Has the 4 KiB at the top of a stack of four pages memory? */
static bool has_top(u32 page)
{
	unsigned char seen = 0;

	return !mincore((char *)words(page + 4) - 4096, 4096, &seen) && seen & 1;
}

static void a_stack_has_its_top_and_leaves_no_guard_behind(void)
{
	struct bw_span_want want = want_stack(4), lazy = want, whole;
	struct burrow_span_ref ref[10];
	u32 way, i;

	lazy.flags = BURROW_ALLOC_LAZY;
	whole = want_stack(BURROW_ARENA_PAGES);
	whole.flags = BURROW_ALLOC_LAZY;
	for (way = 0; way < 2; way++) {
		heap = stack_heap(way, 1);
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 5, NULL));
		EXPECT(!bw_heap_span_alloc(heap, &lazy, ref + 5, 5, NULL));
		for (i = 0; i < 10; i++)
			EXPECT(has_top(ref[i].page) == (i < 5));
		EXPECT(!bw_heap_span_free(heap, 0, ref, 10, NULL));
		expect_counts(0, 0);
		if (EXPECT(!bw_heap_span_alloc(heap, &whole, ref, 1, NULL)))
			for (i = 2; i < 50; i++)
				*words(ref[0].page + i) = 1;
		bw_heap_close(heap);
	}
}

int main(void)
{
	TEST(beyond_the_budget_stacks_have_no_guard_and_it_is_told_once);
	TEST(fences_may_take_half_of_the_mappings_a_process_may_have);
	TEST(a_marker_that_is_refused_becomes_a_fence);
	TEST(advice_that_does_nothing_is_no_guard);
	TEST(no_memory_for_a_marker_is_ENOMEM);
	TEST(markers_of_new_stacks_are_set_in_one_call);
	TEST(a_fence_that_is_refused_is_none);
	TEST(a_guard_that_cannot_be_taken_away_keeps_its_stack);
	TEST(a_stack_has_its_top_and_leaves_no_guard_behind);
	return tap_end();
}
