/* SPDX-License-Identifier: MIT */
/*
 * slot: a stack, and who has it.
 *
 *	pool ---take---> P's list ---G runs for the first time---> the G's
 *	  ^-------------------'  ^----------------the G ends---------'
 *
 * T1. A G has a stack from when it first runs until it ends; one that only waits
 *     for its turn has none. So however many are made, there are as many stacks as
 *     have begun and not ended, and the next to begin has the one that was just
 *     left, which is in the cache.
 * T2. A slot is in one hand: the pool's (its lock), a P's, a G's (G1), or a
 *     chill()'s. Its memory and that of its record is never used for anything else.
 */
#ifndef BW_SCHED_SLOT_H
#define BW_SCHED_SLOT_H

#include "base/types.h"

struct bw_p;

/**
 * struct bw_slot - a stack						[T2]
 * @addr:	the lowest address					[const]
 * @link:	next in a list						[T2]
 * @cold:	its memory is given back				[T2]
 * @unguarded:	it has no guard, but a canary				[const]
 */
struct bw_slot {
	char *addr;
	struct bw_slot *link;
	bool cold;
	bool unguarded;
};

/* One of the P's (NULL: there is none), or new; NULL: no memory. */
struct bw_slot *bw_slot_get_slow(struct bw_p *p);
/* To the pool, and half of what @p has with it, unless that is NULL. */
void bw_slot_put_slow(struct bw_p *p, struct bw_slot *s);
/* There was none for the G of this number; 1 ms later. Fatal after a while. */
void bw_slot_wait(u64 id);
/* That while, in ns: 10 s, less in tests. */
extern u64 bw_slot_patience;
/* For tests: when there are so many, there is no memory for more. */
extern u32 bw_slots_max;
/* In a child: all are free but the one that @here is on. */
char *bw_slots_forked(const void *here);

#endif
