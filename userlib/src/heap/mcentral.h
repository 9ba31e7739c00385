/* SPDX-License-Identifier: MIT */
/*
 * mcentral: the spans of one span class that no mcache holds.
 *
 *	mcache_alloc_slow()		heap/mcache.c
 *	  bw_mcentral_swap()		<- here
 *	    bw_mspan_get()		heap/pageheap.c
 *
 * Partial spans lie in buckets by how much is taken. A refill looks at those of
 * middling fill first, then at emptier ones, and takes one that is nearly full
 * only before a new span: so spans that are nearly empty drain and go back, and
 * a trip brings more than a slot or two. Within a bucket the last comes first.
 * Measured with 80,000 objects of eight sizes that replace each other at random:
 * 1.09 of their bytes in spans. The fullest first: 1.03, at twice the time; the
 * emptiest first: 1.52.
 *
 * Each set is there twice, for swept and unswept spans: which of the two is
 * which changes with the heap's sweepgen, all at once.
 *
 * E1. A span with state PARTIAL or FULL is on the list of its @bucket, in the
 *     set that its sweepgen says; no other span is on a list here.
 * E2. The bucket is the one that @nalloc says, except while whoever freed last
 *     is on his way here (bw_mcentral_settle()).
 * E3. A span of which nothing is taken is on no list longer than that.
 * E4. Whoever sweeps takes a few spans off their list first: they are AWAY, and
 *     his. The list's lock is held for that, and to put them back, but not while
 *     they are swept: a refill does not wait for a sweep, least of all for one that
 *     has no CPU. He brings all back swept, in the section in which he took them or
 *     as the collector's thread: so none is AWAY when marking begins.
 */
#ifndef BW_HEAP_MCENTRAL_H
#define BW_HEAP_MCENTRAL_H

#include "mspan.h"

enum bw_bucket {
	BW_BUCKET_EMPTY,	/* nothing taken: on its way out */
	BW_BUCKET_LOW,		/* less than half */
	BW_BUCKET_MID,
	BW_BUCKET_HIGH,		/* less than an eighth is free */
	BW_BUCKET_FULL,
	BW_NR_BUCKETS,
};

/**
 * struct bw_mcentral - a span class
 * @lock:	of all of it
 * @list:	swept and unswept spans by bucket (sweepgen / 2 % 2 is swept)
 *
 * Padded: neighbours are other threads' classes.
 */
struct bw_mcentral {
	struct bw_lock lock;
	struct bw_list list[2][BW_NR_BUCKETS];
} __aligned(64);

void bw_mcentral_init(struct bw_mcentral *mc);

static inline u32 bw_mspan_bucket(const struct bw_mspan *s)
{
	u32 nelems = s->nelems, used = s->nalloc;

	if (used == nelems)
		return BW_BUCKET_FULL;
	if (!used)
		return BW_BUCKET_EMPTY;
	if (nelems - used < (nelems + 7) / 8)
		return BW_BUCKET_HIGH;
	return used * 2 < nelems ? BW_BUCKET_LOW : BW_BUCKET_MID;
}

/*
 * Takes @old back, which is CACHED by the caller's mcache or NULL, and gives a
 * span with free slots, CACHED by @cache, or NULL where there is no memory; with
 * @cache NULL none is asked for.
 */
struct bw_mspan *bw_mcentral_swap(struct bw_mheap *h, u32 spanclass,
				  struct bw_mspan *old,
				  struct bw_mcache *cache);

/* After frees in a span of this class, without locks: E2 and E3 hold again. */
void bw_mcentral_settle(struct bw_mheap *h, u32 spanclass, struct bw_mspan *s);

/*
 * In a child of fork(): the span is in an mcache whose thread is the parent's. Each
 * of its slots counts as taken from here on.
 */
void bw_mcentral_adopt(struct bw_mheap *h, struct bw_mspan *s);

/* Sweeps up to @nr of the class; how many it found. */
u32 bw_mcentral_sweep(struct bw_mheap *h, u32 spanclass, u32 nr);

/* In a child of fork(), a span that was AWAY with a thread of the parent's: E1. */
void bw_mcentral_take_back(struct bw_mheap *h, struct bw_mspan *s);

/* 0, or the number of the E that does not hold; nobody uses it. */
int bw_mcentral_check(struct bw_mheap *h, u32 spanclass);

#endif
