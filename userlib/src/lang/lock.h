/* SPDX-License-Identifier: MIT */
/*
 * lock: the word that guards a channel, or the waiters of a lock of Gs. It is held
 * for some ten instructions, by threads (base/lock.h), so who finds it held looks
 * again for a while before it sleeps.
 */
#ifndef BW_LANG_LOCK_H
#define BW_LANG_LOCK_H

#include "base/lock.h"

void bw_waiters_lock_slow(u32 *word);

/* The word alone, where several are locked at a time, by address. */
static inline void bw_waiters_lock_word(u32 *word)
{
	u32 old = BW_LOCK_FREE;

	bw_section_begin();
	/* pairs with the xchg() in bw_word_unlock() */
	if (unlikely(!try_cmpxchg_acquire(word, &old, BW_LOCK_HELD)))
		bw_waiters_lock_slow(word);
}

static inline void bw_waiters_lock(u32 *word)
{
	if (BW_DEBUG)
		bw_lock_rank_push(BW_RANK_WAITERS);
	bw_waiters_lock_word(word);
}

static inline void bw_waiters_unlock(u32 *word)
{
	if (BW_DEBUG)
		bw_lock_rank_pop(BW_RANK_WAITERS);
	bw_word_unlock(word);
}

#endif
