/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * pagemap: which pages of a window are free, and where n of them lie together.
 *
 * A bit per page (1 = free) at the bottom; above it a radix tree of summaries,
 * sixteen children to a node. A summary of a piece of the window tells three
 * lengths in pages: free run at its start, longest free run, free run at its
 * end. A search for n pages walks down from the root and skips every piece
 * whose summary says it cannot help; runs that cross pieces, arenas among
 * them, are found on the way.
 *
 *	level 5			1 TiB and beyond (root)
 *	level 4			4096 arenas
 *	level 3			256 arenas
 *	level 2			16 arenas
 *	level 1			1 arena  = 8192 pages
 *	level 0	(in the leaf)	1 chunk  =  512 pages = 8 words of bits
 *
 * P1. A page of an arena that is not there is not free.
 * P2. Every summary is what its children say (bw_pagemap_check()), but above
 *     the chunks [stale_lo, stale_hi], whose summaries are mended by the next
 *     search: frees in a row pay for one mending.
 * P3. No free page lies below @hint.
 *
 * The caller holds the heap lock. Nothing here allocates: the caller brings
 * bw_pagemap_bytes() of zeroed memory once, and a leaf per arena.
 */
#ifndef BW_CORE_PAGEMAP_H
#define BW_CORE_PAGEMAP_H

#include "env.h"
#include "burrow/layout.h"

#define BW_CHUNK_SHIFT		9
#define BW_CHUNK_PAGES		(1U << BW_CHUNK_SHIFT)
#define BW_CHUNK_WORDS		(BW_CHUNK_PAGES / 64)
#define BW_ARENA_CHUNKS		(BURROW_ARENA_PAGES / BW_CHUNK_PAGES)
#define BW_ARENA_WORDS		(BURROW_ARENA_PAGES / 64)
#define BW_RADIX_SHIFT		4
#define BW_RADIX		(1U << BW_RADIX_SHIFT)
#define BW_MAX_LEVELS		6

#define BW_NO_PAGE		(~0U)

/* Lengths of free runs in a piece of the window, in pages. */
struct bw_sum {
	u32 start;
	u32 max;
	u32 end;
};

/**
 * struct bw_pagemap_leaf - the bits of one arena			[lock]
 * @free:	1 = free
 * @chunk:	level 0: the summaries of its chunks
 */
struct bw_pagemap_leaf {
	u64 free[BW_ARENA_WORDS];
	struct bw_sum chunk[BW_ARENA_CHUNKS];
};

/**
 * struct bw_pagemap - the free pages of a window			[lock]
 * @nr_arenas:	arenas the window has room for				[const]
 * @nr_levels:	levels in use, level 0 included				[const]
 * @hint:	see P3
 * @stale_lo:	see P2; above @stale_hi when there are none
 * @stale_hi:	see P2
 * @leaf:	per arena, NULL where there is none
 * @sum:	levels 1 and up
 */
struct bw_pagemap {
	u32 nr_arenas;
	u32 nr_levels;
	u32 hint;
	u32 stale_lo;
	u32 stale_hi;
	struct bw_pagemap_leaf **leaf;
	struct bw_sum *sum[BW_MAX_LEVELS];
};

size_t bw_pagemap_bytes(u32 nr_arenas);
void bw_pagemap_init(struct bw_pagemap *pm, void *zeroed, u32 nr_arenas);

/* The arena appears with all its pages free, or disappears. */
void bw_pagemap_arena_add(struct bw_pagemap *pm, u32 arena,
			  struct bw_pagemap_leaf *leaf);
/* The arena appears with the bits that @leaf has. */
void bw_pagemap_arena_clone(struct bw_pagemap *pm, u32 arena,
			    struct bw_pagemap_leaf *leaf);
void bw_pagemap_arena_del(struct bw_pagemap *pm, u32 arena);

/*
 * The lowest page at which @npages free pages begin, a multiple of @align
 * (a power of two), or BW_NO_PAGE. Takes nothing.
 */
u32 bw_pagemap_find(struct bw_pagemap *pm, u32 npages, u32 align);

/*
 * The same from *@from on (0 at first), looking into @steps nodes at most, 64
 * or more. BW_NO_PAGE: *@from is BW_NO_PAGE too if there is none, else where to
 * go on. Only with an alignment are there many: a summary does not tell how the
 * run is placed.
 */
u32 bw_pagemap_find_some(struct bw_pagemap *pm, u32 npages, u32 align,
			 u32 *from, u32 steps);

/* All pages were free and now are not; the reverse. Both must be true. */
void bw_pagemap_take(struct bw_pagemap *pm, u32 page, u32 npages);
void bw_pagemap_give(struct bw_pagemap *pm, u32 page, u32 npages);

bool bw_pagemap_is_free(const struct bw_pagemap *pm, u32 page);

/* How many pages from @page on are free, at most @most. */
u32 bw_pagemap_run(const struct bw_pagemap *pm, u32 page, u32 most);

/* 0, or which invariant (1 = P1 ...) does not hold. */
int bw_pagemap_check(struct bw_pagemap *pm);

#endif
