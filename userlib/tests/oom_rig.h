/* SPDX-License-Identifier: MIT */
/* oom_rig: the heap of the process on a backend of whose steps one fails. */
#ifndef BW_TESTS_OOM_RIG_H
#define BW_TESTS_OOM_RIG_H

#include "base/section.h"
#include "heap/pageheap.h"

/**
 * struct oom - a heap, and who stands between it and its backend
 */
struct oom {
	struct bw_mheap *h;
	struct bw_backend *inner;
	struct bw_backend *failing;
};

/* Nobody else uses the heap. */
static inline void oom_begin(struct oom *o, struct bw_mheap *h)
{
	o->h = h;
	o->inner = h->be;
	if (bw_backend_open_failnth(h->be, 0, 0, &o->failing)) {
		printf("Bail out! no memory for a backend\n");
		exit(1);
	}
	h->be = o->failing;
	h->pub.be = o->failing;
}

/* The wrapper stays: to close it would close the backend. */
static inline void oom_end(struct oom *o)
{
	o->h->be = o->inner;
	o->h->pub.be = o->inner;
}

/*
 * Steps that fail: in user mode each of them, the odd ones in a debug build of gcc and
 * the even ones in a release; under sanitizers, in a guest and with clang, which take
 * their time, the first ones and then each @part-th part further.
 */
static inline bool oom_takes_each(const struct oom *o)
{
#if BW_LEAF_COUNTS || defined(__clang__)
	return false;
#else
	return strcmp(o->inner->mode, "kernel");
#endif
}

static inline u64 oom_first(const struct oom *o)
{
	return oom_takes_each(o) && !BW_DEBUG ? 2 : 1;
}

static inline u64 oom_next(const struct oom *o, u64 nth, u64 part)
{
	return nth + (oom_takes_each(o) ? 2 : 1 + nth / part);
}

#endif
