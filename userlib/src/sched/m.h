/* SPDX-License-Identifier: MIT */
/*
 * m: a thread, and its sections.
 *
 *	bw_m_start()		m.c	   one that sleeps, or a new one, gets a P
 *	bw_schedule()		schedule.c what it does until there is no G
 *	bw_m_stop()		m.c	   it sleeps
 *	bw_m_enter()		preempt.c  a call of a G's begins,
 *	bw_m_exit()			   and ends
 */
#ifndef BW_SCHED_M_H
#define BW_SCHED_M_H

#include <pthread.h>

#include "burrow/heap.h"
#include "g.h"
#include "stop.h"

struct bw_p;

/* What a M does for a G that has just left its stack. */
enum bw_after {
	BW_AFTER_YIELD,
	BW_AFTER_PARK,
	BW_AFTER_EXIT,
	BW_AFTER_UNBLOCK,	/* came out of a call and found no P */
	BW_AFTER_GONE,		/* came out of a call after the run's end */
};

/* Off the stack: may @g wait (true), or does it go on at once? */
typedef bool bw_commit_fn(struct bw_g *g, void *arg);

/**
 * struct bw_call - where a G called bw_block_begin()			[owner M]
 * @pc:		the return address
 * @sp:		the stack pointer when that has returned
 * @fp:		the frame pointer then
 */
struct bw_call {
	u64 pc;
	u64 sp;
	u64 fp;
};

/**
 * struct bw_m - a thread
 * @sp:		its own frame, while a G runs				[owner]
 * @fp:		the thread's control words, while no G runs		[owner]
 * @g:		what it runs, or NULL					[owner]
 * @p:		what it runs it with, or NULL				[owner]
 * @old_p:	what it had before it blocked				[owner]
 * @after:	enum bw_after						[owner]
 * @commit:	for BW_AFTER_PARK, or NULL				[owner]
 * @commit_arg:	its argument						[owner]
 * @locked:	the only G it may run, or NULL				[owner]
 * @spinning:	it has no work and looks for some			[owner]
 * @woken:	it was to look for work, and found none yet		[owner]
 * @attached:	somebody else's thread					[const]
 * @implied:	the same, and nobody asked for it: it has objects	[owner]
 * @helper:	a thread of the collector's, without anything of Gs'	[const]
 * @ended:	the G that ended takes the thread with it		[owner]
 * @asleep:	in bw_m_stop() or _stop_wired()				[sched.lock]
 * @next_p:	what it was woken with					[waker]
 * @call:	where its G is in a call, for backtraces		[owner]
 * @run:	which run made it					[const]
 * @rand:	for victims						[owner]
 * @id:		its number						[const]
 * @parker:	where it sleeps						[const]
 * @thread:	itself							[const]
 * @signal_stack: for handlers						[owner]
 * @link:	next idle, free or ended M				[sched.lock]
 * @all:	next of all that ever were				[const]
 * @fiber:	for sanitizers						[owner]
 * @inside:	sections of the scheduler it is in			[owner]
 * @asked:	enum bw_ask, looked at where @inside gets 0		[atomic]
 * @rest:	where it stands while it is stopped			[stop.h]
 */
struct bw_m {
	void *sp;
	struct bw_g *g;
	struct bw_p *p;
	struct bw_p *old_p;
	u32 after;
	struct bw_fp fp;
	bool spinning;
	bool woken;
	bool attached;
	bool implied;
	bool helper;
	bool ended;
	bool asleep;
	bw_commit_fn *commit;
	void *commit_arg;
	struct bw_g *locked;
	struct bw_p *next_p;
	struct bw_call call;
	u32 run;
	u32 rand;
	u32 id;
	struct bw_parker parker;
	pthread_t thread;
	void *signal_stack;
	struct bw_m *link;
	struct bw_m *all;
	struct bw_fiber fiber;

	u32 inside __aligned(64);
	u32 asked;
	struct bw_rest rest;
} __aligned(64);

/* What others want of a M that was in a section. */
enum bw_ask {
	BW_ASK_STOP = 1,	/* the stop's handler, in this very thread */
	BW_ASK_P = 2,		/* sysmon wants its P: it overran its slice */
	BW_ASK_TOOK = 4,	/* sysmon took it */
	BW_ASK_YIELD = 8,	/* its owner: it was asked, and is to yield */
	BW_ASK_LOST = 16,	/* its owner: it runs a G without a P */
};

/* Where the function was called that this is in. */
static inline __attribute__((always_inline)) struct bw_call bw_call_here(void)
{
	return (struct bw_call){
		.pc = (u64)(uintptr_t)__builtin_return_address(0),
		.sp = (u64)(uintptr_t)__builtin_dwarf_cfa(),
		.fp = *(u64 *)__builtin_frame_address(0),
	};
}

/* In bw_block_begin() itself: where it was called. */
static inline __attribute__((always_inline)) void bw_call_note(struct bw_m *m)
{
	m->call = bw_call_here();
}

/* m.c: the calling thread's M or NULL; never inlined: threads change. */
struct bw_m *bw_m_self(void);
/* The same where there must be a G with a P, or an attached thread: @who asks. */
struct bw_m *bw_m_need(const char *who);

/*
 * The ends of a runtime section: from here to there the M is not stopped and
 * keeps its P (preempt.c). bw_m_enter() is bw_m_need(), too, and may go on in
 * another M: there a G that overran its slice lets others run, and one that lost
 * its P has one again. bw_m_enter_last() is for who leaves anyway.
 */
struct bw_m *bw_m_enter(const char *who);
struct bw_m *bw_m_enter_last(const char *who);
void bw_m_exit_slow(struct bw_m *m);

/* preempt.c: somebody asks for something. */
void bw_m_answer(struct bw_m *m);
struct bw_m *bw_m_yield_asked(struct bw_m *m);
/* Its G is off it: it is without a P as others are. */
void bw_m_lost_end(struct bw_m *m);
void bw_preempt_init(void);

/* For calls that must not leave the M and need no P. */
static inline void bw_m_enter_soft(struct bw_m *m)
{
	WRITE_ONCE(m->inside, m->inside + 1);
	/* for the handler of this very thread, and bw_p_preempt() */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(READ_ONCE(m->asked) & (BW_ASK_P | BW_ASK_TOOK)))
		bw_m_answer(m);
}

static inline void bw_m_exit(struct bw_m *m)
{
	/* pairs with bw_p_preempt() */
	smp_store_release(&m->inside, m->inside - 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(READ_ONCE(m->asked)))
		bw_m_exit_slow(m);
}

/* The same where the G may have come to another M since it entered. */
void bw_m_exit_here(void);

/* Where errno of the thread is now: compilers keep its address. */
int *bw_errno_here(void);

/* Gives @p, which the caller owns, to a M; NULL: an idle one, if there is one. */
void bw_m_start(struct bw_p *p, bool spinning);
/* The M sleeps without a P until it has one; false: it is to end. */
bool bw_m_stop(struct bw_m *m);
/* The M may run one G alone, and sleeps until it may. False: it is to end. */
bool bw_m_stop_wired(struct bw_m *m);
/* @g runs on its own thread alone: our P goes there. */
void bw_m_pass(struct bw_m *m, struct bw_g *g);
/* The run ends: wakes all that sleep, to end. */
void bw_m_wake_all_locked(void);
void bw_m_join_dead(void);
void bw_m_fork_init(void);

/*
 * For rooms above. A thread that has objects is stopped and looked at as an
 * attached one, but may do nothing of what Gs do. 0, -EMFILE, -ENOMEM
 */
int bw_implied_begin(void);
/* It has none any more, if that was all that it had to do with us. */
void bw_implied_end(void);
/* A thread that may stop the world, and has nothing of Gs'. */
int bw_helper_begin(void);
/* @nr more tasks are the collector's. */
void bw_helpers_add(u32 nr);

#endif
