// SPDX-License-Identifier: MIT
/*
 * mutex: one G at a time.
 *
 *	bw_mutex_lock()			burrow/sync.h	0 -> LOCKED
 *	  bw_mutex_lock_slow()		<- here		looks for a while, then waits
 *	bw_mutex_unlock()		burrow/sync.h	LOCKED -> 0
 *	  bw_mutex_unlock_slow()	<- here		lets one of those look again
 *
 *	LOCKED		somebody has it
 *	WAITERS		there are some in the list
 *	WOKEN		one was let go and has not come back: no other is let go
 *	STARVING	one has waited too long: it is handed on, never unlocked
 *
 * V1. WAITERS is set while the list has somebody, and changes under its lock.
 * V2. While STARVING it is LOCKED, so nobody but the first in the list gets it.
 * V3. WOKEN is cleared by the one that was let go, when it has the mutex or goes
 *     back into the list, at its front. So somebody always looks after waiters:
 *     who has the mutex, or who was woken.
 *
 * In the normal mode who runs gets it before who was woken: a hand-over costs a
 * switch for each time it is locked. Rejected: hand-over always (a queue of Gs that
 * each lock it a thousand times then takes a thousand times as many switches).
 */
#include "waiting.h"

#define LOCKED		BW_MUTEX_LOCKED
#define WAITERS		2U
#define WOKEN		4U
#define STARVING	8U
#define STARVED_NS	1000000ULL
#define LOOKS		30U

enum { AGAIN, HANDED };

/* It is free: takes it. */
static bool take(struct bw_mutex *m, bool woken)
{
	u32 old = READ_ONCE(m->bw_word);

	while (!(old & LOCKED)) {
		u32 new = (old | LOCKED) & ~(woken ? WOKEN : 0);

		if (try_cmpxchg(&m->bw_word, &old, new))
			return true;
	}
	return false;
}

static bool take_soon(struct bw_mutex *m)
{
	u32 i;

	for (i = 0; i < LOOKS && READ_ONCE(bw_sched.nr_live_p) > 1; i++) {
		bw_cpu_relax();
		if (take(m, false))
			return true;
	}
	return false;
}

/* It is not free: there is going to be a waiter. False: it is free. */
static bool announce_locked(struct bw_mutex *m, bool woken, bool starving)
{
	u32 old = READ_ONCE(m->bw_word), new;

	do {
		if (!(old & LOCKED))
			return false;
		new = old | WAITERS | (starving ? STARVING : 0);
		new &= ~(woken ? WOKEN : 0);
	} while (!try_cmpxchg(&m->bw_word, &old, new));
	return true;
}

static void forget_waiters_locked(struct bw_mutex *m)
{
	if (bw_waiting_is_empty(&m->bw_waiting))
		fetch_and(&m->bw_word, ~(WAITERS | STARVING));
}

/* It gave up: whoever waits behind it is looked after by others (V3). */
static int given_up(struct bw_mutex *m, int err)
{
	bw_waiting_lock(&m->bw_waiting);
	forget_waiters_locked(m);
	bw_waiting_unlock(&m->bw_waiting);
	return err;
}

/* Waits once. AGAIN: look again, woken; HANDED: it is ours; or an error. */
static int wait_once(struct bw_mutex *m, u64 since, bool woken, u64 deadline)
{
	struct bw_waitlist *l = bw_waiting_list(&m->bw_waiting);
	bool starving = woken && bw_now() - since > STARVED_NS;
	struct bw_waiter w;
	int err;

	bw_waiting_lock(&m->bw_waiting);
	if (!announce_locked(m, woken, starving)) {
		bw_waiting_unlock(&m->bw_waiting);
		return -EAGAIN;
	}
	w = bw_waiting_self(&m->bw_waiting, deadline);
	w.amount = since;
	if (woken)
		bw_waiter_add_first(l, &w);
	else
		bw_waiter_add(l, &w);
	err = bw_waiter_park(&w, "mutex", deadline);
	return err ? given_up(m, err) : w.result;
}

static int lock(struct bw_mutex *m, u64 deadline)
{
	bool woken = false;
	u64 since;
	int err;

	if (take(m, false) || take_soon(m))
		return 0;
	since = bw_now();
	while (!take(m, woken)) {
		err = wait_once(m, since, woken, deadline);
		if (err == HANDED)
			return 0;
		if (err && err != -EAGAIN)
			return err;
		/* -EAGAIN: it was not in the list, and is as before */
		woken |= !err;
	}
	return 0;
}

void bw_mutex_lock_slow(struct bw_mutex *m)
{
	bw_caller("bw_mutex_lock");
	lock(m, BW_NEVER);
}

int bw_mutex_lock_until(struct bw_mutex *m, uint64_t deadline)
{
	bw_caller("bw_mutex_lock_until");
	return lock(m, deadline);
}

/* To the first in the list. NULL: nobody is there any more, it is free. */
static struct bw_waiter *hand_on_locked(struct bw_mutex *m)
{
	struct bw_waiter *w = bw_waitlist_win(bw_waiting_list(&m->bw_waiting));

	if (!w) {
		fetch_and(&m->bw_word, ~(LOCKED | WAITERS | STARVING));
		return NULL;
	}
	w->result = HANDED;
	if (bw_now() - w->amount < STARVED_NS)
		fetch_and(&m->bw_word, ~STARVING);
	forget_waiters_locked(m);
	return w;
}

/* It is free, and the first in the list is to look. */
static struct bw_waiter *let_go_locked(struct bw_mutex *m, bool wake)
{
	struct bw_waiter *w = NULL;
	u32 old, new;

	if (wake)
		w = bw_waitlist_win(bw_waiting_list(&m->bw_waiting));
	if (w)
		w->result = AGAIN;
	old = READ_ONCE(m->bw_word);
	do {
		new = (old & ~LOCKED) | (w ? WOKEN : 0);
		if (bw_waiting_is_empty(&m->bw_waiting))
			new &= ~WAITERS;
		/* pairs with take() */
	} while (!try_cmpxchg(&m->bw_word, &old, new));
	return w;
}

/* One that was let go looks after the rest (V3). False: it is not that simple. */
static bool just_free(struct bw_mutex *m)
{
	u32 old = READ_ONCE(m->bw_word);

	while ((old & (LOCKED | WOKEN | STARVING)) == (LOCKED | WOKEN))
		if (try_cmpxchg(&m->bw_word, &old, old & ~LOCKED))
			return true;
	return false;
}

/* Parks nobody and lets nobody run: for bw_cond_wait(), too. */
void bw_mutex_unlock_slow(struct bw_mutex *m)
{
	char self[BW_CALLER_TEXT];
	struct bw_waiter *w;
	u32 old;

	if (just_free(m))
		return;
	bw_waiting_lock(&m->bw_waiting);
	old = READ_ONCE(m->bw_word);
	if (!(old & LOCKED))
		bw_fatal("bw_mutex_unlock() by %s of a mutex that is not locked",
			 bw_caller_self(self));
	if (old & STARVING)
		w = hand_on_locked(m);
	else
		w = let_go_locked(m, !(old & WOKEN));
	bw_waiting_unlock(&m->bw_waiting);
	if (w)
		bw_sched_ready(w->g);
}
