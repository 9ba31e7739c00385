// SPDX-License-Identifier: MIT
/*
 * alloc_bench: what an object costs, whoever it is from. Compiled once for each
 * peer (alloc_bench.sh): -DPEER='"alloc_bw.h"' says what peer_new() and peer_free()
 * are. alloc_bench.go is the same for Go, which has no free.
 *
 *	alloc_bench ROW SIZE [N]	"ns-per-object peak-KiB"; N objects
 *
 *	pairs	an object is made and freed at once
 *	ring	20000 are alive; each new one replaces the oldest
 *	bulk-order, bulk-reverse, bulk-random
 *		20000 are made, then all freed: as they were made, backwards, in
 *		no order
 *
 * Objects are zero. CPU time of the process is what is measured, so what a
 * collector does meanwhile in other threads is in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include PEER

#define RING	20000UL

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

/* A collector looks there. */
static void **ring;

static void pairs(size_t n, unsigned long nr)
{
	while (nr--) {
		void *p = peer_new(n);

		__asm__ volatile("" : : "r" (p) : "memory");
		peer_free(p);
	}
}

static void ring_run(size_t n, unsigned long nr)
{
	unsigned long i = 0;

	while (nr--) {
		if (ring[i])
			peer_free(ring[i]);
		ring[i] = peer_new(n);
		*(char *)ring[i] = 1;
		i = i + 1 == RING ? 0 : i + 1;
	}
}

static unsigned int order[RING];

static void fill(size_t n)
{
	unsigned long i;

	for (i = 0; i < RING; i++) {
		ring[i] = peer_new(n);
		*(char *)ring[i] = 1;
	}
}

static void bulk_order(size_t n, unsigned long nr)
{
	unsigned long i;

	for (; nr; nr -= RING) {
		fill(n);
		for (i = 0; i < RING; i++)
			peer_free(ring[i]);
	}
}

static void bulk_reverse(size_t n, unsigned long nr)
{
	unsigned long i;

	for (; nr; nr -= RING) {
		fill(n);
		for (i = RING; i--;)
			peer_free(ring[i]);
	}
}

static void bulk_random(size_t n, unsigned long nr)
{
	unsigned long i;

	for (; nr; nr -= RING) {
		fill(n);
		for (i = 0; i < RING; i++)
			peer_free(ring[order[i]]);
	}
}

static void shuffle(void)
{
	unsigned int i, k, swap, seed = 12345;

	for (i = 0; i < RING; i++)
		order[i] = i;
	for (i = RING - 1; i; i--) {
		seed = seed * 1103515245 + 12345;
		k = (seed >> 8) % (i + 1);
		swap = order[i];
		order[i] = order[k];
		order[k] = swap;
	}
}

static const struct row {
	const char *name;
	void (*run)(size_t n, unsigned long nr);
} rows[] = {
	{ "pairs", pairs },
	{ "ring", ring_run },
	{ "bulk-order", bulk_order },
	{ "bulk-reverse", bulk_reverse },
	{ "bulk-random", bulk_random },
};

static const struct row *row_of(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!strcmp(name, rows[i].name))
			return &rows[i];
	return NULL;
}

/* As many as take some 50 ms, and whole bulks. */
static unsigned long objects(size_t n)
{
	unsigned long nr = n <= 1024 ? 4000000UL : 4000000UL * 1024 / n;

	return (nr + RING - 1) / RING * RING;
}

int main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	unsigned long nr = argc > 3 ? strtoul(argv[3], NULL, 0) : objects(n);
	const struct row *row = n ? row_of(argv[1]) : NULL;
	double from;

	if (!row || (row > &rows[1] && nr % RING))
		return 1;
	peer_init();
	shuffle();
	ring = peer_root(RING * sizeof(*ring));
	from = cpu_ns();
	row->run(n, nr);
	printf("%.3f %ld\n", (cpu_ns() - from) / (double)nr, peak_kib());
	return 0;
}
