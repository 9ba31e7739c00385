/* SPDX-License-Identifier: MIT */
/*
 * mcache_hook: who wants to hear of each object: BURROW=clobberfree=1, an
 * address sanitizer, valgrind's memcheck. All of it is on slow paths, which
 * @hooks of the heap makes the only ones.
 */
#ifndef BW_HEAP_MCACHE_HOOK_H
#define BW_HEAP_MCACHE_HOOK_H

#include "mspan.h"

#define BW_CLOBBER	0xdf

/* Is somebody there who wants hooks, whatever the options say? */
bool bw_hook_wanted(void);

/* A new span of small objects: nobody may touch what is in it. */
void bw_hook_span(struct bw_mheap *h, struct bw_mspan *s);
/*
 * It goes back to the page heap; so does that of a large object. Nobody may touch
 * what was in it, wherever the page heap has it ...
 */
void bw_hook_span_end(struct bw_mspan *s);
/* ... until it is of a span that somebody got, of whatever kind. */
void bw_hook_span_begin(struct bw_mspan *s);

/* @n bytes at @p are an object now; throws if its slot was written to. */
void bw_hook_alloc(struct bw_mheap *h, struct bw_mspan *s, char *p, size_t n);
void bw_hook_free(struct bw_mheap *h, struct bw_mspan *s, char *p);
void bw_hook_large(struct bw_mheap *h, struct bw_mspan *s, size_t n);

/* Zeroes a slot; where somebody watches, only what may be touched. */
void bw_hook_zero(char *p, size_t n, size_t slot);

#endif
