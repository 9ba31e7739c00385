// SPDX-License-Identifier: MIT
/*
 * cycle: the phases of a collection.
 *
 *	bw_gc_cycle()		<- here, in the collector's own thread
 *	  finish_sweep()	   what the last one left
 *	  plain()		   one stop for all of the marking, or
 *	  bw_hybrid()		hybrid.c: two short ones
 *	  bw_special_run()	special.c: finalizers that are due
 *	  finish_sweep()	   while the program runs
 *	  bw_pacer_scavenge()	pacer.c: what is over the limit goes at once
 *	  bw_scavenge_begin()	scavenge.c: and other memory little by little
 *
 * *Plain* needs nothing of the program:
 *
 *	bw_root_hold()		root.c	libraries stay in place
 *	  bw_world_stop()	sched/stop.c
 *	  mark_all()		   from all roots, by the whole gang
 *	    bw_leaks_find()	leak.c	if somebody asked for it
 *	  bw_marked()		   everything is unswept, the next goal is known
 *	  bw_world_start()
 *
 * and so is a cycle that looks for Gs that wait for ever, in either mode.
 *
 * G1. From bw_world_stop() on no thread is inside of the allocator or has a lock
 *     of ours: all its slow paths are sections, its fast ones leaves. So mcaches
 *     can be flushed by us.
 * G2. The gang's threads and this one have pointers to objects in registers and
 *     on stacks, but none that keep anything: theirs are no roots.
 * G3. A cycle takes memory of its own before anything is marked, or does not
 *     begin; from then on it needs no more. Where there are no buffers, see W2;
 *     where there is no memory for a list of roots, one marker looks at them all.
 */
#include "base/hooks.h"
#include "base/throw.h"
#include "check.h"
#include "collector.h"
#include "jobs.h"
#include "leak.h"
#include "root.h"
#include "sched/stop.h"
#include "special.h"

#define ALONE_BYTES	(1 << 20)	/* not worth waking anybody */
#define SWEEP_AT_ONCE	64U
#define BUFFERS		4U		/* of words, for each of the gang */
#define LATER_NS	10000000UL

void bw_gc_finish_sweep(struct bw_collector *c)
{
	while (bw_sweep_some(c->h, SWEEP_AT_ONCE))
		;
	bw_sweep_limbo(c->h);
}

void bw_gc_count(struct bw_collector *c, struct bw_marker *m)
{
	fetch_add_relaxed(&c->marked, m->bytes);
	fetch_add_relaxed(&c->scanned, m->scanned);
	m->bytes = 0;
	m->scanned = 0;
}

/* One of the gang. */
static void mark_main(u32 i, void *arg)
{
	struct bw_collector *c = arg;
	struct bw_marker m;

	if (i >= c->nr_markers)
		return;
	if (!bw_marker_init(&m, c->h, &c->pool, c->nr_markers > 1)) {
		if (!i)
			bw_throw("no memory to mark with");
		bw_work_leave(&c->pool);
		return;
	}
	bw_jobs_do(&m);
	bw_mark_drain_all(&m);
	bw_gc_count(c, &m);
	bw_marker_fini(&m);
}

static void drain_alone(struct bw_marker *m)
{
	bw_mark_drain(m, UINT64_MAX / 2);
	bw_mark_overflow(m);
}

/*
 * What others may have lost for want of memory (W2 in work.h), and who is dead
 * and has a finalizer or a weak reference: by one alone.
 */
void bw_gc_mark_last(struct bw_collector *c)
{
	struct bw_marker m;

	if (!bw_marker_init(&m, c->h, &c->pool, false))
		bw_throw("no memory to mark with");
	if (c->running == BW_GC_PLAIN)
		bw_gc_mark_lost(&m, true);
	drain_alone(&m);
	bw_special_dead(&m, drain_alone);
	bw_gc_count(c, &m);
	bw_marker_fini(&m);
}

/* Stacks of Gs that wait for objects: those of which these were marked, first. */
static void mark_leaks(struct bw_collector *c)
{
	struct bw_marker m;

	if (!bw_marker_init(&m, c->h, &c->pool, false))
		bw_throw("no memory to mark with");
	drain_alone(&m);
	bw_leaks_find(c, &m, drain_alone);
	bw_gc_count(c, &m);
	bw_marker_fini(&m);
}

static void check_range(const char *low, const char *end, void *arg)
{
	bw_check_roots(arg, low, end);
}

/* In the stop, libraries held, after the last mark. */
void bw_gc_check(struct bw_collector *c)
{
	struct bw_check k;

	if ((!c->check && !c->typecheck) ||
	    !bw_check_begin(&k, c->h, c->typecheck))
		return;
	k.meanwhile = c->running != BW_GC_PLAIN;
	k.stale = k.meanwhile;
	bw_jobs_begin();
	bw_world_each_stack(bw_job_add, NULL);
	bw_jobs_each(check_range, &k);
	k.stale = false;
	bw_jobs_begin();
	bw_root_each(bw_job_add, NULL);
	bw_special_roots(bw_job_add, NULL);
	bw_jobs_each(check_range, &k);
	bw_check_end(&k);
}

void bw_gc_roots(struct bw_collector *c, bool waiting)
{
	if (waiting && !c->leaks)
		bw_world_each_stack(bw_job_add, NULL);
	else
		bw_world_each_thread(bw_job_add, NULL);
	if (c->leaks)
		bw_leaks_begin(c);
	c->pacer.stacks = bw_jobs_bytes();
	bw_root_each(bw_job_add, NULL);
	bw_special_roots(bw_job_add, NULL);
	c->pacer.globals = bw_jobs_bytes() - c->pacer.stacks;
}

void bw_gc_verify(struct bw_collector *c, const char *when)
{
	int bad;

	if (!c->verify)
		return;
	bad = bw_mheap_check(c->h);
	if (bad)
		bw_fatal("gcverify: invariant %d of the heap does not hold %s",
			 bad, when);
}

/* World stopped, mcaches flushed, all is marked; @taken bytes were black. */
void bw_gc_marked(struct bw_collector *c, s64 taken)
{
	if (taken < 0)
		taken = 0;
	WRITE_ONCE(c->pacer.marked, (s64)c->marked + taken);
	WRITE_ONCE(c->h->gc.live, c->pacer.marked);
	bw_sweep_begin(c->h);
	bw_pacer_end(c);
	if (c->stw > 1)
		bw_gc_finish_sweep(c);
}

static void mark_range(const char *low, const char *end, void *arg)
{
	bw_mark_roots(arg, low, end);
}

void bw_gc_mark_lost(struct bw_marker *m, bool waiting)
{
	if (!bw_jobs_lost())
		return;
	if (waiting)
		bw_world_each_stack(mark_range, m);
	else
		bw_world_each_thread(mark_range, m);
	bw_root_each(mark_range, m);
	bw_special_roots(mark_range, m);
}

static void mark_all(struct bw_collector *c)
{
	u32 i;

	c->nr_markers = c->before < ALONE_BYTES ? 1 : bw_gang_size();
	bw_work_begin(&c->pool);
	for (i = 0; i < c->nr_markers; i++)
		bw_work_enter(&c->pool);
	if (c->nr_markers == 1)
		mark_main(0, c);
	else
		bw_gang_run(mark_main, c);
	if (c->leaks)
		mark_leaks(c);
	bw_gc_mark_last(c);
	bw_gc_check(c);
}

static void plain_stop(void *arg)
{
	struct bw_collector *c = arg;
	u64 cpu = bw_gc_cpu_now() + bw_gang_cpu(), from;

	from = bw_gc_now();
	bw_world_stop("garbage collection");
	c->times.stopped = bw_gc_now();
	c->times.to_stop = c->times.stopped - from;
	BW_UP(cycle_begins);
	bw_sweep_flush(c->h);
	bw_gc_verify(c, "before marking");
	c->before = READ_ONCE(c->h->gc.live);
	bw_jobs_begin();
	bw_gc_roots(c, true);
	mark_all(c);
	c->after = c->before;
	bw_gc_marked(c, 0);
	c->times.cpu = bw_gc_cpu_now() + bw_gang_cpu() - cpu;
	c->times.last = bw_gc_now() - c->times.stopped;
	c->times.pause = c->times.last;
	c->times.longest = c->times.last;
	bw_world_start();
}

/* False: there is no memory for it, and nothing was done. */
static bool cycle_try(struct bw_collector *c)
{
	if (!bw_work_reserve(&c->pool, BUFFERS * bw_gang_size()))
		return false;
	if (c->running == BW_GC_PLAIN)
		return bw_root_hold(plain_stop, c);
	return bw_hybrid(c);
}

/* G3: the heap grows meanwhile. */
static void cycle_later(struct bw_collector *c)
{
	WRITE_ONCE(c->pacer.not_before, bw_gc_now() + LATER_NS);
	bw_leaks_none();
	if (!xchg(&c->told, true))
		bw_note("no memory to collect with: it is tried again later");
}

static void cycle_count(struct bw_collector *c)
{
	const struct bw_gc_times *t = &c->times;

	WRITE_ONCE(c->nr, c->nr + 1);
	WRITE_ONCE(c->cpu, c->cpu + t->cpu + READ_ONCE(c->assist_cpu));
	WRITE_ONCE(c->pause, c->pause + t->pause);
	WRITE_ONCE(c->longest, max(c->longest, t->longest));
}

void bw_gc_cycle(struct bw_collector *c)
{
	c->times = (struct bw_gc_times){ .begin = bw_gc_now() };
	c->marked = 0;
	WRITE_ONCE(c->scanned, 0);
	c->assist_cpu = 0;
	/* pairs with bw_leaks() */
	c->leaks = xchg(&c->leaks_wanted, 0);
	c->running = c->stw || c->leaks ? BW_GC_PLAIN : READ_ONCE(c->mode);
	bw_gc_finish_sweep(c);
	if (!cycle_try(c)) {
		cycle_later(c);
		return;
	}
	bw_special_run();
	bw_gc_forks_go();
	bw_gc_finish_sweep(c);
	bw_gc_forks_wait();
	bw_pacer_scavenge(c);
	bw_scavenge_begin(c);
	c->times.end = bw_gc_now();
	cycle_count(c);
	if (c->trace)
		bw_gc_trace(c);
	if (c->pacer_trace)
		bw_pacer_trace(c);
}
