// SPDX-License-Identifier: MIT
/*
 * p: who holds a P, and how many there are.
 *
 * Their number changes without stopping anything: bw_procs() takes those that
 * are idle or left behind in calls, and asks the others to look (@drop). Who
 * runs on one that is no more finds out at its next call, puts what waits there
 * into the global queue and goes to sleep. Until then more than the new number
 * may run.
 *
 * P2. sched.p only grows, so anybody may look at every P there ever was;
 *     thieves do, and so nothing is stranded on one that is going.
 * P3. Each P that is not NONE is in exactly one hand: the idle list's, a M's, or
 *     nobody's while BLOCKED. nr_live_p counts them.
 */
#include "base/sysmem.h"
#include "sched.h"

#define TICKS_TO_GLOBAL	61U

int bw_p_make(u32 id)
{
	struct bw_p *p = bw_sys_alloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->id = id;
	p->fair = TICKS_TO_GLOBAL;
	bw_timers_init(&p->timers);
	bw_sched.p[id] = p;
	/* pairs with whoever walks over all Ps */
	smp_store_release(&bw_sched.nr_made, id + 1);
	return 0;
}

/* The number and the Ps are in two pages (W1 in fork.c). */
void bw_ps_forked(void)
{
	u32 i;

	for (i = 0; i < bw_sched.nr_made && bw_sched.p[i]; i++) {
		struct bw_p *p = bw_sched.p[i];

		memset(p, 0, sizeof(*p));
		p->id = i;
		p->fair = TICKS_TO_GLOBAL;
		bw_timers_init(&p->timers);
	}
	bw_sched.nr_made = i;
}

static void status_set(struct bw_p *p, enum bw_p_status s)
{
	/* pairs with who looks before it takes the P */
	smp_store_release(&p->status, BW_P_STATUS(bw_sched.run, s));
}

void bw_p_acquire(struct bw_m *m, struct bw_p *p)
{
	/* sysmon looks at it */
	WRITE_ONCE(p->m, m);
	m->p = p;
	status_set(p, BW_P_RUNNING);
}

struct bw_p *bw_p_release(struct bw_m *m)
{
	struct bw_p *p = m->p;

	m->p = NULL;
	WRITE_ONCE(p->m, NULL);
	return p;
}

struct bw_p *bw_p_idle_get_locked(void)
{
	struct bw_p *p = bw_sched.idle_p;

	if (!p)
		return NULL;
	bw_sched.idle_p = p->link;
	WRITE_ONCE(bw_sched.nr_idle_p, bw_sched.nr_idle_p - 1);
	return p;
}

void bw_p_idle_put_locked(struct bw_p *p)
{
	status_set(p, BW_P_IDLE);
	p->link = bw_sched.idle_p;
	bw_sched.idle_p = p;
	__atomic_store_n(&bw_sched.nr_idle_p, bw_sched.nr_idle_p + 1,
			 __ATOMIC_SEQ_CST);
}

void bw_p_flush_locked(struct bw_p *p)
{
	bw_runq_flush(&p->q, &bw_sched.global);
}

/* It is one of those that are no more. The caller owns it. */
static void retire_locked(struct bw_p *p)
{
	bw_p_flush_locked(p);
	bw_timers_hand_over(p);
	status_set(p, BW_P_NONE);
	WRITE_ONCE(p->m, NULL);
	WRITE_ONCE(bw_sched.nr_live_p, bw_sched.nr_live_p - 1);
	bw_run_tell_locked();
}

static bool is_wanted_locked(const struct bw_p *p)
{
	return !bw_sched.ending && p->id < bw_sched.nr_procs;
}

/* @drop is set on a P of the caller's. False: it was for nothing. */
static bool give_up(struct bw_p *p)
{
	bool wanted;

	bw_lock(&bw_sched.lock);
	wanted = is_wanted_locked(p);
	WRITE_ONCE(p->drop, 0);
	if (!wanted)
		retire_locked(p);
	bw_unlock(&bw_sched.lock);
	/* for what it had */
	if (!wanted)
		bw_wake(NULL);
	return !wanted;
}

bool bw_p_still(struct bw_m *m)
{
	struct bw_p *p = m->p;

	if (!give_up(p))
		return true;
	m->p = NULL;
	if (m->spinning) {
		bw_spin_end(m, false);
		bw_wake(NULL);
	}
	return false;
}

void bw_p_hand_off(struct bw_p *p)
{
	u32 none = 0;
	bool more;

	if (unlikely(READ_ONCE(p->drop)) && give_up(p))
		return;
	if (!bw_runq_is_empty(&p->q) || READ_ONCE(bw_sched.global.nr)) {
		bw_m_start(p, false);
		return;
	}
	/* it will find nothing, and mind the clock */
	if (bw_poll_is_lacking()) {
		bw_m_start(p, false);
		return;
	}
	/* nobody looks for work, and nobody is there to be woken for it */
	if (!load_seq(&bw_sched.nr_idle_p) &&
	    try_cmpxchg(&bw_sched.nr_spinning, &none, 1)) {
		bw_m_start(p, true);
		return;
	}
	bw_lock(&bw_sched.lock);
	more = is_wanted_locked(p) && bw_sched.global.nr;
	if (!is_wanted_locked(p))
		retire_locked(p);
	else if (!more)
		bw_p_idle_put_locked(p);
	bw_unlock(&bw_sched.lock);
	if (more)
		bw_m_start(p, false);
}

/* Takes a P that is left behind in a call; its M finds out when it returns. */
static bool take_blocked_locked(struct bw_p *p)
{
	u32 old = BW_P_STATUS(bw_sched.run, BW_P_BLOCKED);

	/* pairs with bw_block_end(): one of us has it */
	if (!try_cmpxchg(&p->status, &old, BW_P_STATUS(bw_sched.run,
						       BW_P_IDLE)))
		return false;
	bw_sched.nr_blocked++;
	bw_sched.nr_taken++;
	return true;
}

void bw_p_take_lost_locked(struct bw_p *p)
{
	WRITE_ONCE(p->m, NULL);
	status_set(p, BW_P_IDLE);
}

bool bw_p_retake(struct bw_p *p)
{
	bool got;

	bw_lock(&bw_sched.lock);
	got = !bw_sched.ending && take_blocked_locked(p);
	bw_unlock(&bw_sched.lock);
	return got;
}

void bw_p_retire_blocked(struct bw_p *p)
{
	bw_lock(&bw_sched.lock);
	if (!is_wanted_locked(p) && take_blocked_locked(p))
		retire_locked(p);
	bw_unlock(&bw_sched.lock);
	bw_wake(NULL);
}

static void idle_rebuild_locked(void)
{
	struct bw_p *p, *list = bw_sched.idle_p;

	bw_sched.idle_p = NULL;
	WRITE_ONCE(bw_sched.nr_idle_p, 0);
	while ((p = list)) {
		list = p->link;
		if (is_wanted_locked(p))
			bw_p_idle_put_locked(p);
		else
			retire_locked(p);
	}
}

void bw_p_set_locked(u32 nr)
{
	u32 i;

	WRITE_ONCE(bw_sched.nr_procs, nr);
	for (i = 0; i < bw_sched.nr_made; i++) {
		struct bw_p *p = bw_sched.p[i];
		u32 status = BW_P_STATUS_OF(load_seq(&p->status));

		if (is_wanted_locked(p)) {
			if (status != BW_P_NONE)
				continue;
			WRITE_ONCE(bw_sched.nr_live_p, bw_sched.nr_live_p + 1);
			bw_p_idle_put_locked(p);
			continue;
		}
		/* pairs with bw_block_begin(): it sees this, or we BLOCKED */
		__atomic_store_n(&p->drop, 1, __ATOMIC_SEQ_CST);
		if (take_blocked_locked(p))
			retire_locked(p);
	}
	idle_rebuild_locked();
}
