/* SPDX-License-Identifier: MIT */
/* uword: where the U-words of a page are. */
#ifndef BURROW_SELFTEST_UWORD_H
#define BURROW_SELFTEST_UWORD_H

#include "burrow_selftest.h"

#define MAP_FRAME_PAGES	(FRAME_SIZE / BURROW_U_PAGE_BYTES)
#define OWNER_FRAME_PAGES (FRAME_SIZE / sizeof(__u64))

/* What page @page has in the table at @base, @each bytes to a page. */
static inline char *uword(const struct heap *h, __u32 page, size_t base, size_t each)
{
	return h->umeta + page / BURROW_ARENA_PAGES * BURROW_UMETA_SIZE + base +
	       page % BURROW_ARENA_PAGES * each;
}

static inline char *owner_word(const struct heap *h, __u32 page)
{
	return uword(h, page, BURROW_U_OWNER, sizeof(__u64));
}

static inline char *map_bits(const struct heap *h, __u32 page, size_t map)
{
	return uword(h, page, map, BURROW_U_PAGE_BYTES);
}

#endif
