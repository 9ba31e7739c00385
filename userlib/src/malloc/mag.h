/* SPDX-License-Identifier: MIT */
/*
 * mag: magazines, arrays of pointers to free slots of one class.
 *
 *	front_take(), front_give()	malloc/front.h	one is worked on
 *	  bw_depot_get/put()		malloc/depot.c	they go around whole
 *	    bw_mag_get/put()		<- here: where they come from
 *
 * A slot in a magazine is not touched: what is freed need not come into the
 * cache, and what is taken next is known without waiting for it. They come in
 * five lengths, powers of two in bytes, so that a thread which frees two blocks of
 * a class has not half a kilobyte for it. Each may serve any class. They lie in
 * chunks, and a chunk that has only blank ones goes back to the system, in
 * malloc_trim() and once a second in which a depot was used.
 *
 * G1. 0 <= @count <= @cap <= what @kind holds; @slot[0..count) are free slots.
 * G2. Blank (@count is 0) where nobody's.
 *
 * Rejected: slots linked through their first word. That is a touch of each slot as
 * it is freed, and a load that waits for the one before as it is taken again: 1.6
 * to 1.9 times the time of the best peer where blocks are freed at random.
 */
#ifndef BW_MALLOC_MAG_H
#define BW_MALLOC_MAG_H

#include <assert.h>

#include "class.h"

#define BW_MAG_KINDS	5U
#define BW_MAG_HEAD	2U	/* words before the slots */
#define BW_MAG_TAG	0xffffU

/**
 * struct bw_mag - a magazine			[whoever has it]
 * @next:	in a list of them
 * @count:	slots in it; a bin (front.h) knows better
 * @cap:	slots that go into it
 * @kind:	which length
 * @used:	it was a bin since front.c's tick() last looked
 * @tag:	BW_MAG_TAG: so this word is no address		[const]
 * @slot:	the last one in is the first out
 */
struct bw_mag {
	struct bw_mag *next;
	u16 count;
	u16 cap;
	u8 kind;
	bool used;
	u16 tag;
	void *slot[];
};

static_assert(offsetof(struct bw_mag, slot) == BW_MAG_HEAD * sizeof(void *),
	      "BW_MAG_HEAD");

/* Slots that go into one of @kind. */
static inline u32 bw_mag_room(u32 kind)
{
	return (4U << kind) - BW_MAG_HEAD;
}

/* The shortest kind for @nr slots, or the longest. */
static inline u32 bw_mag_kind(u32 nr)
{
	u32 kind = 0;

	while (kind + 1 < BW_MAG_KINDS && bw_mag_room(kind) < nr)
		kind++;
	return kind;
}

/* A blank one for @most slots at most. NULL: no memory. */
struct bw_mag *bw_mag_get(u32 kind, u32 most);
/* A blank one goes back. */
void bw_mag_put(struct bw_mag *m);

/*
 * Chunks of which no magazine is anybody's go back to the system, but @keep of
 * them. How many bytes that was.
 */
size_t bw_mags_trim(u32 keep);

/* fork(): without ranks; in the child nobody waits. */
struct bw_lock *bw_mag_lock(void);

#endif
