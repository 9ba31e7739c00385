// SPDX-License-Identifier: MIT
/*
 * preempt: a G that overruns its slice keeps its thread and loses its P.
 *
 *	sysmon				the M, or its next call
 *	look: 10 ms of CPU time, and others wait
 *	  bw_p_preempt()	<- here
 *	    @asked |= P	---------------> bw_m_enter(): lets others run, by itself
 *	one look later, still asked
 *	  membarrier
 *	  @inside? leave it
 *	  @asked P -> TOOK	--------> bw_m_enter(): there is no P any more
 *	  bw_p_hand_off()		  as after a call that blocked
 *
 * The thread goes on with its G, without a P, until its next call: there it takes
 * an idle P, or the G goes to the global queue. No G is ever moved from one
 * thread to another but in a call, and no signal is needed.
 *
 * U1. While a M is inside, its P is its own. It stores @inside and then looks at
 *     @asked; sysmon stores P in @asked and then looks at @inside. The M has no
 *     barrier between the two; the one that it needs is made by sysmon's
 *     membarrier(), which acts on every thread of the process. So if the M did
 *     not see P, sysmon sees @inside. (selftests/model/preempt.pml)
 * U2. A M that sees P takes it back by cmpxchg before it uses its P, sysmon takes
 *     the P by cmpxchg from P to TOOK: one of them has it.
 * U3. A M outside does not change @p. Under sched.lock sysmon moves P to TOOK and
 *     reads which P that is; a M that sees TOOK takes the lock before it changes
 *     @p. So sysmon reads what the M had.
 * U4. A M in LOST is counted in nr_lost until its G is off it or has a P again.
 *     It is not in nr_blocked: the end of a run waits for it.
 *
 * A G in a call that nobody announced (bw_block_begin()) uses no CPU time; that
 * its thread sleeps in the kernel is seen in /proc after 10 ms, and its P is
 * taken in the same way.
 *
 * Where there is no membarrier() the stop's signal is sent to that one thread:
 * its handler is the barrier.
 *
 * Threads are bounded: at most half of BURROW_MAXTHREADS run without a P.
 *
 * Rejected: a flag that calls look at, alone: a loop without calls stops all that
 * wait for its P. A signal that switches stacks, as in Go: compilers keep
 * addresses of thread-local variables, and locks belong to threads.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched.h"

void bw_preempt_init(void)
{
	bw_sched.no_membarrier =
		syscall(SYS_membarrier,
			MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0;
}

/* U3. The P is gone; @old_p remembers which, for bw_block_end(). */
static void lost(struct bw_m *m)
{
	bw_lock(&bw_sched.lock);
	fetch_and(&m->asked, ~(u32)BW_ASK_TOOK);
	fetch_or(&m->asked, BW_ASK_LOST);
	m->old_p = m->p;
	m->p = NULL;
	bw_unlock(&bw_sched.lock);
}

void bw_m_answer(struct bw_m *m)
{
	u32 old = READ_ONCE(m->asked);

	for (;;) {
		if (old & BW_ASK_TOOK) {
			lost(m);
			return;
		}
		/* pairs with take() (U2) */
		if (!(old & BW_ASK_P) ||
		    try_cmpxchg(&m->asked, &old,
				(old & ~(u32)BW_ASK_P) | BW_ASK_YIELD))
			return;
	}
}

/* The G has a P, or is off this M: it is no longer a case of its own. */
void bw_m_lost_end(struct bw_m *m)
{
	u32 old = fetch_and(&m->asked, ~(u32)(BW_ASK_YIELD | BW_ASK_LOST));

	if (!(old & BW_ASK_LOST))
		return;
	bw_lock(&bw_sched.lock);
	if (m->run == bw_sched.run)
		bw_sched.nr_lost--;
	bw_unlock(&bw_sched.lock);
}

/* A P for a G that lost its own; NULL: there is none, or no run any more. */
static struct bw_p *p_for_lost(struct bw_m *m, bool *gone)
{
	struct bw_p *p = NULL;

	bw_lock(&bw_sched.lock);
	*gone = m->run != bw_sched.run || bw_sched.ending;
	if (!*gone)
		p = bw_p_idle_get_locked();
	bw_unlock(&bw_sched.lock);
	return p;
}

/* As at the end of a call that blocked (block.c). */
static void regain(struct bw_m *m)
{
	struct bw_p *p;
	bool gone;

	p = p_for_lost(m, &gone);
	if (p) {
		bw_p_acquire(m, p);
		bw_m_lost_end(m);
		return;
	}
	bw_g_move(m->g, BW_G_RUNNING, BW_G_BLOCKED);
	bw_leave(m, gone ? BW_AFTER_GONE : BW_AFTER_UNBLOCK);
}

__attribute__((noinline)) struct bw_m *bw_m_yield_asked(struct bw_m *m)
{
	int saved = *bw_errno_here(), *where;

	if (READ_ONCE(m->asked) & BW_ASK_LOST) {
		regain(m);
	} else {
		fetch_and(&m->asked, ~(u32)BW_ASK_YIELD);
		bw_leave(m, BW_AFTER_YIELD);
	}
	/* the thread may be another */
	where = bw_errno_here();
	*where = saved;
	return bw_m_self();
}

/* Every thread of the process, or this one, has made a full barrier. */
static bool barrier(struct bw_m *m)
{
	if (likely(!bw_sched.no_membarrier))
		return !syscall(SYS_membarrier,
				MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	return bw_stop_fence(m);
}

/* U2, U3. The P that @m had, if it is outside; NULL: it is inside, or answered. */
static struct bw_p *take(struct bw_m *m)
{
	u32 old = READ_ONCE(m->asked);
	struct bw_p *p = NULL;

	/* pairs with bw_m_exit() */
	if (smp_load_acquire(&m->inside))
		return NULL;
	bw_lock(&bw_sched.lock);
	/* threads are not made without end; one that is blocked has no P */
	if (bw_sched.ending || bw_sched.nr_lost >= bw_sched.max_m / 2 ||
	    bw_sched.nr_m + 1 >= bw_sched.max_m)
		goto out;
	/* pairs with bw_m_answer() */
	if (!(old & BW_ASK_P) ||
	    !try_cmpxchg(&m->asked, &old,
			 (old & ~(u32)BW_ASK_P) | BW_ASK_TOOK))
		goto out;
	p = m->p;
	if (p) {
		bw_p_take_lost_locked(p);
		bw_sched.nr_lost++;
		WRITE_ONCE(bw_sched.nr_overruns, bw_sched.nr_overruns + 1);
	} else {
		/* in a bw_block section, since we asked */
		fetch_and(&m->asked, ~(u32)BW_ASK_TOOK);
	}
out:
	bw_unlock(&bw_sched.lock);
	return p;
}

bool bw_p_preempt(struct bw_p *p)
{
	struct bw_m *m = READ_ONCE(p->m);
	u32 asked = m ? fetch_or(&m->asked, BW_ASK_P) : 0;

	if (!m)
		return false;
	/* a fence that was asked for before this is none */
	if (!(asked & BW_ASK_P))
		WRITE_ONCE(m->rest.fence, BW_FENCE_NONE);
	/* it had no chance to do it by itself, unless it was asked before */
	if (!(asked & (BW_ASK_P | BW_ASK_YIELD)))
		return true;
	if (!barrier(m))
		return true;
	p = take(m);
	if (p)
		bw_p_hand_off(p);
	return true;
}
