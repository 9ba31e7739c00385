/* SPDX-License-Identifier: MIT */
/* death_rig: what tests of deaths share: children that die, and what they said. */
#ifndef BW_TESTS_DEATH_RIG_H
#define BW_TESTS_DEATH_RIG_H

#include "burrow/go.h"
#include "sched_rig.h"

static char said[1 << 16];

/* The child died by @sig and said @what. */
static inline void expect_death(void (*fn)(void *arg), void *arg, int sig,
				const char *what)
{
	int status = rig_child(fn, arg, said, sizeof(said));

	if (!EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == sig) ||
	    !EXPECT(strstr(said, what)))
		printf("# status 0x%x, wanted '%s', said: %s\n", status, what,
		       said);
}

/* Until something else ends the process. */
static inline int yield_for_ever(void)
{
	while (bw_self())
		bw_yield();
	return 0;
}

/* A run whose first G is *@arg. */
static inline void run_fn(void *arg)
{
	bw_run(*(int (**)(void *))arg, NULL);
}

/* With one P. */
static inline void run_alone(void *arg)
{
	setenv("BURROW_PROCS", "1", 1);
	run_fn(arg);
}

/* What a run's first G does wrong, and what is said of it. */
struct misuse {
	int (*fn)(void *arg);
	const char *says;
};

static inline void expect_misuse(const struct misuse *row, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		expect_death(run_alone, (void *)&row[i].fn, SIGABRT,
			     row[i].says);
}

static volatile int slept;

static inline void sleeper(void *arg)
{
	bw_park();
	slept = 1;		/* or the frame would be gone */
}

#endif
