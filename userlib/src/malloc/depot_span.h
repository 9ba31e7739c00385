/* SPDX-License-Identifier: MIT */
/* depot_span: between the files of the depot, and for nobody else. */
#ifndef BW_MALLOC_DEPOT_SPAN_H
#define BW_MALLOC_DEPOT_SPAN_H

#include "depot.h"

/* A span that nobody knows yet; NULL: no memory. Without the lock. */
struct bw_mspan *bw_depot_span_get(struct bw_depot *d);
void bw_depot_span_add_locked(struct bw_depot *d, struct bw_mspan *s);

/* Up to @want slots; 0: there are none. */
u32 bw_depot_cut_locked(struct bw_depot *d, void **slot, u32 want);

/* Slots to their spans. */
void bw_depot_sort_locked(struct bw_depot *d, void *const *slot, u32 nr);

/* Empty spans but for @keep are on @out after it ... */
void bw_depot_empty_locked(struct bw_depot *d, u32 keep, struct bw_list *out);
/* ... and go to the page heap. Without the lock. */
void bw_depot_spans_put(struct bw_list *out);

int bw_depot_spans_check_locked(struct bw_depot *d);

#endif
