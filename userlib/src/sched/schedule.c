// SPDX-License-Identifier: MIT
/*
 * schedule: what a M does while no G is on it: put away the last one, find the
 * next one, switch to it.
 *
 *	bw_schedule()			<- here, on the M's own stack, for ever
 *	  next()			   which G?
 *	    pick()			   runnext, the ring, at times the global queue
 *	    find()			   the global queue, other Ps' rings
 *	      bw_m_stop()		   m.c: nothing anywhere
 *	  run()				   there and back again
 *	    put_away()			   it yielded, parked, ended ...
 *
 * Waking and going idle
 *
 * Threads should be awake where there is work and asleep where there is none,
 * and nobody knows all queues. A M without work *spins*: it looks into every
 * queue before it sleeps. Who submits wakes a M only where a P is idle and
 * nobody spins; who stops spinning looks everywhere once more.
 *
 *	submit					stop spinning
 *	put G into a queue			P into the idle list
 *	full barrier (Q5, or the lock)		nr_spinning--, full barrier
 *	P idle and nobody spins? wake one	any queue with work? spin again
 *
 * Both sides store, then load what the other stores, with a full barrier in
 * between, so at least one of them sees the other: no G waits while everybody
 * sleeps. It is the same whether the spinner found work or not: what came while
 * it was the one that spun did not wake anybody, so it wakes the next M for it
 * (bw_spin_end()). Spinners are at most half of the busy Ps, so that few look
 * for what is not there. A M that is not let spin leaves it to those who do;
 * there is one, for otherwise it would have been let. (selftests/model/spin.pml)
 *
 * A G that goes first (Q4) most often runs within a microsecond where it is, as
 * its maker is about to park or end. To wake another M for it would cost both
 * more than it takes, so:
 *
 * - it counts as work for those who look only when it stays for 3 us while its
 *   P runs one and the same G (steal_next());
 * - for it alone a M is woken only now and then: each time in a row that was in
 *   vain doubles the number of times that are left out (bw_wake_slow()). In
 *   vain is what found nothing at all, not what ran something first;
 * - where CPUs are wanted by others, the thread that is woken may get the very
 *   CPU of who woke it, who then stands still with the G in its P: it looks as if
 *   it computed, and is robbed by its own wake-up. A thief that was woken on the
 *   CPU where it is now says so, and for 500 us nobody is woken for lone Gs;
 * - sysmon looks for such Gs, at 10 ms at the latest; who leaves a G to sysmon
 *   sees to it that sysmon is awake.
 *
 * What it kicked into the ring is stored after the barrier of Q5. Who looks just
 * then sees the G that goes first, and leaves both to sysmon.
 *
 * Rejected: a wake-up for each submission, as Go does: with an idle P, spawn and
 * ping-pong then get slower with the second CPU. A handover between stacks of
 * Gs without the M's own in between: saves 2 ns of a switch, and commits and
 * queue moves would run on stacks that others may want.
 */
#include <sched.h>

#include "burrow/time.h"
#include "netpoll.h"
#include "sched.h"
#include "switch.h"

#define TICKS_TO_GLOBAL	61U
#define CHAIN_MAX	64U
#define GLOBAL_BATCH	128U
#define STEAL_ROUNDS	4U
#define SKIP_SHIFT_MAX	14U
#define NEXT_PATIENCE	100U		/* pauses, about 3 us */
#define CROWDED_NS	500000U
#define CROWDED_SKIP	15U

void bw_global_put(struct bw_glist *list)
{
	bw_lock(&bw_sched.lock);
	bw_glist_join(&bw_sched.global, list);
	bw_unlock(&bw_sched.lock);
}

void bw_global_put_one(struct bw_g *g)
{
	struct bw_glist list = { .nr = 0 };

	bw_glist_add(&list, g);
	bw_global_put(&list);
}

void bw_submit_list(struct bw_m *m, struct bw_glist *list, u32 ours)
{
	struct bw_glist spill = { .nr = 0 };
	struct bw_p *p = m ? m->p : NULL;
	u32 nr = list->nr;
	struct bw_g *g;

	if (!nr)
		return;
	if (!p)
		bw_glist_join(&spill, list);
	while ((g = bw_glist_pop(list)))
		bw_runq_put(&p->q, g, &spill);
	if (spill.nr)
		bw_global_put(&spill);
	/* the ring's tail needs a barrier (Q5) */
	if (!p || nr > ours) {
		if (p)
			fetch_or(&p->drop, 0U);
		bw_wake(NULL);
	}
}

/* One to run, and up to @max - 1 more of our share into the ring, which has room. */
static struct bw_g *global_get_locked(struct bw_p *p, u32 max)
{
	struct bw_glist *all = &bw_sched.global, spill = { .nr = 0 };
	u32 n = min(all->nr, all->nr / bw_sched.nr_procs + 1);
	struct bw_g *first = bw_glist_pop(all);

	for (n = min(n, max); n > 1; n--)
		bw_runq_put(&p->q, bw_glist_pop(all), &spill);
	if (first)
		bw_count(p, BW_COUNT_globals);
	return first;
}

static struct bw_g *global_get(struct bw_p *p, u32 max)
{
	struct bw_g *g;

	if (!READ_ONCE(bw_sched.global.nr))
		return NULL;
	bw_lock(&bw_sched.lock);
	g = global_get_locked(p, max);
	bw_unlock(&bw_sched.lock);
	return g;
}

/* From what our P has, fairly: with a slice of its own unless it goes first. */
static struct bw_g *pick(struct bw_p *p)
{
	struct bw_g *g = NULL;

	if (READ_ONCE(p->q.next) && ++p->chain < CHAIN_MAX) {
		g = bw_runq_get_next(&p->q);
		if (g)
			return g;
	}
	/* a chain that is too long lets one other G in between */
	if (!--p->fair || p->chain >= CHAIN_MAX) {
		p->fair = TICKS_TO_GLOBAL;
		g = global_get(p, 1);
	}
	p->chain = 0;
	if (!g)
		g = bw_runq_get(&p->q);
	if (!g)
		g = bw_runq_get_next(&p->q);
	WRITE_ONCE(p->tick, p->tick + 1);
	return g;
}

/* Lone Gs that go first are sysmon's: it must not sleep. */
static void leave_to_sysmon(void)
{
	if (unlikely(load_seq(&bw_sched.sysmon_asleep) == BW_SYSMON_ASLEEP))
		bw_sysmon_kick();
}

bool bw_work_anywhere(void)
{
	u32 i, nr = load_seq(&bw_sched.nr_made);
	bool lone = false;

	if (load_seq(&bw_sched.global.nr))
		return true;
	for (i = 0; i < nr; i++) {
		const struct bw_runq *q = &bw_sched.p[i]->q;

		if (load_seq(&q->head) != load_seq(&q->tail))
			return true;
		lone |= !!load_seq(&q->next);
	}
	if (lone)
		leave_to_sysmon();
	return false;
}

void bw_spin_end(struct bw_m *m, bool found)
{
	m->spinning = false;
	if (found)
		m->woken = false;
	/* pairs with submitters: they see this, or we what they submitted */
	__atomic_fetch_sub(&bw_sched.nr_spinning, 1, __ATOMIC_SEQ_CST);
	if (found && READ_ONCE(bw_sched.nr_futile))
		WRITE_ONCE(bw_sched.nr_futile, 0);
	if (found && load_seq(&bw_sched.nr_idle_p) && bw_work_anywhere())
		bw_wake(NULL);
}

/* A wake-up for a lone G took the CPU of who asked for it, just now. */
static bool is_crowded(void)
{
	u64 until = READ_ONCE(bw_sched.crowded);

	return until && bw_now() < until;
}

/* For the G that goes first on @p and is alone there: is somebody to be woken? */
static bool wake_for_lone(struct bw_p *p)
{
	if (p->skip) {
		p->skip--;
		return false;
	}
	if (unlikely(is_crowded())) {
		p->skip = CROWDED_SKIP;
		return false;
	}
	p->skip = (1U << min(READ_ONCE(bw_sched.nr_futile),
			     SKIP_SHIFT_MAX)) - 1;
	WRITE_ONCE(bw_sched.waker_cpu, sched_getcpu());
	return true;
}

void bw_wake_slow(struct bw_p *p)
{
	u32 none = 0;

	if (p && READ_ONCE(p->q.head) == p->q.tail && !wake_for_lone(p)) {
		leave_to_sysmon();
		return;
	}
	if (try_cmpxchg(&bw_sched.nr_spinning, &none, 1))
		bw_m_start(NULL, true);
}

static u32 rand_next(struct bw_m *m)
{
	m->rand ^= m->rand << 13;
	m->rand ^= m->rand >> 17;
	m->rand ^= m->rand << 5;
	return m->rand;
}

/* What goes first on a P that has run something else for a while. */
static struct bw_g *steal_next(struct bw_p *from, bool woken)
{
	struct bw_g *g = __atomic_load_n(&from->q.next, __ATOMIC_ACQUIRE);
	u32 runs = READ_ONCE(from->nr_runs), i;

	if (!g)
		return NULL;
	for (i = 0; i < NEXT_PATIENCE; i++) {
		if (READ_ONCE(from->nr_runs) != runs ||
		    READ_ONCE(from->q.next) != g)
			return NULL;
		bw_cpu_relax();
	}
	if (!bw_runq_steal_next(&from->q, g))
		return NULL;
	if (woken && READ_ONCE(bw_sched.waker_cpu) == sched_getcpu())
		WRITE_ONCE(bw_sched.crowded, bw_now() + CROWDED_NS);
	return g;
}

/* Every P once, in random order: a full period of x -> 5x + odd, modulo 2^k. */
static struct bw_g *steal_round(struct bw_m *m, bool last)
{
	u32 nr = load_seq(&bw_sched.nr_made), mask = 1, i, x, step;
	struct bw_g *g;

	while (mask < nr)
		mask *= 2;
	x = rand_next(m);
	step = rand_next(m) | 1;
	for (i = 0; i < mask; i++) {
		struct bw_p *from;

		x = (x * 5 + step) & (mask - 1);
		if (x >= nr || bw_sched.p[x] == m->p)
			continue;
		from = bw_sched.p[x];
		g = bw_runq_steal(&m->p->q, &from->q);
		if (!g && last)
			g = steal_next(from, m->woken);
		if (g)
			return g;
	}
	return NULL;
}

static bool may_spin(struct bw_m *m)
{
	u32 busy;

	if (m->spinning)
		return true;
	busy = READ_ONCE(bw_sched.nr_live_p) - READ_ONCE(bw_sched.nr_idle_p);
	if (2 * READ_ONCE(bw_sched.nr_spinning) >= busy)
		return false;
	m->spinning = true;
	__atomic_fetch_add(&bw_sched.nr_spinning, 1, __ATOMIC_SEQ_CST);
	return true;
}

/* After it stopped spinning and gave its P up: there is work; a P, to spin on. */
static void spin_again(struct bw_m *m)
{
	struct bw_p *p;

	bw_lock(&bw_sched.lock);
	p = bw_p_idle_get_locked();
	bw_unlock(&bw_sched.lock);
	if (!p)
		return;
	bw_p_acquire(m, p);
	m->spinning = true;
	__atomic_fetch_add(&bw_sched.nr_spinning, 1, __ATOMIC_SEQ_CST);
}

/* Our P has nothing. A G from elsewhere; NULL: look at m->p, and again. */
static struct bw_g *find(struct bw_m *m)
{
	struct bw_g *g;
	u32 round;

	if (unlikely(READ_ONCE(m->asked) & BW_ASK_STOP))
		bw_rest_asked(m);
	g = global_get(m->p, GLOBAL_BATCH);
	if (g)
		return g;
	for (round = 1; !g && round <= STEAL_ROUNDS && may_spin(m); round++)
		g = steal_round(m, round == STEAL_ROUNDS);
	if (g) {
		bw_count(m->p, BW_COUNT_steals);
		return g;
	}
	if (bw_timers_run_all(m))
		return NULL;
	bw_lock(&bw_sched.lock);
	if (READ_ONCE(m->p->drop))
		goto out;
	if (bw_sched.global.nr)
		g = global_get_locked(m->p, GLOBAL_BATCH);
	else
		bw_p_idle_put_locked(bw_p_release(m));
out:
	bw_unlock(&bw_sched.lock);
	if (!m->p && m->spinning) {
		/* who ran something before it looked was not woken in vain */
		if (m->woken) {
			fetch_add_relaxed(&bw_sched.nr_futile, 1);
			bw_count(NULL, BW_COUNT_threads_in_vain);
		}
		m->woken = false;
		bw_spin_end(m, false);
		if (bw_work_anywhere())
			spin_again(m);
	}
	return g;
}

/* The G that this M has its thread for, when it may run. */
static struct bw_g *next_wired(struct bw_m *m)
{
	if (!m->ended)
		return bw_m_stop_wired(m) ? m->locked : NULL;
	if (m->p)
		bw_p_hand_off(bw_p_release(m));
	return NULL;
}

/* What to run, with a P to run it on; NULL: the thread is to end. */
static struct bw_g *next(struct bw_m *m)
{
	struct bw_g *g;

	if (unlikely(READ_ONCE(m->asked) & (BW_ASK_YIELD | BW_ASK_LOST)))
		bw_m_lost_end(m);
	for (;;) {
		if (unlikely(m->locked || m->ended))
			return next_wired(m);
		if (!m->p && !bw_m_poll(m) && !bw_m_stop(m))
			return NULL;
		if (unlikely(READ_ONCE(m->p->drop)) && !bw_p_still(m))
			continue;
		if (unlikely(READ_ONCE(m->p->timers.min) != BW_NEVER))
			bw_timers_check(m);
		if (unlikely(m->p->fair == 1))
			bw_poll_now(m);
		g = pick(m->p);
		if (!g)
			g = find(m);
		if (!g)
			continue;
		if (m->spinning)
			bw_spin_end(m, true);
		if (likely(!g->locks))
			return g;
		bw_m_pass(m, g);
	}
}

/* It came out of a call and there was no P; maybe there is one by now. */
static bool unblock(struct bw_m *m, struct bw_g *g)
{
	struct bw_p *p;

	bw_g_move(g, BW_G_BLOCKED, BW_G_RUNNABLE);
	bw_lock(&bw_sched.lock);
	p = bw_p_idle_get_locked();
	if (!p)
		bw_glist_add(&bw_sched.global, g);
	bw_unlock(&bw_sched.lock);
	if (!p)
		return false;
	bw_p_acquire(m, p);
	bw_g_move(g, BW_G_RUNNABLE, BW_G_RUNNING);
	return true;
}

static void ended(struct bw_m *m, struct bw_g *g, enum bw_g_state from)
{
	bool first;

	if (unlikely(g->locks)) {
		m->ended = true;
		m->locked = NULL;
		g->locks = 0;
	}
	if (unlikely(g->unguarded))
		bw_g_check_stack(g);
	if (unlikely(g->io))
		bw_desc_drop(g);
	bw_fiber_free(&g->fiber);
	bw_count(m->p, BW_COUNT_ended);
	first = g == READ_ONCE(bw_sched.first) && from == BW_G_RUNNING;
	bw_g_move(g, from, BW_G_FREE);
	bw_g_put(m, g);
	if (unlikely(first))
		bw_run_end();
}

static void yielded(struct bw_m *m, struct bw_g *g)
{
	struct bw_glist spill = { .nr = 0 };

	bw_count(m->p, BW_COUNT_yields);
	bw_g_move(g, BW_G_RUNNING, BW_G_RUNNABLE);
	if (bw_runq_put(&m->p->q, g, &spill))
		bw_global_put(&spill);
}

/* @g is off its stack. True: it goes on at once. */
static bool put_away(struct bw_m *m, struct bw_g *g)
{
	switch ((enum bw_after)m->after) {
	case BW_AFTER_PARK:
		bw_count(m->p, BW_COUNT_parks);
		if (unlikely(g->unguarded))
			bw_g_check_stack(g);
		bw_g_move(g, BW_G_RUNNING, BW_G_PARKED);
		if (!m->commit || m->commit(g, m->commit_arg))
			return false;	/* and is no longer ours */
		bw_g_move(g, BW_G_PARKED, BW_G_RUNNING);
		return true;
	case BW_AFTER_YIELD:
		yielded(m, g);
		return false;
	case BW_AFTER_EXIT:
		ended(m, g, BW_G_RUNNING);
		return false;
	case BW_AFTER_UNBLOCK:
		return unblock(m, g);
	case BW_AFTER_GONE:
		m->ended = true;
		ended(m, g, BW_G_BLOCKED);
		return false;
	}
	bw_throw("a G left for no reason");
}

/* There is no memory for its stack: to the end of the line, for who has one. */
static __attribute__((noinline)) void stackless(struct bw_g *g)
{
	u64 id = g->id;

	bw_global_put_one(g);
	bw_wake(NULL);
	bw_slot_wait(id);
}

static inline void run(struct bw_m *m, struct bw_g *g)
{
	struct bw_p *p = m->p;

	if (unlikely(READ_ONCE(bw_scan_cycle)))
		bw_scan_before_run(g);
	if (!g->stack && unlikely(!bw_g_begin(m, g))) {
		stackless(g);
		return;
	}
	WRITE_ONCE(p->nr_runs, p->nr_runs + 1);
	bw_g_move(g, BW_G_RUNNABLE, BW_G_RUNNING);
	g->m = m;
	m->g = g;
	do {
		bw_fiber_leave(&m->fiber, &g->fiber, false);
		if (unlikely(!bw_fp_same(&m->fp, &g->fp)))
			bw_fp_load(&g->fp);
		bw_switch(&m->sp, g->sp);
		m->fp = g->fp;
		bw_fiber_arrive(&m->fiber);
	} while (unlikely(put_away(m, g)));
	m->g = NULL;
}

void bw_schedule(struct bw_m *m)
{
	struct bw_g *g;

	while ((g = next(m)))
		run(m, g);
}

void bw_leave(struct bw_m *m, enum bw_after after)
{
	struct bw_g *g = m->g;
	bool dying = after == BW_AFTER_EXIT || after == BW_AFTER_GONE;

	m->after = after;
	bw_fp_save(&g->fp);
	bw_fiber_leave(&g->fiber, &m->fiber, dying);
	bw_switch(&g->sp, m->sp);
	bw_fiber_arrive(&g->fiber);
}
