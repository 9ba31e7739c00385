/* SPDX-License-Identifier: MIT */
/*
 * gang: the collector's own threads, that do one thing together.
 *
 *	bw_gang_run(fn, arg)	fn(i, arg) in each of them and in the caller
 *
 * They are no Ms: nobody stops them, they have no G and no mcache, block all
 * signals, and touch nothing of the C library's while the world is stopped.
 *
 * Rejected: Gs as workers, as Go has. They need Ps, and Ms that are not stopped;
 * what share of the machine they get is for the kernel to say, which knows what
 * is idle.
 */
#ifndef BW_GC_GANG_H
#define BW_GC_GANG_H

#include "base/types.h"

#define BW_GANG_MAX	16U

typedef void bw_gang_fn(u32 i, void *arg);

/* Once: @nr with the caller, at most BW_GANG_MAX. How many there are. */
u32 bw_gang_init(u32 nr);
u32 bw_gang_size(void);
/* In a child of fork(): there is only who calls it. */
void bw_gang_forked(void);
/* Returns when all have. One caller at a time. */
void bw_gang_run(bw_gang_fn *fn, void *arg);
/* CPU time of all but the caller, ns. */
u64 bw_gang_cpu(void);

#endif
