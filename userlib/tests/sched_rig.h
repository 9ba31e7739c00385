/* SPDX-License-Identifier: MIT */
/* sched_rig: what tests of the scheduler share: counting Gs down, children. */
#ifndef BW_TESTS_SCHED_RIG_H
#define BW_TESTS_SCHED_RIG_H

#include "burrow/go.h"
#include "rig.h"
#include "sched/sched.h"

/* Sanitizers make everything 5 to 20 times slower, and take memory. */
#define RIG_SLOW	(BW_ASAN || BW_TSAN)

/**
 * struct countdown - one G waits until @left is 0
 */
struct countdown {
	struct bw_g *waiter;
	long left;
};

static inline void countdown_init(struct countdown *c, long n)
{
	c->waiter = bw_self();
	__atomic_store_n(&c->left, n, __ATOMIC_SEQ_CST);
}

static inline void countdown_done(struct countdown *c)
{
	/* by value: after the last one the waiter may go on */
	struct bw_g *waiter = c->waiter;

	if (!__atomic_sub_fetch(&c->left, 1, __ATOMIC_SEQ_CST))
		bw_ready(waiter);
}

static inline void countdown_wait(struct countdown *c)
{
	while (__atomic_load_n(&c->left, __ATOMIC_SEQ_CST))
		bw_park();
}

static inline long add(long *n, long by)
{
	return __atomic_add_fetch(n, by, __ATOMIC_SEQ_CST);
}

/* A run whose first G is @fn, which says nothing. */
static inline int run_it(int (*fn)(void *arg))
{
	return bw_run(fn, NULL);
}

#endif
