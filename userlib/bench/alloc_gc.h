/* SPDX-License-Identifier: MIT */
/* alloc_bench's peer is bdwgc: nothing is freed, its collector is on. */
#include <gc.h>

static inline void peer_init(void)
{
	GC_INIT();
}

static inline void *peer_root(size_t n)
{
	return GC_MALLOC_UNCOLLECTABLE(n);
}

static inline void *peer_new(size_t n)
{
	return GC_MALLOC(n);
}

static inline void peer_free(void *p)
{
}
