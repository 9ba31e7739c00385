// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * window_test: the largest window there is, 1 TiB, with every arena in it.
 *
 * The K-words are one page shared by all arenas: nobody writes them here but
 * the refused span that must not.
 */
#include "tap.h"
#include "tests/scene.h"

#define ALL	BURROW_MAX_ARENAS

static struct bw_core core;
static struct bw_core_arena *arenas;
static u64 *kwords;

static void window_make(void *table, u32 step, u32 nr_kinds)
{
	u32 i;

	memset(table, 0, bw_core_bytes(ALL));
	memset(arenas, 0, ALL * sizeof(*arenas));
	bw_core_init(&core, table, ALL);
	for (i = 0; i < ALL; i += step) {
		arenas[i].kind = i % nr_kinds;
		bw_core_arena_add(&core, i, &arenas[i], kwords);
	}
}

static bool root_is(u32 start, u32 most, u32 end)
{
	const struct bw_sum *root;

	if (bw_pagemap_check(&core.map[0]))
		return false;
	/* the root covers more than the window: its end is never free */
	root = core.map[0].sum[core.map[0].nr_levels - 1];
	return root->start == start && root->max == most && root->end == end;
}

static bool refuses(u32 npages)
{
	struct bw_span_req req = { .npages = npages };
	struct bw_run run;

	return bw_core_span_alloc(&core, &req, &run) == -ENOSPC &&
	       !core.nr_spans && core.nr_free == BURROW_MAX_PAGES;
}

/* Five pages over the border below each arena, all else taken. */
static bool every_border_is_crossed(void)
{
	struct bw_pagemap *pm = &core.map[0];
	u32 i;

	bw_pagemap_take(pm, 0, BURROW_MAX_PAGES);
	if (bw_pagemap_find(pm, 1, 1) != BW_NO_PAGE)
		return false;
	for (i = 1; i < ALL; i++) {
		u32 page = AT(i, 0) - 2;

		bw_pagemap_give(pm, page, 5);
		if (bw_pagemap_find(pm, 5, 1) != page ||
		    bw_pagemap_find(pm, 6, 1) != BW_NO_PAGE ||
		    bw_pagemap_find(pm, 3, ARENA) != page + 2 ||
		    bw_pagemap_find(pm, 4, 4) != BW_NO_PAGE)
			return false;
		bw_pagemap_take(pm, page, 5);
	}
	bw_pagemap_give(pm, 0, BURROW_MAX_PAGES);
	return root_is(BURROW_MAX_PAGES, BURROW_MAX_PAGES, 0);
}

/* The words are one arena's, for all: what is refused has written none. */
static bool refuses_to_grow(u32 npages)
{
	struct bw_span_req one = { .npages = 1 };
	struct bw_run run, tail;

	return !bw_core_span_alloc(&core, &one, &run) &&
	       bw_core_span_extend(&core, run.page, run.gen, npages, &tail) ==
	       -ENOSPC && !bw_core_span_free(&core, run.page, run.gen, &tail);
}

/* Arenas go from the left; the first fit moves with them. */
static bool first_fit_follows(void)
{
	u32 i;

	for (i = 0; i < ALL; i++) {
		if (bw_pagemap_find(&core.map[0], 1, 1) != AT(i, 0) ||
		    bw_pagemap_find(&core.map[0], BURROW_MAX_PAGES - AT(i, 0),
				    1) != AT(i, 0))
			return false;
		bw_core_arena_del(&core, i);
	}
	return bw_pagemap_find(&core.map[0], 1, 1) == BW_NO_PAGE &&
	       root_is(0, 0, 0) && !core.nr_free;
}

/* Kinds in turn: the one after the first that a search may find is its own. */
static bool each_kind_is_found(void)
{
	u32 i, kind;

	for (i = 0; i < ALL; i++) {
		kind = i % BURROW_NR_ARENA_KINDS;
		if (bw_pagemap_find(&core.map[kind], ARENA, 1) != AT(i, 0) ||
		    bw_pagemap_find(&core.map[kind], ARENA + 1, 1) != BW_NO_PAGE)
			return false;
		bw_core_arena_del(&core, i);
	}
	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++)
		if (bw_pagemap_check(&core.map[kind]) ||
		    bw_pagemap_find(&core.map[kind], 1, 1) != BW_NO_PAGE)
			return false;
	return !core.nr_free;
}

int main(void)
{
	void *table = scene_zalloc(bw_core_bytes(ALL));

	arenas = scene_zalloc(ALL * sizeof(*arenas));
	kwords = scene_zalloc(BURROW_KMETA_SIZE);
	if (!table || !arenas || !kwords)
		return 1;
	window_make(table, 1, 1);
	tap_ok(root_is(BURROW_MAX_PAGES, BURROW_MAX_PAGES, 0),
	       "a window full of arenas is one free run");
	tap_ok(refuses(BURROW_MAX_PAGES),
	       "a span of more pages than a head word can say is refused");
	tap_ok(refuses_to_grow(BURROW_MAX_PAGES),
	       "a span does not grow to more than that");
	tap_ok(every_border_is_crossed(),
	       "a run across any border of arenas is found");
	tap_ok(first_fit_follows(),
	       "the first fit follows the arenas that are left");
	window_make(table, 2, 1);
	tap_ok(root_is(ARENA, ARENA, 0) &&
	       bw_pagemap_find(&core.map[0], ARENA, ARENA) == 0 &&
	       bw_pagemap_find(&core.map[0], ARENA + 1, 1) == BW_NO_PAGE,
	       "no run crosses an arena that is not there");
	window_make(table, 1, BURROW_NR_ARENA_KINDS);
	tap_ok(each_kind_is_found(),
	       "each kind is found in its own arenas, however they lie");
	scene_release(table);
	scene_release(arenas);
	scene_release(kwords);
	return tap_end();
}
