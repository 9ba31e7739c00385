/* SPDX-License-Identifier: MIT */
/*
 * lock: a mutex of one futex word, with a rank (lockrank.def).
 *
 *	FREE --lock()--> HELD --somebody waits--> CONTENDED
 *	  ^----unlock()----'                          |
 *	  ^----unlock(), wakes one -------------------'
 *
 * T1. Who waits has set CONTENDED after it last looked, and sleeps only while
 *     the word still says so; unlock() takes the word to FREE first and wakes
 *     after it. So either the sleeper sees FREE or the unlocker CONTENDED.
 * T2. Who was woken takes the lock as CONTENDED: it does not know whether it
 *     was the last to wait. The cost is one wake-up for nobody.
 *
 * T3. Who holds a lock or waits for one is in a section (section.h): no stopped
 *     thread holds a lock.
 *
 * Not fair, not recursive, of one process. Rejected: pthread_mutex_t, whose
 * size and innards differ from libc to libc, and which a libc may interpose.
 */
#ifndef BW_BASE_LOCK_H
#define BW_BASE_LOCK_H

#include "section.h"

enum bw_lock_rank {
#define BW_LOCK_RANK(name, ...)	BW_RANK_ ## name,
#include "lockrank.def"
#undef BW_LOCK_RANK
	BW_NR_LOCK_RANKS,
};

enum bw_lock_word {
	BW_LOCK_FREE,
	BW_LOCK_HELD,		/* nobody waits */
	BW_LOCK_CONTENDED,	/* somebody may wait */
};

/**
 * struct bw_lock - a mutex
 * @word:	enum bw_lock_word					[atomic]
 * @rank:	enum bw_lock_rank					[const]
 */
struct bw_lock {
	u32 word;
	u32 rank;
};

void bw_word_lock_slow(u32 *word);
void bw_word_unlock_slow(u32 *word);

/* Debug builds: the ranks this thread holds. Throw when the order is broken. */
void bw_lock_rank_push(u32 rank);
void bw_lock_rank_pop(u32 rank);

static inline void bw_lock_init(struct bw_lock *l, enum bw_lock_rank rank)
{
	l->word = BW_LOCK_FREE;
	l->rank = rank;
}

/*
 * The word alone, without a rank: for fork(), which takes all locks of one rank
 * at a time when others' handlers may hold any, and for what is no struct
 * bw_lock.
 */
static inline void bw_word_lock(u32 *word)
{
	u32 old = BW_LOCK_FREE;

	bw_section_begin();
	/* pairs with the xchg() in bw_word_unlock() */
	if (unlikely(!try_cmpxchg_acquire(word, &old, BW_LOCK_HELD)))
		bw_word_lock_slow(word);
}

static inline void bw_word_unlock(u32 *word)
{
	/* pairs with whatever takes the lock next */
	if (unlikely(xchg(word, BW_LOCK_FREE) == BW_LOCK_CONTENDED))
		bw_word_unlock_slow(word);
	bw_section_end();
}

/* In a child of fork(), of a lock that its thread held over it: nobody waits. */
static inline void bw_word_reset(u32 *word)
{
	WRITE_ONCE(*word, BW_LOCK_FREE);
	bw_section_end();
}

static inline void bw_lock(struct bw_lock *l)
{
	if (BW_DEBUG)
		bw_lock_rank_push(l->rank);
	bw_word_lock(&l->word);
}

static inline void bw_unlock(struct bw_lock *l)
{
	if (BW_DEBUG)
		bw_lock_rank_pop(l->rank);
	bw_word_unlock(&l->word);
}

#endif
