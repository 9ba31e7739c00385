// SPDX-License-Identifier: MIT
/*
 * alloc_pairs: what a pair of bw_alloc() and bw_free() costs, beside calloc() and
 * free() of whatever malloc the program runs with, in turns.
 *
 *	alloc_pairs [ROUNDS [ONLY]]	ONLY: a size, bw_ calls alone, for callgrind
 *
 * Prints the lowest of all rounds, for that is what neighbours disturb least,
 * and the ratio of the medians.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "burrow/alloc.h"

#define PAIRS	2000000
#define BULK	20000
#define MOST	64

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* An object is used, so that no compiler leaves it out. */
static void use(void *p)
{
	__asm__ volatile("" : : "r" (p) : "memory");
}

static void pairs_bw(size_t n)
{
	int i;

	for (i = 0; i < PAIRS; i++) {
		void *p = bw_alloc(n);

		use(p);
		bw_free(p);
	}
}

static void pairs_libc(size_t n)
{
	int i;

	for (i = 0; i < PAIRS; i++) {
		void *p = calloc(1, n);

		use(p);
		free(p);
	}
}

static void *slot[BULK];

static void bulk_bw(size_t n)
{
	int k, i;

	for (k = 0; k < PAIRS / BULK; k++) {
		for (i = 0; i < BULK; i++)
			slot[i] = bw_alloc(n);
		for (i = 0; i < BULK; i++)
			bw_free(slot[i]);
	}
}

static void bulk_libc(size_t n)
{
	int k, i;

	for (k = 0; k < PAIRS / BULK; k++) {
		for (i = 0; i < BULK; i++)
			slot[i] = calloc(1, n);
		for (i = 0; i < BULK; i++)
			free(slot[i]);
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double once(void (*fn)(size_t n), size_t n)
{
	double from = now_ns();

	fn(n);
	return (now_ns() - from) / PAIRS;
}

static void row(const char *what, size_t n, int rounds,
		void (*ours)(size_t n), void (*theirs)(size_t n))
{
	double a[MOST], b[MOST];
	int i;

	once(ours, n);
	once(theirs, n);
	for (i = 0; i < rounds; i++) {
		a[i] = once(ours, n);
		b[i] = once(theirs, n);
	}
	qsort(a, (size_t)rounds, sizeof(*a), by_size);
	qsort(b, (size_t)rounds, sizeof(*b), by_size);
	printf("%s %5zu  bw %6.2f ns  libc %6.2f ns  ratio %.2f\n", what, n,
	       a[0], b[0], a[rounds / 2] / b[rounds / 2]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 8, 16, 32, 48, 64, 256, 1024, 8192 };
	int rounds = argc > 1 ? atoi(argv[1]) : 9;
	size_t i;

	if (argc > 2) {
		pairs_bw((size_t)atoi(argv[2]));
		return 0;
	}
	if (rounds < 1 || rounds > MOST)
		return 1;
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		row("pairs", sizes[i], rounds, pairs_bw, pairs_libc);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes) - 1; i++)
		row("bulk ", sizes[i], rounds, bulk_bw, bulk_libc);
	return 0;
}
