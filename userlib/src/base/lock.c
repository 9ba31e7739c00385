// SPDX-License-Identifier: MIT
/* lock: the slow halves, and the order of locks (lock.h). */
#include "futex.h"
#include "lock.h"
#include "throw.h"

void bw_word_lock_slow(u32 *word)
{
	/* pairs with the xchg() in bw_word_unlock() (T1) */
	while (xchg(word, BW_LOCK_CONTENDED) != BW_LOCK_FREE)
		bw_futex_wait(word, BW_LOCK_CONTENDED, 0);
}

void bw_word_unlock_slow(u32 *word)
{
	bw_futex_wake(word, 1);
}

static const char *const rank_name[BW_NR_LOCK_RANKS] = {
#define BW_LOCK_RANK(name, ...) \
	[BW_RANK_ ## name] = #name,
#include "lockrank.def"
#undef BW_LOCK_RANK
};

/* Ranks held, lowest first: strictly rising, so this many is enough. */
static __thread u32 held[BW_NR_LOCK_RANKS];
static __thread u32 nr_held;

void bw_lock_rank_push(u32 rank)
{
	if (nr_held && rank <= held[nr_held - 1])
		bw_fatal("lock order: %s taken while %s is held",
			 rank_name[rank], rank_name[held[nr_held - 1]]);
	held[nr_held++] = rank;
}

/* Locks may be dropped in any order. */
void bw_lock_rank_pop(u32 rank)
{
	u32 i = 0;

	while (i < nr_held && held[i] != rank)
		i++;
	if (i == nr_held)
		bw_fatal("lock order: %s dropped but not held",
			 rank_name[rank]);
	for (nr_held--; i < nr_held; i++)
		held[i] = held[i + 1];
}
