// SPDX-License-Identifier: MIT
/* waiter: see waiter.h */
#include "waiter.h"
#include "waitlock.h"

void bw_waiters_ready(struct bw_waiter *w)
{
	struct bw_waiter *next;

	for (; w; w = next) {
		next = w->next;
		bw_sched_ready(w->g);
	}
}

static bool commit_unlock(struct bw_g *g, void *lock)
{
	if (BW_DEBUG)
		bw_lock_rank_pop(BW_RANK_WAITERS);
	bw_waiters_unlock_word(lock);
	return true;
}

int bw_waiters_park(struct bw_waiter *w, bw_commit_fn *commit, void *arg,
		    const char *reason, u64 deadline)
{
	struct bw_g *g = w->g;
	int err = 0;

	w->bounded = deadline != BW_NEVER;
	WRITE_ONCE(g->waiting, w);
	if (w->ticket)
		err = bw_sched_park_until(commit, arg, reason, deadline);
	else
		bw_sched_park(commit, arg, reason);
	WRITE_ONCE(g->waiting, NULL);
	return err;
}

int bw_waiter_park(struct bw_waiter *w, const char *reason, u64 deadline)
{
	u32 *lock = w->lock;
	int err = bw_waiters_park(w, commit_unlock, lock, reason, deadline);

	if (unlikely(err)) {
		bw_waiters_lock_word(lock);
		bw_waiter_del(w);
		bw_waiters_unlock_word(lock);
	}
	return err;
}

/*
 * Nobody runs but attached threads. One that is PARKED and waits without a ticket
 * is ours if its waiter is still in the list.
 */
bool bw_waiters_drop(struct bw_g *g)
{
	bool parked = g->state == BW_G_PARKED, was;
	struct bw_waiter *w;

	for (w = g->waiting; w; w = w->also) {
		bw_waiters_lock_word(w->lock);
		was = bw_waiter_del(w);
		bw_waiters_unlock_word(w->lock);
		if (parked && !w->ticket && !was)
			return false;
	}
	g->waiting = NULL;
	return true;
}
