/* SPDX-License-Identifier: MIT */
/* mcache_rig: a heap with one mcache, for a test that is its only user. */
#ifndef BW_TESTS_MCACHE_RIG_H
#define BW_TESTS_MCACHE_RIG_H

#include "alloc_rig.h"

static struct bw_mheap *h;
static struct bw_mcache *c;

static inline void begin_on(struct bw_backend *be)
{
	h = rig_mheap_on(be);
	c = bw_mcache_make(h);
	if (!EXPECT(c))
		exit(1);
}

static inline void begin(void)
{
	begin_on(rig_backend(0, false));
}

/* All has been freed. */
static inline void end(void)
{
	EXPECT(!bw_mcache_check(c));
	bw_mcache_release(c);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static inline void *alloc(size_t n)
{
	return bw_object_alloc(c, n, BURROW_KIND_CONSERVATIVE, true);
}

/* Its slot is nobody's to hand out. */
static inline bool is_taken(const void *p)
{
	struct bw_mspan *s = bw_mspan_of(h, p);
	s32 i = s ? bw_mspan_index(s, p) : -1;

	return i >= 0 && bw_mspan_is_allocated(s, (u32)i);
}

#endif
