/* SPDX-License-Identifier: MIT */
/*
 * block: what is larger than 32 KiB, or aligned to more than a page of 8 KiB: a
 * span of its own.
 *
 *	malloc(), realloc(), memalign()	malloc/entry.c
 *	  bw_block_*()			<- here
 *	    bw_large_alloc/free()	heap/large.c
 *	    bw_mspan_get/put()		heap/pageheap.c
 *
 * A block that realloc() moves since it had grown gets room to grow on, a half of
 * it, where that costs no memory: beyond a megabyte pages come by touch.
 *
 * Rejected: moving pages with mremap(). The module's mappings refuse it, and in
 * user mode each move leaves two cuts in the mappings of the arena for ever.
 */
#ifndef BW_MALLOC_BLOCK_H
#define BW_MALLOC_BLOCK_H

#include "front.h"

/* @align a power of two. NULL: no memory. */
void *bw_block_alloc(size_t n, size_t align, bool zero);

/* One that grew to @n bytes. */
void *bw_block_alloc_grown(size_t n);

void bw_block_free(void *p);

/* Bytes that may be used. Fatal where no block begins. */
size_t bw_block_size(const void *p);

#endif
