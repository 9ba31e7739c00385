/* SPDX-License-Identifier: MIT */
/*
 * p: the right to run Gs: there are as many as Gs may run at a time.
 *
 *	bw_p_acquire()		p.c	   a M gets one, and may run Gs
 *	bw_p_release()		p.c	   it has no use for it any more
 *	bw_p_hand_off()		p.c	   it cannot use it now: to another M
 *	bw_p_retake()		p.c	   sysmon, from a call
 *	bw_p_preempt()		preempt.c  sysmon, from a G that overran its slice
 */
#ifndef BW_SCHED_P_H
#define BW_SCHED_P_H

#include "runq.h"
#include "timer.h"

struct bw_m;

/* count.def: what Ps count. */
enum bw_count {
#define BW_COUNT(name, ...)	BW_COUNT_ ## name,
#include "count.def"
#undef BW_COUNT
	BW_NR_COUNTS,
};

/*
 * A P's status: one of these, and from bit 4 on the number of the run, so that
 * a thread that was left behind in a call does not take back a P of the next.
 *
 *	  NONE <----> IDLE <----> RUNNING --block_begin()--> BLOCKED
 *	    ^  procs() ^             |  <--- block_end() ---    |
 *	    |          |             |                          |
 *	    |          '------- sysmon, the next M -------------|
 *	    '---- the M that holds it, or the end of the run ---'
 *
 * P1. Who holds a P owns it: the M whose @p it is, or who took it out of the
 *     idle list or moved BLOCKED to something else. IDLE and NONE: sched.lock.
 */
enum bw_p_status {
	BW_P_NONE,		/* not one of the nr_procs */
	BW_P_IDLE,		/* in the idle list, or on its way to a M */
	BW_P_RUNNING,		/* its M has it */
	BW_P_BLOCKED,		/* its M is in a call: whoever needs it takes it */
};

#define BW_P_STATUS(run, s)	((run) << 4 | (s))
#define BW_P_STATUS_OF(word)	((word) & 15)

/**
 * struct bw_p - the right to run Gs
 * @q:		Gs that wait for it					[runq.h]
 * @nr_free:	how many @free has					[owner P]
 * @tick:	slices begun						[owner P]
 * @fair:	slices until the global queue goes first		[owner P]
 * @nr_runs:	Gs run, for thieves that wait				[owner P]
 * @count:	see count.def						[owner P]
 * @chain:	Gs run one after another in one slice			[owner P]
 * @skip:	wake-ups to be saved (schedule.c)			[owner P]
 * @next_id:	numbers for new Gs					[owner P]
 * @nr_ids:	how many are left					[owner P]
 * @free:	Gs that ended						[owner P]
 * @nr_slots:	how many @slots has					[owner P]
 * @slots:	stacks they left, warm					[owner P]
 * @timers:	what is to happen					[timer.h]
 * @drop:	who holds it is to look whether it still exists		[atomic]
 * @status:	see above						[atomic]
 * @nr_blocks:	calls that blocked, for sysmon				[atomic]
 * @id:		its index						[const]
 * @m:		who holds it						[owner P]
 * @link:	next idle P						[sched.lock]
 */
struct bw_p {
	struct bw_runq q;

	/* of its M alone */
	u32 nr_free __aligned(64);
	u32 tick;
	u32 fair;
	u32 chain;
	u32 skip;
	u32 nr_ids;
	u32 nr_slots;
	u64 nr_runs;
	u64 next_id;
	struct bw_g *free;
	struct bw_slot *slots;
	u64 count[BW_NR_COUNTS];

	struct bw_timers timers __aligned(64);

	/* of others, too */
	u32 drop __aligned(64);
	u32 status;
	u32 id;
	u64 nr_blocks;
	struct bw_m *m;
	struct bw_p *link;
} __aligned(64);

/* p.c */
int bw_p_make(u32 id);
void bw_p_acquire(struct bw_m *m, struct bw_p *p);
struct bw_p *bw_p_release(struct bw_m *m);
struct bw_p *bw_p_idle_get_locked(void);
void bw_p_idle_put_locked(struct bw_p *p);
/* A P that its M cannot use now, to whoever can. */
void bw_p_hand_off(struct bw_p *p);
/* @drop is set: true, it still exists; false: it was given up. */
bool bw_p_still(struct bw_m *m);
void bw_p_set_locked(u32 nr);
/* Sysmon took a P from a M that is not inside. */
void bw_p_take_lost_locked(struct bw_p *p);
/* Sysmon: takes a P out of a call; false: it is not in one. */
bool bw_p_retake(struct bw_p *p);
/* The calling M's own P is to go, and it is in a call. */
void bw_p_retire_blocked(struct bw_p *p);
/* Owner, or from NONE: all that it has goes to the global lists. */
void bw_p_flush_locked(struct bw_p *p);

/* preempt.c */
/* Sysmon: one step of taking @p from a G that overran; true: come back soon. */
bool bw_p_preempt(struct bw_p *p);

#endif
