// SPDX-License-Identifier: MIT
/*
 * start: the collector's thread, and who asks it for a cycle.
 *
 *	refill(), bw_large_alloc()	heap/	enough was taken
 *	  bw_collector_due()		<- here: asks, and goes on
 *	bw_gc()				api.c
 *	  bw_collector_run()		<- here: asks, and waits
 *	collector_main()		<- here: a cycle for all that asked before it
 *	  bw_gc_cycle()			cycle.c
 *
 * The thread is made when the first cycle is due. To the scheduler it is a
 * helper: an M that may stop the world, whose stack is no root.
 *
 * Z1. @wanted goes up when somebody asks; a cycle ends with @done at what
 *     @wanted was before it began. So who asked sees all of a cycle.
 * Z2. @no_forks is held for all of a cycle but marking and sweeping while the program
 *     runs, and by fork() from our handler to the end, with the locks of what programs
 *     give us. So a child finds the lists of the collector whole, and if the heap is
 *     half marked, it is the heap's to forget that (Y3 in heap/mcache_fork.c). What
 *     markers had in their hands is lost, and buffers are made anew.
 * Z3. @busy is held for all of a cycle, and of a slice (scavenge.c).
 *
 * Rejected: forks wait for all of it. A fork of a server with 1 GiB of objects would wait
 * for seconds.
 */
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "barrier.h"
#include "base/error.h"
#include "base/futex.h"
#include "base/hooks.h"
#include "base/options.h"
#include "base/section.h"
#include "base/throw.h"
#include "burrow/barrier.h"
#include "collector.h"
#include "leak.h"
#include "root.h"
#include "sched/sched.h"
#include "sched/stop.h"
#include "special.h"

#define POOL_MAX	(1U << 24)	/* 64 GiB of words */

struct bw_collector bw_collector;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static u32 started, busy, no_forks;

u64 bw_gc_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

u64 bw_gc_cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* As locks, but who waits may be stopped. */
static void hold(u32 *word)
{
	u32 old = BW_LOCK_FREE;

	if (try_cmpxchg(word, &old, BW_LOCK_HELD))
		return;
	while (xchg(word, BW_LOCK_CONTENDED) != BW_LOCK_FREE)
		bw_futex_wait(word, BW_LOCK_CONTENDED, 0);
}

static void go_on(u32 *word)
{
	if (xchg(word, BW_LOCK_FREE) == BW_LOCK_CONTENDED)
		bw_futex_wake(word, 1);
}

static void hold_at_rest(struct bw_m *m, void *arg)
{
	hold(arg);
}

/* Not the collector's thread itself. A stop that goes on has us at rest. */
void bw_collector_hold(void)
{
	struct bw_m *m = bw_m_self();

	if (!m) {
		hold(&busy);
		return;
	}
	bw_m_enter_soft(m);
	bw_rest(m, hold_at_rest, &busy);
	bw_m_exit(m);
}

void bw_collector_go_on(void)
{
	go_on(&busy);
}

void bw_gc_forks_wait(void)
{
	hold(&no_forks);
}

void bw_gc_forks_go(void)
{
	go_on(&no_forks);
}

static void fork_prepare(void)
{
	hold(&no_forks);
	bw_word_lock(bw_special_lock());
	bw_word_lock(bw_root_lock());
}

static void fork_parent(void)
{
	bw_word_unlock(bw_root_lock());
	bw_word_unlock(bw_special_lock());
	go_on(&no_forks);
}

/*
 * The threads are not here, and what some of them were marking is nobody's. There are
 * no cycles until bw_after_fork().
 */
static void fork_child(void)
{
	struct bw_collector *c = &bw_collector;

	bw_word_reset(bw_root_lock());
	bw_word_reset(bw_special_lock());
	busy = BW_LOCK_FREE;
	no_forks = BW_LOCK_FREE;
	started = 0;
	bw_gang_forked();
	bw_work_init(&c->pool, POOL_MAX);
	bw_barrier_on = 0;
	c->wanted = 0;
	c->done = 0;
	c->forced = 0;
	c->leaks_wanted = 0;
	c->scavenger.asked = 0;
	bw_leaks_forget();
	c->pacer.goal = INT64_MAX;
	c->pacer.not_before = 0;
	if (!c->h)
		return;
	c->h->gc.trigger = INT64_MAX;
	c->h->gc.scavenger = 0;
	c->h->retain = 0;
}

/* bw_after_fork(): a stop knows the only thread there is. */
static void child_begins(void)
{
	if (bw_collector.h)
		bw_pacer_renew(&bw_collector);
}

static void init_once(void)
{
	struct bw_collector *c = &bw_collector;
	struct bw_options o;

	/* its handlers of fork() are inside of ours (Z2) */
	bw_sched_init();
	bw_options_init(&o);
	if (bw_options_from_env(&o))
		bw_fatal("%s", bw_error_last());
	c->trace = o.gctrace;
	c->pacer_trace = o.gcpacertrace;
	c->check = o.gccheckmark;
	c->verify = o.gcverify;
	c->typecheck = o.typecheck;
	c->every = o.gcevery;
	c->leakcheck = o.leakcheck;
	c->stw = o.gcstoptheworld;
	c->origin = bw_gc_now();
	bw_work_init(&c->pool, POOL_MAX);
	bw_pacer_init(c);
	if (pthread_atfork(fork_prepare, fork_parent, fork_child))
		bw_throw("no memory for a fork handler");
}

void bw_collector_setup(void)
{
	pthread_once(&once, init_once);
}

static void collector_init(struct bw_mheap *h)
{
	struct bw_collector *c = &bw_collector;

	bw_collector_setup();
	/* all who come here come with the same */
	if (READ_ONCE(c->h))
		return;
	WRITE_ONCE(c->h, h);
	bw_pacer_renew(c);
}

/* There is no cycle to be done, as the one who rang @bell last knew. */
static void rest(struct bw_collector *c, u32 bell)
{
	u64 until;

	hold(&busy);
	bw_gc_forks_wait();
	until = bw_scavenge_some(c);
	bw_gc_forks_go();
	go_on(&busy);
	bw_futex_wait(&c->bell, bell, until);
}

static void *collector_main(void *arg)
{
	const struct timespec later = { .tv_nsec = 10000000 };
	struct bw_collector *c = arg;
	u32 want, bell;

	/* there is no memory: the heap grows meanwhile */
	while (bw_helper_begin())
		nanosleep(&later, NULL);
	bw_helpers_add(bw_gang_init(bw_cpus()) - 1);
	for (;;) {
		/* pairs with bw_collector_wake(): before what it is for */
		bell = smp_load_acquire(&c->bell);
		want = READ_ONCE(c->wanted);
		if (want == c->done) {
			rest(c, bell);
			continue;
		}
		hold(&busy);
		bw_gc_forks_wait();
		bw_gc_cycle(c);
		bw_gc_forks_go();
		go_on(&busy);
		WRITE_ONCE(c->forced, 0);
		/* pairs with bw_collector_run() */
		smp_store_release(&c->done, want);
		bw_futex_wake(&c->done, INT_MAX);
	}
	return NULL;
}

/* With all signals blocked but the one that stops the world, as all Ms have. */
static void collector_start(void)
{
	sigset_t all, old;
	pthread_t t;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&t, NULL, collector_main, &bw_collector);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		bw_fatal("the collector's thread cannot be made: %s",
			 bw_errno_name(err));
	pthread_setname_np(t, "burrow-gc");
	pthread_detach(t);
}

void bw_collector_wake(void)
{
	/* pairs with collector_main() */
	__atomic_fetch_add(&bw_collector.bell, 1, __ATOMIC_SEQ_CST);
	bw_futex_wake(&bw_collector.bell, 1);
}

static void ask(struct bw_collector *c, u32 was)
{
	if (!try_cmpxchg(&c->wanted, &was, was + 1))
		return;
	if (!READ_ONCE(started) && !xchg(&started, 1))
		collector_start();
	bw_collector_wake();
}

/* In a section: it cannot wait here. Far beyond, the collector goes first. */
void bw_collector_due(struct bw_mheap *h)
{
	struct bw_collector *c = &bw_collector;
	u32 was = READ_ONCE(c->wanted);
	u64 wait;

	if (h != READ_ONCE(c->h) || bw_sched.cut_off)
		return;
	if (READ_ONCE(h->gc.marking)) {
		bw_assist(c);
		return;
	}
	if (c->every && fetch_add_relaxed(&c->refills, 1) % c->every)
		return;
	wait = READ_ONCE(c->pacer.not_before);
	if (wait && bw_gc_now() < wait)
		return;
	if (was == READ_ONCE(c->done))
		ask(c, was);
	else if (bw_pacer_is_late(c))
		sched_yield();
}

static void wait_for(struct bw_m *m, void *arg)
{
	const u32 *want = arg;
	struct bw_collector *c = &bw_collector;
	u32 done;

	/* pairs with collector_main() */
	while ((s32)((done = smp_load_acquire(&c->done)) - *want) < 0)
		bw_futex_wait(&c->done, done, 0);
}

void bw_collector_run(void)
{
	struct bw_collector *c = &bw_collector;
	struct bw_mheap *h = bw_mheap();
	struct bw_m *m;
	u32 want;

	if (!h || bw_sched.cut_off)
		return;
	collector_init(h);
	WRITE_ONCE(c->forced, 1);
	want = __atomic_add_fetch(&c->wanted, 1, __ATOMIC_SEQ_CST);
	if (!READ_ONCE(started) && !xchg(&started, 1))
		collector_start();
	bw_collector_wake();
	m = bw_m_self();
	if (!m) {
		wait_for(NULL, &want);
		return;
	}
	bw_m_enter_soft(m);
	bw_rest(m, wait_for, &want);
	bw_m_exit(m);
}

/* The first object of a thread: from now on it may have pointers to some. */
static void thread_begins(struct bw_mheap *h)
{
	if (bw_sched.cut_off)
		return;
	collector_init(h);
	if (!bw_m_self() && bw_implied_begin())
		bw_throw("no place for one more thread that allocates");
}

static void thread_ends(struct bw_mheap *h)
{
	if (!bw_sched.cut_off)
		bw_implied_end();
}

void bw_collector_hooks(void)
{
	bw_up_gc_due = bw_collector_due;
	bw_up_memory_idle = bw_scavenge_ask;
	bw_up_object_freed = bw_special_freed;
	bw_up_shades_full = bw_shades_flush;
	bw_up_thread_begins = thread_begins;
	bw_up_thread_ends = thread_ends;
	bw_up_run_ends = bw_leaks_tell;
	bw_up_child_begins = child_begins;
}
