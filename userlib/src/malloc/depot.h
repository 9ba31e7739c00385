/* SPDX-License-Identifier: MIT */
/*
 * depot: free slots for all threads, class by class.
 *
 *	bw_front_take_slow(), ...	malloc/front.c
 *	  bw_depot_get/put()		<- here
 *	    bw_mspan_get/put()		heap/pageheap.c
 *
 * Two floors. Above lie full *magazines* (mag.h) as the threads bring them, which
 * go out again as they are, in a few instructions under the lock. Only what is too
 * much of that is sorted into the *spans* below, where slots that lie together come
 * together again.
 *
 *	full		magazines with slots: the last in is the first out
 *	blank		magazines without, for who brings a full one
 *	partial		spans with some slots free: the first is cut up, and a
 *			full one of which a slot comes back waits at the end. So
 *			those that were hit last have the longest time to run
 *			empty
 *	empty		spans with all slots free, used when no partial one is left
 *
 * A span is OWNED for the page heap (mspan.h); of its descriptor are ours, with
 * the lock of the depot: @alloc, a bit for each slot that is out; @nalloc, how
 * many; @first, no word of @alloc before it has room; @link.
 *
 * D1. @full has @nr magazines, at most @max, with slots of this class; @blank has
 *     @nr_blank of the longest kind that the class has.
 * D2. A span is on partial exactly while 0 < @nalloc < @nelems, and on empty
 *     exactly while @nalloc is 0.
 * D3. @nalloc is the number of bits in @alloc.
 * D4. Each page of a span says its class in bw_pages, from before its first slot
 *     goes out until the page heap has it back.
 *
 * What is kept here is limited where it matters: as the heap grows, empty spans and
 * magazines that no get has reached since it last grew go back, if all that is kept
 * is more than an eighth of what is in use (and 2 MiB). So a loop that frees all and
 * allocates it again goes on here, and a program that frees one class for another
 * has the memory. And it decays: what was not reached for a period goes back.
 *
 * Neither floor touches the slots themselves: which are free is said by bits in the
 * one, by pointers in the other.
 */
#ifndef BW_MALLOC_DEPOT_H
#define BW_MALLOC_DEPOT_H

#include "front.h"

#define BW_DEPOT_MAGS		512U

/**
 * struct bw_depot - a class
 * @lock:	of all that follows (rank MCENTRAL)
 * @cls:	which							[const]
 * @most:	slots that a thread should move at once			[const]
 * @kind:	the magazines for that				[const]
 * @max:	how many full ones to keep				[const]
 * @nr:		how many full ones there are		[lock, atomic]
 * @low:	the lowest @nr since it was last trimmed
 * @nr_empty:	empty spans				[lock, atomic]
 * @low_empty:	the lowest @nr_empty since then
 * @nr_blank:	blank ones
 * @puts:	magazines that were brought
 * @since:	when the period began
 * @full:	magazines, by @next, the last in first
 * @blank:	magazines, by @next
 * @partial:	spans, by @link
 * @empty:	spans, by @link, the last to become so first
 * @nr_spans:	spans in all
 * @nr_free:	slots in them that are not out
 */
struct bw_depot {
	struct bw_lock lock;
	u32 cls;
	u32 most;
	u32 kind;
	u32 max;
	u32 nr;
	u32 low;
	u32 nr_empty;
	u32 low_empty;
	u32 nr_blank;
	u32 puts;
	u64 since;
	struct bw_mag *full;
	struct bw_mag *blank;
	struct bw_list partial;
	struct bw_list empty;
	u64 nr_spans;
	u64 nr_free;
} __aligned(64);

extern struct bw_depot bw_depot[BW_MALLOC_CLASSES] __hidden;

/* Once, with the heap. @exact: no magazines, each slot goes to its span. */
void bw_depots_init(struct bw_mheap *h, bool exact);
struct bw_mheap *bw_depots_heap(void);

bool bw_depot_is_exact(void);

static inline u32 bw_depot_most(u32 cls)
{
	return bw_depot[cls].most;
}

/* A full one for @blank (or for nothing); NULL: none is there, nothing changed. */
struct bw_mag *bw_depot_get(u32 cls, struct bw_mag *blank);

/* Takes one that is not blank; a blank one comes back for it, or NULL. */
struct bw_mag *bw_depot_put(u32 cls, struct bw_mag *m);

/* Up to @want slots out of spans: how many. 0: no memory. */
u32 bw_depot_cut(u32 cls, void **slot, u32 want);

/* Slots to their spans. */
void bw_depot_put_slots(u32 cls, void *const *slot, u32 nr);

/* All magazines to their spans, all empty spans to the page heap. */
void bw_depots_drain(void);

/* The heap is about to grow: see above. Not all at each call. */
void bw_depots_make_room(void);

/* fork(): the lock of each class, without ranks. */
void bw_depots_lock_all(void);
void bw_depots_unlock_all(void);
void bw_depots_reset_locks(void);

/* Bytes in spans, and of these in slots that are not out (magazines are out). */
void bw_depots_count(u64 *spans, u64 *free);

/* 0, or the number of the D that does not hold. */
int bw_depots_check(void);

/* "burrow: fatal: free(...): ..." naming span, class and slot. */
__noreturn __cold void bw_depot_bad(const void *p, const char *why);

#endif
