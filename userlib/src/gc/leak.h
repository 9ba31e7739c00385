/* SPDX-License-Identifier: MIT */
/*
 * leak: Gs that wait for ever.
 *
 *	bw_sched_waits_on()	sched/sched.h	a G says what it waits for
 *	bw_leaks()		api.c		asks for a cycle that looks
 *	  bw_leaks_begin()	<- here		stacks of Gs that may go on are roots
 *	  bw_leaks_find()	<- here		and of those whose object was marked
 *
 * K1. A G that waits and said for which objects is *held*: its stack is no root
 *     until one of them has a mark. Then somebody who may run, now or later, can
 *     reach it, and the G may go on; so what its stack holds is marked too, and
 *     may give marks to what others wait for. Those that are still held when no
 *     marks come any more wait for ever.
 * K2. Then their stacks are looked at as all others: what they hold lives, and no
 *     finalizer of it runs. A look that was wrong for want of a pointer (hidden,
 *     or in memory that is no root) costs nobody his objects.
 *
 * Rejected: to look in every cycle (in hybrid stacks that wait are looked at in
 * any order, and G by G marking would have to wait for it); to end them (they may
 * hold locks, and their owner has to be told anyway).
 */
#ifndef BW_GC_LEAK_H
#define BW_GC_LEAK_H

#include "burrow/gc.h"
#include "collector.h"

/* World stopped: jobs for Gs that wait, but for those that are held. */
void bw_leaks_begin(struct bw_collector *c);
/* World stopped, and all is marked that those can reach. */
void bw_leaks_find(struct bw_collector *c, struct bw_marker *m,
		   void (*drain)(struct bw_marker *m));

/* How many were found last, and @max of them at most. */
size_t bw_leaks_copy(struct bw_leak *leak, size_t max);
/* The first G has ended. */
void bw_leaks_tell(void);
/* There was no memory to look. */
void bw_leaks_none(void);
/* A child of fork(). */
void bw_leaks_forget(void);

#endif
