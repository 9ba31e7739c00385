/* SPDX-License-Identifier: MIT */
/*
 * waitlock: the word that guards a channel, or the waiters of a lock of Gs.
 *
 * It is held for some ten instructions, by threads, in a section (base/section.h),
 * and each of a G's calls takes it: what counts is what it costs when nobody else
 * wants it. So it is dropped by a plain store, and nobody is woken. Who finds it
 * held looks again for a while, lets others have the CPU, and then sleeps for a
 * moment at a time: that is for a holder whom the kernel took off its CPU.
 *
 * Rejected: a struct bw_lock, whose unlock has to find out whether somebody sleeps
 * (an atomic exchange, a quarter of what a send into a buffer took).
 */
#ifndef BW_SCHED_WAITLOCK_H
#define BW_SCHED_WAITLOCK_H

#include "base/lock.h"

void bw_waiters_lock_slow(u32 *word);

/* The word alone, where several are locked at a time, by address. */
static inline void bw_waiters_lock_word(u32 *word)
{
	u32 old = BW_LOCK_FREE;

	bw_section_begin();
	/* pairs with bw_waiters_unlock_word() */
	if (unlikely(!try_cmpxchg_acquire(word, &old, BW_LOCK_HELD)))
		bw_waiters_lock_slow(word);
}

static inline void bw_waiters_unlock_word(u32 *word)
{
	/* pairs with whoever takes the lock next */
	smp_store_release(word, BW_LOCK_FREE);
	bw_section_end();
}

static inline void bw_waiters_lock(u32 *word)
{
	if (BW_DEBUG)
		bw_lock_rank_push(BW_RANK_WAITERS);
	bw_waiters_lock_word(word);
}

/* Only if nobody has it: calls nobody. */
static inline bool bw_waiters_trylock(u32 *word)
{
	u32 old = BW_LOCK_FREE;

	bw_section_begin();
	/* pairs with bw_waiters_unlock_word() */
	if (unlikely(!try_cmpxchg_acquire(word, &old, BW_LOCK_HELD))) {
		bw_section_end();
		return false;
	}
	if (BW_DEBUG)
		bw_lock_rank_push(BW_RANK_WAITERS);
	return true;
}

static inline void bw_waiters_unlock(u32 *word)
{
	if (BW_DEBUG)
		bw_lock_rank_pop(BW_RANK_WAITERS);
	bw_waiters_unlock_word(word);
}

#endif
