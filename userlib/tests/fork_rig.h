/* SPDX-License-Identifier: MIT */
/*
 * fork_rig: a heap with something of everything in it, and what a process can
 * do with its spans. Every word of a span is derived from its stamp.
 */
#ifndef BW_TESTS_FORK_RIG_H
#define BW_TESTS_FORK_RIG_H

#include <setjmp.h>

#include "rig.h"

#define ARENA_HEAP	0U
#define ARENA_STACK	1U
#define ARENA_HUGE	2U
#define NR_KEPT		40U
#define STACK_PAGES	8U

/* A span that the test knows by heart; npages 0 where there is none. */
struct kept {
	struct burrow_span_ref ref;
	u32 npages;
	u32 skip;			/* its guard */
	u64 stamp;
};

static struct bw_heap *heap;
static struct kept kept[NR_KEPT];

static inline u64 *words(u32 page)
{
	return bw_heap_addr(heap, page);
}

static inline u64 kept_sum(const struct kept *k, u64 i)
{
	return (k->stamp ^ i) * 2685821657736338717ULL;
}

/* A few words of each 4 KiB: all of them take long under sanitizers. */
#define STRIDE	128

static inline void kept_fill(const struct kept *k)
{
	u64 i, n = k->npages * BURROW_PAGE_SIZE / 8;

	for (i = k->skip * BURROW_PAGE_SIZE / 8; i < n; i += STRIDE)
		words(k->ref.page)[i] = kept_sum(k, i);
}

static inline bool kept_is_filled(const struct kept *k)
{
	u64 i, n = k->npages * BURROW_PAGE_SIZE / 8;

	for (i = k->skip * BURROW_PAGE_SIZE / 8; i < n; i += STRIDE)
		if (words(k->ref.page)[i] != kept_sum(k, i))
			return false;
	return true;
}

static inline bool kept_take(struct kept *k, const struct bw_span_want *want,
			     u64 stamp)
{
	if (bw_heap_span_alloc(heap, want, &k->ref, 1, NULL))
		return false;
	k->npages = want->npages;
	k->skip = want->kind == BURROW_KIND_STACK ? BURROW_GUARD_PAGES : 0;
	k->stamp = stamp;
	kept_fill(k);
	/* clear, so that a sweep means the same in both modes */
	memset(rig_marks(heap, k->ref.page), 0, BURROW_U_PAGE_BYTES);
	rig_marks(heap, k->ref.page)[0] = stamp | 1;
	return true;
}

/* Span @i of the scene: of each kind, some lazy, stacks, one of 2 MiB. */
static inline struct bw_span_want kept_want(u32 i)
{
	struct bw_span_want want = rig_want(1 + i % 7);

	want.kind = (u16)(i % BURROW_KIND_STACK);
	want.flags = i % 3 ? 0 : BURROW_ALLOC_LAZY;
	if (i % 5 == 4) {
		want.npages = STACK_PAGES;
		want.kind = BURROW_KIND_STACK;
	}
	if (i == 10) {
		want.npages = BURROW_HUGE_PAGES;
		want.flags = BURROW_ALLOC_HUGE;
	}
	return want;
}

/* Three arenas of the four there is room for; holes between the spans. */
static inline void scene_make(void)
{
	struct kept hole[NR_KEPT];
	struct bw_span_want want;
	u32 i;

	heap = rig_heap(1, true);
	EXPECT(!bw_heap_arena_add_kind(heap, BURROW_ARENA_STACK, ARENA_STACK,
				       NULL));
	EXPECT(!bw_heap_arena_add_kind(heap, BURROW_ARENA_HUGE, ARENA_HUGE,
				       NULL));
	for (i = 0; i < NR_KEPT; i++) {
		want = kept_want(i);
		EXPECT(kept_take(&kept[i], &want, 1000 + i));
		want = rig_want(1 + i % 3);
		EXPECT(kept_take(&hole[i], &want, 1));
	}
	for (i = 0; i < NR_KEPT; i++)
		EXPECT(!bw_heap_span_free(heap, i & 1 ? BURROW_FREE_RECLAIM : 0,
					  &hole[i].ref, 1, NULL));
}

static inline bool kept_is_there(const struct kept *k)
{
	struct bw_span s;

	return bw_heap_span_of(heap, words(k->ref.page + k->npages) - 1, &s) &&
	       s.page == k->ref.page && s.gen == k->ref.gen &&
	       s.npages == k->npages && kept_is_filled(k) &&
	       rig_marks(heap, k->ref.page)[0] == (k->stamp | 1);
}

static inline void expect_kept(void)
{
	u32 i;

	for (i = 0; i < NR_KEPT; i++)
		if (kept[i].npages && !EXPECT(kept_is_there(&kept[i])))
			printf("# span %u\n", i);
	EXPECT(!bw_heap_check(heap));
}

/* No page is in nobody's hands: of all arenas, each is live or free. */
static inline void expect_whole(u32 arenas)
{
	struct burrow_heap_stats s;

	EXPECT(!bw_heap_stats(heap, &s) && s.out_arenas_mapped == arenas);
	EXPECT(s.out_pages_live + s.out_pages_free ==
	       (u64)arenas * BURROW_ARENA_PAGES);
	EXPECT(s.out_nr_alloc - s.out_nr_free == s.out_spans);
	EXPECT(!bw_heap_check(heap));
}

static inline void kept_drop(struct kept *k, u32 how)
{
	struct bw_swept swept = { 0 };
	bool swept_kind = k->npages != STACK_PAGES &&
			  kept_want((u32)(k - kept)).kind < BURROW_KIND_MANUAL;

	if (how == 2 && swept_kind) {
		/* the mark is what keeps it */
		EXPECT(!bw_heap_span_sweep(heap, 0, &k->ref, 1, NULL, &swept));
		EXPECT(!swept.nr_freed);
		memset(rig_marks(heap, k->ref.page), 0,
		       k->npages * BURROW_U_PAGE_BYTES);
		EXPECT(!bw_heap_span_sweep(heap, BURROW_SWEEP_RECLAIM, &k->ref,
					   1, NULL, &swept));
		EXPECT(swept.nr_freed == 1);
	} else {
		EXPECT(!bw_heap_span_free(heap, how & BURROW_FREE_RECLAIM,
					  &k->ref, 1, NULL));
	}
	k->npages = 0;
}

/* The range reads as zero in this process, and is written again. */
static inline void kept_empty(const struct kept *k)
{
	struct burrow_range r = { k->ref.page + k->skip, k->npages - k->skip };
	u64 i;

	EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, NULL));
	for (i = 0; i < r.npages * BURROW_PAGE_SIZE / 8; i += STRIDE)
		if (!EXPECT(!words(r.page)[i]))
			break;
	kept_fill(k);
}

/* @ops steps with the spans of the scene, chosen by @seed. */
static inline void go_on(u64 seed, u32 ops)
{
	u32 op;

	for (op = 0; op < ops; op++) {
		u32 i = (u32)(rig_random(&seed) % NR_KEPT);
		u32 todo = (u32)(rig_random(&seed) % 5);
		struct kept *k = &kept[i];

		if (!k->npages) {
			struct bw_span_want want = kept_want(i);

			EXPECT(kept_take(k, &want, rig_random(&seed) >> 8));
			continue;
		}
		EXPECT(kept_is_there(k));
		if (todo < 3)
			kept_drop(k, todo);
		else if (todo == 3 && i != 10)
			kept_empty(k);
		else
			EXPECT(!bw_heap_reclaim(heap, 64 << 10, NULL));
	}
}

static sigjmp_buf back;

static inline void on_segv(int sig)
{
	siglongjmp(back, sig);
}

/* Is a store to this address SIGSEGV? */
static inline bool is_forbidden(volatile u64 *at)
{
	struct sigaction sa = { .sa_handler = on_segv }, old;
	bool hit = true;

	sigaction(SIGSEGV, &sa, &old);
	if (!sigsetjmp(back, 1)) {
		*at = 1;
		hit = false;
	}
	sigaction(SIGSEGV, &old, NULL);
	return hit;
}

#endif
