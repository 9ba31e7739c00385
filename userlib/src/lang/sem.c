// SPDX-License-Identifier: MIT
/*
 * sem: so many of something.
 *
 * The word is twice the number that is there, and 1 where somebody waits; while it
 * is 1 nobody takes any but for those in the list, in their order.
 */
#include "waiting.h"

#define WAITED	1ULL
#define ONE	2ULL

static bool take(struct bw_sem *s, u32 n)
{
	u64 old = READ_ONCE(s->bw_word);

	while (!(old & WAITED) && old / ONE >= n)
		if (try_cmpxchg(&s->bw_word, &old, old - n * ONE))
			return true;
	return false;
}

static void forget_waited_locked(struct bw_sem *s)
{
	if (bw_waiting_is_empty(&s->bw_waiting))
		fetch_and(&s->bw_word, ~WAITED);
}

/*
 * From here on who releases comes for the lock. Whether somebody waits is not to be
 * told by the 1: who waited when a run ended left it (sched/waiter.h).
 */
static bool take_locked(struct bw_sem *s, u32 n)
{
	u64 old = fetch_or(&s->bw_word, WAITED);

	if (!bw_waiting_is_empty(&s->bw_waiting) || old / ONE < n)
		return false;
	__atomic_fetch_sub(&s->bw_word, n * ONE + WAITED, __ATOMIC_SEQ_CST);
	return true;
}

/* Those at the front for whom there is enough, as a chain. */
static struct bw_waiter *serve_locked(struct bw_sem *s)
{
	struct bw_waitlist *l = bw_waiting_list(&s->bw_waiting);
	struct bw_waiter *w, *chain = NULL, **end = &chain;

	while ((w = l->first) && READ_ONCE(s->bw_word) / ONE >= w->amount) {
		if (!bw_waiter_win(w))
			continue;
		__atomic_fetch_sub(&s->bw_word, w->amount * ONE,
				   __ATOMIC_SEQ_CST);
		*end = w;
		end = &w->next;
	}
	*end = NULL;
	forget_waited_locked(s);
	return chain;
}

static void serve(struct bw_sem *s)
{
	struct bw_waiter *chain;

	bw_waiting_lock(&s->bw_waiting);
	chain = serve_locked(s);
	bw_waiting_unlock(&s->bw_waiting);
	bw_waiters_ready(chain);
}

int bw_sem_acquire_until(struct bw_sem *s, uint32_t n, uint64_t deadline)
{
	struct bw_waiter w;
	int err;

	bw_caller("bw_sem_acquire");
	if (take(s, n))
		return 0;
	bw_waiting_lock(&s->bw_waiting);
	if (take_locked(s, n)) {
		bw_waiting_unlock(&s->bw_waiting);
		return 0;
	}
	w = bw_waiting_self(&s->bw_waiting, deadline);
	w.amount = n;
	bw_waiter_add(bw_waiting_list(&s->bw_waiting), &w);
	err = bw_waiter_park(&w, "semaphore", deadline);
	/* those behind may have asked for less */
	if (err)
		serve(s);
	return err;
}

void bw_sem_acquire(struct bw_sem *s, uint32_t n)
{
	bw_sem_acquire_until(s, n, BW_NEVER);
}

bool bw_sem_tryacquire(struct bw_sem *s, uint32_t n)
{
	bool done = take(s, n);

	if (done || !(READ_ONCE(s->bw_word) & WAITED))
		return done;
	bw_waiting_lock(&s->bw_waiting);
	done = take_locked(s, n);
	forget_waited_locked(s);
	bw_waiting_unlock(&s->bw_waiting);
	return done;
}

void bw_sem_release(struct bw_sem *s, uint32_t n)
{
	bw_caller("bw_sem_release");
	if (__atomic_fetch_add(&s->bw_word, n * ONE, __ATOMIC_SEQ_CST) & WAITED)
		serve(s);
}
