/* SPDX-License-Identifier: MIT */
/* memstats: of any heap, for tests and tools. */
#ifndef BW_RT_MEMSTATS_H
#define BW_RT_MEMSTATS_H

#include "burrow/alloc.h"
#include "heap/pageheap.h"

int bw_memstats_of(struct bw_mheap *h, struct bw_memstats *out);

#endif
