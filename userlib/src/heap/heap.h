/* SPDX-License-Identifier: MIT */
/* heap: what stands behind the public struct bw_heap. */
#ifndef BW_HEAP_HEAP_H
#define BW_HEAP_HEAP_H

#include "backend/backend.h"
#include "base/stats.h"
#include "burrow/heap.h"

/**
 * struct bw_heap - an open heap
 * @be:		who keeps it						[const]
 * @verbose:	say the counts at the end				[const]
 * @stats:	what the library counts					[atomic]
 */
struct bw_heap {
	struct bw_backend *be;
	bool verbose;
	struct bw_counts stats;
};

/* A heap on a backend, which it closes in the end. -ENOMEM */
int bw_heap_open_on(struct bw_backend *be, struct bw_heap **out);

#endif
