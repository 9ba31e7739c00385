// SPDX-License-Identifier: MIT
/*
 * cond: until something holds.
 *
 * A G is in the list before it unlocks the mutex, and the list's lock is held until
 * it is off its stack: whoever changes what it waits for, with the mutex, and then
 * signals, finds it.
 */
#include "waiting.h"

static void lock(struct bw_cond *c)
{
	if (BW_DEBUG)
		bw_lock_rank_push(BW_RANK_COND);
	bw_waiters_lock_word(&c->bw_waiting.bw_lock);
}

static void unlock(struct bw_cond *c)
{
	if (BW_DEBUG)
		bw_lock_rank_pop(BW_RANK_COND);
	bw_waiters_unlock_word(&c->bw_waiting.bw_lock);
}

static bool commit_unlock(struct bw_g *g, void *arg)
{
	unlock(arg);
	return true;
}

int bw_cond_wait_until(struct bw_cond *c, struct bw_mutex *m, uint64_t deadline)
{
	struct bw_waiter w;
	int err;

	bw_caller("bw_cond_wait");
	w = bw_waiting_self(&c->bw_waiting, deadline);
	lock(c);
	bw_waiter_add(bw_waiting_list(&c->bw_waiting), &w);
	/* it does not park */
	bw_mutex_unlock(m);
	err = bw_waiters_park(&w, commit_unlock, c, "cond", deadline);
	if (err) {
		lock(c);
		bw_waiter_del(&w);
		unlock(c);
	}
	bw_mutex_lock(m);
	return err;
}

void bw_cond_wait(struct bw_cond *c, struct bw_mutex *m)
{
	bw_cond_wait_until(c, m, BW_NEVER);
}

void bw_cond_signal(struct bw_cond *c)
{
	struct bw_waiter *w;

	bw_caller("bw_cond_signal");
	lock(c);
	w = bw_waitlist_win(bw_waiting_list(&c->bw_waiting));
	unlock(c);
	if (w)
		bw_sched_ready(w->g);
}

void bw_cond_broadcast(struct bw_cond *c)
{
	struct bw_waiter *chain;

	bw_caller("bw_cond_broadcast");
	lock(c);
	chain = bw_waiting_win_all(&c->bw_waiting);
	unlock(c);
	bw_waiters_ready(chain);
}
