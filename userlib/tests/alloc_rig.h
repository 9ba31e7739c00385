/* SPDX-License-Identifier: MIT */
/* alloc_rig: heaps of spans for tests, and a shadow of what is in them. */
#ifndef BW_TESTS_ALLOC_RIG_H
#define BW_TESTS_ALLOC_RIG_H

#include "gc/collector.h"
#include "heap/mcache.h"
#include <sched.h>

#include "rig.h"
#include "rt/alloc.h"
#include "rt/memstats.h"

static inline struct bw_mheap *rig_mheap_on(struct bw_backend *be)
{
	struct bw_options o;
	struct bw_mheap *h;

	bw_options_init(&o);
	o.verify = true;
	if (bw_mheap_open_on(be, &o, &h)) {
		printf("Bail out! %s\n", bw_error_last());
		exit(1);
	}
	return h;
}

static inline struct bw_mheap *rig_mheap(void)
{
	return rig_mheap_on(rig_backend(0, false));
}

/* Everything is back: no span is used, and the heap is whole. */
static inline void rig_expect_empty(struct bw_mheap *h)
{
	struct burrow_heap_stats st;
	int bad;

	/* twice: what a backend that fails once has left is tried again */
	bw_mheap_scavenge(h, ~0ULL);
	bw_mheap_scavenge(h, ~0ULL);
	bad = bw_mheap_check(h);
	if (!EXPECT(!bad))
		printf("# invariant %d\n", bad);
	EXPECT(!h->used_pages && !h->spare_pages && !h->stuck_pages);
	EXPECT(!h->be->ops->stats(h->be, &st));
	EXPECT(!st.out_spans && !st.out_pages_live);
}

/*
 * The heap of the process, beside which the collector's thread works: what that has
 * in its hands is in no list.
 */
static inline bool rig_heap_is_whole(void)
{
	int bad;

	bw_collector_hold();
	bad = bw_mheap_check(bw_mheap());
	bw_collector_go_on();
	if (bad)
		printf("# invariant %d of the heap does not hold\n", bad);
	return !bad;
}

/* An object as the test remembers it. */
struct shadow {
	u8 *p;
	size_t n;
	u8 fill;
};

static inline bool rig_is_filled(const u8 *p, size_t n, u8 with)
{
	return !n || (*p == with && !memcmp(p, p + 1, n - 1));
}

/* Mostly small, some of each class, few large. */
static inline size_t rig_size(u64 *seed)
{
	u64 r = rig_random(seed);

	switch (r % 64) {
	case 0:
		return 32768 + r / 64 % 200000;
	case 1 ... 8:
		return r / 64 % 32769;
	default:
		return r / 64 % 600;
	}
}

/* The object is as it was left. */
static inline bool rig_drop(struct bw_mcache *c, struct shadow *o)
{
	bool good = rig_is_filled(o->p, o->n, o->fill);

	mcache_free(c, o->p);
	o->p = NULL;
	return good;
}

/* A new one: zero if that was asked for, and aligned. */
static inline bool rig_make(struct bw_mcache *c, struct shadow *o, size_t n,
			    bool zero, u8 fill)
{
	u32 kind = fill % 2 ? BURROW_KIND_CONSERVATIVE : BURROW_KIND_NOSCAN;
	bool good;

	o->p = bw_object_alloc(c, n, kind, zero);
	if (!o->p)
		return false;
	good = (uintptr_t)o->p % (n >= 16 ? 16 : 8) == 0;
	good &= !zero || rig_is_filled(o->p, n, 0);
	o->n = n;
	o->fill = fill;
	memset(o->p, fill, n);
	return good;
}

#endif
