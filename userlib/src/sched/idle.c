// SPDX-License-Identifier: MIT
/*
 * idle: of all Ms without work one minds the clock and the descriptors; the others
 * sleep until somebody has a P for them.
 *
 *	next()			schedule.c: nothing to do, and no P any more
 *	  bw_m_poll()		<- here: until a timer or a descriptor, if nobody else does
 *	  bw_m_stop()		m.c: until somebody has a P for it
 *
 * It holds no P while it sleeps, so whoever has work starts another M. When it
 * wakes it takes an idle P and what is due. Where no P is idle, those who have
 * them look at their own timers.
 *
 * C1. @taken is a lock that nobody waits for: one M at a time minds the clock.
 * C2. @until is not 0 only while it sleeps or is about to, and then always, however
 *     long ago an entry was due: it wakes by itself at that time. Who moves it to
 *     0, by cmpxchg, owes one unpark.
 * C3. It stores @until and then looks at the least time of all heaps (and at
 *     whether the run ends); who adds an entry stores the least time of his heap
 *     and then looks at @until. Both with a full barrier in between, so nobody
 *     sleeps beyond an entry. (selftests/model/clock.pml) The same holds for who
 *     makes the epoll instance.
 * C4. Who finds @taken goes to sleep for good. So whoever gives it up without
 *     having slept looks once more for what he may have been too early to see.
 * C5. While the one who minded the clock runs Gs nobody may do so. sysmon sees
 *     that a P is idle all the same, and wakes another M; and it fires what is
 *     due in the heap of a P that has not looked for 10 ms, as its G computes. Ps
 *     that are busy look at descriptors every 61 slices, but for those who have Gs
 *     in the global queue: what came with a look would go before these, each time,
 *     and one in 61 slices would be theirs. sysmon looks after 10 ms.
 * C6. What he waits for may die under him: a timer that is stopped, a descriptor
 *     that is closed. Nobody wakes him for that, as a rule there is more to wait
 *     for; but the last other M that goes to sleep looks whether there is, and
 *     pokes him where not, so that he goes to sleep too and finds the deadlock.
 *     That M drops dead entries and then looks at @until; he stores @until and
 *     then looks whether what he waits for is as it was. (selftests/model/doubt.pml)
 */
#include <sys/epoll.h>

#include "burrow/time.h"
#include "netpoll.h"
#include "sched.h"

#define FORGOTTEN_NS	10000000ULL
#define FIRE_MAX	64U		/* sysmon, at a time */

/**
 * struct clock - who minds it
 * @until:	when he wakes, and IN_EPOLL; 0: he is not asleep	[atomic]
 * @taken:	somebody does						[atomic]
 * @nr_polls:	looks at descriptors, by anybody			[atomic]
 * @parker:	where he sleeps while there is no epoll instance	[const]
 */
static struct clock {
	u64 until __aligned(64);
	u32 taken;
	u32 nr_polls;
	struct bw_parker parker;
} idle_clock;

/* The lowest bit of @until: he sleeps there, so that is where he is woken. */
#define IN_EPOLL	1ULL
/* Of @until: 0 and 1 say that nobody sleeps (C2). */
#define EARLIEST	2ULL

int bw_poll_init(void)
{
	return bw_parker_init(&idle_clock.parker, bw_sched.heap);
}

int bw_poll_forked(void)
{
	idle_clock.until = 0;
	idle_clock.taken = 0;
	return bw_poll_init();
}

void bw_poll_poke(u64 when)
{
	u64 until = load_seq(&idle_clock.until);

	while (unlikely(until > when)) {
		/* pairs with sleep_until() */
		if (!try_cmpxchg(&idle_clock.until, &until, 0))
			continue;
		if (until & IN_EPOLL)
			bw_netpoll_wake();
		else
			bw_parker_unpark(&idle_clock.parker);
		return;
	}
}

static bool is_wanted(void)
{
	return bw_netpoll_waiting() || bw_timers_min() != BW_NEVER;
}

bool bw_poll_is_lacking(void)
{
	return is_wanted() && !load_seq(&idle_clock.taken);
}

/**
 * struct watch - one sleep						[its M]
 * @next:	until when
 * @nr:		events
 * @ev:		what came
 */
struct watch {
	u64 next;
	int nr;
	struct epoll_event ev[BW_NETPOLL_EVENTS];
};

/* Publishes @next, and sleeps unless that is wrong by now (C3, C6). */
static void sleep_until(struct bw_m *m, void *arg)
{
	struct watch *w = arg;
	bool up = bw_netpoll_is_up(), poked = false;
	u64 until = max(w->next & ~IN_EPOLL, EARLIEST) | (up ? IN_EPOLL : 0);

	__atomic_store_n(&idle_clock.until, until, __ATOMIC_SEQ_CST);
	if (bw_timers_min() != w->next || load_seq(&bw_sched.ending) ||
	    (w->next == BW_NEVER && !bw_netpoll_waiting()))
		w->next = 0;
	if (up)
		w->nr = bw_netpoll_wait(w->ev, w->next);
	else if (w->next > bw_now() && !bw_netpoll_is_up())
		poked = !bw_parker_park_until(&idle_clock.parker,
					      min(w->next, (u64)INT64_MAX));
	/* pairs with bw_poll_poke(), whose token is still to come */
	if (!xchg(&idle_clock.until, 0) && !up && !poked)
		bw_parker_park(&idle_clock.parker);
}

static void note_poll(void)
{
	WRITE_ONCE(idle_clock.nr_polls, READ_ONCE(idle_clock.nr_polls) + 1);
}

/* @got, and all that is due, with a P, if there is one. */
static bool take_up(struct bw_m *m, struct bw_glist *got)
{
	struct bw_p *p;

	bw_lock(&bw_sched.lock);
	p = bw_p_idle_get_locked();
	bw_unlock(&bw_sched.lock);
	if (p)
		bw_p_acquire(m, p);
	bw_submit_list(m, got, 1);
	if (p)
		bw_timers_run_all(m);
	return p;
}

/* It has the clock, and gives it up. True: there is something to be taken up. */
static bool mind_clock(struct bw_m *m, struct bw_glist *got)
{
	struct watch w = { .next = bw_timers_next() };
	bool wanted = w.next != BW_NEVER || bw_netpoll_waiting();

	if (wanted)
		bw_rest(m, sleep_until, &w);
	if (w.nr)
		bw_netpoll_take(w.ev, w.nr, got);
	note_poll();
	/* pairs with bw_poll_is_lacking() of who comes next (C4) */
	__atomic_store_n(&idle_clock.taken, 0, __ATOMIC_SEQ_CST);
	return got->nr || bw_timers_min() <= bw_now();
}

bool bw_m_poll(struct bw_m *m)
{
	struct bw_glist got = { .nr = 0 };

	while (bw_poll_is_lacking() && !load_seq(&bw_sched.ending)) {
		u32 no = 0;

		if (!try_cmpxchg(&idle_clock.taken, &no, 1))
			return false;
		if (mind_clock(m, &got))
			return take_up(m, &got);
	}
	return false;
}

void bw_poll_doubt(void)
{
	if (load_seq(&idle_clock.taken) && !bw_netpoll_waiting() &&
	    bw_timers_next() == BW_NEVER)
		/* pairs with sleep_until() (C6) */
		bw_poll_poke(0);
}

/* What is ready just now. */
static void look_at_descriptors(struct bw_glist *got)
{
	struct epoll_event ev[BW_NETPOLL_EVENTS];

	if (!bw_netpoll_waiting() || load_seq(&idle_clock.taken))
		return;
	bw_netpoll_take(ev, bw_netpoll_wait(ev, 0), got);
	note_poll();
}

void bw_poll_now(struct bw_m *m)
{
	struct bw_glist got = { .nr = 0 };

	/* C5 */
	if (likely(!bw_netpoll_waiting()) || READ_ONCE(bw_sched.global.nr))
		return;
	look_at_descriptors(&got);
	bw_submit_list(m, &got, 1);
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

/* Nobody has looked at descriptors for long. */
static bool are_descriptors_forgotten(u64 now)
{
	static struct seen last;
	u32 polls = READ_ONCE(idle_clock.nr_polls);

	if (last.checks != polls || !last.since) {
		last.checks = polls;
		last.since = now;
	}
	return now - last.since >= FORGOTTEN_NS;
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
	if (are_descriptors_forgotten(now))
		look_at_descriptors(&out);
	did |= out.nr != 0;
	bw_submit_list(NULL, &out, 0);
	return did;
}
