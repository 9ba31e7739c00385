// SPDX-License-Identifier: MIT
/*
 * hybrid: marking while the program runs.
 *
 *	bw_hybrid()			<- here, in the collector's thread
 *	  set_up()			   a stop: barrier on, what may be taken is
 *					   black, roots and running stacks
 *	  scan_waiting()		   stacks of Gs that wait
 *	  mark_some()			   by us for a share of the time, by the gang
 *					   where CPUs are idle
 *	    bw_assist()			   and by who takes memory too fast
 *	  terminate()			   a stop: is that all? barrier off
 *
 * The *snapshot* is what could be reached when set_up() had the world stopped.
 * Running stacks and roots are looked at in that stop; a stack that waits before
 * it runs again (sched/scan.c); and what a store into an object overwrites is
 * noted (barrier.h). So all of the snapshot is marked, what is made meanwhile is
 * black, and there is nothing else a program could have.
 *
 * L1. Marking goes on until terminate() finds, with the world stopped and all
 *     buffers flushed, that running stacks have nothing that is not marked, and
 *     that no words are left. It looks no longer than BUDGET at what it finds, and
 *     starts the world again if that was not enough.
 * L2. Each assist enters and leaves as any marker does (W1 in work.h), so the gang
 *     does not go home while one has words; in terminate() there is none.
 * L3. As many of the gang mark as there are idle Ps, at least the collector's thread
 *     with its share. One more would have the CPU of a running P, for as long as the
 *     kernel lets it: some milliseconds.
 */
#include <sched.h>
#include <time.h>

#include "barrier.h"
#include "base/hooks.h"
#include "burrow/barrier.h"
#include "collector.h"
#include "jobs.h"
#include "root.h"
#include "sched/sched.h"
#include "sched/stop.h"

#define SLICE		(256UL << 10)	/* bytes looked into, between looks */
#define BUDGET		(256UL << 10)	/* and in the last stop */
#define SHARE		4U		/* a quarter of all CPUs */
#define ASSIST_LEAST	(16UL << 10)
#define ASSIST_MOST	(64UL << 10)

/* Where the collector's thread has words, while it scans stacks that wait. */
static __thread struct bw_marker *mine
	__attribute__((tls_model("initial-exec")));

static void marker_begin(struct bw_collector *c, struct bw_marker *m)
{
	/* whoever has them gives them back, and in a stop nobody has one (L2) */
	while (!bw_marker_init(m, c->h, &c->pool, true))
		sched_yield();
}

/* By whoever runs a G next, or by us. */
static void scan_range(const char *low, const char *end, void *arg)
{
	struct bw_collector *c = arg;
	struct bw_marker m;

	if (mine) {
		bw_mark_roots(mine, low, end);
		return;
	}
	marker_begin(c, &m);
	bw_mark_roots(&m, low, end);
	bw_marker_fini(&m);
}

static void marker_end(struct bw_collector *c, struct bw_marker *m)
{
	bw_gc_count(c, m);
	bw_marker_fini(m);
}

static void set_up(void *arg)
{
	struct bw_collector *c = arg;
	struct bw_marker m;
	u64 from = bw_gc_now();

	bw_world_stop("garbage collection begins");
	c->times.stopped = bw_gc_now();
	c->times.to_stop = c->times.stopped - from;
	BW_UP(cycle_begins);
	bw_gc_verify(c, "before marking");
	c->before = READ_ONCE(c->h->gc.live);
	WRITE_ONCE(c->h->gc.marking, 1);
	c->black = -c->before + bw_sweep_blacken(c->h);
	__atomic_store_n(&bw_barrier_on, 1, __ATOMIC_SEQ_CST);
	bw_pacer_begin(c);
	bw_scan_begin(scan_range, c);
	bw_jobs_begin();
	bw_gc_roots(c, false);
	marker_begin(c, &m);
	bw_jobs_do(&m);
	bw_gc_mark_lost(&m, false);
	marker_end(c, &m);
	c->times.first = bw_gc_now() - c->times.stopped;
	bw_world_start();
}

static void scan_waiting(struct bw_collector *c)
{
	struct bw_marker m;

	marker_begin(c, &m);
	mine = &m;
	bw_scan_all();
	mine = NULL;
	marker_end(c, &m);
}

/**
 * struct share - of the CPU time that the collector's thread had
 * @wall:	since when it counts
 * @cpu:	what it had had before
 */
struct share {
	u64 wall;
	u64 cpu;
};

static void share_begin(struct share *s)
{
	s->wall = bw_gc_now();
	s->cpu = bw_gc_cpu_now();
}

/* What we have is for who assists meanwhile. */
static void let_others(struct bw_collector *c, struct bw_marker *m, u64 ns)
{
	const struct timespec ts = { .tv_nsec = (long)ns };

	marker_end(c, m);
	nanosleep(&ts, NULL);
	marker_begin(c, m);
}

/*
 * L3. The collector's thread is the first of the gang. Where no P is idle it has its
 * share of what all CPUs have, and sleeps if it had more.
 */
static void pace(struct bw_collector *c, struct bw_marker *m, u32 i,
		 struct share *s)
{
	u64 cpus = max(READ_ONCE(bw_sched.nr_procs), 1U), wall, due;

	if (READ_ONCE(bw_sched.nr_idle_p) > i) {
		if (!i)
			share_begin(s);
		return;
	}
	if (i) {
		let_others(c, m, 500000);
		return;
	}
	wall = bw_gc_now() - s->wall;
	due = (bw_gc_cpu_now() - s->cpu) * SHARE / cpus;
	if (due > wall + 200000)
		let_others(c, m, min(due - wall, 1000000UL));
}

static void mark_one(u32 i, void *arg)
{
	struct bw_collector *c = arg;
	struct bw_workbuf *b;
	struct bw_marker m;
	struct share s;

	share_begin(&s);
	marker_begin(c, &m);
	for (;;) {
		bool more = !bw_mark_drain(&m, SLICE);

		bw_gc_count(c, &m);
		if (more) {
			pace(c, &m, i, &s);
			continue;
		}
		b = bw_work_wait(&c->pool);
		if (!b)
			break;
		bw_marker_take(&m, b);
	}
	marker_end(c, &m);
}

static void mark_some(struct bw_collector *c)
{
	u32 i, nr = bw_gang_size();

	bw_work_begin(&c->pool);
	for (i = 0; i < nr; i++)
		bw_work_enter(&c->pool);
	bw_gang_run(mark_one, c);
}

/* All that threads have noted, and what they have on stacks just now. */
static void look_again(struct bw_collector *c, struct bw_marker *m)
{
	struct bw_mcache *at;

	if (c->h->gc.broken & BW_BROKEN_RECHECK)
		return;
	for (at = c->h->gc.caches; at; at = at->next)
		if (at->nr_shades)
			bw_shades_flush(at);
	bw_jobs_begin();
	bw_world_each_thread(bw_job_add, NULL);
	bw_jobs_do(m);
	bw_gc_mark_lost(m, false);
}

static void finish(struct bw_collector *c)
{
	bw_gc_mark_last(c);
	__atomic_store_n(&bw_barrier_on, 0, __ATOMIC_SEQ_CST);
	bw_scan_end();
	if (c->check || c->typecheck)
		bw_gc_check(c);
	WRITE_ONCE(c->h->gc.marking, 0);
	bw_sweep_flush(c->h);
	c->after = READ_ONCE(c->h->gc.live);
	bw_gc_marked(c, c->black + c->after);
	bw_gc_verify(c, "after marking");
	c->terminated = true;
}

static void terminate(void *arg)
{
	struct bw_collector *c = arg;
	struct bw_marker m;
	u64 stopped;
	bool all;

	bw_world_stop("garbage collection ends");
	stopped = bw_gc_now();
	marker_begin(c, &m);
	look_again(c, &m);
	all = bw_mark_drain(&m, BUDGET) ||
	      c->h->gc.broken & BW_BROKEN_RECHECK;
	marker_end(c, &m);
	if (all)
		finish(c);
	c->times.last = bw_gc_now() - stopped;
	c->times.pause += c->times.last;
	c->times.longest = max(c->times.longest, c->times.last);
	bw_world_start();
}

bool bw_hybrid(struct bw_collector *c)
{
	const struct timespec later = { .tv_nsec = 1000000 };
	u64 cpu = bw_gc_cpu_now() + bw_gang_cpu();

	c->terminated = false;
	if (!bw_root_hold(set_up, c))
		return false;
	c->times.pause = c->times.first;
	c->times.longest = c->times.first;
	bw_gc_forks_go();
	scan_waiting(c);
	for (;;) {
		mark_some(c);
		c->times.marked = bw_gc_now();
		bw_gc_forks_wait();
		/* libraries are held for those who look at all roots again */
		while (!bw_root_hold(terminate, c))
			nanosleep(&later, NULL);
		if (c->terminated)
			break;
		bw_gc_forks_go();
	}
	c->times.cpu = bw_gc_cpu_now() + bw_gang_cpu() - cpu;
	return true;
}

/*
 * A refill, in a section: as much is to be marked as the pacer wants for what was
 * taken since marking began, less what was marked by then. Where there is nothing to
 * be had, and the goal is passed, whoever has it goes first.
 */
void bw_assist(struct bw_collector *c)
{
	s64 debt = bw_pacer_debt(c);
	struct bw_marker m;
	u64 cpu;

	if (debt < (s64)ASSIST_LEAST)
		return;
	/* all words are in the hands of others: they are to give some */
	if (!READ_ONCE(c->pool.nr_full)) {
		WRITE_ONCE(c->pool.hungry, 1);
		if (bw_pacer_is_late(c))
			sched_yield();
		return;
	}
	bw_work_enter(&c->pool);
	if (READ_ONCE(c->pool.nr_full) &&
	    bw_marker_init(&m, c->h, &c->pool, true)) {
		cpu = bw_gc_cpu_now();
		bw_mark_drain(&m, debt < (s64)ASSIST_MOST ? (u64)debt :
							    ASSIST_MOST);
		marker_end(c, &m);
		fetch_add_relaxed(&c->assist_cpu, bw_gc_cpu_now() - cpu);
	}
	bw_work_leave(&c->pool);
}
