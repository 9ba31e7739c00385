// SPDX-License-Identifier: MIT
/*
 * stop_bench: how long it takes until the world is stopped, in us.
 *
 *	stop_bench [STOPS]	BURROW_PROCS chooses the number of Ps
 *
 *	idle	nothing else runs
 *	loops	a G in a loop without calls for each P but ours, and an attached
 *		thread in one
 *	crowd	6 attached threads in such loops; a fourth as many stops
 *
 * A line for each: median, 99th percentile and most. What is beyond a CPU's time
 * slice is others' turn on that CPU, which a stop has to wait for.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "burrow/go.h"
#include "sched/sched.h"

#define MAX_STOPS	100000
#define MAX_THREADS	8U
#define CROWD		6U

static u32 end, here;
static u64 turns[MAX_THREADS];

static double us_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void loops(void *arg)
{
	__atomic_add_fetch(&here, 1, __ATOMIC_SEQ_CST);
	while (!READ_ONCE(end))
		__atomic_add_fetch((u64 *)arg, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&here, 1, __ATOMIC_SEQ_CST);
}

static void *loops_attached(void *arg)
{
	if (bw_thread_attach())
		abort();
	loops(arg);
	bw_thread_detach();
	return NULL;
}

/* Until the first @nr are all on their way again. */
static void wait_for_turns(u32 nr)
{
	u64 before[MAX_THREADS];
	u32 i;

	for (i = 0; i < nr; i++)
		before[i] = READ_ONCE(turns[i]);
	for (i = 0; i < nr; i++)
		while (before[i] == READ_ONCE(turns[i]))
			sched_yield();
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, int stops, u32 nr)
{
	static double took[MAX_STOPS];
	int i;

	for (i = 0; i < stops; i++) {
		double t;

		wait_for_turns(nr);
		t = us_now();
		bw_world_stop("bench");
		took[i] = us_now() - t;
		bw_world_start();
	}
	qsort(took, (size_t)stops, sizeof(took[0]), by_value);
	printf("%-6s %8.1f %8.1f %8.1f\n", name, took[stops / 2],
	       took[stops * 99 / 100], took[stops - 1]);
	fflush(stdout);
}

static void beside(const char *name, int stops, u32 gs, u32 threads)
{
	pthread_t t[MAX_THREADS];
	u32 i;

	WRITE_ONCE(end, 0);
	for (i = 0; i < gs; i++)
		if (bw_go(loops, &turns[i]))
			abort();
	for (i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, loops_attached,
				   &turns[gs + i]))
			abort();
	while (READ_ONCE(here) != gs + threads)
		bw_yield();
	measure(name, stops, gs + threads);
	WRITE_ONCE(end, 1);
	for (i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	while (READ_ONCE(here))
		bw_yield();
}

static int bench(void *arg)
{
	int stops = *(int *)arg;
	u32 procs = (u32)bw_procs(0);

	measure("idle", stops, 0);
	beside("loops", stops, min(procs, MAX_THREADS) - 1, 1);
	beside("crowd", (stops + 3) / 4, 0, CROWD);
	return 0;
}

int main(int argc, char **argv)
{
	int stops = argc > 1 ? atoi(argv[1]) : 500;

	if (stops < 1 || stops > MAX_STOPS)
		return 2;
	return bw_run(bench, &stops);
}
