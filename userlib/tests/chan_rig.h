/* SPDX-License-Identifier: MIT */
/* chan_rig: what tests of channels and locks of Gs share. */
#ifndef BW_TESTS_CHAN_RIG_H
#define BW_TESTS_CHAN_RIG_H

#include <errno.h>

#include "burrow/gc.h"
#include "lang/chan.h"
#include "sched_rig.h"

static inline u32 rig_nr_waiters(u32 *lock, const struct bw_waitlist *l)
{
	const struct bw_waiter *w;
	u32 nr = 0;

	bw_waiters_lock(lock);
	for (w = l->first; w; w = w->next)
		nr++;
	bw_waiters_unlock(lock);
	return nr;
}

/* Until so many wait: who is in the list is parked once its lock is free. */
static inline void rig_wait_waiters(struct bw_chan *c,
				    const struct bw_waitlist *l, u32 nr)
{
	while (rig_nr_waiters(&c->lock, l) != nr)
		bw_yield();
}

/*
 * @child in a process of its own, twice: without barriers, @arg is NULL, and the
 * collector marks in a stop; with them, and it marks beside the program.
 */
static inline void rig_both_collectors(void (*child)(void *arg))
{
	static char said[8000];
	int i, status;

	for (i = 0; i < 2; i++) {
		status = rig_child(child, i ? said : NULL, said, sizeof(said));
		if (!EXPECT(!status))
			printf("# %s: 0x%x %s\n", i ? "hybrid" : "plain",
			       status, said);
	}
}

/* First of all in such a child. */
static inline void rig_collect(const void *arg, const char *options)
{
	setenv("BURROW", options, 1);
	if (arg)
		bw_barriers_used();
}

#endif
