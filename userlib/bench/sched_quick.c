// SPDX-License-Identifier: MIT
/*
 * sched_quick: what the scheduler's basic moves cost, in ns.
 *
 *	sched_quick [ROUNDS]	BURROW_PROCS chooses the number of Ps
 *
 *	switch	bw_switch() there and back, halved
 *	go	bw_go() of a G that ends at once, and its end
 *	spawn	the same, 1000 at a time
 *	yield	one of 2 Gs that yield in turn
 *	yield64	one of 64
 *	ping	one way between two Gs that park and ready each other
 *
 * A line for each: the least, the median and the most of all rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "burrow/go.h"
#include "last_one.h"
#include "sched/g.h"
#include "sched/switch.h"

#define MAX_ROUNDS	1000
#define N		20000L

static double ns_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void nothing(void *arg)
{
}

static double do_go(void)
{
	double t = ns_now();
	long i;

	for (i = 0; i < N; i++) {
		bw_go(nothing, NULL);
		bw_yield();
	}
	return (ns_now() - t) / (double)N;
}

static void count(void *arg)
{
	one_less();
}

static double do_spawn(void)
{
	double t = ns_now();
	long i, k;

	for (i = 0; i < N / 1000; i++) {
		left = 1000;
		for (k = 0; k < 1000; k++)
			bw_go(count, NULL);
		wait_for_all();
	}
	return (ns_now() - t) / (double)N;
}

static void yielder(void *arg)
{
	long n = *(long *)arg;

	while (n--)
		bw_yield();
	one_less();
}

static double yield_among(long nr)
{
	long n = N / nr, i;
	double t;

	left = nr;
	for (i = 0; i < nr; i++)
		bw_go(yielder, &n);
	t = ns_now();
	wait_for_all();
	return (ns_now() - t) / (double)(n * nr);
}

static double do_yield(void)
{
	return yield_among(2);
}

static double do_yield64(void)
{
	return yield_among(64);
}

static struct bw_g *player[2];

static void play(void *arg)
{
	long me = (long)arg, i;

	player[me] = bw_self();
	while (!__atomic_load_n(&player[!me], __ATOMIC_ACQUIRE))
		bw_yield();
	for (i = 0; i < N / 2; i++) {
		if (me)
			bw_park();
		bw_ready(player[!me]);
		if (!me)
			bw_park();
	}
	one_less();
}

static double do_ping(void)
{
	double t;

	left = 2;
	player[0] = NULL;
	player[1] = NULL;
	bw_go(play, (void *)0L);
	bw_go(play, (void *)1L);
	t = ns_now();
	wait_for_all();
	return (ns_now() - t) / (double)N;
}

static void *here, *there;

static void bounce(void *arg)
{
	for (;;)
		bw_switch(&there, here);
}

/* Outside the scheduler: a G that no M knows of. */
static double do_switch(void)
{
	static char stack[1 << 16] __attribute__((aligned(64)));
	static struct bw_g g = { .fn = bounce };
	double t;
	long i;

	there = bw_switch_frame(stack + sizeof(stack), &g);
	bw_switch(&here, there);
	t = ns_now();
	for (i = 0; i < N; i++)
		bw_switch(&here, there);
	return (ns_now() - t) / (double)N / 2;
}

static const struct row {
	const char *name;
	double (*fn)(void);
} rows[] = {
	{ "switch", do_switch },
	{ "go", do_go },
	{ "spawn", do_spawn },
	{ "yield", do_yield },
	{ "yield64", do_yield64 },
	{ "ping", do_ping },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int bench(void *arg)
{
	int rounds = *(int *)arg, i;
	double t[MAX_ROUNDS];
	size_t r;

	boss = bw_self();
	for (r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		rows[r].fn();
		for (i = 0; i < rounds; i++)
			t[i] = rows[r].fn();
		qsort(t, (size_t)rounds, sizeof(t[0]), by_value);
		printf("%-8s %7.1f %7.1f %7.1f\n", rows[r].name, t[0],
		       t[rounds / 2], t[rounds - 1]);
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
