/* SPDX-License-Identifier: MIT */
/* alloc_bench's peer is burrow: conservative objects, freed by hand. */
#include "burrow/alloc.h"

static inline void peer_init(void)
{
}

static inline void *peer_root(size_t n)
{
	return bw_alloc(n);
}

static inline void *peer_new(size_t n)
{
	return bw_alloc(n);
}

static inline void peer_free(void *p)
{
	bw_free(p);
}
