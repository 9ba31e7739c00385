// SPDX-License-Identifier: MIT
/* memory: the part of the script about arenas, spans and lookups. */
#include <stdio.h>

#include "say.h"

static void arenas(void)
{
	u32 index = 77, rows[] = { 1, 1, 4, ~0U - 1, BURROW_ARENA_ANY }, i;

	section("arenas");
	stats();
	printf("umeta before: %d\n", !!bw_heap_umeta(heap, 1));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		result("arena", bw_heap_arena_add(heap, rows[i], &index));
		printf("  index %u\n", index);
	}
	printf("umeta: %d %d\n", !!bw_heap_umeta(heap, 1),
	       !!bw_heap_umeta(heap, 2));
	printf("window %u pages\n", bw_heap_window_pages(heap));
	stats();
}

static void arguments(void)
{
	static const struct bw_span_want rows[] = {
		{ .npages = 0 },
		{ .npages = BURROW_MAX_PAGES - 1 },
		{ .npages = BURROW_MAX_PAGES },
		{ .npages = ~0U },
		{ .npages = 2 * BURROW_ARENA_PAGES + 1,
		  .flags = BURROW_ALLOC_LAZY },
		{ .npages = 1, .align = 3 },
		{ .npages = 1, .align = BURROW_MAX_PAGES / 2 },
		{ .npages = 1, .align = BURROW_MAX_PAGES },
		{ .npages = 1, .align = 1U << 31 },
		{ .npages = 1, .cls = BURROW_NR_CLASSES },
		{ .npages = 1, .kind = BURROW_KIND_STACK },
		{ .npages = 3, .kind = BURROW_KIND_STACK },
		{ .npages = 256, .kind = BURROW_KIND_STACK,
		  .flags = BURROW_ALLOC_HUGE },
		{ .npages = 257, .flags = BURROW_ALLOC_HUGE },
		{ .npages = 256, .flags = BURROW_ALLOC_HUGE },
		{ .npages = 1, .kind = BURROW_NR_KINDS },
		{ .npages = 1, .flags = 8 },
		{ .npages = 1, .flags = 1U << 31 },
		{ .npages = 0, .kind = BURROW_NR_KINDS, .flags = 8 },
		{ .npages = 0, .kind = BURROW_NR_KINDS },
	};
	static const struct burrow_range ranges[] = {
		{ 0, 0 }, { 0, ~0U }, { ~0U, 1 }, { ~0U, ~0U },
		{ 4 * BURROW_ARENA_PAGES, 1 },
		{ 4 * BURROW_ARENA_PAGES - 1, 1 },
		{ 4 * BURROW_ARENA_PAGES - 1, 2 },
		{ 0, 1 }, { 0, BURROW_ARENA_PAGES },
		{ 0, BURROW_ARENA_PAGES + 1 },
		{ 0, 4 * BURROW_ARENA_PAGES },
		{ 2 * BURROW_ARENA_PAGES - 1, 1 },
		{ 2 * BURROW_ARENA_PAGES - 1, 2 },
	};
	struct burrow_span_ref ref[2] = { { 0, 0 }, { 5, 5 } };
	u32 i;

	section("arguments");
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (!alloc(&rows[i], ref, 1))
			release(BURROW_FREE_RECLAIM, ref, 1);
	alloc(&rows[0], ref, 0);
	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		reclaim(&ranges[i], 1);
	reclaim(ranges, 0);
	ref[0] = (struct burrow_span_ref){ ~0U, 0 };
	release(0, ref, 2);
	release(0, ref + 1, 1);
	release(2, ref, 2);
	release(0, ref, 0);
	ref[0] = (struct burrow_span_ref){ 4 * BURROW_ARENA_PAGES - 1, 0 };
	release(0, ref, 1);
	stats();
}

static void kinds_and_classes(void)
{
	struct burrow_span_ref ref[4 * 3];
	u32 kind, i, n = 0;

	section("kinds and classes");
	for (kind = 0; kind < BURROW_KIND_STACK; kind++) {
		for (i = 0; i < 3; i++, n++) {
			struct bw_span_want w = want(1 + i);

			w.kind = (uint16_t)kind;
			w.cls = (uint16_t)(kind * 16 + i);
			alloc(&w, &ref[n], 1);
			printf("%s\n", content(ref[n].page, w.npages, 1));
		}
	}
	stats();
	release(0, ref, n);
	stats();
	release(0, ref, n);
}

static void zero_and_not(void)
{
	struct bw_span_want w = want(16);
	struct burrow_span_ref ref;
	struct burrow_range r;
	u32 round;

	section("zero and not zero");
	for (round = 0; round < 4; round++) {
		w.flags = round & 1 ? BURROW_ALLOC_LAZY : 0;
		alloc(&w, &ref, 1);
		fill(ref.page, 16, round + 7);
		stats();
		r = (struct burrow_range){ ref.page + 4, 8 };
		reclaim(&r, 1);
		printf("%s %s %s\n", content(ref.page, 4, round + 7),
		       content(ref.page + 4, 8, 1),
		       content(ref.page + 12, 4,
			       round + 7 + 12 * PAGE_WORDS));
		fill(ref.page, 16, 9);
		release(round == 2 ? BURROW_FREE_RECLAIM : 0, &ref, 1);
		stats();
	}
	r = (struct burrow_range){ 0, 2 * BURROW_ARENA_PAGES };
	reclaim(&r, 1);
	reclaim(&r, 1);
	stats();
}

static void aligned(void)
{
	struct burrow_span_ref ref[12];
	struct bw_span_want w = want(3);
	u32 shift;

	section("aligned");
	for (shift = 0; shift < 12; shift++) {
		w.align = 1U << shift;
		alloc(&w, &ref[shift], 1);
		fill(ref[shift].page, 3, shift);
	}
	release(BURROW_FREE_RECLAIM, ref, 12);
	w.align = BURROW_ARENA_PAGES;
	alloc(&w, ref, 12);
	release(BURROW_FREE_RECLAIM, ref, 2);
	stats();
}

static void batches(void)
{
	static struct burrow_span_ref ref[6000];
	struct bw_span_want w = want(1);
	struct burrow_span_ref odd[5];
	struct burrow_range r[4];
	u32 i;

	section("batches");
	w.flags = BURROW_ALLOC_LAZY;
	alloc(&w, ref, 6000);
	for (i = 0; i < 6000; i++)
		*words(ref[i].page) = words(ref[i].page)[PAGE_WORDS / 2] = i;
	stats();
	odd[0] = ref[10];
	odd[1] = ref[11];
	odd[2] = ref[10];
	odd[3] = ref[12];
	release(0, odd, 4);
	show_lookup(words(ref[11].page));
	show_lookup(words(ref[12].page));
	r[0] = (struct burrow_range){ ref[20].page, 1 };
	r[1] = (struct burrow_range){ ref[20].page, 1 };
	r[2] = (struct burrow_range){ ref[10].page, 2 };
	r[3] = (struct burrow_range){ ref[11].page, 2 };
	reclaim(r, 4);
	*words(ref[20].page) = words(ref[20].page)[PAGE_WORDS / 2] = 1;
	release(0, ref + 12, 3000);
	release(BURROW_FREE_RECLAIM, ref + 3012, 6000 - 3012);
	release(0, ref, 10);
	stats();
	r[0] = (struct burrow_range){ 0, 2 * BURROW_ARENA_PAGES };
	reclaim(r, 1);
}

static void exhaustion(void)
{
	struct burrow_span_ref ref[64], across;
	struct bw_span_want w = want(1000);
	u32 index;

	section("exhaustion");
	w.flags = BURROW_ALLOC_LAZY;
	while (!bw_heap_arena_add(heap, BURROW_ARENA_ANY, &index))
		printf("arena %u\n", index);
	alloc(&w, ref, 64);
	release(BURROW_FREE_RECLAIM, ref, 32);
	w.npages = 3 * BURROW_ARENA_PAGES + 5;
	alloc(&w, &across, 1);
	show_lookup(words(across.page + BURROW_ARENA_PAGES));
	show_lookup((char *)words(across.page + w.npages) - 1);
	show_lookup(words(across.page + w.npages));
	release(BURROW_FREE_RECLAIM, &across, 1);
	show_lookup(words(across.page + BURROW_ARENA_PAGES));
	stats();
}

/* Frames come and go in units of 2 MiB; a heap of its own. */
static void units(void)
{
	struct bw_span_want w = want(2 * BURROW_HUGE_PAGES);
	struct bw_heap *first = heap;
	struct burrow_span_ref ref;
	struct burrow_range r[3];
	u64 got = 0;

	section("huge arenas");
	result("a heap", bw_heap_open(&heap, NULL));
	result("huge arena", bw_heap_arena_add_kind(heap, BURROW_ARENA_HUGE,
						    1, NULL));
	alloc(&w, &ref, 1);
	w.flags = BURROW_ALLOC_HUGE;
	w.align = 1;
	alloc(&w, &ref, 1);
	stats();
	fill(ref.page, w.npages, 9);
	r[0] = (struct burrow_range){ ref.page, BURROW_HUGE_PAGES };
	r[1] = (struct burrow_range){ ref.page, BURROW_HUGE_PAGES / 2 };
	r[2] = (struct burrow_range){ ref.page + 1, BURROW_HUGE_PAGES };
	reclaim(r + 1, 1);
	reclaim(r + 2, 1);
	reclaim(r, 3);
	printf("%s\n", content(ref.page + BURROW_HUGE_PAGES,
			       BURROW_HUGE_PAGES,
			       9 + BURROW_HUGE_PAGES * PAGE_WORDS));
	fill(ref.page, w.npages, 9);
	release(0, &ref, 1);
	reclaim(r + 1, 1);
	result("give back", bw_heap_reclaim(heap, 1, &got));
	printf("  %lu\n", (unsigned long)got);
	stats();
	reclaim(r, 3);
	stats();
	bw_heap_close(heap);
	heap = first;
}

static void lookups(void)
{
	struct burrow_span_ref ref;
	struct bw_span_want w = want(2);
	u64 *umeta = bw_heap_umeta(heap, 0);

	section("lookups");
	show_lookup(NULL);
	show_lookup(&ref);
	show_lookup((void *)UINTPTR_MAX);
	show_lookup((char *)words(0) - 1);
	show_lookup(words(bw_heap_window_pages(heap)));
	alloc(&w, &ref, 1);
	show_lookup((char *)words(ref.page) + 2 * BURROW_PAGE_SIZE - 1);
	show_lookup((char *)words(ref.page) + 2 * BURROW_PAGE_SIZE);
	release(BURROW_FREE_RECLAIM, &ref, 1);
	printf("U-words %lu %lu\n", (unsigned long)umeta[BURROW_U_OWNER / 8],
	       (unsigned long)umeta[BURROW_UMETA_SIZE / 8 - 1]);
	umeta[0] = 1;
	umeta[BURROW_U_MARK / 8] = 1;
	stats();
}

void memory_script(void)
{
	arenas();
	arguments();
	kinds_and_classes();
	zero_and_not();
	aligned();
	batches();
	exhaustion();
	units();
	lookups();
}
