// SPDX-License-Identifier: MIT
/*
 * trace: BURROW=gctrace=1, a line a cycle with the fields that Go's has:
 *
 *	gc 1 @0.012s 2%: 0.02+0+0.10 ms clock, 0+0/0.2/0+0 ms cpu,
 *	4->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P, plain
 *
 * Its number; when it began, and the share of all CPUs' time that collections
 * took; time until the world stood still, of marking while it ran, and of
 * standing still; CPU time of the first, of marking by assists, by workers and on
 * idle CPUs, of the last; bytes of objects when it began, when all was marked,
 * and of those that are alive.
 */
#include "base/throw.h"
#include "collector.h"
#include "sched/sched.h"

/* 1.234, of 1234567 */
#define FMT		"%lu.%lu%lu%lu"
#define MS(ns)		(ns) / 1000000, (ns) / 100000 % 10, \
			(ns) / 10000 % 10, (ns) / 1000 % 10
#define MB(bytes)	((long long)(bytes) >> 20)

void bw_gc_trace(const struct bw_collector *c)
{
	const struct bw_gc_times *t = &c->times;
	const struct bw_pacer *p = &c->pacer;
	u64 at = t->begin - c->origin, wall = t->end - c->origin;
	u32 procs = READ_ONCE(bw_sched.nr_procs);
	bool plain = c->running == BW_GC_PLAIN;
	u64 meanwhile, share = 0;

	procs = max(procs, 1U);
	if (wall)
		share = c->cpu * 100 / (wall * procs);
	meanwhile = plain ? 0 : t->marked - t->stopped - t->first;
	bw_note("gc %u @" FMT "s %lu%%: " FMT "+" FMT "+" FMT " ms clock, "
		FMT "+" FMT "/" FMT "/0+" FMT " ms cpu, %lld->%lld->%lld MB, "
		"%lld MB goal, %lld MB stacks, %lld MB globals, %u P, %s%s",
		c->nr, MS(at / 1000), share, MS(t->to_stop + t->first),
		MS(meanwhile), MS(t->last), MS(t->first), MS(c->assist_cpu),
		MS(t->cpu - min(t->cpu, t->first + (plain ? 0 : t->last))),
		MS(t->last), MB(c->before), MB(c->after), MB(p->marked),
		p->goal == INT64_MAX ? 0 : MB(p->goal), MB(p->stacks),
		MB(p->globals), procs, plain ? "plain" : "hybrid",
		c->forced ? " (forced)" : "");
}

void bw_pacer_trace(const struct bw_collector *c)
{
	const struct bw_pacer *p = &c->pacer;

	bw_note("pacer: gc %u: %lld KB marked, %lld KB looked into, %lld KB "
		"taken meanwhile, %lld/1024 bytes to look into for one; goal "
		"%lld KB, trigger %lld KB, percent %d, limit %lld KB", c->nr,
		(long long)p->marked >> 10, (long long)c->scanned >> 10,
		(long long)p->taken >> 10, (long long)p->ratio,
		(long long)p->goal >> 10, (long long)c->h->gc.trigger >> 10,
		p->percent, p->limit == INT64_MAX ? 0 :
		(long long)p->limit >> 10);
}
