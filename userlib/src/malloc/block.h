/* SPDX-License-Identifier: MIT */
/*
 * block: what is larger than 32 KiB, or aligned to more than a page of 8 KiB: a
 * span of its own.
 *
 *	malloc(), realloc(), memalign()	malloc/entry.c
 *	  bw_block_*()			<- here
 *	    bw_large_alloc/free()	heap/large.c
 *	    bw_mspan_get/put()		heap/pageheap.c
 *	    bw_mspan_resize()		heap/pageheap_resize.c
 *
 * A block that realloc() makes longer takes free pages behind it, and an eighth
 * more than was asked for, which costs no memory until it is touched; where there
 * are none, its pages move to where there is half as much room again.
 */
#ifndef BW_MALLOC_BLOCK_H
#define BW_MALLOC_BLOCK_H

#include "front.h"

/* @align a power of two. NULL: no memory. */
void *bw_block_alloc(size_t n, size_t align, bool zero);

/*
 * The block at @p with at least @n bytes, and not much more, both more than a
 * class has: here or elsewhere. NULL: it is as it was; the caller copies.
 */
void *bw_block_resize(void *p, size_t n);

/* A new one, to copy one that grew to @n bytes. */
void *bw_block_alloc_grown(size_t n);

void bw_block_free(void *p);

/* Bytes that may be used. Fatal where no block begins. */
size_t bw_block_size(const void *p);

#endif
