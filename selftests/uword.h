/* SPDX-License-Identifier: MIT */
/* uword: where the U-words of a page are. */
#ifndef BURROW_SELFTEST_UWORD_H
#define BURROW_SELFTEST_UWORD_H

#include "burrow_selftest.h"

/* the pages whose bits, or whose owner words, share a frame */
#define MAP_FRAME_PAGES	(FRAME_SIZE / BURROW_U_PAGE_BYTES)
#define OWNER_FRAME_PAGES (FRAME_SIZE / sizeof(__u64))

static inline char *uwords(const struct heap *h, __u32 page)
{
	return part(h, BURROW_MMAP_UMETA, page / BURROW_ARENA_PAGES);
}

static inline __u64 *owner_word(const struct heap *h, __u32 page)
{
	return (__u64 *)(uwords(h, page) + BURROW_U_OWNER) +
	       page % BURROW_ARENA_PAGES;
}

/* The words of one page's bits in the map at @map (BURROW_U_MARK, ...). */
static inline __u64 *map_words(const struct heap *h, unsigned long map,
			       __u32 page)
{
	return (__u64 *)(uwords(h, page) + map +
			 page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES);
}

#endif
