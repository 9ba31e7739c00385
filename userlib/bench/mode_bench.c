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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mode_bench.h"

#define MAX_ROUNDS	9U
#define LEAST_ROUNDS	3U
#define LONG_NS		60e9	/* of a row: then the least number of rounds will do */

static const char *const modes[] = { "kernel", "user" };

static const struct row *const tables[] = { heap_rows, g_rows };

static bool quick, wall;

double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Negative: it did not end well. */
static double once(const struct row *r, const char *mode)
{
	char said[64] = "";
	int fd[2], status = -1;
	pid_t pid;

	if (pipe(fd))
		die("pipe");
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		setenv("BURROW_MODE", mode, 1);
		execl("/proc/self/exe", "mode_bench", "row", r->name,
		      (char *)NULL);
		_exit(126);
	}
	close(fd[1]);
	if (read(fd[0], said, sizeof(said) - 1) <= 0)
		said[0] = '\0';
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status || !said[0] ? -1 : strtod(said, NULL);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int tell(const struct row *r, const char *mode, const double *cost,
		unsigned int nr)
{
	double sorted[MAX_ROUNDS], median;
	unsigned int i;

	memcpy(sorted, cost, nr * sizeof(*cost));
	qsort(sorted, nr, sizeof(*sorted), by_size);
	median = sorted[nr / 2];
	printf("%s, %s mode\t", r->name, mode);
	if (sorted[0] < 0) {
		printf("-\t%s\tdid not end well\t-\n", r->unit);
		return 1;
	}
	printf("%.0f\t%s\t%.3f\t%s, user mode\t", median, r->unit,
	       median ? (sorted[nr - 1] - sorted[0]) / median : 0, r->name);
	for (i = 0; i < nr; i++)
		printf("%s%.1f", i ? " " : "", cost[i]);
	printf("\n");
	fflush(stdout);
	return 0;
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
		bad |= tell(r, modes[k], cost[k], i);
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
