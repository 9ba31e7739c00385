// SPDX-License-Identifier: MIT
/*
 * time_bench: what timers cost, and how late they are.
 *
 *	time_bench [ROUNDS]	BURROW_PROCS chooses the number of Ps
 *
 *	now	bw_now(), ns
 *	timer	bw_timer_start() far away and bw_timer_stop(), ns
 *	crowd	the same beside 10,000 others
 *	reset	bw_timer_reset() of one that runs, ns
 *	sleep	how late a G comes back from 100 us of bw_sleep(), ns
 *	fires	... and the function of a timer begins, ns
 *	nano	... and a thread comes back from clock_nanosleep(), ns
 *
 * A line for each: the least, the median and the most of all rounds; the last
 * three take turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "burrow/go.h"
#include "burrow/time.h"

#define MAX_ROUNDS	1000
#define N		10000
#define FAR		3600000000000ULL
#define SHORT		100000ULL

static struct bw_timer *one, *shot;
static struct bw_g *boss;
static uint64_t fired_at;

static void nothing(void *arg)
{
}

static void fires(void *arg)
{
	fired_at = bw_now();
	bw_ready(boss);
}

static double do_now(void)
{
	uint64_t t = bw_now(), last = t;
	int i;

	for (i = 0; i < N; i++)
		last = bw_now();
	return (double)(last - t) / N;
}

static double do_timer(void)
{
	uint64_t t = bw_now();
	int i;

	for (i = 0; i < N; i++) {
		bw_timer_start(one, FAR);
		bw_timer_stop(one);
	}
	return (double)(bw_now() - t) / N;
}

static double do_crowd(void)
{
	static struct bw_timer *other[N];
	double d;
	int i;

	for (i = 0; i < N; i++) {
		if (!other[i])
			other[i] = bw_timer_make(nothing, NULL);
		bw_timer_start(other[i], FAR + (uint64_t)i * 7919 % N);
	}
	d = do_timer();
	for (i = 0; i < N; i++)
		bw_timer_stop(other[i]);
	return d;
}

static double do_reset(void)
{
	uint64_t t = bw_now();
	int i;

	for (i = 0; i < N; i++)
		bw_timer_reset(one, FAR);
	t = bw_now() - t;
	bw_timer_stop(one);
	return (double)t / N;
}

static double do_sleep(void)
{
	uint64_t until = bw_now() + SHORT;

	bw_sleep_until(until);
	return (double)(bw_now() - until);
}

static double do_fires(void)
{
	uint64_t at = bw_now() + SHORT;

	bw_timer_start_at(shot, at);
	bw_park();
	return (double)(fired_at - at);
}

static double do_nano(void)
{
	uint64_t until = bw_now() + SHORT;
	struct timespec ts = { (time_t)(until / 1000000000ULL),
			       (long)(until % 1000000000ULL) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	return (double)(bw_now() - until);
}

static const struct row {
	const char *name;
	double (*fn)(void);
} rows[] = {
	{ "now", do_now },
	{ "timer", do_timer },
	{ "crowd", do_crowd },
	{ "reset", do_reset },
	{ "sleep", do_sleep },
	{ "fires", do_fires },
	{ "nano", do_nano },
};

#define NR_ROWS	(sizeof(rows) / sizeof(rows[0]))

static double t[NR_ROWS][MAX_ROUNDS];

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int bench(void *arg)
{
	int rounds = *(int *)arg, i;
	size_t r;

	boss = bw_self();
	one = bw_timer_make(nothing, NULL);
	shot = bw_timer_make(fires, NULL);
	for (i = 0; i < rounds; i++)
		for (r = 0; r < NR_ROWS; r++)
			t[r][i] = rows[r].fn();
	for (r = 0; r < NR_ROWS; r++) {
		qsort(t[r], (size_t)rounds, sizeof(t[r][0]), by_value);
		printf("%-8s %9.1f %9.1f %9.1f\n", rows[r].name, t[r][0],
		       t[r][rounds / 2], t[r][rounds - 1]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 200;

	if (rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	return bw_run(bench, &rounds);
}
