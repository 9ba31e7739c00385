/* SPDX-License-Identifier: MIT */
/*
 * work: words that may be pointers to objects that nobody has marked yet.
 *
 *	marker			its own buffer, last in first out
 *	  bw_work_put/get()	<- here: full buffers for whoever has none
 *
 * Nothing is marked when it is put here, only when it is taken out: so one cache
 * miss is not waited for twice, and a buffer can be filled by whoever has words
 * (a barrier's buffer is one as it is). A word may be here many times.
 *
 * W1. Marking is over when every word that was ever put was taken out and dealt
 *     with (selftests/model/gcterm.pml). @nr_out counts those who deal with
 *     buffers; it goes up before a buffer leaves @full, and down when all that
 *     came of it is in buffers again or done.
 * W2. Where there is no memory for a buffer its words are marked and not looked
 *     into, and @overflowed says that the heap has to be gone through for objects
 *     that are marked and have children that are not.
 * W3. Nobody asks the system for anything with the lock: neither for memory, of
 *     which a buffer is touched by who gets it, nor to wake somebody, who would have
 *     the CPU at once. Who assists waits for that lock.
 */
#ifndef BW_GC_WORK_H
#define BW_GC_WORK_H

#include "base/lock.h"

#define BW_WORK_ENTRIES	510U

/**
 * struct bw_workbuf - 4 KiB of words					[holder]
 * @next:	in a list						[pool.lock]
 * @nr:		how many
 * @word:	each may be a pointer; the top bit says it is the part of an
 *		object that is to be looked into from here on (mark.h)
 */
struct bw_workbuf {
	struct bw_workbuf *next;
	u64 nr;
	u64 word[BW_WORK_ENTRIES];
};

/**
 * struct bw_workpool - buffers
 * @lock:	of all of it
 * @full:	with words						[lock]
 * @empty:	without							[lock]
 * @fresh:	@nr_fresh in a row that nobody has had yet		[lock]
 * @nr_fresh:	see there						[lock]
 * @nr_full:	how many are in @full				[lock, atomic]
 * @nr_out:	takers that are not idle (W1)				[lock]
 * @nr_waiting:	that sleep until there is work			[lock, atomic]
 * @hungry:	somebody wanted to help and found no buffer		[atomic]
 * @nr_made:	buffers there are					[lock]
 * @max:	how many there may be					[const]
 * @over:	W1: there is no work and nobody who could make some	[lock]
 * @overflowed:	W2							[atomic]
 * @seq:	goes up when those that sleep are to look		[atomic]
 */
struct bw_workpool {
	struct bw_lock lock;
	struct bw_workbuf *full;
	struct bw_workbuf *empty;
	struct bw_workbuf *fresh;
	u32 nr_fresh;
	u32 nr_full;
	u32 nr_out;
	u32 nr_waiting;
	u32 hungry;
	u32 nr_made;
	u32 max;
	bool over;
	u32 overflowed;
	u32 seq;
};

void bw_work_init(struct bw_workpool *p, u32 max);
/* All memory goes. Nobody uses it. */
void bw_work_fini(struct bw_workpool *p);
/* Memory for @nr buffers, so that marking begins with some; false: there is none. */
bool bw_work_reserve(struct bw_workpool *p, u32 nr);

/* An empty buffer; NULL: no memory. */
struct bw_workbuf *bw_work_empty(struct bw_workpool *p);
/* A buffer back: to @full if it has words. */
void bw_work_put(struct bw_workpool *p, struct bw_workbuf *b);
/* One that has words, or NULL. */
struct bw_workbuf *bw_work_get(struct bw_workpool *p);

/* From here on the caller may have work (W1). */
void bw_work_enter(struct bw_workpool *p);
/* It has none, nor has its marker. */
void bw_work_leave(struct bw_workpool *p);
/* The same, and sleeps until there is some. NULL: W1, there never will be. */
struct bw_workbuf *bw_work_wait(struct bw_workpool *p);
/* Marking begins: what bw_work_wait() said of the last one is forgotten. */
void bw_work_begin(struct bw_workpool *p);

#endif
