// SPDX-License-Identifier: MIT
/*
 * sleep: Gs that wait with a deadline.
 *
 *	bw_sleep()		nobody but the clock ends it
 *	bw_park_until()		a token, or the clock
 *	bw_sched_park_until()	for rooms above: whoever wins the G, or the clock
 *
 * All of them open a word of the G (timer.h) in their commit, when the G is off
 * its stack and PARKED, and only then make the entry. So whoever wins the word
 * may ready the G at once (K1), and from there on the commit touches nothing of
 * the G and nothing on its stack.
 *
 * L1. @token is opened by bw_park*(), @wait by everything else. A token that
 *     comes while a G sleeps stays in the one and does not disturb the other.
 * L2. @late says what ended the wait. The commit clears it before it opens the
 *     word; who fires the entry sets it after it won.
 * L3. A wait list may hold a ticket, the value that @wait will have, before the
 *     wait is open. Who wins such a ticket wins a G that is PARKED, and never a
 *     later wait: values do not come twice.
 *
 * L4. The entry is made last. A G that was readied meanwhile is elsewhere, perhaps
 *     in its next wait; the entry names this one, and is dead. Made before the
 *     commit it could end the wait while the commit still publishes it.
 *
 * An attached thread waits in its own parker, until the deadline; then it tries
 * to win its own word. Where it does not, somebody else has, and the parker's
 * token is on its way.
 */
#include <time.h>

#include "burrow/time.h"
#include "sched.h"

#define NO_MEMORY_NS	1000000ULL	/* between looks, where there is none */

uint64_t bw_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

u64 bw_deadline_in(u64 ns)
{
	u64 now = bw_now();

	return ns < BW_NEVER - now ? now + ns : BW_NEVER;
}

/**
 * struct wait - what the commit of a wait is given			[its G]
 * @commit:	of whoever waits, or NULL
 * @arg:	its argument
 * @deadline:	or BW_NEVER
 * @err:	-ENOMEM
 */
struct wait {
	bw_commit_fn *commit;
	void *arg;
	u64 deadline;
	int err;
};

/* A G or an attached thread; where it may not wait bw_sched_park() says so. */
static struct bw_m *self_need(const char *who)
{
	struct bw_m *m = bw_m_self();

	return likely(m) ? m : bw_m_need(who);
}

u64 bw_sched_ticket(void)
{
	struct bw_g *g = self_need("bw_sched_ticket")->g;

	return bw_timed_next(READ_ONCE(g->wait), BW_TIMED_WAITS);
}

bool bw_sched_win(struct bw_g *g, u64 ticket)
{
	return bw_timed_win(&g->wait, ticket);
}

/* Off the stack: the wait begins. False: it does not. */
static bool commit_wait(struct bw_g *g, void *arg)
{
	struct wait *w = arg;
	bw_commit_fn *commit = w->commit;
	void *commit_arg = w->arg;
	u64 ticket = bw_timed_next(READ_ONCE(g->wait), BW_TIMED_WAITS);
	u64 deadline = w->deadline;
	struct bw_m *m = g->m;

	g->late = false;
	/* pairs with bw_timed_win() */
	__atomic_store_n(&g->wait, ticket, __ATOMIC_SEQ_CST);
	/* it goes on by itself, unless somebody was faster */
	if (commit && !commit(g, commit_arg))
		return !bw_timed_win(&g->wait, ticket);
	/* from here on @w may be gone, and the entry be dead already (L4) */
	if (deadline == BW_NEVER || g->bare)
		return true;
	bw_count(m->p, BW_COUNT_timers);
	if (!bw_timers_add(m->p, deadline, &g->wait, ticket) ||
	    !bw_timed_win(&g->wait, ticket))
		return true;
	w->err = -ENOMEM;
	return false;
}

/**
 * struct sleep - in a thread's parker					[its G]
 */
struct sleep {
	u64 until;
	int err;
};

static void sleep_at_rest(struct bw_m *m, void *arg)
{
	struct sleep *s = arg;
	u64 until = s->until == BW_NEVER ? 0 :
		    min(max(s->until, (u64)1), (u64)INT64_MAX);

	s->err = bw_parker_park_until(&m->parker, until);
}

/*
 * An attached thread, which has published itself: until somebody wins *@word,
 * which was @value, or we do when the deadline has come.
 */
static void wait_in_thread(struct bw_m *m, u64 *word, u64 value, u64 deadline)
{
	struct sleep s = { .until = deadline };
	struct bw_g *g = m->g;

	bw_rest(m, sleep_at_rest, &s);
	if (s.err) {
		if ((value & BW_TIMED_MASK) > BW_TIMED_TOKEN &&
		    bw_timed_win(word, value)) {
			g->late = true;
			bw_g_move(g, BW_G_PARKED, BW_G_RUNNING);
			return;
		}
		s.until = BW_NEVER;
		bw_rest(m, sleep_at_rest, &s);
	}
	bw_g_move(g, BW_G_RUNNABLE, BW_G_RUNNING);
}

static void park_thread(struct bw_m *m, bw_commit_fn *commit, struct wait *w,
			u64 *word, const char *reason)
{
	struct bw_g *g = m->g;

	bw_m_enter_soft(m);
	g->reason = reason;
	bw_g_move(g, BW_G_RUNNING, BW_G_PARKED);
	if (!commit(g, w))
		bw_g_move(g, BW_G_PARKED, BW_G_RUNNING);
	else
		wait_in_thread(m, word, READ_ONCE(*word), w->deadline);
	bw_m_exit(m);
}

int bw_sched_park_until(bw_commit_fn *commit, void *arg, const char *reason,
			u64 deadline)
{
	struct wait w = { commit, arg, deadline, 0 };
	struct bw_m *m = self_need("bw_sched_park_until");
	struct bw_g *g = m->g;

	if (unlikely(m->attached))
		park_thread(m, commit_wait, &w, &g->wait, reason);
	else
		bw_sched_park(commit_wait, &w, reason);
	if (w.err)
		return w.err;
	return g->late ? -ETIMEDOUT : 0;
}

/* There is no memory for an entry: the thread sleeps in place of the G. */
static void sleep_in_call(u64 when)
{
	struct timespec ts = {
		.tv_sec = (time_t)(when / 1000000000ULL),
		.tv_nsec = (long)(when % 1000000000ULL),
	};

	bw_block_begin();
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
	       EINTR)
		;
	bw_block_end();
}

void bw_sleep_until(uint64_t when)
{
	if (when <= bw_now())
		bw_yield();
	else if (bw_sched_park_until(NULL, NULL, "sleep", when) == -ENOMEM)
		sleep_in_call(when);
}

void bw_sleep(uint64_t ns)
{
	if (ns)
		bw_sleep_until(bw_deadline_in(ns));
	else
		bw_yield();
}

/* Off the stack: true, it waits for a token or the deadline. */
static bool commit_token(struct bw_g *g, void *arg)
{
	struct wait *w = arg;
	u64 old = READ_ONCE(g->token), asleep, deadline = w->deadline;
	struct bw_m *m = g->m;

	g->late = false;
	do {
		if ((old & BW_TIMED_MASK) == BW_TIMED_TOKEN) {
			/* pairs with bw_ready() */
			xchg(&g->token, old & ~BW_TIMED_MASK);
			return false;
		}
		asleep = bw_timed_next(old, BW_TIMED_ASLEEP);
		/* pairs with bw_ready() */
	} while (!try_cmpxchg(&g->token, &old, asleep));
	/* from here on @w may be gone */
	if (g->bare || deadline == BW_NEVER)
		return true;
	bw_count(m->p, BW_COUNT_timers);
	if (!bw_timers_add(m->p, deadline, &g->token, asleep))
		return true;
	if (!bw_timed_win(&g->token, asleep))
		return true;
	w->err = -ENOMEM;
	return false;
}

/* There is a token: takes it. */
static bool token_take(struct bw_g *g)
{
	u64 old = READ_ONCE(g->token);

	if ((old & BW_TIMED_MASK) != BW_TIMED_TOKEN)
		return false;
	/* pairs with bw_ready(), which may leave it once more */
	xchg(&g->token, old & ~BW_TIMED_MASK);
	return true;
}

bool bw_park_until(uint64_t deadline)
{
	struct wait w = { .deadline = deadline };
	struct bw_m *m = self_need("bw_park_until");
	struct bw_g *g = m->g;

	while (!token_take(g)) {
		if (bw_now() >= deadline)
			return false;
		w.err = 0;
		if (unlikely(m->attached))
			park_thread(m, commit_token, &w, &g->token, "park");
		else
			bw_sched_park(commit_token, &w, "park");
		if (!w.err)
			return !g->late;
		/* no memory for an entry: a little sleep in its place */
		sleep_in_call(min(deadline, bw_now() + NO_MEMORY_NS));
		m = bw_m_self();
	}
	return true;
}
