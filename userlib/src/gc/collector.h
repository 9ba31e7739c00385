/* SPDX-License-Identifier: MIT */
/*
 * collector: what the files of the collector share.
 *
 *	a refill finds that enough was taken	heap/mcache.c, gc_due of hooks.def
 *	  bw_collector_due()			start.c
 *	the collector's thread			start.c
 *	  bw_gc_cycle()				cycle.c, which reads as the phases
 *	    bw_root_hold()			root.c
 *	    bw_gang_run()			gang.c, with mark.c
 *	    bw_pacer_end()			pacer.c: when is the next
 *	    bw_gc_trace()			trace.c
 */
#ifndef BW_GC_COLLECTOR_H
#define BW_GC_COLLECTOR_H

#include "gang.h"
#include "heap/pageheap.h"
#include "mark.h"
#include "work.h"

enum bw_gc_mode {
	BW_GC_PLAIN,		/* all of the marking in one stop */
	BW_GC_HYBRID,		/* a write barrier, two short stops */
};

/**
 * struct bw_pacer - when a cycle begins
 * @percent:	the heap may grow by so much before it ends; -1: off	[atomic]
 * @limit:	bytes of memory that the heap should not exceed		[atomic]
 * @goal:	bytes of objects at which a cycle is to be over		[atomic]
 * @marked:	bytes of objects that the last one left			[collector]
 * @stacks:	bytes of stacks that it looked at			[collector]
 * @globals:	and of other roots					[collector]
 * @not_before:	CLOCK_MONOTONIC: no cycle for the limit's sake until then,
 *		or the collector would take more than half of the time	[atomic]
 * @told:	that it would was said					[collector]
 * @ratio:	bytes to be looked into for each byte that is taken while
 *		marking, times 1024					[stop]
 * @taken:	bytes that were taken while the last one marked	[collector]
 */
struct bw_pacer {
	s32 percent;
	s64 limit;
	s64 goal;
	s64 marked;
	s64 stacks;
	s64 globals;
	u64 not_before;
	bool told;
	s64 ratio;
	s64 taken;
};

/**
 * struct bw_gc_times - of a cycle, ns					[collector]
 * @begin:	when it began, CLOCK_MONOTONIC
 * @stopped:	the world stood still, for the first time
 * @marked:	marking while it ran was over
 * @end:	all is swept
 * @to_stop:	how long the first stop took to be one
 * @first:	the world stood still at first; 0 in plain
 * @last:	and at last
 * @longest:	and at most
 * @pause:	and in all
 * @cpu:	CPU time that marking took, of the collector's threads
 */
struct bw_gc_times {
	u64 begin;
	u64 stopped;
	u64 marked;
	u64 end;
	u64 to_stop;
	u64 first;
	u64 last;
	u64 longest;
	u64 pause;
	u64 cpu;
};

/**
 * struct bw_scavenger - what goes back between cycles			[collector]
 * @next:	no slice before that, CLOCK_MONOTONIC (V1)
 * @given:	bytes that went						[atomic]
 * @cpu:	ns of CPU time that took				[atomic]
 * @rest:	and ns in which there was to be none			[atomic]
 * @asked:	somebody wants it to look				[atomic]
 */
struct bw_scavenger {
	u64 next;
	u64 given;
	u64 cpu;
	u64 rest;
	u32 asked;
};

/**
 * struct bw_collector - the collector of the process
 * @h:		the heap						[const]
 * @pool:	words to be marked
 * @mode:	enum bw_gc_mode						[atomic]
 * @running:	that of this cycle				[collector]
 * @stw:	gcstoptheworld						[const]
 * @nr_markers:	that take part in a stop			[collector]
 * @marked:	bytes in objects that were marked			[atomic]
 * @scanned:	bytes that were looked into				[atomic]
 * @assist_cpu:	CPU time of assists, ns					[atomic]
 * @black:	bytes that could be taken when marking began, less @before
 *								[collector]
 * @after:	bytes of objects when it ended			[collector]
 * @terminated:	all is marked					[collector]
 * @trace:	a line for each cycle					[const]
 * @pacer_trace: and one of why it began when it did			[const]
 * @check:	mark once more, otherwise, and compare			[const]
 * @typecheck:	look for pointers where types say that there are none	[const]
 * @verify:	check the heap in each phase				[const]
 * @leakcheck:	when a run ends Gs that wait for ever are told		[const]
 * @leaks_wanted: the next cycle is to look for them			[atomic]
 * @leaks:	this one does					[collector]
 * @told:	that there was no memory for one			[collector]
 * @every:	a cycle each so many refills, 0: as the pacer says	[const]
 * @refills:	so many were						[atomic]
 * @wanted:	cycles that were asked for				[atomic]
 * @bell:	goes up when the thread is to look what it is wanted for [atomic]
 * @done:	the last that is over, sweep and all			[atomic]
 * @nr:		cycles there were					[collector]
 * @forced:	this one was asked for by bw_gc()			[atomic]
 * @origin:	when the collector began, CLOCK_MONOTONIC		[const]
 * @cpu:	CPU time it took in all, ns				[collector]
 * @pause:	the time the world stood still in all			[collector]
 * @longest:	and at most						[collector]
 * @before:	bytes of objects when the cycle began			[collector]
 * @times:	of this cycle						[collector]
 * @pacer:	see there
 * @scavenger:	see there
 */
struct bw_collector {
	struct bw_mheap *h;
	struct bw_workpool pool;
	u32 mode;
	u32 running;
	u32 stw;
	u32 nr_markers;
	u64 marked;
	u64 scanned;
	u64 assist_cpu;
	s64 black;
	s64 after;
	bool terminated;
	bool trace;
	bool pacer_trace;
	bool check;
	bool typecheck;
	bool verify;
	bool leakcheck;
	bool leaks;
	bool told;
	u32 leaks_wanted;
	u32 every;
	u32 refills;
	u32 wanted;
	u32 bell;
	u32 done;
	u32 nr;
	u32 forced;
	u64 origin;
	u64 cpu;
	u64 pause;
	u64 longest;
	s64 before;
	struct bw_gc_times times;
	struct bw_pacer pacer;
	struct bw_scavenger scavenger;
};

extern struct bw_collector bw_collector;

/* start.c */
/* Before any object is made: the allocator may call us. */
void bw_collector_hooks(void);
/* What the environment says is known from here on. */
void bw_collector_setup(void);
void bw_collector_due(struct bw_mheap *h);
/* The thread is to look what there is to be done. */
void bw_collector_wake(void);
/* A cycle that begins now or later, and its end. */
void bw_collector_run(void);
/*
 * From the one to the other the collector's thread has nothing in its hands (Z3): no
 * span on its way to the backend, none half swept.
 */
void bw_collector_hold(void);
void bw_collector_go_on(void);
/* Z2 in start.c: from the one to the other of these, in a cycle, forks go on. */
void bw_gc_forks_go(void);
void bw_gc_forks_wait(void);
u64 bw_gc_now(void);
u64 bw_gc_cpu_now(void);

/* cycle.c: one cycle, in the collector's thread. */
void bw_gc_cycle(struct bw_collector *c);

void bw_gc_finish_sweep(struct bw_collector *c);
/* Adds up what a marker did since it was last asked. */
void bw_gc_count(struct bw_collector *c, struct bw_marker *m);
void bw_gc_mark_last(struct bw_collector *c);
void bw_gc_check(struct bw_collector *c);
void bw_gc_verify(struct bw_collector *c, const char *when);
void bw_gc_marked(struct bw_collector *c, s64 taken);
/* Jobs for all roots, stacks that wait or without. */
void bw_gc_roots(struct bw_collector *c, bool waiting);
/* Those that there was no memory for. */
void bw_gc_mark_lost(struct bw_marker *m, bool waiting);

/* hybrid.c */
/* False: no memory, and nothing was done. */
bool bw_hybrid(struct bw_collector *c);
void bw_assist(struct bw_collector *c);

/* pacer.c */
/* Marking begins while the program runs. */
void bw_pacer_begin(struct bw_collector *c);
/* Bytes that should have been looked into and were not. */
s64 bw_pacer_debt(struct bw_collector *c);
/* The heap is far beyond its goal. */
bool bw_pacer_is_late(const struct bw_collector *c);
void bw_pacer_init(struct bw_collector *c);
/* What is alive is known, the world is stopped: the next goal and trigger. */
void bw_pacer_end(struct bw_collector *c);
/* Percent or limit are others now. */
void bw_pacer_renew(struct bw_collector *c);
/* After the sweep: memory goes back as the limit says. */
void bw_pacer_scavenge(struct bw_collector *c);

/* scavenge.c: when a cycle is over; */
void bw_scavenge_begin(struct bw_collector *c);
/* a slice, if there is any; when to come again, 0: when asked to; */
u64 bw_scavenge_some(struct bw_collector *c);
/* and by who has put a span. */
void bw_scavenge_ask(struct bw_mheap *h);

/* memlimit.c: INT64_MAX where there is none. */
s64 bw_memlimit(void);
s64 bw_memlimit_cgroup(const char *cgroups, const char *mount);

/* trace.c */
void bw_gc_trace(const struct bw_collector *c);
void bw_pacer_trace(const struct bw_collector *c);

#endif
