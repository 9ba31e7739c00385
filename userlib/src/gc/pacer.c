// SPDX-License-Identifier: MIT
/*
 * pacer: when a cycle begins.
 *
 *	goal = marked + (marked + stacks + globals) * BURROW_GC / 100
 *
 * or what BURROW_MEMLIMIT leaves, if that is less. Objects are counted as mcaches
 * take spans, so nothing is added to an allocation: a refill compares two words
 * (heap/gcstate.h).
 *
 * In *plain* nothing is taken while marking, so the trigger is the goal. In
 * *hybrid* it lies before it by what was taken during the last cycle, and a
 * quarter; who takes more than that meanwhile pays for it by marking (an
 * *assist*), so much that all is marked when the goal is reached.
 *
 * N1. At most half of the time is the collector's: when the limit is so tight
 *     that a cycle would begin sooner after the last one than that took, it
 *     waits, the heap grows beyond the limit, and that is said once.
 */
#include <stdlib.h>

#include "base/throw.h"
#include "collector.h"

#define MIN_GOAL	(4 << 20)	/* at 100 percent */
#define MIN_ROOM	(1 << 20)	/* between what is alive and a goal */
#define DEFAULT_PERCENT	100

/* Bytes of memory that the heap has, and not for objects. */
static s64 overhead(const struct bw_collector *c)
{
	s64 used;

	/* a limit may be set before there is an object */
	if (!c->h)
		return 0;
	used = (s64)(READ_ONCE(c->h->used_pages) << BURROW_PAGE_SHIFT);
	return max(used - c->before, (s64)0);
}

static s64 goal_by_percent(const struct bw_collector *c)
{
	const struct bw_pacer *p = &c->pacer;
	s64 percent = READ_ONCE(p->percent), least, goal;

	if (percent < 0)
		return INT64_MAX;
	goal = p->marked + (p->marked + p->stacks + p->globals) / 100 * percent;
	least = MIN_GOAL * percent / 100;
	return max(goal, least);
}

static s64 goal_by_limit(const struct bw_collector *c)
{
	s64 limit = READ_ONCE(c->pacer.limit);

	return limit == INT64_MAX ? limit : limit - overhead(c);
}

/* So early that marking is over at the goal if all goes as it did last time. */
static s64 trigger(const struct bw_collector *c)
{
	const struct bw_pacer *p = &c->pacer;
	s64 goal = READ_ONCE(p->goal), room = goal - p->marked, run;

	if (c->every)
		return INT64_MIN;
	if (READ_ONCE(c->mode) == BW_GC_PLAIN || c->stw || goal == INT64_MAX)
		return goal;
	run = p->taken ? p->taken + p->taken / 4 : room / 2;
	run = min(run, room / 10 * 7);
	return goal - max(run, room / 20);
}

void bw_pacer_begin(struct bw_collector *c)
{
	struct bw_pacer *p = &c->pacer;
	s64 goal = READ_ONCE(p->goal);
	s64 room = goal == INT64_MAX ? c->before : goal - c->before;

	/* all that is there at worst; what is left of the room at least */
	room = max(room, max(c->before / 20, (s64)MIN_ROOM));
	p->ratio = (max(p->marked, c->before / 2) << 10) / room;
	WRITE_ONCE(c->h->gc.trigger, INT64_MIN);
}

s64 bw_pacer_debt(struct bw_collector *c)
{
	s64 taken = READ_ONCE(c->h->gc.live) - c->before;

	return (taken * c->pacer.ratio >> 10) - (s64)READ_ONCE(c->scanned);
}

bool bw_pacer_is_late(const struct bw_collector *c)
{
	return READ_ONCE(c->h->gc.live) / 9 * 8 > READ_ONCE(c->pacer.goal);
}

void bw_pacer_renew(struct bw_collector *c)
{
	struct bw_pacer *p = &c->pacer;
	s64 least = p->marked + MIN_ROOM, limit = goal_by_limit(c);

	limit = min(goal_by_percent(c), limit);
	WRITE_ONCE(p->goal, max(limit, least));
	if (c->h && !READ_ONCE(c->h->gc.marking))
		WRITE_ONCE(c->h->gc.trigger, trigger(c));
}

/* N1 */
static void hold_back(struct bw_collector *c)
{
	struct bw_pacer *p = &c->pacer;
	u64 now = bw_gc_now(), took = now - c->times.begin;

	WRITE_ONCE(p->not_before, 0);
	if (READ_ONCE(p->goal) >= goal_by_percent(c) || c->forced)
		return;
	WRITE_ONCE(p->not_before, now + took);
	if (p->told || goal_by_limit(c) > p->marked + MIN_ROOM)
		return;
	p->told = true;
	bw_note("the memory limit of %lld bytes is too tight for %lld bytes of "
		"objects: the collector takes half of the time at most, and "
		"the heap grows beyond it", (long long)p->limit,
		(long long)p->marked);
}

void bw_pacer_end(struct bw_collector *c)
{
	c->pacer.taken = c->running == BW_GC_HYBRID ?
			 max(c->after - c->before, (s64)0) : 0;
	bw_pacer_renew(c);
	hold_back(c);
}

/* Memory that is over the limit, or soon will be, goes first. */
void bw_pacer_scavenge(struct bw_collector *c)
{
	s64 limit = READ_ONCE(c->pacer.limit), have;

	if (limit == INT64_MAX)
		return;
	have = (s64)((READ_ONCE(c->h->used_pages) + READ_ONCE(c->h->spare_pages)
		      + READ_ONCE(c->h->lazy_pages)) << BURROW_PAGE_SHIFT);
	/* one tenth below, so that the next few spans do not need this again */
	if (have > limit / 10 * 9)
		bw_mheap_scavenge(c->h, (u64)(have - limit / 10 * 9));
}

/* off, or a number */
static s32 percent_of(const char *text)
{
	const char *at;
	s64 n = 0;

	if (!text || !*text)
		return DEFAULT_PERCENT;
	if (!strcmp(text, "off"))
		return -1;
	for (at = text; *at >= '0' && *at <= '9' && n <= 1000000; at++)
		n = n * 10 + *at - '0';
	if (*at || n > 1000000)
		bw_fatal("BURROW_GC=%s is not allowed; it is off, or a "
			 "percentage from 0 to 1000000", text);
	return (s32)n;
}

void bw_pacer_init(struct bw_collector *c)
{
	c->pacer.percent = percent_of(getenv("BURROW_GC"));
	c->pacer.limit = c->pacer.percent < 0 && !getenv("BURROW_MEMLIMIT") ?
			 INT64_MAX : bw_memlimit();
	bw_pacer_renew(c);
}
