#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gc_mutants: leaves out one rule of the collector at a time (mutants.sh says how;
# Documentation/collector.md has the rules).
#
#	usage: gc_mutants.sh DIR [PATTERN]	only those whose name matches
set -u

. userlib/tests/mutants.sh
mutants_begin "$1" "${2:-.}" ${BASE:-gc_root_test gc_rules_test gc_hybrid_test \
	gc_special_test gc_test mark_test gc_pace_test gc_scavenge_test gc_fork_test \
	gc_fork_cycle_test}

# Roots and stops
mutant 'registered roots and static data are not looked at' gc_root_test \
	gc/cycle.c '/^void bw_gc_roots/,/^}/s/bw_root_each(bw_job_add, NULL);//'
mutant 'thread-local variables are not looked at' gc_root_test \
	sched/scan.c 's/range(e, r->tls, r->tls_end);//'
mutant 'running stacks are not looked at' gc_root_test \
	sched/scan.c '/^static void of_m/,/^}/s/of_stacks(e, m, sp);//'
mutant 'stacks that wait are not looked at' gc_root_test \
	sched/scan.c '/^static void of_waiting/,/^}/s/range(e, g->sp/if (0) range(e, g->sp/'
mutant 'those that wait all the time are forgotten while marking' gc_root_test \
	gc/hybrid.c '/^bool bw_hybrid/,/^}/s/scan_waiting(c);//'
mutant 'a G runs before its stack was looked at' gc_rules_test \
	sched/schedule.c 's/bw_scan_before_run(g);/bw_scan_new(g);/'
mutant 'what a G was started with is not looked at' gc_rules_test \
	sched/scan.c '/^static void of_g/,/^}/s/range(e, (const char \*)&g->arg, /if (0) range(e, NULL, /'
mutant 'a pin keeps nothing' gc_root_test \
	gc/root.c '/^void bw_root_each/,/^}/s/i < roots.pins.nr/i < 0/'
mutant 'what an exchange takes out is not noted' gc_rules_test \
	../include/burrow/barrier.h '/^static inline void \*bw_xchg_slot/,/^}/s/if (BW_BARRIER_ON)/if (0)/'
mutant 'what a compare and exchange takes out is not noted' gc_rules_test \
	../include/burrow/barrier.h '/^static inline int bw_cas_slot/,/^}/s/if (BW_BARRIER_ON)/if (0)/'
mutant 'what is handed over a channel is not noted' gc_rules_test \
	lang/chan.h '/^static inline void bw_chan_copy/,/^}/s/!BW_BARRIER_ON/1/'

# The barrier, what is new, the last stop
mutant 'what is overwritten is not noted' gc_rules_test \
	gc/barrier.c 's/add_fast(c, was);//; s/add(c, was);//'
mutant 'buffers of threads are not flushed in the last stop' gc_hybrid_test \
	gc/hybrid.c '/^static void look_again/,/^}/s/if (at->nr_shades)/if (0)/'
mutant 'a window that is loaded while marking is white' gc_rules_test \
	heap/mcache.c '/^static void load(/,/^}/s/blacken(h, s, w, bits);/;/'
mutant 'a window that was there when marking began is white' gc_rules_test \
	heap/mcache.c '/^s64 bw_mcache_blacken/,/^}/s/blacken(c->heap, s, w, bits);//'
mutant 'a large object that is made while marking is white' gc_rules_test \
	heap/large.c 's/if (READ_ONCE(h->gc.marking))/if (0)/'
mutant 'tiny objects are put into a block of before' gc_rules_test \
	heap/mcache.c '/^s64 bw_mcache_blacken/,/^}/s/c->tiny_used = BW_TINY_BLOCK;//'

# Registers and pointers
mutant 'registers of who rests are not on its stack' gc_root_test \
	sched/stop.c '/^void bw_rest(/,/^}/s/m->rest.sp = bw_sp();/m->rest.sp = (char *)bw_sp() + 512;/'
mutant 'a stopped thread has nothing below its stack pointer' gc_root_test \
	sched/stop.c '/^static void publish/,/^}/s/sp_of(uc) - BW_RED_ZONE/sp_of(uc)/'
mutant 'registers of a stopped thread are not looked at' gc_root_test \
	sched/stop.c '/^static void publish/,/^}/s/m->rest.frame = here;/m->rest.frame = NULL;/'
mutant 'a root to the end of an object does not keep it' mark_test \
	gc/mark.c 's/root_word(m, v - 1);//'
mutant 'a pointer into an object keeps nothing' mark_test \
	gc/walk.c 's/if (!mark_slot(w, i, shared))/if (p != v || !mark_slot(w, i, shared))/'

# Frees and sweeps
mutant 'a slot that is freed while marking is white' gc_rules_test \
	heap/mcache_free.c 's/if (unlikely(READ_ONCE(h->gc.marking)))/if (0)/'
mutant 'stashes take slots while marking' gc_rules_test \
	heap/stash.c 's/c->heap->hooks || READ_ONCE(c->heap->gc.marking)/c->heap->hooks/'
mutant 'mcaches are not flushed before the sweep' gc_rules_test \
	gc/hybrid.c '/^static void finish/,/^}/s/bw_sweep_flush(c->h);//'
mutant 'a span is swept twice in a cycle' gc_test \
	heap/sweep.c 's/s->sweepgen = (u16)READ_ONCE(h->sweepgen);$/;/'
mutant 'a sweep does not clear marks' mark_test \
	heap/sweep.c '/^u32 bw_sweep_span_locked/,/^}/s/WRITE_ONCE(marks\[w\], 0);/;/'

# Weak references and finalizers
mutant 'a weak reference that is read while marking is not noted' gc_rules_test \
	gc/special.c 's/if (p && READ_ONCE(bw_barrier_on))/if (0)/'
mutant 'a weak reference outlives its object' gc_special_test \
	gc/special.c '/^static void bury/,/^}/s/if (s->weak)/if (0)/'
mutant 'who is needed by a finalizer is finalized with it' gc_special_test \
	gc/special.c 's/bw_mark_children(m, object_of(s));//'
mutant 'who is due is not kept until its finalizer has run' gc_special_test \
	gc/special.c '/^void bw_special_dead/,/^}/s/i < all.nr_due; i++)/i < 0; i++)/'
mutant 'a finalizer runs twice' gc_special_test \
	gc/special.c '/^static void bury/,/^}/s/take_out(s);/if (!s->fn) take_out(s); else s->hidden ^= 0;/'
mutant 'frees do not end weak references' gc_special_test \
	gc/special.c '/^void bw_special_freed/,/^}/s/if (s->weak)/if (0)/'

# Modes, pace, memory
mutant 'marking is concurrent though nobody promised barriers' gc_pace_test \
	gc/cycle.c 's/BW_GC_PLAIN : READ_ONCE(c->mode)/BW_GC_PLAIN : BW_GC_HYBRID/'
mutant 'a type that lies is not told' gc_test \
	gc/check.c 's/else if (k->types)/else if (0)/'
mutant 'a limit that is too tight takes all of the time' gc_pace_test \
	gc/pacer.c 's/WRITE_ONCE(p->not_before, now + took);/;/'
mutant 'the memory limit is not looked at' gc_pace_test \
	gc/pacer.c 's/limit = min(goal_by_percent(c), limit);/limit = goal_by_percent(c);/'
mutant 'memory goes back without a rest' gc_scavenge_test \
	gc/scavenge.c 's/s->next = bw_gc_now() + rest;/s->next = bw_gc_now();/'
mutant 'memory that the goal needs goes back' gc_scavenge_test \
	heap/pageheap_release.c 's/h->retain = more ? .*/h->retain = 0;/'
mutant 'nobody is told that memory is idle' gc_scavenge_test \
	heap/pageheap_release.c 's/BW_UP(memory_idle, h);/;/'
mutant 'who puts a span gives memory back itself' gc_scavenge_test \
	heap/pageheap_release.c 's/if (!READ_ONCE(h->gc.scavenger))/if (1)/'

# Children of fork()
mutant 'a child knows the marks of its parent' gc_fork_cycle_test \
	heap/mcache_fork.c 's/if (torn->marking \&\& /if (0 \&\& /'
mutant 'what ended while marking stays in limbo in a child' gc_fork_cycle_test \
	heap/mcache_fork.c 's/bw_sweep_limbo(h);/;/'
mutant 'spans of mcaches of others are never swept in a child' gc_fork_test \
	heap/mcache_fork.c 's/if (s->cache != bw_mcache_survivor)/if (0)/'
mutant 'a child has mcaches of others' gc_fork_cycle_test \
	heap/mcache_fork.c 's/h->gc.caches = c;/;/; s/c->next = NULL;/;/'
mutant 'what was noted in the parent is not forgotten in a child' gc_fork_cycle_test \
	heap/mcache_fork.c 's/c->nr_shades = 0;/;/'
mutant 'the barrier stays on in a child' gc_fork_cycle_test \
	gc/start.c 's/bw_barrier_on = 0;/;/'
mutant 'a child waits for markers of the parent' gc_fork_cycle_test \
	gc/start.c 's/bw_gang_forked();/;/'
mutant 'buffers of the parent are the child s' gc_fork_cycle_test \
	gc/start.c '/^static void fork_child/,/^}/s/bw_work_init(.*/;/'
mutant 'the stack of a child that was a G is not looked at' gc_fork_test \
	sched/stop.c 's/bounds_of_slot(r);/;/'
mutant 'the thread of a child is not looked at' gc_fork_test \
	sched/fork.c 's/err = bw_implied_begin();/err = 0;/'
mutant 'locks of others stay taken in a child' gc_fork_test \
	gc/start.c '/lock(bw_special_lock/d; /reset(bw_special_lock/d; /(bw_root_lock/d'

mutants_end
