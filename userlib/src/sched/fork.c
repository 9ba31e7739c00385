// SPDX-License-Identifier: MIT
/*
 * fork: a child of fork() may have a run of its own.
 *
 *	fork()
 *	  in_child()		m.c	  from here on calls are fatal
 *	bw_after_fork()		<- here	  as if there had been no run
 *	bw_run()		boot.c
 *
 * W1. The child has one thread, and what others were doing is nowhere finished.
 *     fork() copies pages one after the other while they go on, so two words in
 *     two pages may not belong together. So no list of the parent's is believed;
 *     they are made anew, from what only grows: slabs of Gs, Ps, chunks of
 *     descriptors. What can only be found by a list is lost to the child: Ms,
 *     entries of timers and free timers, some KiB.
 * W2. The G on whose stack the caller stands is in no list any more: its caller
 *     never leaves that stack.
 * W3. Words with numbers (timer.h) go on counting, so that what somebody still
 *     has of before the fork never fits.
 * W4. The epoll instance is the parent's, too. The child closes its descriptors of
 *     it, which takes nothing out of it, and makes another when it needs one.
 *
 * W5. From here on the caller is a thread that has objects, as any that allocates:
 *     stops know it, on the stack it stands on, and there are cycles again
 *     (gc/start.c). Another thread of the child that had objects before is known to
 *     nobody, so there must be none.
 *
 * Rejected: all of it in the handler of fork(), at the cost of children that only
 * exec. Locks held over fork(), so that lists could be believed: the parent's Gs
 * would wait for each other's forks.
 */
#include "base/hooks.h"
#include "heap/mcache.h"
#include "netpoll.h"
#include "sched.h"

/* What depends on nobody's memory: all but options, the heap and numbers. */
static void sched_forked(struct bw_sched *s)
{
	bw_lock_init(&s->procs_lock, BW_RANK_PROCS);
	bw_lock_init(&s->lock, BW_RANK_SCHED);
	s->run++;
	s->ending = false;
	s->first = NULL;
	s->result = 0;
	s->told = 0;
	s->nr_attached = 0;
	s->nr_helpers = 0;
	s->nr_idle_p = 0;
	s->nr_live_p = 0;
	s->nr_procs = 0;
	s->nr_spinning = 0;
	s->nr_futile = 0;
	s->crowded = 0;
	s->sysmon_asleep = 0;
	s->global = (struct bw_glist){ .nr = 0 };
	s->idle_p = NULL;
	s->nr_m_made = 0;
	s->nr_m_woken = 0;
	s->nr_taken = 0;
	s->nr_overruns = 0;
	memset(s->count, 0, sizeof(s->count));
}

static int parkers_forked(struct bw_sched *s)
{
	int err = bw_parker_init(&s->sysmon, s->heap);

	if (!err)
		err = bw_parker_init(&s->done, s->heap);
	return err ? err : bw_poll_forked();
}

/* W5 */
static int join(void)
{
	int err;

	bw_sched.cut_off = false;
	err = bw_implied_begin();
	if (err)
		bw_sched.cut_off = true;
	else
		BW_UP(child_begins);
	return err;
}

int bw_after_fork(void)
{
	int err;

	if (!bw_sched.cut_off)
		return 0;
	err = parkers_forked(&bw_sched);
	if (err)
		return err;
	if (!bw_mcache_is_alone(bw_sched.mheap))
		return -EBUSY;
	sched_forked(&bw_sched);
	bw_ms_forked();
	bw_ps_forked();
	bw_gs_forked(__builtin_frame_address(0));
	bw_stop_stands_on(bw_slots_forked(__builtin_frame_address(0)));
	bw_alarms_forked();
	bw_descs_forked();
	bw_netpoll_forked();
	bw_run_forked();
	bw_scan_cycle = 0;
	bw_preempt_init();
	return join();
}
