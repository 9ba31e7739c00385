/* SPDX-License-Identifier: MIT */
/*
 * mark: from roots to everything that can be reached.
 *
 *	bw_gc_cycle()			cycle.c
 *	  bw_mark_roots()		<- here: words of stacks, data, registers
 *	  bw_mark_drain()		<- here: a word out of the buffer, its object
 *					   marked, the words of that put in
 *	    bw_mark_walk()		walk.c: the same, where all is near
 *	    bw_work_put/get()		work.c: whole buffers, from and to others
 *
 * From a word to its object: a shift finds the owner word of the page, that the
 * span, and a multiplication the slot. There is no recursion, and what is longer
 * than a *part* (128 KiB) is looked into part by part, the rest meanwhile being
 * work for others.
 *
 * A word of an object that is far away is not looked at at once: its span is asked
 * for, 8 words later its mark bit, its pointer bits and its first bytes, and 16
 * words later they are there. Where most
 * objects point to what is near them (they were made in order) waiting costs more
 * than it saves; each marker looks at what it has, and goes for a walk (walk.c).
 *
 * A1. A marked object of a kind that holds pointers has been looked into, or is
 *     being so, or there is a word in some buffer for each part that has not.
 * A2. An object is marked by the one whose store set its bit: that one counts it,
 *     and it looks, or has looked, into it.
 * A3. From heap words a pointer anywhere in an object keeps it. From roots one to
 *     its end does so too, for compilers keep only that of a loop's array; and
 *     what is not allocated is not marked.
 *
 * Rejected: marking when a word is put in (its bit is then waited for in the
 * middle of an object); objects in place of words (they must be found first,
 * which is the same wait); recursion; a mark stack in one piece of address space
 * (nobody could take a part of it).
 */
#ifndef BW_GC_MARK_H
#define BW_GC_MARK_H

#include "heap/sweep.h"
#include "work.h"

#define BW_MARK_PART	(128UL << 10)
#define BW_MARK_AHEAD	16U			/* powers of two */
#define BW_MARK_FIRST	8U

/* A word whose span is under way. */
struct bw_mark_first {
	struct bw_mspan *span;
	u64 word;
};

/* An object whose bit and bytes are under way. */
struct bw_mark_next {
	struct bw_mspan *span;
	u64 i;
};

/**
 * struct bw_marker - whoever marks					[owner]
 * @map:	of the heap, with its limit when it began
 * @top:	where the next word goes
 * @low:	@buf's first
 * @end:	behind its last
 * @ahead:	objects that are waited for, from @head on the oldest first
 * @head:	see there
 * @nr_ahead:	how many are there
 * @first:	words whose spans are waited for, from @head_first on
 * @head_first: see there
 * @nr_first:	how many are there
 * @order:	words looked at
 * @near:	objects whose first pointer was to near them
 * @waits:	words go through @ahead
 * @shared:	others mark at the same time: bits are set by atomics
 * @fixed:	@waits is not to change (tests, benchmarks)
 * @bytes:	in objects that it marked
 * @objects:	how many
 * @scanned:	bytes that it looked into
 * @h:		of what
 * @pool:	where buffers go
 * @buf:	its buffer
 */
struct bw_marker {
	struct bw_mspan_map map;
	u64 *top;
	u64 *low;
	u64 *end;
	u64 bytes;
	u64 objects;
	u64 scanned;
	u32 order;
	u32 near;
	u32 head;
	u32 nr_ahead;
	u32 head_first;
	u32 nr_first;
	bool waits;
	bool shared;
	bool fixed;
	struct bw_mheap *h;
	struct bw_workpool *pool;
	struct bw_workbuf *buf;
	struct bw_mark_first first[BW_MARK_FIRST];
	struct bw_mark_next ahead[BW_MARK_AHEAD];
};

/* False: no memory for a buffer, and others have all there are. */
bool bw_marker_init(struct bw_marker *m, struct bw_mheap *h,
		    struct bw_workpool *pool, bool shared);
/* What it has goes to the pool. */
void bw_marker_fini(struct bw_marker *m);

/* @b, which has words, in place of its buffer, which has none. */
void bw_marker_take(struct bw_marker *m, struct bw_workbuf *b);
/* Words from elsewhere, to whoever marks. */
void bw_mark_words(struct bw_mheap *h, struct bw_workpool *pool,
		   const u64 *word, u32 n);

/* Words of [@low, @end), both multiples of 8, conservatively (A3). */
void bw_mark_roots(struct bw_marker *m, const void *low, const void *end);
/* The object at @p, which is one, from its start. */
void bw_mark_object(struct bw_marker *m, const void *p);

/* What it points to, and not itself. */
void bw_mark_children(struct bw_marker *m, const void *p);

/* Until it has no more words, and gets none from the pool; or @budget bytes were
 * looked into. True: it has no more.
 */
bool bw_mark_drain(struct bw_marker *m, u64 budget);
/* The same, and it waits for others until all of them have none. */
void bw_mark_drain_all(struct bw_marker *m);

/* W2: looks once more into all that is marked, until nothing is lost. */
void bw_mark_overflow(struct bw_marker *m);

/* Is the object that @p points into marked, or none at all? */
bool bw_is_marked(const struct bw_mheap *h, const void *p);

/* The slot of an allocated object that a root @v keeps, or NULL. */
void *bw_mark_find(const struct bw_mheap *h, u64 v, struct bw_mspan **span);

#endif
