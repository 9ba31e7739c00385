// SPDX-License-Identifier: MIT
/*
 * waitgroup: until nobody is at work; and once.
 *
 * The word is twice the count, and 1 where somebody waits.
 *
 * Z1. The 1 is set under the lock, and only while there is a count. So whoever
 *     takes the count to 0 sees it, and comes for the lock; who took it to 0
 *     without a 1 touches nothing of the group any more: it may be gone.
 * Z2. Who finds the 1 and no count waits for the one who is on his way.
 */
#include "waiting.h"

#define WAITED	1ULL
#define ONE	2ULL

static void let_all_go(struct bw_waitgroup *w)
{
	struct bw_waiter *chain;

	bw_waiting_lock(&w->bw_waiting);
	fetch_and(&w->bw_word, ~WAITED);
	chain = bw_waiting_win_all(&w->bw_waiting);
	bw_waiting_unlock(&w->bw_waiting);
	bw_waiters_ready(chain);
}

void bw_waitgroup_add(struct bw_waitgroup *w, int n)
{
	char self[BW_CALLER_TEXT];
	u64 by = (u64)(int64_t)n * ONE, word;

	bw_caller("bw_waitgroup_add");
	/* pairs with must_wait_locked() */
	word = __atomic_add_fetch(&w->bw_word, by, __ATOMIC_SEQ_CST);
	if (unlikely((int64_t)word < 0))
		bw_fatal("bw_waitgroup_add() by %s makes it less than 0",
			 bw_caller_self(self));
	if (word == WAITED)
		let_all_go(w);
}

static bool must_wait_locked(struct bw_waitgroup *w)
{
	u64 old = READ_ONCE(w->bw_word);

	do {
		if (!old || old == WAITED)
			return old;
		/* pairs with bw_waitgroup_add() (Z1) */
	} while (!try_cmpxchg(&w->bw_word, &old, old | WAITED));
	return true;
}

/* It gave up. Where nobody else waits, and nobody is on his way: no 1. */
static void given_up(struct bw_waitgroup *w)
{
	u64 old;

	bw_waiting_lock(&w->bw_waiting);
	old = READ_ONCE(w->bw_word);
	while (bw_waiting_is_empty(&w->bw_waiting) && old > WAITED &&
	       !try_cmpxchg(&w->bw_word, &old, old & ~WAITED))
		;
	bw_waiting_unlock(&w->bw_waiting);
}

int bw_waitgroup_wait_until(struct bw_waitgroup *w, uint64_t deadline)
{
	struct bw_waiter self;
	int err;

	bw_caller("bw_waitgroup_wait");
	/* pairs with bw_waitgroup_add() */
	if (!smp_load_acquire(&w->bw_word))
		return 0;
	bw_waiting_lock(&w->bw_waiting);
	if (!must_wait_locked(w)) {
		bw_waiting_unlock(&w->bw_waiting);
		return 0;
	}
	self = bw_waiting_self(&w->bw_waiting, deadline);
	bw_waiter_add(bw_waiting_list(&w->bw_waiting), &self);
	err = bw_waiter_park(&self, "waitgroup", deadline);
	if (err)
		given_up(w);
	return err;
}

void bw_waitgroup_wait(struct bw_waitgroup *w)
{
	bw_waitgroup_wait_until(w, BW_NEVER);
}

void bw_once_slow(struct bw_once *o, void (*fn)(void *arg), void *arg)
{
	bw_mutex_lock(&o->bw_mutex);
	if (!o->bw_done) {
		fn(arg);
		/* pairs with bw_once() */
		smp_store_release(&o->bw_done, 1);
	}
	bw_mutex_unlock(&o->bw_mutex);
}
