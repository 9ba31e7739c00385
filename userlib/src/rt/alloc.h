/* SPDX-License-Identifier: MIT */
/* alloc: what the API is made of, for callers that know the kind. */
#ifndef BW_RT_ALLOC_H
#define BW_RT_ALLOC_H

#include "burrow/alloc.h"
#include "heap/mcache.h"

/* Other than small: NULL and ENOMEM where there is no memory. */
void *bw_alloc_other(struct bw_mcache *c, size_t n, u32 kind, bool zero);

/*
 * Zeroed: @head bytes without pointers, a multiple of 8, and @n of a type without a
 * tail behind them. NULL and ENOMEM
 */
void *bw_alloc_type_headed(const struct bw_type *t, size_t head, size_t n);

/* An object of that kind on the mcache's heap. */
static __always_inline void *bw_object_alloc(struct bw_mcache *c, size_t n,
					     u32 kind, bool zero)
{
	if (unlikely(n > (zero ? BW_ZERO_INLINE : BW_SMALL_MAX)))
		return bw_alloc_other(c, n, kind, zero);
	return mcache_alloc(c, bw_spanclass(bw_class_by8[(n + 7) / 8], kind), n,
			    zero);
}

#endif
