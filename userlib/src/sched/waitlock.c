// SPDX-License-Identifier: MIT
/* waitlock: the slow half (waitlock.h). */
#include <sched.h>

#include "base/futex.h"
#include "burrow/time.h"
#include "sched.h"
#include "waitlock.h"

#define LOOKS	100U		/* some microseconds */
#define YIELDS	20U
#define NAP_NS	50000ULL

/* Until it may be free: the @i-th time. */
static void rest(u32 *word, u32 i)
{
	/* with one P the holder runs only when we do not */
	if (i < LOOKS && READ_ONCE(bw_sched.nr_live_p) > 1)
		bw_cpu_relax();
	else if (i < LOOKS + YIELDS)
		sched_yield();
	else
		bw_futex_wait(word, BW_LOCK_HELD, bw_now() + NAP_NS);
}

void bw_waiters_lock_slow(u32 *word)
{
	u32 old, i;

	for (i = 0;; i++) {
		old = READ_ONCE(*word);
		/* pairs with bw_waiters_unlock_word() */
		if (old == BW_LOCK_FREE &&
		    try_cmpxchg_acquire(word, &old, BW_LOCK_HELD))
			return;
		rest(word, i);
	}
}
