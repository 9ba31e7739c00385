/* SPDX-License-Identifier: MIT */
/* alloc_bench's peer is mimalloc, called by its own names. */
#include <mimalloc.h>

static inline void peer_init(void)
{
}

static inline void *peer_root(size_t n)
{
	return calloc(1, n);
}

static inline void *peer_new(size_t n)
{
	return mi_zalloc(n);
}

static inline void peer_free(void *p)
{
	mi_free(p);
}
