/* SPDX-License-Identifier: MIT */
/*
 * g: what runs. Its states, and who moves it:
 *
 *	          bw_go()               a M, from a queue
 *	  FREE ------------> RUNNABLE ----------------------> RUNNING
 *	    ^                 ^  ^  ^---- its M: it yields ------'|||
 *	    |                 |  '------- who readies it --.      |||
 *	    |                 |                          PARKED <-'||
 *	    |                 |        its M, off its stack ^      ||
 *	    |                 |                             |      ||
 *	    |                 |   the commit says no: RUNNING      ||
 *	    |                 '----- its M --- BLOCKED <-----------'|
 *	    |                    no P is left   ^ '-> RUNNING       |
 *	    |                                   bw_block_*()        |
 *	    '---------------------- its M: it ends -----------------'
 *
 * and from everywhere but RUNNING to FREE when the run ends.
 *
 * G1. One party at a time may move a G: the M that runs it, then whoever was
 *     given it by a queue, by a wait list or by the free list. So the state is a
 *     plain word; that a move starts where it should is tested all the same.
 * G2. A G in RUNNABLE or PARKED is off its stack: nobody but its next M touches
 *     the stack or @sp. One that was just made has none, its next M gives it
 *     one (slot.h).
 * G3. Memory of Gs is never given back nor used for anything else, so a pointer
 *     to a G may be looked at by dumps and by late wakers.
 */
#ifndef BW_SCHED_G_H
#define BW_SCHED_G_H

#include <assert.h>

#include "base/atomic.h"
#include "base/throw.h"
#include "base/types.h"
#include "burrow/go.h"
#include "slot.h"
#include "switch.h"
#include "tools.h"

#define BW_NR_LOCALS	4U

enum bw_g_state {
	BW_G_FREE,		/* in a free list, or on its way there */
	BW_G_RUNNABLE,		/* in a queue, or on its way to one */
	BW_G_RUNNING,		/* on a M */
	BW_G_PARKED,		/* waits for bw_sched_ready() */
	BW_G_BLOCKED,		/* in bw_block_begin() to _end(), on a M */
	BW_NR_G_STATES,
};

/* For people. */
extern const char *const bw_g_state_name[BW_NR_G_STATES];

struct bw_desc;
struct bw_m;
struct bw_waiter;

/**
 * struct bw_g - a function and its stack
 * @sp:		its frame of bw_switch(), while it is off its stack	[G1]
 * @link:	next in a queue or free list				[G1]
 * @state:	enum bw_g_state						[G1]
 * @fp:		its control words, while it is off its stack		[G1]
 * @m:		the thread it is on, or the last			[G1]
 * @stack:	its stack (stack.c); NULL: it has none (T1), or is @bare [G1]
 * @slot:	whose that is, or NULL					[G1]
 * @token:	for bw_park(), see park.c and timer.h			[atomic]
 * @wait:	for every other wait with a deadline (sleep.c)		[atomic]
 * @waiting:	its waiters, while it waits (waiter.h, A4)		[G1]
 * @io:		the descriptor it is in a call for, or NULL		[G1]
 * @io_ticket:	its last wait for one (netpoll.h, D6)		[atomic]
 * @fn:		what it runs						[G1]
 * @arg:	with this						[G1]
 * @since:	when it last began to wait, by bw_sched.clock		[G1]
 * @id:		its number						[G1]
 * @name:	or NULL							[G1]
 * @reason:	what it waits for, while PARKED or BLOCKED		[G1]
 * @local:	values of bw_local_set()				[G1]
 * @run:	the run it belongs to (boot.c)				[G1]
 * @locks:	bw_lock_thread() less bw_unlock_thread(): unless that is 0, @m is
 *		the only thread it may run on				[G1]
 * @has_local:	some @local was set					[G1]
 * @unguarded:	its stack has no guard, but a canary			[G1]
 * @bare:	an attached thread's, which never has a stack		[const]
 * @late:	its last wait ended with the deadline			[L2]
 * @scan:	cycle * 4 + enum bw_scan_state (scan.c)			[atomic]
 * @nr_on:	bw_sched_waits_on(): so many				[G1]
 * @on:		objects							[G1]
 * @fiber:	for sanitizers						[G1]
 */
struct bw_g {
	void *sp;
	struct bw_g *link;
	u8 state;
	bool late;
	struct bw_fp fp;
	struct bw_m *m;
	char *stack;
	struct bw_slot *slot;
	u64 token;
	u64 wait;
	struct bw_waiter *waiting;
	struct bw_desc *io;
	u64 io_ticket;
	void (*fn)(void *arg);
	void *arg;
	u64 since;
	u64 id;
	const char *name;
	const char *reason;
	void *local[BW_NR_LOCALS];
	u32 run;
	u16 locks;
	bool has_local:1;
	bool unguarded:1;
	u8 scan;
	bool bare;
	u32 nr_on;
	const void *const *on;
	struct bw_fiber fiber;
} __aligned(64);

static_assert(BW_ASAN || BW_TSAN || sizeof(struct bw_g) == 192,
	      "three cache lines");

/* The moves of the diagram: bit @to of a word for each @from. */
extern const u8 bw_g_moves[BW_NR_G_STATES];

__noreturn __cold void bw_g_move_bad(const struct bw_g *g, u32 from, u32 to);

/* The one function that moves a G; it is @from now. */
static inline void bw_g_move(struct bw_g *g, enum bw_g_state from,
			     enum bw_g_state to)
{
	if (unlikely(READ_ONCE(g->state) != from))
		bw_g_move_bad(g, from, to);
	if (BW_DEBUG && !(bw_g_moves[from] >> to & 1))
		bw_g_move_bad(g, from, to);
	WRITE_ONCE(g->state, (u8)to);
}

/*
 * Calls fn(g, arg) for every G that ever was, without locks: a G may change
 * under its hands (G3).
 */
void bw_g_each(void (*fn)(struct bw_g *g, void *arg), void *arg);

/* A G for an attached thread, and back. NULL: no memory */
struct bw_g *bw_g_bare_get(void);
void bw_g_bare_put(struct bw_g *g);

#endif
