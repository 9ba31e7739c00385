// SPDX-License-Identifier: MIT
/*
 * block: calls that block in the kernel.
 *
 *	bw_block_begin()	<- here: the P is left, BLOCKED; nothing more
 *	  read(2), ...
 *	bw_block_end()		<- here: the same P back, or another, or wait
 *
 *	sysmon			   takes the P when the call takes long
 *
 * B1. BLOCKED to RUNNING (this M) and BLOCKED to IDLE (sysmon, bw_procs(), the
 *     end of the run) are cmpxchg()s of one word: one of them has the P.
 * B2. A M that lost its P is in nr_blocked. It may find a P that another M left
 *     BLOCKED in its old place and take that: then the other one is the one
 *     that lost a P, and the number is right.
 * B3. The status carries the run's number: who comes back after the run finds
 *     no P of its own, and ends.
 *
 * Short calls cost two atomic operations and no wake-up: that is why nothing is
 * released at once.
 */
#include "sched.h"

/* It has lost its P already; @old_p is what that was (B2). */
static void lost_begin(struct bw_m *m)
{
	bw_m_lost_end(m);
	bw_lock(&bw_sched.lock);
	if (m->run == bw_sched.run)
		bw_sched.nr_blocked++;
	bw_unlock(&bw_sched.lock);
}

void bw_block_begin(void)
{
	struct bw_m *m = bw_m_enter_last("bw_block_begin");
	struct bw_p *p = m->p;
	u32 asleep;

	if (m->attached)
		goto out;
	bw_call_note(m);
	m->g->since = READ_ONCE(bw_sched.clock);
	bw_g_move(m->g, BW_G_RUNNING, BW_G_BLOCKED);
	if (unlikely(!p)) {
		lost_begin(m);
		goto out;
	}
	WRITE_ONCE(p->nr_blocks, p->nr_blocks + 1);
	m->old_p = bw_p_release(m);
	/* pairs with who takes it, and with bw_p_set_locked() */
	xchg(&p->status, BW_P_STATUS(m->run, BW_P_BLOCKED));
	asleep = load_seq(&bw_sched.sysmon_asleep);
	if (unlikely(asleep) && (asleep == BW_SYSMON_ASLEEP ||
				 bw_work_anywhere()))
		bw_sysmon_kick();
	if (unlikely(load_seq(&p->drop)))
		bw_p_retire_blocked(p);
out:
	bw_m_exit(m);
}

/* The P was taken: another one. False: there is none. */
static bool end_slow(struct bw_m *m, bool *gone)
{
	struct bw_p *p = NULL;

	bw_lock(&bw_sched.lock);
	*gone = m->run != bw_sched.run || bw_sched.ending;
	if (m->run == bw_sched.run)
		bw_sched.nr_blocked--;
	if (!*gone)
		p = bw_p_idle_get_locked();
	bw_unlock(&bw_sched.lock);
	if (p)
		bw_p_acquire(m, p);
	return p;
}

/* Its own function: after the switch the thread may be another. */
static __attribute__((noinline)) void end_without_p(struct bw_m *m, bool gone)
{
	int saved = errno;
	int *where;

	bw_leave(m, gone ? BW_AFTER_GONE : BW_AFTER_UNBLOCK);
	where = bw_errno_here();
	*where = saved;
	bw_m_exit_here();
}

void bw_block_end(void)
{
	struct bw_m *m = bw_m_self();
	struct bw_p *p = m ? m->old_p : NULL;
	u32 old;
	bool gone;

	if (!m || m->p || (!m->attached && m->g->state != BW_G_BLOCKED))
		bw_fatal("bw_block_end() without bw_block_begin()");
	if (m->attached)
		return;
	bw_m_enter_soft(m);
	old = BW_P_STATUS(m->run, BW_P_BLOCKED);
	if (likely(try_cmpxchg(&p->status, &old,
			       BW_P_STATUS(m->run, BW_P_RUNNING)))) {
		m->p = p;
		WRITE_ONCE(p->m, m);
	} else if (!end_slow(m, &gone)) {
		end_without_p(m, gone);
		return;
	}
	bw_g_move(m->g, BW_G_BLOCKED, BW_G_RUNNING);
	bw_m_exit(m);
}
