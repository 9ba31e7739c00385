// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * exhaustive_test: every pattern of a few free pages, every search.
 *
 *	bw_pagemap_find()	core/pagemap.c
 *	  exhaustive_test.c	<- here: what a loop over the pattern would find
 *
 * PATTERN pages lie across a border; all else in the window is taken. From one
 * pattern to the next a single page changes (Gray code), so the summaries are
 * mended by one take or give each, never built anew. Each search is made with
 * the hint as the moves before left it, close by or far below.
 */
#include "tap.h"
#include "tests/scene.h"

#define PATTERN		14

struct border {
	const char *name;
	u32 nr_arenas;
	u32 left;		/* arenas on the two sides; may be the same */
	u32 right;
	u32 page;		/* the first on the right */
};

static const struct border borders[] = {
	{ "two words", 1, 0, 0, 64 * 37 },
	{ "two chunks", 1, 0, 0, BW_CHUNK_PAGES * 9 },
	{ "two arenas", 2, 0, 1, AT(1, 0) },
	{ "sixteen arenas and the next", 18, 15, 16, AT(16, 0) },
	{ "256 arenas and the next", 260, 255, 256, AT(256, 0) },
	{ "4096 arenas and the next", 4100, 4095, 4096, AT(4096, 0) },
	{ "the window and nothing", 1, 0, 0, AT(1, 0) - PATTERN / 2 },
	{ "nothing and the window", 1, 0, 0, PATTERN / 2 },
};

/* A single free page far below the pattern keeps the hint there. */
#define DECOY		3

/* Where the search should end, by looking. */
static u32 look(u32 pattern, u32 base, u32 npages, u32 align, u32 decoy)
{
	u32 mask = (1U << npages) - 1, i;

	if (npages == 1 && decoy != BW_NO_PAGE && decoy % align == 0)
		return decoy;
	for (i = 0; i + npages <= PATTERN; i++)
		if ((base + i) % align == 0 && (pattern >> i & mask) == mask)
			return base + i;
	return BW_NO_PAGE;
}

static u64 nr_searches;

static bool search_all(struct bw_pagemap *pm, u32 pattern, u32 base,
		       u32 decoy)
{
	u32 npages, align;

	for (npages = PATTERN; npages; npages--) {
		for (align = 1; align <= 16; align *= 2) {
			u32 want = look(pattern, base, npages, align, decoy);
			u32 got = bw_pagemap_find(pm, npages, align);

			nr_searches++;
			if (got == want)
				continue;
			tap_note("pattern %#x at %u, %u pages align %u: "
				 "got %u, want %u", pattern, base, npages,
				 align, got, want);
			return false;
		}
	}
	return true;
}

static bool is_sound(struct bw_pagemap *pm, u32 pattern, u32 base)
{
	u32 bad = (u32)bw_pagemap_check(pm), i;

	for (i = 0; i < PATTERN && !bad; i++)
		if (bw_pagemap_is_free(pm, base + i) != (pattern >> i & 1))
			bad = 100 + i;
	if (bad)
		tap_note("pattern %#x at %u: check says %u", pattern, base, bad);
	return !bad;
}

static bool border_holds(struct scene *sc, const struct border *b, bool low)
{
	u32 base = b->page - PATTERN / 2, pattern = 0, i;
	u32 decoy = low ? AT(b->left, DECOY) : BW_NO_PAGE;
	struct bw_pagemap *pm = &sc->core.map[0];

	bw_pagemap_take(pm, AT(b->left, 0), ARENA);
	if (b->right != b->left)
		bw_pagemap_take(pm, AT(b->right, 0), ARENA);
	if (low)
		bw_pagemap_give(pm, decoy, 1);
	for (i = 0;;) {
		if (!search_all(pm, pattern, base, decoy))
			return false;
		if (i % 512 == 0 && !is_sound(pm, pattern, base))
			return false;
		if (++i == 1U << PATTERN)
			return true;
		/* the page that the Gray code changes next */
		pattern ^= 1U << env_ctz(i);
		if (pattern >> env_ctz(i) & 1)
			bw_pagemap_give(pm, base + env_ctz(i), 1);
		else
			bw_pagemap_take(pm, base + env_ctz(i), 1);
	}
}

/* All runs [at, at + n) of an arena: taken from a full one, and given back. */
static bool every_run_is_summed(struct scene *sc)
{
	struct bw_pagemap *pm = &sc->core.map[0];
	static const u32 edge[] = { 0, 1, 63, 64, 65, 127, 128, 511, 512, 513,
				    1023, 1024, 4095, 4096, ARENA - 65,
				    ARENA - 64, ARENA - 1, ARENA };
	u32 nr = sizeof(edge) / sizeof(edge[0]), i, j;

	for (i = 0; i < nr; i++) {
		for (j = i + 1; j < nr; j++) {
			u32 n = edge[j] - edge[i];
			struct bw_sum *top = &pm->sum[1][0];

			bw_pagemap_take(pm, edge[i], n);
			/* mends the summaries, too */
			if (bw_pagemap_check(pm) || top->start != edge[i] ||
			    top->end != ARENA - edge[j] ||
			    top->max != max(edge[i], ARENA - edge[j]))
				return false;
			bw_pagemap_give(pm, edge[i], n);
			if (bw_pagemap_check(pm) || top->start != ARENA ||
			    top->end != ARENA || top->max != ARENA)
				return false;
		}
	}
	return true;
}

/* Two runs in two words, one page apart in length: the longer is the max. */
static bool every_run_in_a_word_counts(struct scene *sc)
{
	struct bw_pagemap *pm = &sc->core.map[0];
	const struct bw_sum *chunk = &sc->core.arena[0]->leaf.chunk[0];
	u32 n, at, first;

	bw_pagemap_take(pm, 0, ARENA);
	for (n = 2; n <= 64; n++) {
		for (at = 0; at + n <= 64; at++) {
			for (first = 64; first <= 256; first += 192) {
				u32 other = 320 - first;

				bw_pagemap_give(pm, first + at, n);
				bw_pagemap_give(pm, other + 20 - n / 4, n - 1);
				if (bw_pagemap_check(pm) || chunk->max != n ||
				    bw_pagemap_find(pm, n, 1) != first + at)
					return false;
				bw_pagemap_take(pm, first + at, n);
				bw_pagemap_take(pm, other + 20 - n / 4, n - 1);
			}
		}
	}
	return true;
}

static void cross(const struct border *b, bool low)
{
	struct scene sc;
	bool good = scene_make(&sc, b->nr_arenas) && scene_map(&sc, b->left) &&
		    (b->right == b->left || scene_map(&sc, b->right));

	tap_ok(good && border_holds(&sc, b, low),
	       "every search finds every pattern across %s%s", b->name,
	       low ? ", from far below" : "");
	scene_free(&sc);
}

int main(void)
{
	struct scene sc;
	size_t i;

	for (i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
		cross(&borders[i], false);
		if (borders[i].page > 64)
			cross(&borders[i], true);
	}
	tap_note("%llu searches", (unsigned long long)nr_searches);
	tap_ok(scene_make(&sc, 1) && scene_map(&sc, 0) &&
	       every_run_is_summed(&sc),
	       "a run between any two edges is summed when taken and given");
	scene_free(&sc);
	tap_ok(scene_make(&sc, 1) && scene_map(&sc, 0) &&
	       every_run_in_a_word_counts(&sc),
	       "a run inside a word counts, wherever a shorter one is");
	scene_free(&sc);
	return tap_end();
}
