/* SPDX-License-Identifier: MIT */
/* gc_peers's peer is bdwgc. */
#include <gc.h>

#define NEW_TREE()		((struct tree *)GC_MALLOC(sizeof(struct tree)))
#define NEW_NODE()		((struct node *)GC_MALLOC(sizeof(struct node)))
#define NEW_NUMBERS(n)		((double *)GC_MALLOC_ATOMIC((n) * sizeof(double)))
#define NEW_POINTERS(n)		((struct node **)GC_MALLOC((size_t)(n) * 8))
#define SET(slot, value)	(*(slot) = (value))
#define COLLECT()		GC_gcollect()

static int peer_run(int (*fn)(void *), void *arg)
{
	GC_INIT();
	return fn(arg);
}

#define PEER_RUN(fn, arg)	peer_run(fn, arg)
