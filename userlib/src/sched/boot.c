// SPDX-License-Identifier: MIT
/*
 * boot: a run, from bw_run() to its return.
 *
 *	bw_sched_init()		once: options, the heap, handlers
 *	new Ps			idle
 *	sysmon			a thread
 *	the first G		into the global queue, and a M for it
 *	...
 *	bw_run_end()		on the M where it ended: asks every M to end
 *	wait			until no thread is left but those in calls
 *	drop			the Gs that are left
 *
 * R1. The calling thread runs no G, so its return depends on no other G's call.
 *     Rejected: it as the first M, as in Go, whose process ends with main: a G
 *     that reads from a terminal in this thread would keep bw_run() for ever.
 * R2. A thread in a bw_block section is left behind. Its G is BLOCKED, of an old
 *     run, and belongs to it alone; it comes back to find another number in
 *     sched.run, and ends.
 * R3. The run is over when nr_m == nr_blocked and there is no live P: then no
 *     queue but the global one holds anything.
 * R4. Then every other G of the run is RUNNABLE or PARKED, so off its stack, and
 *     its memory can be had at once.
 */
#include "eyes.h"
#include "netpoll.h"
#include "sched.h"
#include "switch.h"

struct bw_sched bw_sched = {
	.run = 1,
	.lock.rank = BW_RANK_SCHED,
	.procs_lock.rank = BW_RANK_PROCS,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static u32 running;

/**
 * struct start - what bw_run() was given				[caller]
 */
struct start {
	int (*fn)(void *arg);
	void *arg;
};

static void init_once(void)
{
	bw_sched_env(&bw_sched);
	if (bw_parker_init(&bw_sched.sysmon, bw_sched.heap) ||
	    bw_parker_init(&bw_sched.done, bw_sched.heap) || bw_poll_init())
		bw_throw("no place for bw_run() to sleep");
	bw_m_fork_init();
	bw_segv_init();
	bw_stop_init();
	bw_preempt_init();
	bw_quit_init();
}

void bw_sched_init(void)
{
	pthread_once(&once, init_once);
}

static void first_main(void *arg)
{
	const struct start *s = arg;

	bw_sched.result = s->fn(s->arg);
}

/* Gs of an earlier run that somebody readied in its last moment. */
static void queue_clean_locked(struct bw_glist *left)
{
	struct bw_g *g;

	while ((g = bw_glist_pop(&bw_sched.global)))
		if (bw_g_drop(g))
			bw_glist_add(left, g);
}

static void run_begin(void)
{
	struct bw_glist left = { .nr = 0 };
	u32 i;

	bw_clock_tick();
	for (i = bw_sched.nr_made; i < bw_sched.nr_wanted; i++)
		if (bw_p_make(i))
			bw_throw("no memory for a P");
	bw_lock(&bw_sched.lock);
	queue_clean_locked(&left);
	WRITE_ONCE(bw_sched.ending, false);
	bw_sched.nr_m = 0;
	bw_sched.nr_idle_m = 0;
	bw_sched.nr_blocked = 0;
	bw_sched.nr_lost = 0;
	bw_sched.told = 0;
	bw_p_set_locked(bw_sched.nr_wanted);
	bw_unlock(&bw_sched.lock);
	bw_g_put_all(&left);
	if (bw_sysmon_start())
		bw_throw("no thread for sysmon");
}

void bw_run_end(void)
{
	bw_lock(&bw_sched.lock);
	WRITE_ONCE(bw_sched.first, NULL);
	/* pairs with who minds the clock (idle.c) */
	__atomic_store_n(&bw_sched.ending, true, __ATOMIC_SEQ_CST);
	bw_p_set_locked(bw_sched.nr_procs);
	bw_m_wake_all_locked();
	bw_unlock(&bw_sched.lock);
	bw_poll_poke(0);
}

/* No thread but those in calls, and nobody has a P that he may yet give away. */
static bool is_over_locked(void)
{
	return bw_sched.ending && bw_sched.nr_m == bw_sched.nr_blocked &&
	       !bw_sched.nr_live_p;
}

void bw_run_tell_locked(void)
{
	if (is_over_locked())
		bw_parker_unpark(&bw_sched.done);
}

static void park_done(struct bw_m *m, void *arg)
{
	bw_parker_park(&bw_sched.done);
}

/* A caller that has objects may be looked at meanwhile. */
static void wait_done(struct bw_m *m)
{
	if (!m) {
		park_done(NULL, NULL);
		return;
	}
	bw_m_enter_soft(m);
	bw_rest(m, park_done, NULL);
	bw_m_exit(m);
}

/* Until no thread runs Gs. */
static void wait_for_end(void)
{
	bool over;

	for (;;) {
		bw_lock(&bw_sched.lock);
		over = is_over_locked();
		bw_unlock(&bw_sched.lock);
		if (over)
			return;
		wait_done(bw_m_self());
	}
}

/* Threads that are in calls are no longer of this run, whose number it returns. */
static u32 run_number_next(void)
{
	u32 run;

	bw_lock(&bw_sched.lock);
	/* the collector looks at it without the lock */
	run = bw_sched.run;
	WRITE_ONCE(bw_sched.run, run + 1);
	bw_unlock(&bw_sched.lock);
	return run;
}

/**
 * struct leftovers - Gs that are dropped				[caller]
 */
struct leftovers {
	u32 run;
	struct bw_glist list;
};

static void drop_one(struct bw_g *g, void *arg)
{
	struct leftovers *l = arg;
	u32 state = READ_ONCE(g->state);

	/* a helper of the collector may be getting its own just now */
	if (!READ_ONCE(g->bare) && g->run == l->run &&
	    (state == BW_G_RUNNABLE || state == BW_G_PARKED) && bw_g_drop(g))
		bw_glist_add(&l->list, g);
}

static void run_clean(void)
{
	struct leftovers l = { .run = 0 };

	/* it makes Gs for timers, of this run */
	bw_sysmon_end();
	bw_timers_clean();
	bw_netpoll_clean();
	l.run = run_number_next();
	bw_m_join_dead();
	/* all of it is of this run: queues link Gs that are dropped now */
	bw_lock(&bw_sched.lock);
	bw_glist_forget(&bw_sched.global);
	bw_unlock(&bw_sched.lock);
	bw_g_each(drop_one, &l);
	bw_g_put_all(&l.list);
}

int bw_run(int (*fn)(void *arg), void *arg)
{
	struct start start = { fn, arg };
	struct bw_m *m = bw_m_self();
	struct bw_g *g;

	if (bw_sched.cut_off)
		bw_m_need("bw_run");
	if (m && !m->implied)
		bw_fatal("bw_run() by G %llu: a run is not part of another",
			 (unsigned long long)m->g->id);
	if (xchg(&running, 1))
		bw_fatal("bw_run() while another is under way");
	bw_sched_init();
	run_begin();
	g = bw_g_new("main", first_main, &start, NULL);
	if (!g)
		bw_throw("no memory for the first G");
	bw_sched.result = 0;
	WRITE_ONCE(bw_sched.first, g);
	bw_global_put_one(g);
	bw_m_start(NULL, false);
	wait_for_end();
	run_clean();
	/* pairs with the next bw_run() */
	smp_store_release(&running, 0);
	return bw_sched.result;
}

void bw_run_forked(void)
{
	WRITE_ONCE(running, 0);
}

bool bw_is_running(void)
{
	return READ_ONCE(running);
}

int bw_procs(int n)
{
	u32 i;
	int old;

	if (n < 0 || n > (int)BW_MAX_PROCS)
		return -EINVAL;
	bw_check(bw_m_enter("bw_procs"));
	bw_lock(&bw_sched.procs_lock);
	old = (int)bw_sched.nr_wanted;
	for (i = bw_sched.nr_made; i < (u32)n; i++)
		if (bw_p_make(i))
			bw_throw("no memory for a P");
	if (n) {
		bw_lock(&bw_sched.lock);
		bw_sched.nr_wanted = (u32)n;
		bw_p_set_locked((u32)n);
		bw_unlock(&bw_sched.lock);
	}
	bw_unlock(&bw_sched.procs_lock);
	bw_wake(NULL);
	bw_m_exit_here();
	return old;
}
