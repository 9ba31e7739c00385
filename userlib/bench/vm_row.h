/* SPDX-License-Identifier: MIT */
/*
 * vm_row.h: what the programs of bench-vm have in common that are linked with the
 * library (mode_bench, malloc_fault): each measurement is a process of its own, and
 * what came of a row is a line as selftests/bench/main.c tells it.
 */
#ifndef BW_BENCH_VM_ROW_H
#define BW_BENCH_VM_ROW_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROUNDS	9U

static inline double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/*
 * What this program, called @name, prints with these two arguments in that mode;
 * negative: it did not end well.
 */
static inline double child_says(const char *mode, const char *name,
				const char *first, const char *second)
{
	char said[64] = "";
	int fd[2], status = -1;
	pid_t pid;

	if (pipe(fd))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		setenv("BURROW_MODE", mode, 1);
		execl("/proc/self/exe", name, first, second, (char *)NULL);
		_exit(126);
	}
	close(fd[1]);
	if (read(fd[0], said, sizeof(said) - 1) <= 0)
		said[0] = '\0';
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status || !said[0] ? -1 : strtod(said, NULL);
}

static inline int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * The line of "@name, @peer", to be compared with "@name, @base"; @cost is at most
 * MAX_ROUNDS values. 1: one of them did not end well.
 */
static inline int row_tell(const char *name, const char *peer, const char *base,
			   const char *unit, const double *cost, unsigned int nr)
{
	double sorted[MAX_ROUNDS], median;
	unsigned int i;

	memcpy(sorted, cost, nr * sizeof(*cost));
	qsort(sorted, nr, sizeof(*sorted), by_size);
	median = sorted[nr / 2];
	printf("%s, %s\t", name, peer);
	if (sorted[0] < 0) {
		printf("-\t%s\tdid not end well\t-\n", unit);
		return 1;
	}
	printf("%.0f\t%s\t%.3f\t%s, %s\t", median, unit,
	       median ? (sorted[nr - 1] - sorted[0]) / median : 0, name, base);
	for (i = 0; i < nr; i++)
		printf("%s%.1f", i ? " " : "", cost[i]);
	printf("\n");
	fflush(stdout);
	return 0;
}

#endif
