/* SPDX-License-Identifier: MIT */
/*
 * gc_peers's peer is burrow. BURROW_BENCH_HYBRID=1: it marks while the program
 * runs.
 */
#include "burrow.h"

BW_TYPE(tree, struct tree, left, right);
BW_TYPE(node, struct node, left, right);

#define NEW_TREE()		bw_new(tree)
#define NEW_NODE()		bw_new(node)
#define NEW_NUMBERS(n)		((double *)bw_alloc_noscan((n) * sizeof(double)))
#define NEW_POINTERS(n)		((struct node **)bw_alloc((size_t)(n) * 8))
#define SET(slot, value)	bw_set(slot, value)
#define COLLECT()		bw_gc()

static int peer_run(int (*fn)(void *), void *arg)
{
	if (getenv("BURROW_BENCH_HYBRID"))
		bw_barriers_used();
	return bw_run(fn, arg);
}

#define PEER_RUN(fn, arg)	peer_run(fn, arg)
