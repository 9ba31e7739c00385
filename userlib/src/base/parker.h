/* SPDX-License-Identifier: MIT */
/*
 * parker: a token and a sleeper in one word; the kernel is asked only when
 * somebody must really sleep or be woken.
 *
 *	             unpark                        park, no token
 *	  TOKEN <--------------- EMPTY ---------------------------> ASLEEP
 *	    |  --------------->    ^  <---------------------------    |
 *	    |   park takes it      |     deadline or error: cancel    |
 *	    ^                                                         |
 *	    '------------- unpark; owes one wake of the slot ---------'
 *
 * The slow half is a thread slot of the backend, which holds a token of its
 * own. The word is the truth, the slot's token only a reason to look at it:
 *
 * W1. Only the owner moves the word to ASLEEP, and only from EMPTY.
 * W2. Whoever moves the word from ASLEEP to TOKEN wakes the slot once, after
 *     that. Nobody else does.
 * W3. The owner sleeps only after it moved the word to ASLEEP.
 * W4. The owner leaves park() with a token only by moving TOKEN to EMPTY.
 *
 * No wake-up is lost. Both sides change the one word with a single read-modify-
 * write, so they are ordered: either the owner finds TOKEN and does not sleep,
 * or the unparker finds ASLEEP and wakes the slot (W2); that wake leaves a
 * token in the slot if the owner is not asleep in it yet, so the backend's
 * park returns at once.
 *
 * What unpark()'s caller wrote before it is seen after park(): the unparker's
 * xchg() releases, the owner's acquires. unpark() stores TOKEN even where TOKEN
 * is already, for that is what orders this unparker's writes too.
 *
 * No spurious returns: park() returns 0 only for a token (W4). A wake can come
 * late (the unparker was preempted between its two steps, and the owner's
 * deadline passed or the owner found TOKEN by itself). Its token stays in the
 * slot and ends some later sleep early; the owner then finds the word ASLEEP,
 * and sleeps again.
 *
 * A late wake may also find the slot deleted (ENXIO: nobody to wake) or given
 * to another parker (early end of a sleep, as above). The unparker does not
 * touch the parker after its xchg(), so the owner may reuse the memory as soon
 * as it has the token.
 */
#ifndef BW_BASE_PARKER_H
#define BW_BASE_PARKER_H

#include "atomic.h"
#include "throw.h"
#include "types.h"

enum bw_park_word {
	BW_PARK_EMPTY,
	BW_PARK_TOKEN,
	BW_PARK_ASLEEP,
};

/* Owner: takes the token (true), or is ASLEEP and must now sleep in the slot. */
static inline bool bw_park_begin(u32 *word)
{
	u32 old = BW_PARK_EMPTY;

	if (try_cmpxchg(word, &old, BW_PARK_ASLEEP))
		return false;
	if (old == BW_PARK_ASLEEP)
		bw_throw("two threads park in one parker");
	/* pairs with the xchg() in bw_park_post() */
	xchg(word, BW_PARK_EMPTY);
	return true;
}

/* Owner, after a sleep: takes the token if there is one. */
static inline bool bw_park_taken(u32 *word)
{
	u32 old = BW_PARK_TOKEN;

	/* pairs with the xchg() in bw_park_post() */
	return try_cmpxchg(word, &old, BW_PARK_EMPTY);
}

/* Owner, tired of sleeping: true if the token came all the same (and is taken). */
static inline bool bw_park_cancel(u32 *word)
{
	/* pairs with the xchg() in bw_park_post() */
	return xchg(word, BW_PARK_EMPTY) == BW_PARK_TOKEN;
}

/* Unparker: leaves the token. True when it owes the slot a wake (W2). */
static inline bool bw_park_post(u32 *word)
{
	/* pairs with bw_park_begin(), _taken() and _cancel() */
	return xchg(word, BW_PARK_TOKEN) == BW_PARK_ASLEEP;
}

#endif
