// SPDX-License-Identifier: MIT
/*
 * park: a G waits, and somebody lets it go on.
 *
 *	the G			its M			somebody
 *	bw_sched_park()
 *	  switch ------------->	RUNNING to PARKED
 *				commit(): publishes
 *				the G ---------------->	bw_sched_ready()
 *							  PARKED to RUNNABLE
 *							  into a queue
 *
 * K1. A G is made known to those who ready it by its commit, which runs on its
 *     M's stack after it left its own. So whoever takes it from a queue, at
 *     once and in another thread, finds its stack at rest.
 * K2. Who puts itself into a wait list holds the list's lock until the commit
 *     drops it; who readies takes it out under the same lock. So each park has
 *     one ready, and nobody readies a G that is not parked yet.
 *
 * bw_park() and bw_ready() are that with a word in place of the list:
 *
 *	EMPTY --ready--> TOKEN --park--> EMPTY
 *	EMPTY --commit--> ASLEEP --ready--> EMPTY, and the G is made runnable
 *
 * Above these bits is a number, which grows with each commit: a deadline knows
 * by it which wait it is to end (timer.h).
 *
 * K3. Only the commit moves the word to ASLEEP, only from EMPTY, and when the G
 *     is off its stack. The one that moves it from ASLEEP readies the G.
 * K4. Each move is one read-modify-write, so a ready that came first is found by
 *     the commit, which then does not wait. (selftests/model/park.pml)
 *
 * An attached thread parks by itself: it does not leave its stack, and its M's
 * parker takes the place of the queue.
 *
 * Rejected: PARKED set before the switch and the waker spinning until the stack
 * is free (Go's early design): the waker would wait for a thread that may have
 * been preempted by the kernel.
 */
#include <sched.h>

#include "base/parker.h"
#include "netpoll.h"
#include "sched.h"

static void sleep_at_rest(struct bw_m *m, void *arg)
{
	bw_parker_park(&m->parker);
}

/* An attached thread: on its own stack it may commit at once. */
static void park_thread(struct bw_m *m, bw_commit_fn *commit, void *arg)
{
	struct bw_g *g = m->g;

	bw_clock_tick();
	g->since = READ_ONCE(bw_sched.clock);
	bw_count(NULL, BW_COUNT_parks);
	bw_g_move(g, BW_G_RUNNING, BW_G_PARKED);
	if (!commit || commit(g, arg)) {
		bw_rest(m, sleep_at_rest, NULL);
		bw_g_move(g, BW_G_RUNNABLE, BW_G_RUNNING);
	} else {
		bw_g_move(g, BW_G_PARKED, BW_G_RUNNING);
	}
}

static void park(struct bw_m *m, bw_commit_fn *commit, void *arg,
		 const char *reason)
{
	m->g->reason = reason;
	m->g->since = READ_ONCE(bw_sched.clock);
	if (unlikely(m->attached)) {
		park_thread(m, commit, arg);
	} else {
		m->commit = commit;
		m->commit_arg = arg;
		bw_leave(m, BW_AFTER_PARK);
	}
	bw_m_exit_here();
}

void bw_sched_park(bw_commit_fn *commit, void *arg, const char *reason)
{
	park(bw_m_enter_last("bw_sched_park"), commit, arg, reason);
}

static bool commit_unlock(struct bw_g *g, void *lock)
{
	bw_unlock(lock);
	return true;
}

void bw_sched_park_unlock(struct bw_lock *lock, const char *reason)
{
	bw_sched_park(commit_unlock, lock, reason);
}

void bw_sched_ready(struct bw_g *g)
{
	struct bw_m *m = g->m, *self = bw_m_self();

	if (self)
		bw_m_enter_soft(self);
	bw_count(self ? self->p : NULL, BW_COUNT_readies);
	bw_g_move(g, BW_G_PARKED, BW_G_RUNNABLE);
	if (unlikely(g->bare))
		bw_parker_unpark(&m->parker);
	else
		bw_submit(self, g);
	if (self)
		bw_m_exit(self);
}

static bool commit_token(struct bw_g *g, void *arg)
{
	u64 old = READ_ONCE(g->token);

	while ((old & BW_TIMED_MASK) == BW_TIMED_EMPTY)
		/* pairs with bw_ready() */
		if (try_cmpxchg(&g->token, &old,
				bw_timed_next(old, BW_TIMED_ASLEEP)))
			return true;
	/* pairs with bw_ready(), which may leave it once more */
	xchg(&g->token, old & ~BW_TIMED_MASK);
	return false;
}

void bw_park(void)
{
	struct bw_m *m = bw_m_enter_last("bw_park");
	struct bw_g *g = m->g;
	u64 old = READ_ONCE(g->token);

	if ((old & BW_TIMED_MASK) != BW_TIMED_TOKEN) {
		park(m, commit_token, NULL, "park");
		return;
	}
	if (unlikely(READ_ONCE(m->asked) & (BW_ASK_YIELD | BW_ASK_LOST)))
		m = bw_m_yield_asked(m);
	/* pairs with bw_ready() */
	xchg(&g->token, old & ~BW_TIMED_MASK);
	bw_check(m);
	bw_m_exit_here();
}

void bw_ready(struct bw_g *g)
{
	u64 old = READ_ONCE(g->token), new;

	if (unlikely(bw_sched.cut_off))
		bw_m_need("bw_ready");
	do {
		new = old & ~BW_TIMED_MASK;
		if ((old & BW_TIMED_MASK) != BW_TIMED_ASLEEP)
			new |= BW_TIMED_TOKEN;
	} while (!try_cmpxchg(&g->token, &old, new));
	if ((old & BW_TIMED_MASK) == BW_TIMED_ASLEEP)
		bw_sched_ready(g);
}

void bw_yield(void)
{
	struct bw_m *m = bw_m_enter("bw_yield");
	struct bw_p *p = m->p;

	if (unlikely(!p)) {
		bw_m_exit(m);
		sched_yield();
		return;
	}
	/* otherwise nobody is there to be let go first */
	if (READ_ONCE(p->q.next) || READ_ONCE(p->q.head) != p->q.tail ||
	    READ_ONCE(bw_sched.global.nr) || READ_ONCE(p->drop) ||
	    READ_ONCE(p->timers.min) != BW_NEVER || bw_netpoll_waiting())
		bw_leave(m, BW_AFTER_YIELD);
	bw_m_exit_here();
}
