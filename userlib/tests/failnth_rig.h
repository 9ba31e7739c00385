/* SPDX-License-Identifier: MIT */
/* failnth_rig: a heap of its own, on a backend of whose steps one fails. */
#ifndef BW_TESTS_FAILNTH_RIG_H
#define BW_TESTS_FAILNTH_RIG_H

#include "alloc_rig.h"

/* 0: none does, and they are counted. */
static inline struct bw_backend *rig_failing(u64 nth, int err)
{
	struct bw_backend *be;

	if (bw_backend_open_failnth(rig_backend(0, false), nth, err, &be))
		exit(1);
	return be;
}

/* Everything is back but the heap; how many steps there were until then. */
static inline u64 rig_failing_end(struct bw_mheap *h)
{
	u64 steps = bw_backend_failnth_steps(h->be);

	rig_expect_empty(h);
	bw_mheap_close(h);
	return steps;
}

#endif
