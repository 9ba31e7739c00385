/* SPDX-License-Identifier: MIT */
/*
 * gcstate: what the collector and the allocator tell each other.
 *
 *	gc/cycle.c	says marking on and off, with the world stopped
 *	heap/mcache.c	takes slots black while it is on
 *	heap/sweep.c	frees what has no mark, after it
 */
#ifndef BW_HEAP_GCSTATE_H
#define BW_HEAP_GCSTATE_H

#include "mcentral.h"

struct bw_mcache;

enum bw_broken {
	BW_BROKEN_BARRIER = 1,	/* stores are not noted */
	BW_BROKEN_BLACK = 2,	/* what is made while marking is white */
	BW_BROKEN_RECHECK = 4,	/* marking ends when its words do */
};

/**
 * struct bw_gcstate - part of a heap
 * @marking:	new objects are black; changes in stops			[atomic]
 * @unswept:	there may be spans that need sweeping			[atomic]
 * @cursor:	list that the next sweep looks at			[atomic]
 * @broken:	enum bw_broken: what is left out, for tests that must fail
 * @live:	bytes in objects that were marked, and in slots that were taken
 *		since, free slots of spans in mcaches among them, but not those
 *		on shelves						[atomic]
 * @trigger:	from so many on a cycle is due; huge while there is no
 *		collector						[atomic]
 * @allocated:	bytes ever taken, as @live counts them			[atomic]
 * @swept:	bytes that sweeps freed					[atomic]
 * @nr_swept:	spans that were swept					[atomic]
 * @scavenger:	a thread gives memory back, puts do not			[atomic]
 * @large:	objects that have spans of their own; only the first bucket
 * @limbo_lock:	of what follows
 * @limbo:	spans that ended while marking: their memory stays until then
 * @caches_lock: of what follows
 * @caches:	all mcaches						[caches_lock]
 * @nr_caches:	how many these are				[caches_lock, atomic]
 */
struct bw_gcstate {
	u32 marking;
	u32 unswept;
	u32 cursor;
	u32 broken;
	u32 scavenger;
	/* written by refills */
	s64 live __aligned(64);
	s64 trigger;
	u64 allocated;
	u64 swept;
	u64 nr_swept;
	struct bw_mcentral large;
	struct bw_lock limbo_lock;
	struct bw_list limbo;
	struct bw_lock caches_lock;
	struct bw_mcache *caches;
	u32 nr_caches;
};

static inline void bw_live_add(struct bw_gcstate *gc, s64 bytes)
{
	__atomic_fetch_add(&gc->live, bytes, __ATOMIC_RELAXED);
	if (bytes > 0)
		fetch_add_relaxed(&gc->allocated, (u64)bytes);
}

static inline bool bw_gc_is_due(const struct bw_gcstate *gc)
{
	return READ_ONCE(gc->live) >= READ_ONCE(gc->trigger);
}

#endif
