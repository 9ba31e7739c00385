/* SPDX-License-Identifier: MIT */
/*
 * sched: the room's outward header: what rooms above may use of the scheduler,
 * and what its files know of each other.
 *
 *	bw_run()		boot.c	   Ps, the first M and the first G
 *	bw_go()			go.c	   a G into a queue, perhaps a M woken
 *	bw_sched_park()		park.c	   off the stack, then the commit
 *	  bw_switch()		switch_<arch>.S
 *	bw_schedule()		schedule.c what every M does on its own stack
 *	  next()			   local, global, steal
 *	  bw_m_stop()		m.c	   nothing to do: sleep
 *	bw_block_begin()	block.c	   a P left to be taken
 *	sysmon			sysmon.c   takes it
 *
 *	bw_sleep()		sleep.c	   a G and a moment
 *	  bw_timers_add()	timer.c
 *	bw_m_poll()		idle.c	   one of those who sleep minds the clock
 *
 * A *G* is what runs (g.h), a *M* a thread (m.h), a *P* the right to run Gs, with a
 * queue (p.h). A M holds a P while it runs Gs; Ms without one sleep, are in a
 * blocking call, or are attached threads.
 */
#ifndef BW_SCHED_SCHED_H
#define BW_SCHED_SCHED_H

#include "base/lock.h"
#include "base/options.h"
#include "m.h"
#include "p.h"

#define BW_MAX_PROCS	1024U

#define load_seq(p)	__atomic_load_n((p), __ATOMIC_SEQ_CST)

static inline void bw_cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

/**
 * struct bw_sched - the scheduler of the process
 * @heap:	for parkers						[const]
 * @mheap:	the same, for stacks					[const]
 * @stack_bytes: address space of a stack				[const]
 * @max_m:	threads at most						[const]
 * @deadlock:	enum bw_deadlock					[const]
 * @schedtrace:	ms from line to line, 0: none				[const]
 * @scheddetail: with a line for each G, M and P			[const]
 * @quit_goes_on: SIGQUIT is no end					[const]
 * @clock:	CLOCK_MONOTONIC, some ms ago at most while anything runs [atomic]
 * @p:		every P that ever was, by index				[const]
 * @nr_made:	how many						[procs_lock]
 * @nr_wanted:	what bw_procs() says					[procs_lock]
 * @run:	number of the run					[lock]
 * @ending:	the first G has ended					[lock]
 * @nr_idle_p:	Ps in the idle list					[lock]
 * @nr_spinning: Ms that spin						[atomic]
 * @global:	Gs that wait for any P					[lock]
 * @nr_procs:	Ps there are to be					[lock]
 * @nr_live_p:	Ps that are not NONE					[lock]
 * @idle_p:	by link							[lock]
 * @all_m:	by all; only grows at its head				[lock, atomic]
 * @idle_m:	by link							[lock]
 * @free_m:	by link							[lock]
 * @dead_m:	ended, to be joined, by link				[lock]
 * @nr_m:	threads of this run					[lock]
 * @nr_idle_m:	of them, asleep without a P				[lock]
 * @nr_blocked:	of them, in a call and without their P			[lock]
 * @nr_lost:	of them, running a G whose P was taken			[lock]
 * @nr_overruns: Ps taken from Gs that overran their slice		[lock]
 * @no_membarrier: the stop's signal has to do for it			[const]
 * @nr_helpers:	threads of the collector				[atomic]
 * @nr_attached: attached threads					[atomic]
 * @next_id:	numbers for Gs						[atomic]
 * @next_m:	number of the next M					[lock]
 * @nr_m_made:	threads ever						[lock]
 * @nr_m_woken:	times one was made or woken for a P			[lock]
 * @nr_taken:	Ps taken out of calls					[lock]
 * @count:	what was counted without a P				[atomic]
 * @nr_futile:	Ms in a row that were woken for nothing			[atomic]
 * @told:	a deadlock was reported					[atomic]
 * @sysmon_asleep: it sleeps until it is kicked				[atomic]
 * @waker_cpu:	where somebody was last woken for a lone G		[atomic]
 * @crowded:	until then nobody is to be; or 0			[atomic]
 * @sysmon:	where it sleeps						[const]
 * @done:	where bw_run() sleeps					[const]
 * @first:	the first G, until it ends				[atomic]
 * @result:	what bw_run() returns					[first]
 * @cut_off:	this is a child that did not call bw_after_fork()	[atomic]
 */
struct bw_sched {
	struct bw_heap *heap;
	struct bw_mheap *mheap;
	size_t stack_bytes;
	u32 max_m;
	u32 deadlock;
	u32 schedtrace;
	bool scheddetail;
	bool quit_goes_on;
	u64 clock;
	struct bw_p *p[BW_MAX_PROCS];
	struct bw_lock procs_lock;
	u32 nr_made;
	u32 nr_wanted;
	u32 run;
	bool ending;
	bool cut_off;
	u32 nr_helpers;
	u32 nr_attached;
	struct bw_g *first;
	int result;

	/* read at every submission, written when a P or M goes idle */
	u32 nr_idle_p __aligned(64);
	u32 nr_spinning;
	u32 nr_futile;
	u32 sysmon_asleep;
	int waker_cpu;
	u64 crowded;

	struct bw_lock lock __aligned(64);
	struct bw_glist global;
	u32 nr_procs;
	u32 nr_live_p;
	struct bw_p *idle_p;
	struct bw_m *all_m;
	struct bw_m *idle_m;
	struct bw_m *free_m;
	struct bw_m *dead_m;
	u32 nr_m;
	u32 nr_idle_m;
	u32 nr_blocked;
	u32 nr_lost;
	u32 next_m;
	u32 told;
	u64 nr_m_made;
	u64 nr_m_woken;
	u64 nr_taken;
	u64 nr_overruns;
	bool no_membarrier;

	u64 next_id __aligned(64);
	u64 count[BW_NR_COUNTS];
	struct bw_parker sysmon;
	struct bw_parker done;
};

/* @sysmon_asleep, see sysmon.c. */
enum { BW_SYSMON_AWAKE, BW_SYSMON_ASLEEP, BW_SYSMON_NAPS };

void bw_sysmon_kick(void);

extern struct bw_sched bw_sched;

/* @n more; @p is the caller's or NULL. */
static inline void bw_count_add(struct bw_p *p, enum bw_count which, u64 n)
{
	if (likely(p))
		WRITE_ONCE(p->count[which], p->count[which] + n);
	else
		fetch_add_relaxed(&bw_sched.count[which], n);
}

static inline void bw_count(struct bw_p *p, enum bw_count which)
{
	bw_count_add(p, which, 1);
}

/* schedtrace.c: brings bw_sched.clock up to date. Who waits for long does it. */
void bw_clock_tick(void);

/*
 * For rooms above: the calling G waits for bw_sched_ready(). Once it is off its
 * stack, commit(g, arg) publishes it (drops the lock under which it was put in
 * a wait list); false: it goes on at once. A commit does not park and does not
 * keep what it locked. @reason is for dumps, constant.
 */
void bw_sched_park(bw_commit_fn *commit, void *arg, const char *reason);

/* The same, for a G that was put in a wait list under @lock. */
void bw_sched_park_unlock(struct bw_lock *lock, const char *reason);

/*
 * Before any of these and without a deadline: what the G waits for comes by one of
 * the @nr objects of the collector's that @on has, which stays where it is until
 * the G goes on and says 0. If nobody can reach any of them but Gs that wait like
 * that, they wait for ever (gc/leak.c). A G that says nothing may be awaited.
 */
static inline void bw_sched_waits_on(struct bw_g *self, const void *const *on,
				     u32 nr)
{
	self->on = on;
	self->nr_on = nr;
}

/* It is to go on, exactly once for each park. From any thread. */
void bw_sched_ready(struct bw_g *g);

/*
 * sleep.c. The same with a deadline (BW_NEVER: none), for a G that whoever readies
 * it must have won first; so it may stand in more than one wait list. Before it
 * puts itself there it asks for the ticket of its next wait, and then it waits,
 * with no other wait in between. 0: somebody won; -ETIMEDOUT: the deadline did,
 * and it takes itself out of every list; -ENOMEM: the same, at once, as there is no
 * memory for a deadline.
 */
u64 bw_sched_ticket(void);
int bw_sched_park_until(bw_commit_fn *commit, void *arg, const char *reason,
			u64 deadline);

/*
 * True: the wait with this ticket is over, and the caller owes bw_sched_ready().
 * For tickets from a list whose lock the commit drops.
 */
bool bw_sched_win(struct bw_g *g, u64 ticket);

/* A length from now on, as a moment; BW_NEVER where there is no such number. */
u64 bw_deadline_in(u64 ns);

/* idle.c: a M without a P; true: it minded the clock for a while. */
bool bw_m_poll(struct bw_m *m);
/* Something is to happen at @when: is he who minds the clock asleep beyond it? */
void bw_poll_poke(u64 when);
/* Nobody waits for descriptors: a look, and what is ready to the ring. */
void bw_poll_now(struct bw_m *m);
/* There is something to wait for, and nobody does. */
bool bw_poll_is_lacking(void);
/* All other Ms sleep: he who minds the clock may have nothing to wait for. */
void bw_poll_doubt(void);
int bw_poll_init(void);
/* sysmon: is anything left undone? True: it was, until now. */
bool bw_poll_look(u64 now);

/* schedule.c */
void bw_schedule(struct bw_m *m);
void bw_wake_slow(struct bw_p *p);
void bw_global_put(struct bw_glist *list);
void bw_global_put_one(struct bw_g *g);
/*
 * Gs in their order to the end of the ring of the M's P, or where there is room.
 * Wakes another M unless the caller is about to run @ours of them, all there are.
 */
void bw_submit_list(struct bw_m *m, struct bw_glist *list, u32 ours);
/* Leaves the G's stack for its M, which does what @after says. */
void bw_leave(struct bw_m *m, enum bw_after after);
/* Is there something in a ring or the global queue? */
bool bw_work_anywhere(void);
/* It no longer looks for work; whether it found any. */
void bw_spin_end(struct bw_m *m, bool found);

/* In every call: does this G's P still exist, or is it to be left? */
static inline void bw_check(struct bw_m *m)
{
	if (m->p && unlikely(READ_ONCE(m->p->drop)))
		bw_leave(m, BW_AFTER_YIELD);
}

/*
 * After a submission, whose full barrier it needs (Q5): wakes a P where one is
 * idle and nobody looks for work already. @p is who submitted, or NULL.
 */
static inline void bw_wake(struct bw_p *p)
{
	if (unlikely(load_seq(&bw_sched.nr_idle_p))) {
		if (!load_seq(&bw_sched.nr_spinning))
			bw_wake_slow(p);
	} else if (unlikely(READ_ONCE(bw_sched.sysmon_asleep) ==
			    BW_SYSMON_ASLEEP)) {
		/* every P may be held by a G that computes */
		bw_sysmon_kick();
	}
}

/* A runnable G into the queue of the caller's P, to go first. */
static inline void bw_submit(struct bw_m *m, struct bw_g *g)
{
	struct bw_glist spill = { .nr = 0 };

	if (unlikely(!m || !m->p)) {
		bw_global_put_one(g);
		bw_wake(NULL);
		return;
	}
	if (bw_runq_put_next(&m->p->q, g, &spill))
		bw_global_put(&spill);
	bw_wake(m->p);
}

/* g.c: has @g, whose stack has no guard, stayed on it? Else it is fatal. */
void bw_g_check_stack(const struct bw_g *g);

/* g.c: a G, FREE; NULL: no memory. */
struct bw_g *bw_g_get_slow(struct bw_m *m);
/* It runs for the first time: gives it a stack. False: there is no memory. */
bool bw_g_begin(struct bw_m *m, struct bw_g *g);
void bw_g_put(struct bw_m *m, struct bw_g *g);
void bw_g_put_all(struct bw_glist *list);
/* The run is over and @g was left: FREE, all but its place in a list. */
bool bw_g_drop(struct bw_g *g);
/* "work+0x10 (prog)": what a G was started with. */
size_t bw_g_entry(const struct bw_g *g, char *buf, size_t size);

/* stack.c */
/* Up to @nr new ones; how many: 0, there is no memory. */
u32 bw_stacks_make(char **slot, u32 nr);
void bw_stacks_chill(char **slot, u32 nr);
void *bw_stack_top(const char *slot);
size_t bw_stack_usable(void);
size_t bw_stack_peak_of(const char *slot);
/* Has it a guard? If not it gets a canary, and is looked at now and then. */
bool bw_stack_has_guard(const char *slot);
void bw_stack_canary(char *slot);
bool bw_stack_is_whole(const char *slot);
/* Is this address in the guard of @slot? */
bool bw_stack_guards(const char *slot, const void *addr);

/* fork.c: bw_after_fork() of each file; @here is on the caller's stack. */
void bw_ms_forked(void);
void bw_ps_forked(void);
void bw_gs_forked(const void *here);
void bw_alarms_forked(void);
void bw_run_forked(void);
int bw_poll_forked(void);

/* boot.c */
void bw_sched_init(void);
bool bw_is_running(void);
/* The first G has ended. */
void bw_run_end(void);
/* A thread or a P less: is the run over? */
void bw_run_tell_locked(void);

/* go.c: a G that is RUNNABLE and in no queue yet; NULL: no memory. */
struct bw_g *bw_g_new(const char *name, void (*fn)(void *arg), void *arg,
		      struct bw_m *m);
/* Its values, with their drop functions. */
void bw_locals_drop(struct bw_g *g);

/* sysmon.c */
int bw_sysmon_start(void);
void bw_sysmon_end(void);
/* bw_sysmon_kick() whatever it does; async-signal-safe. */
void bw_sysmon_poke(void);

/*
 * deadlock.c: every M is asleep, @m (or NULL) the last. True: it was woken.
 */
bool bw_deadlock_check(struct bw_m *m);

/* segv.c */
void bw_segv_init(void);
/* One line: @g has run out of its stack. */
void bw_segv_tell(const struct bw_g *g);
void *bw_signal_stack_make(void);
void bw_signal_stack_free(void *stack);

/* env.c: everything that the environment says; fatal where it is wrong. */
void bw_sched_env(struct bw_sched *s);

/* cpus.c: what @dir/cgroup and @dir/mountinfo allow, rounded up; 0: no limit */
u32 bw_cpus_quota(const char *dir);
u32 bw_cpus(void);

#endif
