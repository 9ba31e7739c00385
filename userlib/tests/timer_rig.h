/* SPDX-License-Identifier: MIT */
/* timer_rig: what tests of the clock share: a function that is due, who sleeps. */
#ifndef BW_TESTS_TIMER_RIG_H
#define BW_TESTS_TIMER_RIG_H

#include "burrow/time.h"
#include "sched_rig.h"

#define MS	1000000ULL
#define US	1000ULL

/* A G that sleeps now and then, and never too short. */
static inline void sleep_some(void *arg)
{
	u64 my = bw_g_id(bw_self()) * 2654435761U + 1, until;
	int i;

	for (i = 0; i < 10; i++) {
		until = bw_now() + rig_random(&my) % (3 * MS);
		bw_sleep_until(until);
		EXPECT(bw_now() >= until);
		until = bw_now() + 50 * US;
		bw_sleep(50 * US);
		EXPECT(bw_now() >= until);
	}
	countdown_done(arg);
}

/* What fires() counts, in one test at a time. */
static long nr_fired;

static inline void fires(void *arg)
{
	add(&nr_fired, 1);
}

#endif
