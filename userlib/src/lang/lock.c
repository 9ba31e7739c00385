// SPDX-License-Identifier: MIT
/* lock: the slow half (lock.h). */
#include "lock.h"
#include "sched/sched.h"

#define LOOKS	100U		/* some microseconds */

void bw_waiters_lock_slow(u32 *word)
{
	u32 i, old;

	/* with one P the holder runs only when we do not */
	for (i = 0; i < LOOKS && READ_ONCE(bw_sched.nr_live_p) > 1; i++) {
		old = READ_ONCE(*word);
		/* pairs with the xchg() in bw_word_unlock() */
		if (old == BW_LOCK_FREE &&
		    try_cmpxchg_acquire(word, &old, BW_LOCK_HELD))
			return;
		bw_cpu_relax();
	}
	bw_word_lock_slow(word);
}
