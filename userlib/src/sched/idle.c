// SPDX-License-Identifier: MIT
/*
 * idle: of all Ms without work one minds the clock; the others sleep until
 * somebody has a P for them.
 *
 *	next()			schedule.c: nothing to do, and no P any more
 *	  bw_m_poll()		<- here: until the next timer, if nobody else does
 *	  bw_m_stop()		m.c: until somebody has a P for it
 *
 * It holds no P while it sleeps, so whoever has work starts another M. When it
 * wakes it takes an idle P and what is due. Where no P is idle, those who have
 * them look at their own timers.
 *
 * C1. @taken is a lock that nobody waits for: one M at a time minds the clock.
 * C2. @until is not 0 only while it sleeps or is about to: it wakes by itself at
 *     that time. Who moves it to 0, by cmpxchg, owes one unpark.
 * C3. It stores @until and then looks at the least time of all heaps (and at
 *     whether the run ends); who adds an entry stores the least time of his heap
 *     and then looks at @until. Both with a full barrier in between, so nobody
 *     sleeps beyond an entry. (selftests/model/clock.pml)
 * C4. Who finds @taken goes to sleep for good. So whoever gives it up without
 *     having slept looks once more for what he may have been too early to see.
 * C5. While the one who minded the clock runs Gs nobody may do so. sysmon sees
 *     that a P is idle all the same, and wakes another M; and it fires what is
 *     due in the heap of a P that has not looked for 10 ms, as its G computes.
 */
#include "burrow/time.h"
#include "sched.h"

#define FORGOTTEN_NS	10000000ULL
#define FIRE_MAX	64U		/* sysmon, at a time */

/**
 * struct clock - who minds it
 * @until:	when he wakes; 0: he is not asleep			[atomic]
 * @taken:	somebody does						[atomic]
 * @parker:	where he sleeps						[const]
 */
static struct clock {
	u64 until __aligned(64);
	u32 taken;
	struct bw_parker parker;
} idle_clock;

int bw_poll_init(void)
{
	return bw_parker_init(&idle_clock.parker, bw_sched.heap);
}

void bw_poll_poke(u64 when)
{
	u64 until = load_seq(&idle_clock.until);

	while (unlikely(until > when)) {
		/* pairs with sleep_until() */
		if (!try_cmpxchg(&idle_clock.until, &until, 0))
			continue;
		bw_parker_unpark(&idle_clock.parker);
		return;
	}
}

bool bw_poll_is_lacking(void)
{
	return !load_seq(&idle_clock.taken) && bw_timers_min() != BW_NEVER;
}

/* Publishes *@arg, and sleeps unless something is due before (C3). */
static void sleep_until(struct bw_m *m, void *arg)
{
	u64 next = *(u64 *)arg, now;
	bool poked = false;

	__atomic_store_n(&idle_clock.until, next, __ATOMIC_SEQ_CST);
	now = bw_now();
	if (bw_timers_min() >= next && next > now && !load_seq(&bw_sched.ending))
		poked = !bw_parker_park_until(&idle_clock.parker,
					      min(next, (u64)INT64_MAX));
	/* pairs with bw_poll_poke(), whose token is still to come */
	if (!xchg(&idle_clock.until, 0) && !poked)
		bw_parker_park(&idle_clock.parker);
}

/* With a P, if there is one: all that is due. */
static bool take_up(struct bw_m *m)
{
	struct bw_p *p;

	bw_lock(&bw_sched.lock);
	p = bw_p_idle_get_locked();
	bw_unlock(&bw_sched.lock);
	if (!p)
		return false;
	bw_p_acquire(m, p);
	bw_timers_run_all(m);
	return true;
}

bool bw_m_poll(struct bw_m *m)
{
	while (bw_poll_is_lacking()) {
		u32 no = 0;
		u64 next;

		if (!try_cmpxchg(&idle_clock.taken, &no, 1))
			return false;
		next = bw_timers_next();
		if (next != BW_NEVER)
			bw_rest(m, sleep_until, &next);
		/* pairs with bw_poll_is_lacking() of who comes next (C4) */
		__atomic_store_n(&idle_clock.taken, 0, __ATOMIC_SEQ_CST);
		if (load_seq(&bw_sched.ending))
			return false;
		if (bw_timers_min() <= bw_now())
			return take_up(m);
	}
	return false;
}

/**
 * struct seen - when sysmon saw last that a P looked at its timers	[sysmon]
 */
static struct seen {
	u64 since;
	u32 checks;
} seen[BW_MAX_PROCS];

/* Nobody has looked at the timers of @p for long, and some are due. */
static bool is_forgotten(struct bw_p *p, u64 now)
{
	u32 checks = READ_ONCE(p->timers.nr_checks);
	struct seen *s = &seen[p->id];

	if (s->checks != checks || !s->since) {
		s->checks = checks;
		s->since = now;
		return false;
	}
	return now - s->since >= FORGOTTEN_NS &&
	       READ_ONCE(p->timers.min) <= now;
}

bool bw_poll_look(u64 now)
{
	u32 i, nr = load_seq(&bw_sched.nr_made);
	struct bw_glist out = { .nr = 0 };
	bool did = false;

	if (load_seq(&bw_sched.nr_idle_p) && bw_poll_is_lacking()) {
		bw_wake_slow(NULL);
		did = true;
	}
	for (i = 0; i < nr; i++) {
		struct bw_p *p = bw_sched.p[i];

		if (READ_ONCE(p->timers.min) != BW_NEVER &&
		    is_forgotten(p, now))
			did |= bw_timers_fire(p, NULL, now, FIRE_MAX, &out);
	}
	bw_submit_list(NULL, &out);
	return did;
}
