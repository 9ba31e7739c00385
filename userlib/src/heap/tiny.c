// SPDX-License-Identifier: MIT
/*
 * tiny: objects of less than 16 bytes without pointers share blocks of 16.
 *
 *	bw_alloc_noscan()		rt/alloc.c
 *	  bw_tiny_alloc()		<- here
 *	    mcache_alloc()		heap/mcache.h, a zeroed block
 *
 * A block is one object for the collector and lives as long as any in it, so
 * none of them can be freed alone: bw_free() of one does nothing.
 *
 * With hooks the thread's front is bw_mcache_none, whose block has no room.
 */
#include "mcache.h"

/* As the size allows: what has a multiple of 8 bytes may be read by eight. */
static inline __attribute__((always_inline)) u32 align_up(u32 at, size_t n)
{
	u32 to = n % 8 == 0 ? 8 : n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : 1;

	return (at + to - 1) & ~(to - 1);
}

/* Another block. The collector may have dropped the last meanwhile. */
static __attribute__((noinline)) void *block_new(struct bw_mcache *c, u32 size)
{
	char *block;

	if (unlikely(c == &bw_mcache_none)) {
		c = bw_mcache_attach();
		if (!c)
			return NULL;
	}
	if (c->heap->hooks)
		block = bw_mcache_alloc_slow(c, BW_SC_TINY, BW_TINY_BLOCK,
					     true);
	else
		block = mcache_alloc(c, BW_SC_TINY, BW_TINY_BLOCK, true);
	/* of two blocks the one with more room is kept */
	if (block && size < c->tiny_used) {
		c->tiny = block;
		c->tiny_used = size;
	}
	return block;
}

static __attribute__((noinline)) void *tiny_slow(struct bw_mcache *c, u32 size)
{
	void *p;

	bw_section_begin();
	p = block_new(c, size);
	bw_section_end();
	return p;
}

BW_LEAF void *bw_tiny_alloc(struct bw_mcache *c, size_t n)
{
	u32 size = n ? (u32)n : 1, at;
	void *p = NULL;

	bw_leaf_begin();
	at = align_up(c->tiny_used, size);
	if (likely(at + size <= BW_TINY_BLOCK)) {
		c->tiny_used = at + size;
		p = c->tiny + at;
	}
	bw_leaf_end();
	return p ? p : tiny_slow(c, size);
}
