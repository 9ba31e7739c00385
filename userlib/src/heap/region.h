/* SPDX-License-Identifier: MIT */
/* region: a place where objects are made in a row, on any heap. */
#ifndef BW_HEAP_REGION_H
#define BW_HEAP_REGION_H

#include "pageheap.h"

struct bw_region;

struct bw_region *bw_region_make_on(struct bw_mheap *h);
void *bw_region_take(struct bw_region *r, size_t n);
void bw_region_empty(struct bw_region *r);
void bw_region_end(struct bw_region *r);

/* 0, or the number of the R that does not hold. */
int bw_region_check(const struct bw_region *r);

#endif
