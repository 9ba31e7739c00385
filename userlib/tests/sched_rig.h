/* SPDX-License-Identifier: MIT */
/* sched_rig: what tests of the scheduler share: counting Gs down, children. */
#ifndef BW_TESTS_SCHED_RIG_H
#define BW_TESTS_SCHED_RIG_H

#include <sys/resource.h>

#include "burrow/go.h"
#include "burrow/time.h"
#include "rig.h"
#include "sched/sched.h"

/*
 * In an emulator: with the module, on a kernel that may be a debug one, or of
 * another architecture (RIG_SLOW=1).
 */
static inline bool rig_is_guest(void)
{
	static int yes = -1;
	const char *mode;

	if (READ_ONCE(yes) < 0) {
		mode = getenv("BURROW_MODE");
		if (!mode || strcmp(mode, "kernel"))
			mode = getenv("RIG_SLOW");
		WRITE_ONCE(yes, !!mode);
	}
	return READ_ONCE(yes);
}

/*
 * Sanitizers make everything 5 to 20 times slower, and take memory; so do guests.
 */
#define RIG_SLOW	(BW_ASAN || BW_TSAN || rig_is_guest())

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

static inline long rig_switches(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_nvcsw;
}

/*
 * For a G that has nothing to wait for: is there half a second in which hardly a
 * thread of the process wakes? Who gets no CPU may be long in going to sleep.
 */
static inline bool rig_comes_to_rest(void)
{
	long n = 0;
	int i;

	for (i = 0; i < 40 && (!i || n > 10); i++) {
		n = rig_switches();
		bw_sleep(500000000);
		n = rig_switches() - n;
	}
	printf("# %ld switches of threads\n", n);
	return n <= 10;
}

/* A run whose first G is @fn, which says nothing. */
static inline int run_it(int (*fn)(void *arg))
{
	return bw_run(fn, NULL);
}

#endif
