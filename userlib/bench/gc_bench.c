// SPDX-License-Identifier: MIT
/*
 * gc_bench: what the collector costs.
 *
 *	gc_bench trees DEPTH	binary-trees, results checked: ns a node, RSS
 *	gc_bench mark		MB a core marks in a ms, random and in order
 *	gc_bench store		ns a bw_set(), marking or not
 *	gc_bench alloc MIB	ns of CPU time an object of 64 bytes, marking or
 *				not, with so many MiB alive
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "burrow.h"
#include "gc/collector.h"
#include "heap/mcache.h"

#define NODES	4000000
#define STORES	20000000L
#define CHUNK	50000L

struct tree {
	struct tree *left, *right;
};

BW_TYPE(tree, struct tree, left, right);

struct node {
	struct node *a, *b;
	long pad[6];
};

BW_TYPE(node, struct node, a, b);

struct leaf {
	struct leaf *left, *right;
	long pad[2];
};

BW_TYPE(leaf, struct leaf, left, right);

static struct bw_workpool pool;

static double clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static struct tree *tree_make(int depth)
{
	struct tree *t = bw_new(tree);

	if (!t)
		abort();
	if (depth) {
		struct tree *left = tree_make(depth - 1);

		/* new, and known to nobody: plain stores would do */
		bw_set(&t->left, left);
		bw_set(&t->right, tree_make(depth - 1));
	}
	return t;
}

static long tree_count(const struct tree *t)
{
	return t->left ? 1 + tree_count(t->left) + tree_count(t->right) : 1;
}

static int depth_max;

static int trees(void *arg)
{
	struct tree *kept = tree_make(depth_max);
	long nodes = (2L << depth_max) - 1, want, got, n, i;
	int d;

	for (d = 4; d <= depth_max; d += 4) {
		n = 1L << (depth_max - d + 4);
		want = n * ((2L << d) - 1);
		for (i = 0, got = 0; i < n; i++)
			got += tree_count(tree_make(d));
		nodes += got;
		if (got != want)
			return 1;
	}
	printf("nodes %ld\n", nodes);
	return tree_count(kept) != (2L << depth_max) - 1;
}

static int run_trees(const char *depth)
{
	double wall = clock_ms(CLOCK_MONOTONIC);
	double cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
	struct bw_gc_stats st;
	struct rusage use;

	depth_max = atoi(depth);
	if (bw_run(trees, NULL)) {
		printf("a tree is not as it was made\n");
		return 1;
	}
	wall = clock_ms(CLOCK_MONOTONIC) - wall;
	cpu = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	getrusage(RUSAGE_SELF, &use);
	bw_gc_stats(&st);
	printf("wall %.0f ms, cpu %.0f ms, rss %ld MB, %lu cycles, longest stop %.2f ms\n",
	       wall, cpu, use.ru_maxrss / 1024, (unsigned long)st.cycles,
	       (double)st.longest_ns / 1e6);
	return 0;
}

static void *random_heap(void)
{
	struct node **all = malloc(NODES * sizeof(*all)), *root;
	unsigned long seed = 1;
	long i, k;

	for (i = 0; i < NODES; i++)
		all[i] = bw_new(node);
	for (i = NODES - 1; i > 0; i--) {
		struct node *t = all[i];

		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		k = (long)((seed >> 33) % (unsigned long)(i + 1));
		all[i] = all[k];
		all[k] = t;
	}
	for (i = 0; 2 * i + 2 < NODES; i++) {
		all[i]->a = all[2 * i + 1];
		all[i]->b = all[2 * i + 2];
	}
	root = all[0];
	free(all);
	return root;
}

static struct leaf *ordered_heap(int depth)
{
	struct leaf *t = bw_new(leaf);

	if (depth) {
		t->left = ordered_heap(depth - 1);
		t->right = ordered_heap(depth - 1);
	}
	return t;
}

/* Of five times, the best: neighbours only make it worse. */
static void mark(const char *name, const void *root, bool shared)
{
	struct bw_mheap *h = bw_mheap();
	struct bw_marker m;
	double best = 1e9, ms;
	u64 bytes = 0;
	int i;

	for (i = 0; i < 5; i++) {
		while (bw_sweep_some(h, 1000))
			;
		bw_mcache_flush(bw_mcache_attach());
		if (!bw_marker_init(&m, h, &pool, shared))
			abort();
		ms = clock_ms(CLOCK_THREAD_CPUTIME_ID);
		bw_mark_object(&m, root);
		bw_mark_drain(&m, UINT64_MAX / 2);
		ms = clock_ms(CLOCK_THREAD_CPUTIME_ID) - ms;
		bytes = m.bytes;
		best = ms < best ? ms : best;
		bw_marker_fini(&m);
		bw_sweep_begin(h);
	}
	printf("%-8s %s %7.2f MB/ms\n", name, shared ? "shared" : "alone ",
	       (double)bytes / 1e6 / best);
}

static int run_mark(void)
{
	void *random, *ordered;

	bw_gc_set_percent(-1);
	bw_work_init(&pool, 1 << 20);
	random = random_heap();
	mark("random", random, false);
	mark("random", random, true);
	/* which is swept by now */
	ordered = ordered_heap(21);
	mark("ordered", ordered, false);
	mark("ordered", ordered, true);
	return 0;
}

/* What was noted goes, as markers would take it. */
static void drop_notes(void)
{
	struct bw_workbuf *b;

	while ((b = bw_work_get(&bw_collector.pool))) {
		b->nr = 0;
		bw_work_put(&bw_collector.pool, b);
	}
}

static double stores(struct tree *t, bool on)
{
	double ms, sum = 0;
	long i, k;

	for (k = 0; k < STORES; k += CHUNK) {
		__atomic_store_n(&bw_barrier_on, on, __ATOMIC_RELAXED);
		ms = clock_ms(CLOCK_THREAD_CPUTIME_ID);
		for (i = 0; i < CHUNK; i++)
			bw_set(&t[i & 63].left, &t[i & 31]);
		sum += clock_ms(CLOCK_THREAD_CPUTIME_ID) - ms;
		__atomic_store_n(&bw_barrier_on, 0, __ATOMIC_RELAXED);
		drop_notes();
	}
	return sum * 1e6 / STORES;
}

static double plain_stores(struct tree *t)
{
	double ms = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	long i;

	for (i = 0; i < STORES; i++)
		__atomic_store_n(&t[i & 63].left, &t[i & 31],
				 __ATOMIC_RELAXED);
	return (clock_ms(CLOCK_THREAD_CPUTIME_ID) - ms) * 1e6 / STORES;
}

static int run_store(void)
{
	struct tree *t = bw_new_array(tree, 64);

	printf("plain %.2f ns, off %.2f ns\n", plain_stores(t),
	       stores(t, false));
	printf("on %.2f ns\n", stores(t, true));
	return 0;
}

/**
 * struct rate - of allocation						[alloc()]
 */
struct rate {
	double ms;
	long nr;
};

static struct node *filled;
static long alive_mib;

static struct node *fill(int depth)
{
	struct node *n = bw_new(node);

	if (depth) {
		bw_set(&n->a, fill(depth - 1));
		bw_set(&n->b, fill(depth - 1));
	}
	return n;
}

/* What began while marking and ended while marking, and what did neither. */
static int alloc(void *arg)
{
	struct node **ring = bw_alloc(4096 * sizeof(*ring));
	struct rate rate[2] = { { 0 } };
	long i, k, some = 2000;
	int depth = 0;

	while ((2L << depth) * 64 < alive_mib << 20)
		depth++;
	filled = fill(depth);
	for (k = 0; k < 15000; k++) {
		uint32_t on = __atomic_load_n(&bw_barrier_on, __ATOMIC_RELAXED);
		double ms = clock_ms(CLOCK_THREAD_CPUTIME_ID);

		for (i = 0; i < some; i++)
			bw_set(&ring[(k * some + i) % 4096], bw_new(node));
		ms = clock_ms(CLOCK_THREAD_CPUTIME_ID) - ms;
		if (on != __atomic_load_n(&bw_barrier_on, __ATOMIC_RELAXED))
			continue;
		rate[on].ms += ms;
		rate[on].nr += some;
	}
	for (i = 0; i < 2; i++)
		printf("%s %.1f ns an object, %.1f million a second of CPU time (%ld)\n",
		       i ? "marking " : "resting ",
		       rate[i].ms * 1e6 / (double)rate[i].nr,
		       (double)rate[i].nr / rate[i].ms / 1e3, rate[i].nr);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "trees"))
		return run_trees(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "mark"))
		return run_mark();
	if (argc > 1 && !strcmp(argv[1], "store"))
		return run_store();
	if (argc > 2 && !strcmp(argv[1], "alloc")) {
		alive_mib = atol(argv[2]);
		bw_barriers_used();
		return bw_run(alloc, NULL);
	}
	fprintf(stderr, "gc_bench trees DEPTH | mark | store | alloc MIB\n");
	return 2;
}
