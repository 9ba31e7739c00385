// SPDX-License-Identifier: MIT
/*
 * sweep: the part of the script about what a collector asks for at the end of
 * its cycle: spans without a mark go, and memory goes back at a pace.
 *
 * Mark words are cleared before they count, as each runtime does (heap.h).
 */
#include <stdio.h>

#include "say.h"

#define NR	200

static u64 *marks(u32 page)
{
	char *umeta = bw_heap_umeta(heap, page >> BURROW_ARENA_PAGE_SHIFT);

	return (u64 *)(void *)(umeta + BURROW_U_MARK +
			       page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES);
}

static void clear_marks(u32 page, u32 npages)
{
	u32 i, k;

	for (i = 0; i < npages; i++)
		for (k = 0; k < BURROW_U_PAGE_BYTES / sizeof(u64); k++)
			marks(page + i)[k] = 0;
}

static void sweep(u32 flags, const struct burrow_span_ref *ref, u32 nr)
{
	u64 freed[(NR + 63) / 64] = { 0 };
	struct bw_swept out;
	int err = bw_heap_span_sweep(heap, flags, ref, nr, freed, &out);
	u32 i;

	printf("sweep %u flags %u: %u done, %u gone with %lu pages, %s\n", nr,
	       flags, out.done, out.nr_freed, (unsigned long)out.pages_freed,
	       bw_errno_name(err));
	for (i = 0; i < (nr + 63) / 64 && i < ARRAY_SIZE(freed); i++)
		printf("  gone %016lx\n", (unsigned long)freed[i]);
}

/* Spans of 1 to 5 pages, their memory full, their marks clear. */
static void take_some(struct burrow_span_ref *ref)
{
	u32 i;

	for (i = 0; i < NR; i++) {
		struct bw_span_want w = want(1 + i % 5);

		w.kind = (uint16_t)(i % BURROW_KIND_MANUAL);
		if (bw_heap_span_alloc(heap, &w, &ref[i], 1, NULL))
			printf("no span %u\n", i);
		fill(ref[i].page, w.npages, i);
		clear_marks(ref[i].page, w.npages);
	}
}

static void marked_and_not(void)
{
	struct burrow_span_ref ref[NR];
	u32 round, i;

	section("sweep");
	for (round = 0; round < 4; round++) {
		take_some(ref);
		stats();
		for (i = 0; i < NR; i++)
			if ((i * (round + 3)) % 7 < 3)
				marks(ref[i].page)[i * 7 % 16] = 1ULL << i % 64;
		sweep(round & 1 ? BURROW_SWEEP_RECLAIM : 0, ref, NR);
		stats();
		for (i = 0; i < NR; i += 9)
			show_lookup(words(ref[i].page));
		for (i = 0; i < NR; i++)
			bw_heap_span_free(heap, 0, &ref[i], 1, NULL);
	}
	stats();
}

static void refused(void)
{
	struct burrow_span_ref ref[4];
	struct bw_span_want w = want(3);
	u32 i;

	section("what is not swept");
	for (i = 0; i < 4; i++) {
		w.kind = i == 2 ? BURROW_KIND_MANUAL : BURROW_KIND_SCAN;
		alloc(&w, &ref[i], 1);
		fill(ref[i].page, 3, 1);
		clear_marks(ref[i].page, 3);
	}
	sweep(2, ref, 4);
	sweep(3, ref, 0);
	sweep(0, ref, 0);
	sweep(0, ref, 4);
	sweep(0, ref + 1, 3);
	sweep(0, ref + 2, 1);
	ref[1] = ref[3];
	ref[0] = ref[3];
	sweep(BURROW_SWEEP_RECLAIM, ref, 2);
	ref[0].page = ~0U;
	sweep(0, ref, 1);
	release(0, ref + 2, 1);
	stats();
}

/* Its bits are in five frames; the last one decides. */
static void a_long_span(void)
{
	struct burrow_span_ref ref;
	struct bw_span_want w = want(150);

	section("sweep of a long span");
	alloc(&w, &ref, 1);
	fill(ref.page, 150, 3);
	clear_marks(ref.page, 150);
	marks(ref.page + 149)[15] = 1ULL << 63;
	sweep(0, &ref, 1);
	marks(ref.page + 149)[15] = 0;
	sweep(BURROW_SWEEP_RECLAIM, &ref, 1);
	stats();
}

static void give_back(u64 bytes)
{
	u64 got = 1;
	int err = bw_heap_reclaim(heap, bytes, &got);

	printf("give back %lu: %lu, %s\n", (unsigned long)bytes,
	       (unsigned long)got, bw_errno_name(err));
	stats();
}

/* Spans of 2 MiB freed in an order of their own; who was first goes first. */
static void at_a_pace(void)
{
	static const u32 order[] = { 3, 0, 5, 1, 4, 2 };
	struct bw_span_want w = want(256);
	struct burrow_span_ref ref[6];
	u32 i;

	section("paced reclaim");
	give_back(~0ULL);
	give_back(~0ULL);
	w.align = 256;
	alloc(&w, ref, 6);
	for (i = 0; i < 6; i++)
		fill(ref[i].page, 256, i);
	for (i = 0; i < 6; i++)
		release(0, &ref[order[i]], 1);
	give_back(0);
	give_back(1);
	give_back(8192);
	give_back(1 << 20);
	give_back((1 << 21) + 12345);
	/* what is left, in the order of addresses: which have their memory */
	alloc(&w, ref, 6);
	for (i = 0; i < 6; i++)
		fill(ref[i].page, 256, i);
	release(0, ref, 6);
	give_back(5 << 20);
	give_back(~0ULL);
}

void sweep_script(void)
{
	marked_and_not();
	refused();
	a_long_span();
	at_a_pace();
}
