// SPDX-License-Identifier: MIT
/* Stacks of the user-mode backend, guarded by markers and by fences. */
#include "stack_rig.h"

/* Each test below that takes @markers is run for both ways. */
static void guards_end_stacks(bool markers)
{
	struct bw_span_want want = want_stack(8);
	struct burrow_span_ref ref[70];
	u32 i;

	heap = stack_heap(markers, 1);
	nr_installs = 0;
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 70, NULL));
	EXPECT(nr_installs == (markers ? 70 : 0));
	EXPECT(bw_to_user(heap->be)->guards.nr_fences == (markers ? 0 : 70));
	for (i = 0; i < 70; i++) {
		EXPECT(is_guarded(ref[i].page));
		fill(ref[i].page + 2, 6, (u8)i);
	}
	for (i = 0; i < 70; i++) {
		EXPECT(guard_is_good(ref[i].page));
		*words(ref[i].page + 2) = (u8)i * 0x0101010101010101ULL;
		EXPECT(range_is(ref[i].page + 2, 6, (u8)i));
	}
	bw_heap_close(heap);
}

static void a_touch_of_a_stacks_guard_is_SIGSEGV(void)
{
	guards_end_stacks(true);
	guards_end_stacks(false);
}

static u32 frames_at(char *at, size_t bytes)
{
	return (u32)bw_frames_count(at, bytes);
}

static void the_top_of_a_stack_is_there_unless_it_is_lazy(void)
{
	struct bw_span_want want = want_stack(16);
	struct burrow_span_ref ref[2];
	struct burrow_heap_stats s;
	char *end;
	u32 i;

	heap = stack_heap(true, 1);
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref[0], 1, NULL));
	EXPECT(!bw_heap_stats(heap, &s) && s.out_frames == 1);
	want.flags = BURROW_ALLOC_LAZY;
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref[1], 1, NULL));
	EXPECT(!bw_heap_stats(heap, &s) && s.out_frames == 1);
	for (i = 0; i < 2; i++) {
		end = (char *)words(ref[i].page + 16);
		EXPECT(frames_at(end - 4096, 4096) == !i);
		EXPECT(frames_at(end - 8192, 4096) == 0);
	}
	/* by touch, 4 KiB at a time: no huge page comes in */
	want = want_stack(1024);
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref[0], 1, NULL));
	*words(ref[0].page + 512) = 1;
	EXPECT(!bw_heap_stats(heap, &s) && s.out_frames == 3);
	bw_heap_close(heap);
}

/* A long stack leaves its memory; short ones have their guards in it. */
static void guards_over_lazy_memory(bool markers)
{
	struct bw_span_want want = want_stack(32);
	struct burrow_heap_stats s;
	struct burrow_span_ref ref[4];
	struct bw_span found;
	u32 i, first;

	heap = stack_heap(markers, 1);
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 1, NULL));
	first = ref[0].page;
	fill(first + 2, 30, 0xa5);
	EXPECT(!bw_heap_span_free(heap, 0, ref, 1, NULL));
	EXPECT(!bw_heap_stats(heap, &s) && s.out_pages_lazy == 30);
	want.npages = 8;
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 4, NULL));
	EXPECT(ref[0].page == first && ref[3].page == first + 24);
	for (i = 0; i < 4; i++) {
		EXPECT(guard_is_good(ref[i].page));
		EXPECT(range_is(ref[i].page + 3, 5, 0xa5));
		EXPECT(bw_heap_span_of(heap, words(ref[i].page), &found) &&
		       found.needzero);
	}
	/* three guards had 2 pages of memory, the first had none */
	EXPECT(!bw_heap_stats(heap, &s) && s.out_nr_reclaimed == 12);
	EXPECT(s.out_frames == 4 * 12);
	EXPECT(!bw_heap_span_free(heap, 0, ref, 4, NULL));
	EXPECT(!bw_heap_stats(heap, &s) && s.out_pages_lazy == 24);
	/* where the guards were there is nothing, and no guard */
	want.npages = 32;
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 1, NULL));
	for (i = 1; i < 4; i++) {
		EXPECT(range_is(first + 8 * i, 2, 0));
		EXPECT(range_is(first + 8 * i + 3, 5, 0xa5));
	}
	fill(first + 2, 30, 1);
	EXPECT(guard_is_good(first));
	bw_heap_close(heap);
}

static void what_earlier_stacks_left_cannot_be_read_through_a_guard(void)
{
	guards_over_lazy_memory(true);
	guards_over_lazy_memory(false);
}

/* Allocates and frees in all orders; what is left is one plain arena. */
static void guards_come_and_go(bool markers)
{
	struct bw_span_want want = want_stack(4);
	struct burrow_span_ref ref[200], some[200];
	u32 before, i, round, nr;

	heap = stack_heap(markers, 1);
	before = rig_nr_mappings();
	for (round = 0; round < 4; round++) {
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 200, NULL));
		for (i = nr = 0; i < 200; i += 1 + (round & 1))
			some[nr++] = ref[i];
		EXPECT(!bw_heap_span_free(heap, round & 2 ?
					  BURROW_FREE_RECLAIM : 0, some, nr,
					  NULL));
		EXPECT(bw_heap_span_free(heap, 0, some, nr, NULL) == -ESTALE);
		for (i = 1; i < 200 && round & 1; i += 2) {
			EXPECT(guard_is_good(ref[i].page));
			EXPECT(!bw_heap_span_free(heap, 0, &ref[i], 1, NULL));
		}
		EXPECT(!bw_to_user(heap->be)->guards.nr_fences);
		EXPECT(rig_nr_mappings() == before);
	}
	want.npages = BURROW_ARENA_PAGES;
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 1, NULL));
	for (i = 2; i < 800; i++)
		*words(ref[0].page + i) = i;
	bw_heap_close(heap);
}

static void guards_go_with_their_stacks(void)
{
	guards_come_and_go(true);
	guards_come_and_go(false);
}

static void a_vector_of_stacks_stops_at_the_first_that_is_not_there(void)
{
	struct bw_span_want want = want_stack(3);
	struct burrow_span_ref ref[3], bad[4];
	u32 done;

	heap = stack_heap(false, 1);
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 3, NULL));
	bad[0] = ref[0];
	bad[1] = ref[1];
	bad[2] = ref[1];
	bad[3] = ref[2];
	EXPECT(bw_heap_span_free(heap, BURROW_FREE_RECLAIM, bad, 4, &done) ==
	       -ESTALE);
	EXPECT(done == 2);
	EXPECT(is_guarded(ref[2].page) && guard_is_good(ref[2].page));
	bw_heap_close(heap);
}

static void a_live_stack_can_be_emptied_and_keeps_its_guard(void)
{
	struct bw_span_want want = want_stack(8);
	struct burrow_span_ref ref;
	struct burrow_range r;
	u64 frames;
	u32 way;

	for (way = 0; way < 2; way++) {
		heap = stack_heap(way, 1);
		EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
		fill(ref.page + 2, 6, 7);
		/* zeros are written where nothing else helps: not to a guard */
		refuse_from(MADV_DONTNEED, EINVAL, 1);
		r = (struct burrow_range){ ref.page, 4 };
		EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, &frames));
		EXPECT(frames == 4);
		r.npages = 1;
		EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, &frames));
		EXPECT(!frames);
		refuse.err = 0;
		EXPECT(range_is(ref.page + 2, 2, 0));
		EXPECT(range_is(ref.page + 4, 4, 7));
		EXPECT(guard_is_good(ref.page));
		bw_heap_close(heap);
	}
}

#define NR_THREADS	3
#define NR_OPS		400
#define HELD		20

/* A stack's words say whose it is; a guard in the midst of it would kill us. */
static void *come_and_go(void *arg)
{
	u64 seed = (uintptr_t)arg;
	struct burrow_span_ref ref[HELD];
	u32 npages[HELD] = { 0 }, op, i, k;

	for (op = 0; op < NR_OPS; op++) {
		struct bw_span_want want;

		i = (u32)(rig_random(&seed) % HELD);
		want = want_stack(3 + (u32)(rig_random(&seed) % 6));
		if (npages[i]) {
			EXPECT(!is_guarded(ref[i].page) ||
			       is_forbidden(words(ref[i].page + 1)));
			for (k = 2; k < npages[i]; k++)
				EXPECT(*words(ref[i].page + k) == i);
			EXPECT(!bw_heap_span_free(heap, op % 3 ? 0 :
						  BURROW_FREE_RECLAIM,
						  &ref[i], 1, NULL));
			npages[i] = 0;
			continue;
		}
		if (!EXPECT(!bw_heap_span_alloc(heap, &want, &ref[i], 1, NULL)))
			continue;
		npages[i] = want.npages;
		for (k = 2; k < npages[i]; k++)
			*words(ref[i].page + k) = i;
	}
	for (i = 0; i < HELD; i++)
		if (npages[i])
			EXPECT(!bw_heap_span_free(heap, 0, &ref[i], 1, NULL));
	return NULL;
}

static void threads_neither_lose_their_guards_nor_get_each_others(void)
{
	struct bw_span_want want = want_stack(BURROW_ARENA_PAGES);
	struct burrow_span_ref ref;
	pthread_t t[NR_THREADS];
	u32 way, i;

	for (way = 0; way < 3; way++) {
		heap = stack_heap(way == 1, 1);
		bw_to_user(heap->be)->verify = false;
		if (way == 2)
			bw_to_user(heap->be)->guards.max_fences = 9;
		for (i = 0; i < NR_THREADS; i++)
			pthread_create(&t[i], NULL, come_and_go,
				       (void *)(uintptr_t)(i + 1));
		for (i = 0; i < NR_THREADS; i++)
			pthread_join(t[i], NULL);
		expect_counts(0, 0);
		want.flags = BURROW_ALLOC_LAZY;
		EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
		for (i = 2; i < NR_THREADS * HELD * 9; i++)
			*words(ref.page + i) = i;
		bw_heap_close(heap);
	}
}

int main(void)
{
	TEST(a_touch_of_a_stacks_guard_is_SIGSEGV);
	TEST(the_top_of_a_stack_is_there_unless_it_is_lazy);
	TEST(what_earlier_stacks_left_cannot_be_read_through_a_guard);
	TEST(guards_go_with_their_stacks);
	TEST(a_vector_of_stacks_stops_at_the_first_that_is_not_there);
	TEST(a_live_stack_can_be_emptied_and_keeps_its_guard);
	TEST(threads_neither_lose_their_guards_nor_get_each_others);
	return tap_end();
}
