// SPDX-License-Identifier: MIT
/*
 * main: measures the rows of the parts that the command line names.
 *
 * Each row is measured REPEATS times after one warm-up and told as the median:
 *	name <tab> per unit <tab> unit <tab> spread <tab> row to compare with
 * and, behind a last tab, all values. The spread is (largest - smallest) / median.
 * "-" for a figure: the kernel has no such thing, and the spread says what it
 * answered. QUICK=1 in the environment measures three times.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench.h"

#define REPEATS		7

static int refused;

void die(const char *what)
{
	perror(what);
	exit(1);
}

void refuse(int err)
{
	refused = err;
}

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

double timed(void (*run)(const struct row *r), const struct row *r)
{
	uint64_t start = now();

	run(r);
	return now() - start;
}

static double once(const struct row *r)
{
	double cost;

	if (r->cost)
		return r->cost(r);
	if (r->before)
		r->before(r);
	cost = timed(r->run, r);
	if (r->after)
		r->after(r);
	return cost;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void line(const char *name, const char *value, const char *unit,
		 const char *spread, const char *base)
{
	printf("%s\t%s\t%s\t%s\t%s", name, value, unit, spread,
	       base ? base : "-");
}

static void end_of_line(const double *values, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		printf("%c%.1f", i ? ' ' : '\t', values[i]);
	printf("\n");
	fflush(stdout);
}

void measure(const struct row *r)
{
	double seen[REPEATS], sorted[REPEATS], mid;
	char value[32], spread[32];
	int i, nr = getenv("QUICK") ? 3 : REPEATS;

	refused = 0;
	for (i = -1; i < nr && !refused; i++) {
		double cost = once(r) / r->units;

		if (i >= 0)
			seen[i] = cost;
	}
	if (refused) {
		line(r->name, "-", r->unit, strerror(refused), r->base);
		end_of_line(NULL, 0);
		return;
	}
	memcpy(sorted, seen, nr * sizeof(seen[0]));
	qsort(sorted, nr, sizeof(sorted[0]), by_size);
	mid = sorted[nr / 2];
	snprintf(value, sizeof(value), "%.0f", mid);
	snprintf(spread, sizeof(spread), "%.3f",
		 (sorted[nr - 1] - sorted[0]) / mid);
	line(r->name, value, r->unit, spread, r->base);
	end_of_line(seen, nr);
}

void rows_measure(const struct row *r, size_t nr)
{
	for (; nr--; r++)
		measure(r);
}

void tell(const char *name, double value, const char *unit)
{
	char text[32];

	snprintf(text, sizeof(text), "%.0f", value);
	line(name, text, unit, "", NULL);
	end_of_line(&value, 1);
}

#define SPIN		20000000U

static long switches(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u))
		die("getrusage");
	return u.ru_nivcsw;
}

/*
 * A kernel that has just booted goes on with its own work for a while, and its
 * instructions would be counted as ours. Waits until nobody wants the CPU while
 * we do.
 */
static void quiet(void)
{
	volatile uint32_t n;
	long before;

	do {
		before = switches();
		for (n = SPIN; n; n--)
			;
	} while (switches() != before);
}

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "pages", pages_part },
	{ "memcg", memcg_part },
	{ "calls", calls_part },
	{ "huge", huge_part },
	{ "sweep", sweep_part },
	{ "shrink", shrink_part },
	{ "meta", meta_part },
	{ "stack", stack_part },
	{ "move", move_part },
	{ "fork", fork_part },
	{ "harvest", harvest_part },
	{ "arenas", arenas_part },
	{ "park", park_part },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < NR(parts); i++) {
		if (argc != 2 || strcmp(argv[1], parts[i].name))
			continue;
		printf("=%s\n", argv[1]);
		quiet();
		parts[i].run();
		return 0;
	}
	fprintf(stderr, "usage: bench PART, one of:");
	for (i = 0; i < NR(parts); i++)
		fprintf(stderr, " %s", parts[i].name);
	fprintf(stderr, "\n");
	return 1;
}
