/* SPDX-License-Identifier: MIT */
/*
 * sched_peers.h: what the C and C++ programs of bench-sched-peers have in common:
 * clocks, work to do, and a main() that runs one row.
 *
 * A program is called with a row and a number of Ps and prints one number. 77: it
 * has no such row.
 */
#ifndef BW_BENCH_SCHED_PEERS_H
#define BW_BENCH_SCHED_PEERS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NONE		77
#define MAX_SAMPLES	1000
#define WORKERS		100
#define NR_PARKED	300000L
#define MILLION		1000000L
#define NR_STARTS	200000
#define SORT_LEN	2000000L
#define SORT_CUT	16384L
#define FIB_N		34
#define FIB_CUT		18
#define MS		1000000.0
#define BLOCK_PERIOD	1000000L	/* ns */
#define PHASE		(60 * MS)

struct row {
	const char *name;
	double (*fn)(void);
};

/* burrow's of sched_peers_late.c */
extern const struct row late_rows[];

static inline double ns_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* CPU time of the process. */
static inline double cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static inline void spin_for(double ns)
{
	double end = ns_now() + ns;

	while (ns_now() < end)
		;
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(v[0]), by_value);
	return v[n / 2];
}

/* Resident memory and page tables. */
static inline double memory(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	double sum = 0;
	long kib;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1 ||
		    sscanf(line, "VmPTE: %ld", &kib) == 1)
			sum += (double)kib * 1024;
	if (f)
		fclose(f);
	return sum;
}

static inline long fib(int n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static inline void fill(int *a, long n)
{
	uint64_t x = 88172645463325252ULL;
	long i;

	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		a[i] = (int)(x >> 33);
	}
}

/* Hoare's: where the second part begins; both have at least one. */
static inline long partition(int *a, long n)
{
	int pivot = a[n / 2], t;
	long i = 0, j = n - 1;

	for (;;) {
		while (a[i] < pivot)
			i++;
		while (a[j] > pivot)
			j--;
		if (i >= j)
			return j + 1 < n ? j + 1 : j;
		t = a[i];
		a[i++] = a[j];
		a[j--] = t;
	}
}

static inline void sort(int *a, long n)
{
	while (n > 1) {
		long cut = partition(a, n);

		sort(a + cut, n - cut);
		n = cut;
	}
}

static inline void must_be_sorted(const int *a, long n)
{
	long i;

	for (i = 1; i < n; i++)
		if (a[i - 1] > a[i]) {
			fprintf(stderr, "it is not sorted\n");
			exit(1);
		}
}

/* 100 us or so of work that nobody can leave out. */
static inline uint64_t chunk(uint64_t x)
{
	int i;

	for (i = 0; i < 50000; i++)
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
	return x;
}

/* A descriptor whose read blocks until the next of its ticks. */
static inline int ticking(void)
{
	struct itimerspec its = { { 0, BLOCK_PERIOD }, { 0, BLOCK_PERIOD } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &its, NULL)) {
		perror("timerfd");
		exit(1);
	}
	return fd;
}

static inline void read_tick(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		perror("read");
}

static inline const struct row *find_row(const struct row *rows,
					 const char *name)
{
	for (; rows->name; rows++)
		if (!strcmp(rows->name, name))
			return rows;
	return NULL;
}

#endif
