// SPDX-License-Identifier: MIT
/* leak: see leak.h */
#include "base/lock.h"
#include "base/sysmem.h"
#include "base/throw.h"
#include "jobs.h"
#include "leak.h"
#include "sched/eyes.h"
#include "sched/stop.h"
#include "sched/waiter.h"

#define LEAST		256U
#define TELL_MOST	50UL

/**
 * struct leaks - Gs that are held, and then those that wait for ever
 * @lock:	of all of it, but in stops
 * @at:		the Gs							[lock]
 * @nr:		how many						[lock]
 * @room:	for how many there is memory				[lock]
 */
static struct leaks {
	struct bw_lock lock;
	struct bw_leak *at;
	size_t nr;
	size_t room;
} leaks = { .lock.rank = BW_RANK_GC_LEAKS };

static bool grow(void)
{
	size_t room = leaks.room ? 2 * leaks.room : LEAST;
	struct bw_leak *at = bw_sys_alloc(room * sizeof(*at));

	if (!at)
		return false;
	if (leaks.nr)
		memcpy(at, leaks.at, leaks.nr * sizeof(*at));
	bw_sys_free(leaks.at, leaks.room * sizeof(*at));
	leaks.at = at;
	leaks.room = room;
	return true;
}

/* Without memory to hold it its stack is a root: it is not told of. */
static bool hold(struct bw_g *g)
{
	if (READ_ONCE(g->state) != BW_G_PARKED || !g->stack ||
	    (!g->nr_on && !bw_waiters_are_open(g)))
		return false;
	if (leaks.nr == leaks.room && !grow())
		return false;
	leaks.at[leaks.nr++] = (struct bw_leak){
		.g = g,
		.id = g->id,
		.name = g->name,
		.reason = g->reason,
		.fn = g->fn,
	};
	return true;
}

static void begin_one(struct bw_g *g, void *arg)
{
	if (!hold(g))
		bw_world_g_stack(g, bw_job_add, arg);
}

void bw_leaks_begin(struct bw_collector *c)
{
	leaks.nr = 0;
	bw_g_each(begin_one, NULL);
}

/* What is no object of the collector's is there for ever. */
static bool may_go_on(const struct bw_mheap *h, const struct bw_g *g)
{
	const struct bw_waiter *w;
	u32 i;

	for (i = 0; i < g->nr_on; i++)
		if (g->on[i] && bw_is_marked(h, g->on[i]))
			return true;
	for (w = g->waiting; w; w = w->also)
		if (bw_is_marked(h, w->object))
			return true;
	return false;
}

/* Jobs for the stacks of held Gs that may go on; they are held no longer. */
static bool let_go(const struct bw_mheap *h)
{
	size_t i, left = 0, was = leaks.nr;

	for (i = 0; i < was; i++) {
		if (may_go_on(h, leaks.at[i].g))
			bw_world_g_stack(leaks.at[i].g, bw_job_add, NULL);
		else
			leaks.at[left++] = leaks.at[i];
	}
	leaks.nr = left;
	return left < was;
}

/* All of them, then: nobody is told of who should not be. */
static void mark_lost(struct bw_marker *m)
{
	if (bw_jobs_lost())
		leaks.nr = 0;
	bw_gc_mark_lost(m, true);
}

static void mark_jobs(struct bw_collector *c, struct bw_marker *m,
		      void (*drain)(struct bw_marker *m))
{
	c->pacer.stacks += bw_jobs_bytes();
	bw_jobs_do(m);
	mark_lost(m);
	drain(m);
}

void bw_leaks_find(struct bw_collector *c, struct bw_marker *m,
		   void (*drain)(struct bw_marker *m))
{
	size_t i;

	/* of the cycle's own roots, before their list is begun anew */
	mark_lost(m);
	drain(m);
	for (;;) {
		bw_jobs_begin();
		if (!let_go(c->h))
			break;
		mark_jobs(c, m, drain);
	}
	for (i = 0; i < leaks.nr; i++)
		bw_world_g_stack(leaks.at[i].g, bw_job_add, NULL);
	mark_jobs(c, m, drain);
}

size_t bw_leaks_copy(struct bw_leak *leak, size_t max)
{
	size_t nr;

	bw_lock(&leaks.lock);
	nr = leaks.nr;
	if (min(nr, max))
		memcpy(leak, leaks.at, min(nr, max) * sizeof(*leak));
	bw_unlock(&leaks.lock);
	return nr;
}

void bw_leaks_tell(void)
{
	struct bw_leak leak[TELL_MOST];
	struct bw_g *g[TELL_MOST];
	size_t nr, i;

	if (!bw_collector.leakcheck || bw_sched.cut_off)
		return;
	nr = bw_leaks(leak, TELL_MOST);
	if (!nr)
		return;
	for (i = 0; i < min(nr, TELL_MOST); i++)
		g[i] = leak[i].g;
	bw_note("leakcheck: %zu Gs wait for what nobody can reach%s", nr,
		nr > TELL_MOST ? "; the first of them:" : ":");
	bw_dump_these(g, (u32)i);
}

void bw_leaks_none(void)
{
	bw_lock(&leaks.lock);
	leaks.nr = 0;
	bw_unlock(&leaks.lock);
}

void bw_leaks_forget(void)
{
	bw_lock_init(&leaks.lock, BW_RANK_GC_LEAKS);
	leaks.nr = 0;
}
