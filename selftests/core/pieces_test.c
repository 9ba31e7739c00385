// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pieces_test: a search in pieces, between which the lock may be dropped.
 *
 *	group_take()			kmod/ioctl_span.c
 *	  bw_core_spans_alloc()		core/coreheap.c
 *	    bw_pagemap_find_some()	core/pagemap.c	<- here
 *
 * Random holes, and the worst there is: holes in every chunk, each long enough
 * and each misplaced.
 */
#include "tap.h"
#include "tests/scene.h"

#define NR	24		/* arenas in the window */
#define ALL	(NR * ARENA)
#define STEPS	BW_SEARCH_STEPS

static struct scene sc;
static u64 seed;

static u32 rnd(u32 below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(seed >> 33) % below;
}

/* Pieces until it is found or there is none; 0: a piece got nowhere. */
static u32 pieces(u32 npages, u32 align, u32 *page)
{
	u32 from = 0, before, nr = 0;

	do {
		before = from;
		*page = bw_pagemap_find_some(&sc.core.map[0], npages, align,
					     &from, STEPS);
		nr++;
		if (*page != BW_NO_PAGE)
			return nr;
	} while (from != BW_NO_PAGE && (nr == 1 || from > before));
	return from == BW_NO_PAGE ? nr : 0;
}

/* Nothing is free but holes of @most pages at most, in some arenas many. */
static void punch(u32 most)
{
	struct bw_pagemap *pm = &sc.core.map[0];
	u32 a, page, n;

	for (a = 0; a < NR; a++) {
		u32 gap = 1 + rnd(rnd(2) ? 6 : 2000);

		for (page = AT(a, rnd(4)); page < AT(a + 1, 0); page += n) {
			n = 1 + rnd(most);
			if (n > ALL - page)
				n = ALL - page;
			if (bw_pagemap_run(pm, page, n))
				break;
			bw_pagemap_give(pm, page, n);
			page += 1 + rnd(gap);
		}
	}
}

static bool pieces_find_the_same(void)
{
	struct bw_pagemap *pm = &sc.core.map[0];
	u32 round, ask, page, npages, align, most, more = 0;

	for (round = 0; round < 60; round++) {
		most = 1 + rnd(round % 3 ? 12 : 900);
		punch(most);
		for (ask = 0; ask < 60; ask++) {
			npages = ask % 2 ? most : 1 + rnd(600);
			align = 1U << (ask % 2 ? 4 + rnd(10) : rnd(14));
			more += pieces(npages, align, &page) > 1;
			if (page == bw_pagemap_find(pm, npages, align))
				continue;
			tap_note("%u pages align %u: %u, want %u", npages,
				 align, page, bw_pagemap_find(pm, npages,
							      align));
			return false;
		}
		/* all taken again */
		for (page = 0; page < ALL; page++)
			if (bw_pagemap_is_free(pm, page))
				bw_pagemap_take(pm, page, 1);
	}
	tap_note("%u searches had more than one piece", more);
	return more;
}

/* Four free pages at an odd place in every sixteen. */
static void misfit(void)
{
	u32 page;

	for (page = 0; page < ALL; page += 16)
		bw_pagemap_give(&sc.core.map[0], page + 1, 4);
}

static bool a_piece_has_an_end(void)
{
	u32 page, nr = pieces(4, 4, &page);

	tap_note("%u pieces for %u chunks", nr, NR * BW_ARENA_CHUNKS);
	return page == BW_NO_PAGE && nr > NR * BW_ARENA_CHUNKS / STEPS &&
	       nr < NR * BW_ARENA_CHUNKS;
}

/* Of all holes one fits, and it lies across the border of two chunks. */
static bool the_border_of_a_piece_is_no_gap(void)
{
	struct bw_pagemap *pm = &sc.core.map[0];
	u32 border, page, most = 0, nr;

	for (border = BW_CHUNK_PAGES; border < ALL; border += BW_CHUNK_PAGES) {
		bw_pagemap_give(pm, border - 2, 3);
		nr = pieces(4, 2, &page);
		most = max(most, nr);
		if (page != border - 2)
			return false;
		bw_pagemap_take(pm, border - 2, 3);
	}
	return most > 1;
}

/* Where alignment cannot fail, a place is had without a look at the rest. */
static bool a_long_run_ends_the_search(void)
{
	struct bw_span_req req = { .npages = 4, .align = 4, .steps = STEPS };
	u32 at = ALL - 9;
	struct bw_run run;
	int err;

	/* one of six is found first, and one page short */
	bw_pagemap_give(&sc.core.map[0], ALL - 27, 2);
	bw_pagemap_give(&sc.core.map[0], at, 7);
	err = bw_core_span_alloc(&sc.core, &req, &run);
	if (err || run.page != (at + 3) / 4 * 4 || req.from)
		return false;
	bw_pagemap_take(&sc.core.map[0], at, run.page - at);
	bw_pagemap_take(&sc.core.map[0], run.page + 4, at + 3 - run.page);
	return true;
}

/* One place fits, the last; and after it none does. */
static bool the_only_place_is_found_in_the_end(void)
{
	struct bw_span_req req = { .npages = 4, .align = 4, .steps = STEPS };
	struct bw_run run;
	u32 calls = 0;
	int err;

	bw_pagemap_give(&sc.core.map[0], ALL - 4, 4);
	while ((err = bw_core_span_alloc(&sc.core, &req, &run)) == -EAGAIN)
		calls++;
	if (err || run.page != ALL - 4 || !calls || req.from != run.page)
		return false;
	return bw_core_span_alloc(&sc.core, &req, &run) == -ENOSPC;
}

int main(void)
{
	u32 i;

	seed = tap_env("SEED", 1);
	if (!scene_make(&sc, NR))
		return 1;
	for (i = 0; i < NR; i++) {
		if (!scene_map(&sc, i))
			return 1;
		bw_pagemap_take(&sc.core.map[0], AT(i, 0), ARENA);
	}
	tap_ok(pieces_find_the_same(), "pieces find what one search finds");
	misfit();
	tap_ok(a_piece_has_an_end(), "a piece looks at so much and no more");
	tap_ok(the_border_of_a_piece_is_no_gap(),
	       "a run across the border of two pieces is found");
	tap_ok(a_long_run_ends_the_search(),
	       "a run in which any alignment fits ends the search at once");
	tap_ok(the_only_place_is_found_in_the_end(),
	       "the only place there is is found in the end");
	scene_free(&sc);
	return tap_end();
}
