/* SPDX-License-Identifier: MIT */
/*
 * barrier: what burrow/barrier.h does not do inline.
 *
 *	bw_set()			burrow/barrier.h
 *	  bw_barrier_slow()		<- here: both words into the thread's buffer
 *	    bw_shades_flush()		<- here: 256 of them to the markers
 *	terminate()			hybrid.c: flushes all, in the stop
 *
 * What was overwritten is noted so that what could be reached when marking began
 * will be found, however it is moved meanwhile; what is stored, so that it is
 * found even if it came from where nobody looked.
 *
 * J1. Buffers are their thread's, in its mcache; they change in sections, so a
 *     stopped thread's is whole, and the collector may flush it.
 * J2. Marking ends in a stop in which every buffer was flushed, every running
 *     stack was looked at once more, and nothing was left to do
 *     (selftests/model/gcmark.pml). So the thread that was stopped between its
 *     store and its note has what it overwrote in a register.
 *
 * Rejected: test before store, as Go does: a thread that was stopped between the
 * two goes on to store without a note. There, code in programs would have to be
 * known by address.
 */
#ifndef BW_GC_BARRIER_H
#define BW_GC_BARRIER_H

#include "heap/mcache.h"

void bw_shades_flush(struct bw_mcache *c);
/* One word, by a thread that may have no buffer yet. */
void bw_shade(const void *p);

#endif
