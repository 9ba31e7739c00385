/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * rows_pagemap: where a search for free pages has to end.
 *
 * A row says which arenas of a window are there, which of their pages are
 * free, and what is asked for. The page found is taken, found no longer, given
 * back and found again; a map cloned from this one finds it, too.
 */
#ifndef BW_TESTS_ROWS_PAGEMAP_H
#define BW_TESTS_ROWS_PAGEMAP_H

#include "scene.h"

struct page_range {
	u32 page;
	u32 npages;
};

/**
 * struct pagemap_row - one search
 * @mapped:	the arenas that are there, up to BW_NO_PAGE
 * @free:	the free pages, up to the first empty range; the rest is taken
 */
struct pagemap_row {
	const char *name;
	u32 nr_arenas;
	u32 mapped[5];
	struct page_range free[6];
	u32 npages;
	u32 align;
	u32 want;
};

#define MAPPED(...)	{ __VA_ARGS__, BW_NO_PAGE }

static const struct pagemap_row pagemap_rows[] = {
	{ "an empty window has no page",
	  1, MAPPED(0), { { 0 } }, 1, 1, BW_NO_PAGE },
	{ "the only page of a window is found",
	  1, MAPPED(0), { { 4711, 1 } }, 1, 1, 4711 },
	{ "the first page of a window is found",
	  1, MAPPED(0), { { 0, 1 } }, 1, 1, 0 },
	{ "the last page of a window is found",
	  1, MAPPED(0), { { ARENA - 1, 1 } }, 1, 1, ARENA - 1 },
	{ "the lowest of several places wins",
	  1, MAPPED(0), { { 900, 4 }, { 300, 4 }, { 600, 9 } }, 4, 1, 300 },
	{ "a run one page short is passed over",
	  1, MAPPED(0), { { 10, 6 }, { 40, 7 } }, 7, 1, 40 },
	{ "a run that fits exactly is taken",
	  1, MAPPED(0), { { 10, 7 }, { 40, 8 } }, 7, 1, 10 },
	{ "a run across a word is one run",
	  1, MAPPED(0), { { 60, 3 }, { 126, 4 } }, 4, 1, 126 },
	{ "a run of a word and a page on each side is one run",
	  1, MAPPED(0), { { 63, 66 } }, 66, 1, 63 },
	{ "two runs with a taken page between are two",
	  1, MAPPED(0), { { 60, 4 }, { 65, 4 } }, 5, 1, BW_NO_PAGE },
	{ "a run across a chunk is one run",
	  1, MAPPED(0), { { 508, 8 } }, 8, 1, 508 },
	{ "a run over three chunks is one run",
	  1, MAPPED(0), { { 511, 514 } }, 514, 1, 511 },
	{ "a run across arenas is one run",
	  2, MAPPED(0, 1), { { ARENA - 2, 5 } }, 5, 1, ARENA - 2 },
	{ "a run over three arenas is one run",
	  4, MAPPED(0, 1, 2), { { ARENA - 1, ARENA + 2 } }, ARENA + 2, 1,
	  ARENA - 1 },
	{ "an arena that is not there ends a run",
	  3, MAPPED(0, 2), { { ARENA - 4, 4 }, { AT(2, 0), 4 } }, 5, 1,
	  BW_NO_PAGE },
	{ "a window begins with an arena that is not there",
	  3, MAPPED(2), { { AT(2, 7), 3 } }, 3, 1, AT(2, 7) },
	{ "a run across sixteen arenas' end is one run",
	  32, MAPPED(15, 16), { { AT(15, ARENA - 3), 6 } }, 6, 1,
	  AT(15, ARENA - 3) },
	{ "a run across 256 arenas' end is one run",
	  300, MAPPED(255, 256), { { AT(255, ARENA - 3), 6 } }, 6, 1,
	  AT(255, ARENA - 3) },
	{ "a run across 4096 arenas' end is one run",
	  5000, MAPPED(4095, 4096), { { AT(4095, ARENA - 3), 6 } }, 6, 1,
	  AT(4095, ARENA - 3) },
	{ "the last page of the largest window is found",
	  BURROW_MAX_ARENAS, MAPPED(BURROW_MAX_ARENAS - 1),
	  { { BURROW_MAX_PAGES - 1, 1 } }, 1, 1, BURROW_MAX_PAGES - 1 },
	{ "a window of odd size has an end",
	  19, MAPPED(18), { { AT(18, ARENA - 2), 2 } }, 3, 1, BW_NO_PAGE },
	{ "a whole arena is found behind a broken one",
	  3, MAPPED(0, 1), { { 1, ARENA - 1 }, { AT(1, 0), ARENA } }, ARENA, 1, 1 },
	{ "alignment skips a run that begins off it",
	  1, MAPPED(0), { { 9, 8 }, { 31, 9 } }, 8, 8, 32 },
	{ "alignment uses the inside of a run",
	  1, MAPPED(0), { { 9, 15 } }, 8, 8, 16 },
	{ "alignment that leaves too few pages finds none",
	  1, MAPPED(0), { { 9, 14 } }, 8, 8, BW_NO_PAGE },
	{ "alignment of a word within a chunk",
	  1, MAPPED(0), { { 65, 130 } }, 64, 64, 128 },
	{ "alignment of more than a chunk",
	  1, MAPPED(0), { { 3, ARENA - 3 } }, 5, 1024, 1024 },
	{ "alignment of an arena",
	  3, MAPPED(0, 1), { { 1, 2 * ARENA - 1 } }, 2, ARENA, ARENA },
	{ "alignment of more than the window leaves page 0",
	  2, MAPPED(0, 1), { { 0, 2 }, { ARENA, 8 } }, 2, 1U << 31, 0 },
	{ "alignment of more than the window without page 0 finds none",
	  2, MAPPED(0, 1), { { 1, 2 * ARENA - 1 } }, 1, 1U << 31, BW_NO_PAGE },
	{ "every other page free is no two in a row",
	  1, MAPPED(0), { { 0, 1 }, { 2, 1 }, { 4, 1 }, { 6, 1 }, { 8, 1 } }, 2, 1,
	  BW_NO_PAGE },
	{ "every other page free off alignment finds none",
	  1, MAPPED(0), { { 1, 1 }, { 3, 1 }, { 5, 1 }, { 7, 1 }, { 9, 1 } }, 1, 2,
	  BW_NO_PAGE },
	{ "more pages than the window has finds none",
	  2, MAPPED(0, 1), { { 0, 2 * ARENA } }, 2 * ARENA + 1, 1, BW_NO_PAGE },
	{ "the most that can be asked for finds none",
	  2, MAPPED(0, 1), { { 0, 2 * ARENA } }, ~0U, 1, BW_NO_PAGE },
	{ "all pages of the window in one",
	  2, MAPPED(0, 1), { { 0, 2 * ARENA } }, 2 * ARENA, 1, 0 },
};

#undef MAPPED

static inline bool pagemap_row_build(const struct pagemap_row *row,
				     struct scene *sc)
{
	struct bw_pagemap *pm = &sc->core.map[0];
	u32 i;

	for (i = 0; row->mapped[i] != BW_NO_PAGE; i++) {
		if (!scene_map(sc, row->mapped[i]))
			return false;
		bw_pagemap_take(pm, AT(row->mapped[i], 0), ARENA);
	}
	for (i = 0; i < 6 && row->free[i].npages; i++)
		bw_pagemap_give(pm, row->free[i].page, row->free[i].npages);
	return true;
}

static inline struct verdict pagemap_row_play(const struct pagemap_row *row,
					      struct scene *sc)
{
	struct bw_pagemap *pm = &sc->core.map[0];
	u32 got = bw_pagemap_find(pm, row->npages, row->align), i, again;

	if (got != row->want)
		return VERDICT("found", got, row->want);
	if (bw_pagemap_check(pm))
		return VERDICT("check after find", bw_pagemap_check(pm), 0);
	if (got == BW_NO_PAGE)
		return VERDICT_OK;
	bw_pagemap_take(pm, got, row->npages);
	for (i = 0; i < row->npages; i++)
		if (bw_pagemap_is_free(pm, got + i))
			return VERDICT("still free", got + i, 0);
	if (bw_pagemap_check(pm))
		return VERDICT("check after take", bw_pagemap_check(pm), 0);
	again = bw_pagemap_find(pm, row->npages, row->align);
	if (again <= got)
		return VERDICT("found what is taken", again, got);
	bw_pagemap_give(pm, got, row->npages);
	if (bw_pagemap_check(pm))
		return VERDICT("check after give", bw_pagemap_check(pm), 0);
	again = bw_pagemap_find(pm, row->npages, row->align);
	if (again != got)
		return VERDICT("found after give", again, got);
	return VERDICT_OK;
}

/* A map of copied leaves; those of the arenas that are there in @sc. */
static inline struct verdict pagemap_row_clone(const struct pagemap_row *row,
					       const struct scene *sc)
{
	struct verdict v = VERDICT("no memory", 0, 0);
	struct bw_pagemap *pm;
	struct scene twin;
	u32 got;
	int bad;

	if (!scene_clone(&twin, sc))
		return v;
	pm = &twin.core.map[0];
	got = bw_pagemap_find(pm, row->npages, row->align);
	bad = bw_pagemap_check(pm);
	v = VERDICT_OK;
	if (got != row->want)
		v = VERDICT("found in a clone", got, row->want);
	else if (bad)
		v = VERDICT("check of a clone", bad, 0);
	scene_free(&twin);
	return v;
}

static inline struct verdict pagemap_row_run(const struct pagemap_row *row)
{
	struct verdict v = VERDICT("no memory", 0, 0);
	struct scene sc;

	if (!scene_make(&sc, row->nr_arenas))
		return v;
	if (pagemap_row_build(row, &sc))
		v = pagemap_row_play(row, &sc);
	if (!v.why)
		v = pagemap_row_clone(row, &sc);
	scene_free(&sc);
	return v;
}

#endif
