// SPDX-License-Identifier: MIT
/*
 * malloc_bench: what malloc and free cost, whoever they are. The program knows
 * nothing of burrow; malloc_bench.py preloads one allocator after the other.
 *
 *	malloc_bench ROW [SIZE]		one row: "ns-per-operation peak-KiB"
 *	malloc_bench			the names of the rows
 *
 * An operation is a pair of malloc and free where the row does not say else. CPU
 * time of the process is what is measured: on a machine that is shared it is what
 * repeats. Peak memory is VmHWM of the process at the row's end.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "malloc_bench.h"

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static long peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

uint64_t bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

#define PAIRS	4000000UL

/* Large ones are few: the work is the same size for all. */
static unsigned long pairs(size_t n)
{
	unsigned long i;

	for (i = 0; i < PAIRS; i++) {
		void *p = malloc(n);

		bench_use(p);
		free(p);
	}
	return PAIRS;
}

static unsigned long mixed(size_t n)
{
	uint64_t state = 88172645463325252ULL;
	unsigned long i;

	for (i = 0; i < PAIRS; i++) {
		void *p = malloc(16 + bench_random(&state) % (n - 15));

		bench_use(p);
		free(p);
	}
	return PAIRS;
}

static unsigned long zeroed(size_t n)
{
	unsigned long i, nr = n < 1024 ? PAIRS : PAIRS * 256 / n;

	for (i = 0; i < nr; i++) {
		void *p = calloc(1, n);

		bench_use(p);
		free(p);
	}
	return nr;
}

#define SLOTS	20000
#define ROUNDS	100

static void *slot[SLOTS];
static unsigned int order[SLOTS];

static void shuffle(void)
{
	uint64_t state = 7;
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		order[i] = i;
	for (i = SLOTS; i-- > 1;) {
		unsigned int k = (unsigned int)(bench_random(&state) % (i + 1));
		unsigned int t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
}

static void fill(size_t n)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		slot[i] = malloc(n);
		*(char *)slot[i] = 1;
	}
}

static unsigned long bulk_order(size_t n)
{
	unsigned int i, r;

	for (r = 0; r < ROUNDS; r++) {
		fill(n);
		for (i = 0; i < SLOTS; i++)
			free(slot[i]);
	}
	return SLOTS * ROUNDS;
}

static unsigned long bulk_reverse(size_t n)
{
	unsigned int i, r;

	for (r = 0; r < ROUNDS; r++) {
		fill(n);
		for (i = SLOTS; i--;)
			free(slot[i]);
	}
	return SLOTS * ROUNDS;
}

static unsigned long bulk_random(size_t n)
{
	unsigned int i, r;

	shuffle();
	for (r = 0; r < ROUNDS; r++) {
		fill(n);
		for (i = 0; i < SLOTS; i++)
			free(slot[order[i]]);
	}
	return SLOTS * ROUNDS;
}

/*
 * An array that grows by a half of itself, or by SIZE bytes, is filled, and begins
 * again.
 */
static unsigned long grow(size_t n)
{
	unsigned long ops = 0;
	unsigned int r;

	for (r = 0; r < 10; r++) {
		size_t size = 16, had = 0;
		char *p = NULL;

		while (size < 32 << 20) {
			p = realloc(p, size);
			memset(p + had, 1, size - had);
			had = size;
			size += n ? n : size / 2;
			ops++;
		}
		free(p);
	}
	return ops;
}

static void touch(char *p, size_t size)
{
	size_t i;

	for (i = 0; i < size; i += 4096)
		p[i] = 1;
}

/* Blocks of all sizes up to SIZE, of 40000 a fifth of them above 32 KiB. */
static unsigned long churn(size_t n)
{
	uint64_t state = 99;
	unsigned long i;

	for (i = 0; i < 2000000; i++) {
		unsigned int k = (unsigned int)(bench_random(&state) % 1000);
		size_t size = 16 + bench_random(&state) % n;

		free(slot[k]);
		slot[k] = malloc(size);
		touch(slot[k], size);
	}
	for (i = 0; i < 1000; i++) {
		free(slot[i]);
		slot[i] = NULL;
	}
	return 2000000;
}

static const struct row {
	const char *name;
	unsigned long (*fn)(size_t n);
} rows[] = {
	{ "pairs", pairs },
	{ "mixed", mixed },
	{ "calloc", zeroed },
	{ "bulk-order", bulk_order },
	{ "bulk-reverse", bulk_reverse },
	{ "bulk-random", bulk_random },
	{ "grow", grow },
	{ "churn", churn },
	{ "handover", bench_handover },
	{ "larson", bench_larson },
	{ "xmalloc", bench_xmalloc },
};

int main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 0) : 64;
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double from;
		unsigned long ops;

		if (argc < 2) {
			puts(rows[i].name);
			continue;
		}
		if (strcmp(argv[1], rows[i].name))
			continue;
		from = cpu_ns();
		ops = rows[i].fn(n);
		printf("%.3f %ld\n", (cpu_ns() - from) / (double)ops,
		       peak_kib());
		return 0;
	}
	return argc < 2 ? 0 : 1;
}
