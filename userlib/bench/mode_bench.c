// SPDX-License-Identifier: MIT
/*
 * mode_bench: what the library's moves cost in kernel mode, and in user mode beside
 * it, in one guest with the module (make bench-vm ONLY="library wall").
 *
 *	mode_bench			all rows, for one CPU whose clock counts
 *					instructions
 *	mode_bench wall			those for several CPUs, by the clock
 *	QUICK=1 mode_bench ...		few of them
 *	mode_bench row NAME		one, in the mode that BURROW_MODE says
 *
 * Every measurement is a process of its own, and the modes take turns, so that both
 * have the same guest around them. A line is what selftests/bench/main.c tells, all
 * values at its end.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mode_bench.h"

#define LEAST_ROUNDS	3U
#define LONG_NS		60e9	/* of a row: then the least number of rounds will do */

static const char *const modes[] = { "kernel", "user" };
static const char *const mode_names[] = { "kernel mode", "user mode" };

static const struct row *const tables[] = { heap_rows, g_rows };

static bool quick, wall;

void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Negative: it did not end well. */
static double once(const struct row *r, const char *mode)
{
	return child_says(mode, "mode_bench", "row", r->name);
}

static int measure(const struct row *r)
{
	unsigned int rounds = wall ? (quick ? 3 : 7) : (quick ? 2 : 3), i, k;
	double cost[2][MAX_ROUNDS], from = now_ns();
	int bad = 0;

	/* by the clock one round warms up; instructions need none */
	for (k = 0; wall && k < 2; k++)
		once(r, modes[k]);
	for (i = 0; i < rounds; i++) {
		if (wall && i >= LEAST_ROUNDS && now_ns() - from > LONG_NS)
			break;
		for (k = 0; k < 2; k++) {
			unsigned int m = (i + k) % 2;

			cost[m][i] = once(r, modes[m]);
		}
	}
	for (k = 0; k < 2; k++)
		bad |= row_tell(r->name, mode_names[k], mode_names[1], r->unit,
				cost[k], i);
	return bad;
}

static bool is_wanted(const struct row *r)
{
	if (quick && !(r->when & QUICK))
		return false;
	return wall ? r->when & (WALL | ONLY_WALL) : !(r->when & ONLY_WALL);
}

static int one(const char *name)
{
	const struct row *r;
	size_t t;

	for (t = 0; t < sizeof(tables) / sizeof(*tables); t++)
		for (r = tables[t]; r->name; r++)
			if (!strcmp(r->name, name)) {
				printf("%.1f\n", r->cost());
				return 0;
			}
	fprintf(stderr, "no such row: %s\n", name);
	return 2;
}

int main(int argc, char **argv)
{
	const struct row *r;
	int bad = 0;
	size_t t;

	if (argc == 3 && !strcmp(argv[1], "row"))
		return one(argv[2]);
	wall = argc == 2 && !strcmp(argv[1], "wall");
	if (argc > 1 && !wall) {
		fprintf(stderr, "mode_bench [wall | row NAME]\n");
		return 2;
	}
	quick = getenv("QUICK");
	printf("=%s\n", wall ? "wall" : "library");
	fflush(stdout);
	for (t = 0; t < sizeof(tables) / sizeof(*tables); t++)
		for (r = tables[t]; r->name; r++)
			if (is_wanted(r))
				bad |= measure(r);
	return bad;
}
