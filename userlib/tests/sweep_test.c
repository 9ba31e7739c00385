// SPDX-License-Identifier: MIT
/* Bulk sweep and paced reclaim in user mode. */
#include "backend/user.h"
#include "rig.h"

#define NR		300
#define MARK_WORDS	(BURROW_U_PAGE_BYTES / 8)

static struct bw_heap *heap;

static u64 *words(u32 page)
{
	return bw_heap_addr(heap, page);
}

static void mark(u32 page, u32 bit)
{
	fetch_or_relaxed(&rig_marks(heap, page)[bit / 64], 1ULL << (bit % 64));
}

static void clear_marks(u32 page, u32 npages)
{
	u32 i, k;

	for (i = 0; i < npages; i++)
		for (k = 0; k < MARK_WORDS; k++)
			WRITE_ONCE(rig_marks(heap, page + i)[k], 0);
}

static struct bw_span_want want_kind(u32 npages, u16 kind)
{
	return (struct bw_span_want){ .npages = npages, .kind = kind };
}

static bool is_there(struct burrow_span_ref ref)
{
	struct bw_span s;

	return bw_heap_span_of(heap, words(ref.page), &s) &&
	       s.page == ref.page && s.gen == ref.gen;
}

/* Sweeps spans of mixed sizes of which some are marked, somewhere. */
static void sweep_random(u64 *seed, u32 flags)
{
	struct burrow_span_ref ref[NR];
	u64 freed[(NR + 63) / 64], pages = 0;
	u32 i, nr_freed = 0;
	struct bw_swept out;
	bool keep[NR];

	for (i = 0; i < NR; i++) {
		u32 n = 1 + (u32)(rig_random(seed) % 9);
		struct bw_span_want want =
			want_kind(n, (u16)(rig_random(seed) % 3));

		if (!EXPECT(!bw_heap_span_alloc(heap, &want, &ref[i], 1, NULL)))
			return;
		clear_marks(ref[i].page, n);
		keep[i] = rig_random(seed) % 2;
		if (keep[i])
			mark(ref[i].page + (u32)(rig_random(seed) % n),
			     (u32)(rig_random(seed) % 1024));
		nr_freed += !keep[i];
		pages += keep[i] ? 0 : n;
		*words(ref[i].page) = i;
	}
	EXPECT(!bw_heap_span_sweep(heap, flags, ref, NR, freed, &out));
	EXPECT(out.done == NR && out.nr_freed == nr_freed &&
	       out.pages_freed == pages);
	for (i = 0; i < NR; i++) {
		EXPECT(is_there(ref[i]) == keep[i]);
		EXPECT((freed[i / 64] >> (i % 64) & 1) == !keep[i]);
		if (!keep[i])
			continue;
		EXPECT(*words(ref[i].page) == i);
		EXPECT(!bw_heap_span_free(heap, 0, &ref[i], 1, NULL));
	}
	EXPECT(!(freed[NR / 64] >> (NR % 64)));
	EXPECT(!bw_heap_check(heap));
}

static void a_sweep_frees_the_spans_without_a_mark_and_says_which(void)
{
	u64 seed = tap_seed(20240701);
	struct burrow_heap_stats s;
	u32 round;

	heap = rig_heap(1, false);
	for (round = 0; round < 10; round++)
		sweep_random(&seed, round & 1 ? BURROW_SWEEP_RECLAIM : 0);
	EXPECT(!bw_heap_stats(heap, &s) && !s.out_spans);
	EXPECT(s.out_nr_free == 10 * NR);
	bw_heap_close(heap);
}

static void with_RECLAIM_the_memory_of_swept_spans_goes_too(void)
{
	struct bw_span_want want = want_kind(4, BURROW_KIND_SCAN);
	struct burrow_span_ref ref[100];
	struct burrow_heap_stats s;
	u32 i;

	heap = rig_heap(1, false);
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 100, NULL));
	for (i = 0; i < 100; i++) {
		clear_marks(ref[i].page, 4);
		if (i % 3 == 0)
			mark(ref[i].page + 3, 1023);
	}
	EXPECT(!bw_heap_span_sweep(heap, BURROW_SWEEP_RECLAIM, ref, 100, NULL,
				   NULL));
	EXPECT(!bw_heap_stats(heap, &s));
	EXPECT(s.out_spans == 34 && s.out_pages_lazy == 0);
	EXPECT(s.out_nr_reclaimed == 66 * 8);
	bw_heap_close(heap);
}

/* Any bit of a span that begins in one arena and ends in the next. */
static void one_bit_anywhere_keeps_a_long_span(void)
{
	static const u32 at[] = {
		0, 1, 31, 32, 123, 124, 127, 128, 255, 4095, 8000, 8191, 8192,
		8193, 8300, 8319,
	};
	const u32 npages = BURROW_ARENA_PAGES + 128;
	struct bw_span_want want = want_kind(npages, BURROW_KIND_NOSCAN);
	struct burrow_span_ref ref;
	struct bw_swept out;
	u32 i;

	want.flags = BURROW_ALLOC_LAZY;
	heap = rig_heap(2, false);
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL)))
		return;
	clear_marks(ref.page, npages);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		u32 bit = i & 1 ? 1023 : 0;

		mark(ref.page + at[i], bit);
		EXPECT(!bw_heap_span_sweep(heap, 0, &ref, 1, NULL, &out));
		if (!EXPECT(out.done == 1 && !out.nr_freed && is_there(ref)))
			printf("# page %u\n", at[i]);
		clear_marks(ref.page + at[i], 1);
	}
	/* the pages before and after are somebody else's */
	mark(ref.page + npages, 0);
	EXPECT(!bw_heap_span_sweep(heap, 0, &ref, 1, NULL, &out));
	EXPECT(out.nr_freed == 1 && out.pages_freed == npages);
	EXPECT(!is_there(ref));
	bw_heap_close(heap);
}

static void what_is_not_to_be_swept_is_refused_and_told_where(void)
{
	struct bw_span_want want = want_kind(3, BURROW_KIND_SCAN);
	struct burrow_span_ref ref[5];
	u64 freed[2] = { ~0ULL, ~0ULL };
	struct bw_swept out;
	u32 i;

	heap = rig_heap(1, false);
	EXPECT(!bw_heap_arena_add_kind(heap, BURROW_ARENA_STACK, 1, NULL));
	for (i = 0; i < 5; i++) {
		want.kind = i == 2 ? BURROW_KIND_MANUAL :
			    i == 3 ? BURROW_KIND_STACK : BURROW_KIND_SCAN;
		EXPECT(!bw_heap_span_alloc(heap, &want, &ref[i], 1, NULL));
		clear_marks(ref[i].page, 3);
	}
	EXPECT(bw_heap_span_sweep(heap, 2, ref, 5, freed, &out) ==
	       -EOPNOTSUPP);
	EXPECT(bw_heap_span_sweep(heap, 0, ref, 0, NULL, &out) == -EINVAL);
	EXPECT(bw_heap_span_sweep(heap, 0, ref, 5, freed, &out) == -EINVAL);
	EXPECT(out.done == 2 && out.nr_freed == 2 && out.pages_freed == 6);
	EXPECT(freed[0] == 3 && freed[1] == ~0ULL);
	EXPECT(bw_heap_span_sweep(heap, 0, ref + 2, 1, freed, &out) ==
	       -EINVAL);
	EXPECT(bw_heap_span_sweep(heap, 0, ref + 3, 1, freed, &out) ==
	       -EINVAL);
	EXPECT(!out.done && !out.nr_freed && !freed[0]);
	EXPECT(bw_heap_span_sweep(heap, 0, ref, 2, freed, &out) == -ESTALE);
	EXPECT(!out.done && is_there(ref[2]) && is_there(ref[3]));
	/* the backend writes whole words of its own accord */
	freed[0] = ~0ULL;
	EXPECT(heap->be->ops->span_sweep(heap->be, 0, ref, 1, freed, &i,
					 &out.nr_freed, &out.pages_freed) ==
	       -ESTALE);
	EXPECT(!freed[0]);
	/* twice in one vector: the second is not there */
	ref[0] = ref[4];
	ref[1] = ref[4];
	EXPECT(bw_heap_span_sweep(heap, 0, ref, 2, freed, &out) == -ESTALE);
	EXPECT(out.done == 1 && out.nr_freed == 1 && freed[0] == 1);
	bw_heap_close(heap);
}

static void a_sweep_may_be_longer_than_the_backend_takes(void)
{
	static struct burrow_span_ref ref[BURROW_ARENA_PAGES];
	static u64 freed[BURROW_ARENA_PAGES / 64];
	struct bw_span_want want = want_kind(1, BURROW_KIND_NOSCAN);
	const u32 nr = BURROW_ARENA_PAGES;
	struct bw_swept out;
	u32 i;

	want.flags = BURROW_ALLOC_LAZY;
	heap = rig_heap(1, false);
	EXPECT(nr > heap->be->max_batch);
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, nr, NULL));
	for (i = 0; i < nr; i++) {
		clear_marks(ref[i].page, 1);
		if (i % 7 == 0)
			mark(ref[i].page, i % 1024);
	}
	EXPECT(!bw_heap_span_sweep(heap, 0, ref, nr, freed, &out));
	EXPECT(out.done == nr && out.nr_freed == nr - (nr + 6) / 7);
	for (i = 0; i < nr; i++)
		EXPECT((freed[i / 64] >> (i % 64) & 1) == (i % 7 != 0));
	/* the second half was not there any more */
	EXPECT(bw_heap_span_sweep(heap, 0, ref, nr, freed, &out) == -ESTALE);
	EXPECT(out.done == 1 && !freed[0] && !freed[nr / 64 - 1]);
	bw_heap_close(heap);
}

static void a_span_that_is_being_reclaimed_is_busy(void)
{
	struct bw_span_want want = want_kind(2, BURROW_KIND_SCAN);
	struct burrow_span_ref ref;
	struct bw_run run;
	struct bw_core *core;

	heap = rig_heap(1, true);
	core = &bw_to_user(heap->be)->core;
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	EXPECT(!bw_core_discard_begin(core, ref.page, 1, &run));
	EXPECT(bw_heap_span_sweep(heap, 0, &ref, 1, NULL, NULL) == -EBUSY);
	bw_core_discard_end(core, &run);
	EXPECT(!bw_heap_span_sweep(heap, 0, &ref, 1, NULL, NULL));
	EXPECT(!is_there(ref));
	bw_heap_close(heap);
}

static void untouched_mark_words_say_not_marked_in_user_mode(void)
{
	struct bw_span_want want = want_kind(2, BURROW_KIND_SCAN);
	struct burrow_span_ref ref;

	heap = rig_heap(1, true);
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	EXPECT(!bw_heap_span_sweep(heap, 0, &ref, 1, NULL, NULL));
	EXPECT(!is_there(ref));
	bw_heap_close(heap);
}

#define PIECE	(2ULL << 20)

static u64 reclaim(u64 bytes)
{
	u64 got = ~0ULL;

	EXPECT(!bw_heap_reclaim(heap, bytes, &got));
	return got;
}

static void paced_reclaim_takes_what_it_is_asked_for_or_what_there_is(void)
{
	struct bw_span_want want = want_kind(BURROW_ARENA_PAGES / 2, 0);
	struct burrow_heap_stats s;
	struct burrow_span_ref ref;

	heap = rig_heap(1, true);
	EXPECT(reclaim(~0ULL) == 0);
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	memset(words(ref.page), 1, BURROW_ARENA_SIZE / 2);
	EXPECT(reclaim(~0ULL) == 0);
	EXPECT(!bw_heap_span_free(heap, 0, &ref, 1, NULL));
	EXPECT(reclaim(0) == 0);
	EXPECT(reclaim(1) == BURROW_PAGE_SIZE);
	EXPECT(reclaim(4096) == BURROW_PAGE_SIZE);
	EXPECT(reclaim(5 * BURROW_PAGE_SIZE) == 5 * BURROW_PAGE_SIZE);
	EXPECT(reclaim(PIECE) == PIECE);
	EXPECT(reclaim(7 * PIECE + 4097) == 7 * PIECE + BURROW_PAGE_SIZE);
	EXPECT(!bw_heap_stats(heap, &s));
	EXPECT(s.out_frames == s.out_pages_lazy * 2);
	EXPECT(reclaim(~0ULL) == BURROW_ARENA_SIZE / 2 - 8 * PIECE -
				 8 * BURROW_PAGE_SIZE);
	EXPECT(reclaim(~0ULL) == 0);
	EXPECT(!bw_heap_stats(heap, &s));
	EXPECT(!s.out_frames && !s.out_pages_lazy);
	EXPECT(s.out_nr_reclaimed == BURROW_ARENA_SIZE / 2 / 4096);
	bw_heap_close(heap);
}

/* Spans of 2 MiB, one a piece, freed in an order that is not theirs. */
static void what_was_freed_first_is_reclaimed_first(void)
{
	static const u32 order[] = { 5, 2, 7, 0, 6, 1, 4, 3 };
	struct bw_span_want want = want_kind(PIECE / BURROW_PAGE_SIZE, 0);
	struct burrow_span_ref ref[8], again;
	struct bw_span s;
	u32 i;

	want.align = want.npages;
	heap = rig_heap(1, true);
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 8, NULL));
	for (i = 0; i < 8; i++)
		memset(words(ref[i].page), 1, PIECE);
	for (i = 0; i < 8; i++)
		EXPECT(!bw_heap_span_free(heap, 0, &ref[order[i]], 1, NULL));
	for (i = 0; i < 8; i++) {
		const struct burrow_span_ref *r = &ref[order[i]];

		EXPECT(reclaim(PIECE - 1) == PIECE);
		EXPECT(!bw_core_is_lazy(&bw_to_user(heap->be)->core, r->page,
					want.npages));
	}
	/* used and freed again, a piece that is listed keeps its place */
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 2, NULL));
	EXPECT(!bw_heap_span_free(heap, 0, ref, 2, NULL));
	want.npages = 1;
	want.align = 0;
	EXPECT(!bw_heap_span_alloc(heap, &want, &again, 1, NULL));
	EXPECT(again.page == ref[0].page);
	EXPECT(reclaim(1) == BURROW_PAGE_SIZE);
	EXPECT(!bw_heap_span_free(heap, 0, &again, 1, NULL));
	EXPECT(reclaim(PIECE - BURROW_PAGE_SIZE) == PIECE - BURROW_PAGE_SIZE);
	want.npages = (u32)(PIECE / BURROW_PAGE_SIZE);
	EXPECT(!bw_heap_span_alloc(heap, &want, ref, 2, NULL));
	EXPECT(bw_heap_span_of(heap, words(ref[0].page), &s) && !s.needzero);
	EXPECT(bw_heap_span_of(heap, words(ref[1].page), &s) && s.needzero);
	bw_heap_close(heap);
}

/* No memory behind half of what is lazy: the count must come from the rest. */
static void pages_without_memory_do_not_count(void)
{
	struct bw_span_want want = want_kind(512, 0);
	struct burrow_span_ref ref;

	heap = rig_heap(1, true);
	want.flags = BURROW_ALLOC_LAZY;
	want.align = 512;
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	EXPECT(!bw_frames_populate((char *)words(ref.page + 256), PIECE));
	EXPECT(!bw_heap_span_free(heap, 0, &ref, 1, NULL));
	EXPECT(reclaim(1) == BURROW_PAGE_SIZE);
	EXPECT(reclaim(~0ULL) == PIECE - BURROW_PAGE_SIZE);
	EXPECT(reclaim(~0ULL) == 0);
	bw_heap_close(heap);
}

#define NR_THREADS	3
#define NR_ROUNDS	150
#define HELD		40

static bool done;

/**
 * struct worker - a mutator with spans of its own			[owner]
 * @seed:	its random numbers
 * @ref:	its spans
 * @stamp:	what the first and last words of each hold; 0: there is none
 */
struct worker {
	u64 seed;
	struct burrow_span_ref ref[HELD];
	u64 stamp[HELD];
};

#define SPAN_PAGES	3

static u64 *last_word(u32 page)
{
	return words(page + SPAN_PAGES) - 1;
}

static void worker_fill(struct worker *w)
{
	struct bw_span_want want = want_kind(SPAN_PAGES, BURROW_KIND_SCAN);
	u32 i;

	for (i = 0; i < HELD; i++) {
		if (w->stamp[i])
			continue;
		if (!EXPECT(!bw_heap_span_alloc(heap, &want, &w->ref[i], 1,
						NULL)))
			continue;
		w->stamp[i] = rig_random(&w->seed) | 1;
		*words(w->ref[i].page) = w->stamp[i];
		*last_word(w->ref[i].page) = ~w->stamp[i];
	}
}

/* Marks some of its spans, sweeps them all; those that are left are whole. */
static void worker_sweep(struct worker *w)
{
	u32 flags = rig_random(&w->seed) % 2 ? BURROW_SWEEP_RECLAIM : 0, i;
	bool keep[HELD];
	struct bw_swept out;
	u64 freed;

	for (i = 0; i < HELD; i++) {
		clear_marks(w->ref[i].page, SPAN_PAGES);
		keep[i] = rig_random(&w->seed) % 2;
		if (keep[i])
			mark(w->ref[i].page + i % SPAN_PAGES, i);
	}
	EXPECT(!bw_heap_span_sweep(heap, flags, w->ref, HELD, &freed, &out));
	EXPECT(out.done == HELD);
	for (i = 0; i < HELD; i++) {
		EXPECT((freed >> i & 1) == !keep[i]);
		if (keep[i])
			EXPECT(*words(w->ref[i].page) == w->stamp[i] &&
			       *last_word(w->ref[i].page) == ~w->stamp[i]);
		else
			w->stamp[i] = 0;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	u32 i;

	for (i = 0; i < NR_ROUNDS; i++) {
		worker_fill(w);
		worker_sweep(w);
	}
	for (i = 0; i < HELD; i++)
		if (w->stamp[i])
			EXPECT(!bw_heap_span_free(heap, 0, &w->ref[i], 1,
						  NULL));
	return NULL;
}

static void *reclaim_all_the_time(void *arg)
{
	u64 seed = 5, got, sum = 0;

	/* pairs with the test's end */
	while (!smp_load_acquire(&done)) {
		EXPECT(!bw_heap_reclaim(heap, rig_random(&seed) % (1 << 18),
					&got));
		sum += got;
	}
	*(u64 *)arg = sum;
	return NULL;
}

static void threads_sweep_their_spans_while_others_reclaim(void)
{
	static struct worker worker[NR_THREADS];
	pthread_t t[NR_THREADS], other[2];
	u64 seed = tap_seed(20240702), sum[2];
	struct burrow_heap_stats s;
	u32 i;

	heap = rig_heap(1, false);
	done = false;
	for (i = 0; i < 2; i++)
		pthread_create(&other[i], NULL, reclaim_all_the_time, &sum[i]);
	for (i = 0; i < NR_THREADS; i++) {
		worker[i].seed = seed + i;
		pthread_create(&t[i], NULL, work, &worker[i]);
	}
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(t[i], NULL);
	/* pairs with reclaim_all_the_time() */
	smp_store_release(&done, true);
	for (i = 0; i < 2; i++)
		pthread_join(other[i], NULL);
	EXPECT(!bw_heap_stats(heap, &s));
	EXPECT(!s.out_spans && s.out_nr_alloc == s.out_nr_free);
	EXPECT(s.out_nr_reclaimed >= (sum[0] + sum[1]) / 4096);
	EXPECT(!bw_heap_check(heap));
	reclaim(~0ULL);
	EXPECT(!bw_heap_stats(heap, &s) && !s.out_pages_lazy);
	bw_heap_close(heap);
}

int main(void)
{
	TEST(a_sweep_frees_the_spans_without_a_mark_and_says_which);
	TEST(with_RECLAIM_the_memory_of_swept_spans_goes_too);
	TEST(one_bit_anywhere_keeps_a_long_span);
	TEST(what_is_not_to_be_swept_is_refused_and_told_where);
	TEST(a_sweep_may_be_longer_than_the_backend_takes);
	TEST(threads_sweep_their_spans_while_others_reclaim);
	TEST(a_span_that_is_being_reclaimed_is_busy);
	TEST(untouched_mark_words_say_not_marked_in_user_mode);
	TEST(paced_reclaim_takes_what_it_is_asked_for_or_what_there_is);
	TEST(what_was_freed_first_is_reclaimed_first);
	TEST(pages_without_memory_do_not_count);
	return tap_end();
}
