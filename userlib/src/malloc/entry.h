/* SPDX-License-Identifier: MIT */
/*
 * entry: the malloc family, under names of our own. libburrow-malloc.so has it
 * under the C library's: entry.c is compiled with BW_MALLOC_INTERPOSE for that.
 * What each does, and what it says in errno, is what malloc(3) and
 * posix_memalign(3) document; Documentation/malloc.md has the small print.
 */
#ifndef BW_MALLOC_ENTRY_H
#define BW_MALLOC_ENTRY_H

#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef BW_MALLOC_INTERPOSE
#define bw_mem_malloc		malloc
#define bw_mem_free		free
#define bw_mem_calloc		calloc
#define bw_mem_realloc		realloc
#define bw_mem_reallocarray	reallocarray
#define bw_mem_memalign		memalign
#define bw_mem_aligned_alloc	aligned_alloc
#define bw_mem_posix_memalign	posix_memalign
#define bw_mem_valloc		valloc
#define bw_mem_pvalloc		pvalloc
#define bw_mem_usable_size	malloc_usable_size
#define bw_mem_trim		malloc_trim
#define bw_mem_mallinfo2	mallinfo2
#define bw_mem_mallopt		mallopt
#else
void *bw_mem_malloc(size_t n);
void bw_mem_free(void *p);
void *bw_mem_calloc(size_t n, size_t size);
void *bw_mem_realloc(void *p, size_t n);
void *bw_mem_reallocarray(void *p, size_t n, size_t size);
void *bw_mem_memalign(size_t align, size_t n);
void *bw_mem_aligned_alloc(size_t align, size_t n);
int bw_mem_posix_memalign(void **out, size_t align, size_t n);
void *bw_mem_valloc(size_t n);
void *bw_mem_pvalloc(size_t n);
size_t bw_mem_usable_size(void *p);
int bw_mem_trim(size_t pad);
struct mallinfo2 bw_mem_mallinfo2(void);
int bw_mem_mallopt(int param, int value);
#endif

#endif
