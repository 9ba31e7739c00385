// SPDX-License-Identifier: MIT
/*
 * gc_peers: programs that collectors are compared with. Compiled once for each
 * peer (gc_peers.sh): -DPEER='"gc_peers_bw.h"' says what an object and a store are.
 * gc_peers.go is the same for Go.
 *
 *	gc_peers trees DEPTH	binary-trees, results checked
 *	gc_peers gcbench	trees made from the root and from the leaves, beside
 *				one that stays and an array of numbers
 *	gc_peers map BITS	a table of 4 << BITS pointers, open addressing:
 *				keys come and go
 *	gc_peers churn BITS	a map of the library's with 1 << BITS keys, each with an
 *				object: keys go, and others come
 *	gc_peers live MIB N	a tree of so many MiB stays, N objects of 64 bytes
 *				replace each other beside it: how long each 32
 *				of them took
 *	gc_peers requests MIB N	the same, 1000 at a time with a rest between
 *	gc_peers drop MIB	all that was alive is dropped: how long until half
 *				of the memory is the system's again
 *
 * Of live and requests also how many stalls of more than 0.2 and 2 ms there were in a
 * second of running, which is what peers can be compared by that take more or less
 * time for the same.
 *
 * "NAME VALUE" lines: wall and cpu (ms), rss (MiB, at its peak), and what is the
 * row's own. Sums are checked. Where BENCH_TAIL names a file, live and requests leave
 * there how many batches took up to so many ns: "NS COUNT" lines, four an octave.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct tree {
	struct tree *left;
	struct tree *right;
};

struct node {			/* 64 bytes */
	struct node *left;
	struct node *right;
	long number[6];
};

#include PEER

#define BATCH	32
#define REQUEST	1000L
#define RING	(1L << 16)

static long arg1;
static long arg2;

static double clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void bad(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static struct tree *bottom_up(int depth)
{
	struct tree *t = NEW_TREE(), *left;

	if (depth) {
		left = bottom_up(depth - 1);
		SET(&t->left, left);
		left = bottom_up(depth - 1);
		SET(&t->right, left);
	}
	return t;
}

static void top_down(struct tree *t, int depth)
{
	struct tree *child;

	if (!depth)
		return;
	child = NEW_TREE();
	SET(&t->left, child);
	child = NEW_TREE();
	SET(&t->right, child);
	top_down(t->left, depth - 1);
	top_down(t->right, depth - 1);
}

static long count(const struct tree *t)
{
	return t->left ? 1 + count(t->left) + count(t->right) : 1;
}

static void run_trees(void)
{
	int depth, most = (int)arg1;
	struct tree *kept = bottom_up(most);
	long nodes = (2L << most) - 1, n, i, got;

	for (depth = 4; depth <= most; depth += 4) {
		n = 1L << (most - depth + 4);
		for (i = 0, got = 0; i < n; i++)
			got += count(bottom_up(depth));
		if (got != n * ((2L << depth) - 1))
			bad("a tree is not as it was made");
		nodes += got;
	}
	if (count(kept) != (2L << most) - 1)
		bad("the tree that stays is not as it was made");
	printf("nodes %ld\n", nodes);
}

static void run_gcbench(void)
{
	struct tree *kept, *t;
	double *array;
	int depth;
	long i, n;

	count(bottom_up(18));
	kept = NEW_TREE();
	top_down(kept, 16);
	array = NEW_NUMBERS(500000);
	for (i = 0; i < 250000; i++)
		array[i] = 1.0 / (double)(i + 1);
	for (depth = 4; depth <= 16; depth += 2) {
		n = 2 * ((2L << 18) - 1) / ((2L << depth) - 1);
		for (i = 0; i < n; i++) {
			t = NEW_TREE();
			top_down(t, depth);
			if (count(t) != (2L << depth) - 1)
				bad("a tree is not as it was made");
		}
		for (i = 0; i < n; i++)
			if (count(bottom_up(depth)) != (2L << depth) - 1)
				bad("a tree is not as it was made");
	}
	if (count(kept) != (2L << 16) - 1 || array[1000] != 1.0 / 1001)
		bad("what stays is not as it was made");
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 33;
}

/* Keys are in [1, 2n], in a table of 4n slots; a key that is there goes. */
static void run_map(void)
{
	long nr = 1L << arg1, size = 4 * nr, mask = size - 1, in = 0, i, at;
	long steps = 20 * nr;
	struct node **slot = NEW_POINTERS(size), *e;
	uint64_t seed = 1;

	for (i = 0; i < steps; i++) {
		long key = 1 + (long)(next_random(&seed) % (uint64_t)(2 * nr));

		at = (long)((uint64_t)key * 0x9e3779b97f4a7c15ULL >> 20) & mask;
		while ((e = slot[at]) && e->number[0] != key)
			at = (at + 1) & mask;
		if (!e) {
			e = NEW_NODE();
			e->number[0] = key;
			SET(&slot[at], e);
			in++;
		} else if (e->number[1]) {
			e->number[1] = 0;
			in++;
		} else {
			/* its place is taken by one that says it is gone */
			e = NEW_NODE();
			e->number[0] = key;
			e->number[1] = 1;
			SET(&slot[at], e);
			in--;
		}
	}
	for (i = 0; i < size; i++)
		in -= slot[i] && !slot[i]->number[1];
	if (in)
		bad("the table has lost keys");
	printf("steps %ld\n", steps);
}

#ifdef MAP_MAKE
/* Keys in [1, 2n], n of them at a time. */
static void run_churn(void)
{
	long nr = 1L << arg1, steps = 8 * nr, i;
	uint64_t seed = 1, key;
	MAP map = MAP_MAKE();
	struct node *e;

	for (i = 0; i < nr + steps; i++) {
		do {
			key = 1 + next_random(&seed) % (uint64_t)(2 * nr);
		} while (MAP_GET(map, key));
		e = NEW_NODE();
		e->number[0] = (long)key;
		MAP_PUT(map, key, e);
		if (i < nr)
			continue;
		do {
			key = 1 + next_random(&seed) % (uint64_t)(2 * nr);
			e = MAP_GET(map, key);
		} while (!e);
		if (e->number[0] != (long)key)
			bad("a key has another's object");
		MAP_DEL(map, key);
	}
	if (MAP_LEN(map) != nr)
		bad("the map has lost keys");
	printf("steps %ld\n", steps);
}
#else
static void run_churn(void)
{
	exit(77);
}
#endif

static struct node *grow(int depth)
{
	struct node *t = NEW_NODE(), *child;

	t->number[0] = depth;
	if (depth) {
		child = grow(depth - 1);
		SET(&t->left, child);
		child = grow(depth - 1);
		SET(&t->right, child);
	}
	return t;
}

static long weigh(const struct node *t)
{
	return t->left ? 1 + weigh(t->left) + weigh(t->right) : 1;
}

static int depth_of(long mib)
{
	int depth = 0;

	while ((2L << depth) * 64 < mib << 20)
		depth++;
	return depth;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* @took: the longest first. */
static void leave_tail(const uint32_t *took, long batches)
{
	const char *path = getenv("BENCH_TAIL");
	double up_to = 16, step = 1.189207115;
	long i = batches - 1, n;
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!path)
		return;
	if (!f)
		bad("no file for the tail");
	for (; i >= 0; up_to *= step) {
		for (n = 0; i >= 0 && took[i] <= up_to; i--)
			n++;
		if (n)
			fprintf(f, "%.0f %ld\n", up_to, n);
	}
	fclose(f);
}

static void tell_stalls(const uint32_t *took, long nr, double seconds)
{
	long i, short_ones = 0, long_ones = 0;

	for (i = 0; i < nr; i++) {
		short_ones += took[i] > 200000;
		long_ones += took[i] > 2000000;
	}
	printf("over-0.2ms/s %.1f\n", (double)short_ones / seconds);
	printf("over-2ms/s %.1f\n", (double)long_ones / seconds);
}

static void run_live(int rests)
{
	struct node *kept = grow(depth_of(arg1)), *n;
	struct node **ring = NEW_POINTERS(RING);
	uint32_t *took = malloc((size_t)(arg2 / BATCH) * sizeof(*took));
	const struct timespec rest = { .tv_nsec = 500000 };
	double from = clock_ns(CLOCK_MONOTONIC), last = from, now, rested = 0;
	double cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	long i, k, batches = arg2 / BATCH;

	for (i = 0; i < batches; i++) {
		for (k = 0; k < BATCH; k++) {
			n = NEW_NODE();
			n->number[0] = i;
			SET(&ring[(i * BATCH + k) % RING], n);
		}
		now = clock_ns(CLOCK_MONOTONIC);
		took[i] = (uint32_t)(now - last);
		last = now;
		if (rests && i * BATCH % REQUEST < BATCH) {
			nanosleep(&rest, NULL);
			last = clock_ns(CLOCK_MONOTONIC);
			rested += last - now;
		}
	}
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (weigh(kept) != (2L << depth_of(arg1)) - 1)
		bad("the tree that stays is not as it was made");
	tell_stalls(took, batches, (last - from - rested) / 1e9);
	qsort(took, (size_t)batches, sizeof(*took), compare);
	printf("million/s %.2f\n", (double)arg2 * 1e3 / (last - from - rested));
	printf("cpu-ns/object %.1f\n", cpu / (double)arg2);
	printf("longest-us %.0f\n", took[0] / 1e3);
	printf("p99.9999-us %.0f\n", took[arg2 / 1000000] / 1e3);
	printf("p99.9-us %.1f\n", took[batches / 1000] / 1e3);
	leave_tail(took, batches);
	free(took);
}

static long rss_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all, here = 0;

	if (!f || fscanf(f, "%ld %ld", &all, &here) != 2)
		bad("no /proc/self/statm");
	fclose(f);
	return here * (sysconf(_SC_PAGESIZE) / 1024);
}

static struct node *dropped;

static void __attribute__((noinline)) fill(void)
{
	dropped = grow(depth_of(arg1));
}

static void run_drop(void)
{
	const struct timespec rest = { .tv_nsec = 5000000 };
	double from, ms = 0;
	long had, i;

	fill();
	had = rss_kib();
	dropped = NULL;
	from = clock_ns(CLOCK_MONOTONIC);
	COLLECT();
	while (rss_kib() > had / 2 && ms < 10000) {
		for (i = 0; i < 1000; i++)
			NEW_NODE();
		nanosleep(&rest, NULL);
		ms = (clock_ns(CLOCK_MONOTONIC) - from) / 1e6;
	}
	printf("drop-ms %.0f\n", ms);
}

static int run(const char *row)
{
	if (!strcmp(row, "trees"))
		run_trees();
	else if (!strcmp(row, "gcbench"))
		run_gcbench();
	else if (!strcmp(row, "map"))
		run_map();
	else if (!strcmp(row, "churn"))
		run_churn();
	else if (!strcmp(row, "live") || !strcmp(row, "requests"))
		run_live(*row == 'r');
	else if (!strcmp(row, "drop"))
		run_drop();
	else
		return 2;
	return 0;
}

static int main_of(void *row)
{
	return run(row);
}

int main(int argc, char **argv)
{
	double wall = clock_ns(CLOCK_MONOTONIC), cpu;
	struct rusage use;
	int err;

	if (argc < 2)
		return 2;
	arg1 = argc > 2 ? atol(argv[2]) : 0;
	arg2 = argc > 3 ? atol(argv[3]) : 0;
	err = PEER_RUN(main_of, argv[1]);
	wall = clock_ns(CLOCK_MONOTONIC) - wall;
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	getrusage(RUSAGE_SELF, &use);
	printf("wall %.1f\ncpu %.1f\nrss %ld\n", wall / 1e6, cpu / 1e6,
	       use.ru_maxrss / 1024);
	return err;
}
