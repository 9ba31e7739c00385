// SPDX-License-Identifier: MIT
/*
 * scavenge: memory that the heap will not need goes back to the system, a little at
 * a time.
 *
 *	bw_gc_cycle()
 *	  bw_scavenge_begin()		<- here: what is kept until the next one
 *	collector_main()		start.c, when there is no cycle to be done
 *	  bw_scavenge_some()		<- here: one slice, and when the next is due
 *	bw_mspan_put()			heap/pageheap.c
 *	  bw_scavenge_ask()		<- here: a period is over
 *
 * After a sweep it is known how far the heap will grow before the next: to the goal.
 * So much is kept, and a tenth; and what two periods needed (heap/pageheap.h), for
 * who frees by hand. What is beyond that goes in slices.
 *
 * V1. A slice that took so much CPU time is followed by 99 times as much in which
 *     there is none, or with more Ps by less: 1% of what they may have.
 * V2. No slice while there is a cycle, or a fork (Z2 in start.c).
 * V3. When there is nothing to give, and will be nothing by itself, the thread
 *     sleeps until somebody asks.
 *
 * Rejected: by whoever puts a span (it would wait for 50 ms where a GiB goes); all
 * at the end of a cycle (the program may want it again at once).
 */
#include "base/futex.h"
#include "collector.h"
#include "sched/sched.h"

#define SLICE		(4UL << 20)

void bw_scavenge_begin(struct bw_collector *c)
{
	s64 goal = READ_ONCE(c->pacer.goal), room = 0;

	if (goal != INT64_MAX)
		room = max(goal - READ_ONCE(c->h->gc.live),
			   (s64)BURROW_PAGE_SIZE);
	bw_mheap_retain(c->h, (u64)room >> BURROW_PAGE_SHIFT, bw_gc_now());
	WRITE_ONCE(c->h->gc.scavenger, 1);
}

/* V1 */
static u64 rest_after(u64 cpu)
{
	u64 procs = max(READ_ONCE(bw_sched.nr_procs), 1U);

	return cpu * 100 / min(procs, 50UL) - cpu;
}

u64 bw_scavenge_some(struct bw_collector *c)
{
	struct bw_scavenger *s = &c->scavenger;
	u64 now = bw_gc_now(), cpu = bw_gc_cpu_now(), bytes, rest, got = 0;
	bool later;

	if (!READ_ONCE(c->h->gc.scavenger))
		return 0;
	if (now < s->next)
		return s->next;
	/* pairs with bw_scavenge_ask(): who puts from here on asks again */
	xchg(&s->asked, 0);
	bytes = bw_mheap_excess(c->h, now, &later);
	if (bytes)
		got = bw_mheap_give(c->h, min(bytes, SLICE));
	cpu = bw_gc_cpu_now() - cpu;
	rest = rest_after(cpu);
	WRITE_ONCE(s->given, s->given + got);
	WRITE_ONCE(s->cpu, s->cpu + cpu);
	WRITE_ONCE(s->rest, s->rest + rest);
	s->next = bw_gc_now() + rest;
	if (got)
		return s->next;
	return later ? max(s->next, now + BW_DECAY_NS) : 0;
}

void bw_scavenge_ask(struct bw_mheap *h)
{
	struct bw_collector *c = &bw_collector;

	if (h == READ_ONCE(c->h) && !READ_ONCE(c->scavenger.asked) &&
	    !xchg(&c->scavenger.asked, 1))
		bw_collector_wake();
}
