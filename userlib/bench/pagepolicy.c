// SPDX-License-Identifier: MIT
/*
 * pagepolicy: what a heap pays for the shape of its page tables.
 *
 * The same gibibyte, with the same contents, is laid on five shapes of memory
 * and walked in the same ways; pagepolicy.md draws the conclusion.
 *
 *	main()
 *	  visit()		one variant, once: everything below
 *	    shape_make()	memory of that shape (pagepolicy_shape.h)
 *	    shape_check()	... it has that shape, before and after
 *	    ring_write()	64-byte nodes in one random cycle
 *	      measure()		the mutator: dependent loads
 *	    graph_write()	objects of 32..256 bytes, 2..4 pointers each
 *	      measure()		the marker: serial, with prefetch
 *	  report()
 *
 * R1. Each visit makes its memory anew, so that repetitions also differ in
 *     frames and one heap is there at a time. A repetition visits every
 *     variant, in a turning order; ratios are taken inside it.
 * R2. Time is the thread's CPU time: other work on the machine takes wall
 *     time, and disturbs caches, but is not counted as ours.
 * R3. A walk by one thread, and mutators', end at a number that depends on
 *     nothing but the seed: all variants and repetitions must agree on it. Two
 *     markers race; each must mark its quota.
 * R4. A shape that is not what its name says ends the run with status 1.
 *
 *	pagepolicy [-m heap MiB] [-r repetitions]
 *
 * Needs root (frame numbers are hidden from others), two CPUs and UFFDIO_MOVE
 * (Linux 6.8); without, it says so and ends with status 77.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "pagepolicy_shape.h"

#define NODE		64UL
#define GRAIN		16UL		/* objects begin at multiples of it */
#define NR_LOADS	(1UL << 20)	/* of each mutator thread */
#define MARK_PART	4		/* marking ends after 1/4 of the heap */
#define NR_ROOTS	1024
#define AHEAD		16		/* depth of the marker's FIFO */
#define MAX_THREADS	2
#define MAX_REPS	31
#define SKIP		77

enum row_kind { MUTATOR, MARK_SERIAL, MARK_AHEAD };

struct row {
	const char *name;
	enum row_kind kind;
	int nr_threads;
	bool big_bits;		/* the mark bits on 2 MiB entries */
};

static const struct row rows[] = {
	{ "mutator, ns per load", MUTATOR, 1, false },
	{ "mutator, ns per load", MUTATOR, 2, false },
	{ "marker, serial, MB/ms", MARK_SERIAL, 1, false },
	{ "marker, prefetch, MB/ms", MARK_AHEAD, 1, false },
	{ "marker, prefetch, MB/ms", MARK_AHEAD, 2, false },
	{ "marker, prefetch, bits on 2 MiB, MB/ms", MARK_AHEAD, 1, true },
};

#define NR_ROWS		(sizeof(rows) / sizeof(rows[0]))

struct object {
	uint32_t size;
	uint32_t nr;
	struct object *to[];
};

/**
 * struct worker - one thread of one measurement
 * @row:	what it does						[const]
 * @index:	which of @row->nr_threads it is				[const]
 * @stack:	edges to follow: as many as the graph has		[const]
 * @work:	loads done, or bytes marked				[thread]
 * @end:	see R3: where the mutator is				[thread]
 * @cpu_ns:	its CPU time						[thread]
 * @wall_ns:	the time that took					[thread]
 */
struct worker {
	const struct row *row;
	int index;
	struct object **stack;
	uint64_t work;
	uint64_t end;
	uint64_t cpu_ns;
	uint64_t wall_ns;
};

/* Set by main() before the first visit. */
static size_t heap_bytes = 1UL << 30;
static int nr_reps = 7;
static int cpus[MAX_THREADS];
static uint32_t *ring;			/* node -> next node */
static uint32_t *start;			/* object -> its first grain */
static uint32_t nr_objects;
static uint64_t *bits_small, *bits_big;	/* a mark bit per 8 bytes, twice */
static struct object **stacks[MAX_THREADS];

/* Changed by visits, between measurements. */
static char *heap;
static uint64_t *bits;			/* shared by workers: atomic */
static pthread_barrier_t gate;
static double result[NR_ROWS][NR_VARIANTS][MAX_REPS];
static double got_cpu[2] = { 1, 0 };	/* CPU time of workers / wall time */

static uint64_t draw(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint32_t draw_below(uint64_t *state, uint32_t n)
{
	return (draw(state) >> 32) * n >> 32;
}

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* All of the machine's stolen time so far, in ms. */
static double stolen(void)
{
	unsigned long steal = 0;
	FILE *f = fopen("/proc/stat", "r");

	if (!f || fscanf(f, "cpu %*u %*u %*u %*u %*u %*u %*u %lu", &steal) != 1)
		errx(1, "/proc/stat: no stolen time");
	fclose(f);
	return steal * 1000.0 / sysconf(_SC_CLK_TCK);
}

/*
 * A random order of 0..n-1 (@cycle 0), or a random map that is one cycle through
 * all of them (Sattolo, @cycle 1).
 */
static uint32_t *permutation(uint32_t n, int cycle, uint64_t seed)
{
	uint32_t i, j, t, *p = malloc(n * sizeof(*p));

	if (!p)
		err(1, "permutation");
	for (i = 0; i < n; i++)
		p[i] = i;
	for (i = n - 1; i > 0; i--) {
		j = draw_below(&seed, i + 1 - cycle);
		t = p[i];
		p[i] = p[j];
		p[j] = t;
	}
	return p;
}

static void ring_write(void)
{
	size_t i;

	for (i = 0; i < heap_bytes / NODE; i++)
		*(char **)(heap + i * NODE) = heap + ring[i] * NODE;
}

static uint32_t draw_size(uint64_t *state)
{
	return 32 + GRAIN * draw_below(state, (256 - 32) / GRAIN + 1);
}

/* Where objects begin; graph_write() draws the same sizes again. */
static void graph_make(void)
{
	uint64_t seed = 3;
	size_t at = 0;

	start = malloc(heap_bytes / 32 * sizeof(*start));
	if (!start)
		err(1, "starts of objects");
	while (at + 256 <= heap_bytes) {
		start[nr_objects++] = at / GRAIN;
		at += draw_size(&seed);
	}
}

static struct object *object_at(uint32_t i)
{
	return (struct object *)(heap + start[i] * GRAIN);
}

static void graph_write(void)
{
	uint64_t sizes = 3, seed = 4;
	uint32_t i, j, room;
	struct object *o;

	for (i = 0; i < nr_objects; i++) {
		o = object_at(i);
		o->size = draw_size(&sizes);
		o->nr = 2 + draw_below(&seed, 3);
		room = (o->size - sizeof(*o)) / sizeof(o->to[0]);
		if (o->nr > room)
			o->nr = room;
		for (j = 0; j < o->nr; j++)
			o->to[j] = object_at(draw_below(&seed, nr_objects));
	}
}

/* Worker i of n starts at node i / n of the heap. */
static void mutate(struct worker *w)
{
	size_t from = heap_bytes / NODE * w->index / w->row->nr_threads;
	char *p = heap + from * NODE;
	uint64_t i;

	for (i = 0; i < NR_LOADS; i++)
		p = *(char *volatile *)p;
	w->work = NR_LOADS;
	w->end = (p - heap) / NODE;
}

/* Every marker has its own stack and its part of the roots. */
static struct object **push_roots(struct worker *w)
{
	struct object **top = w->stack;
	uint64_t seed = 5;
	uint32_t root;
	int i;

	for (i = 0; i < NR_ROOTS; i++) {
		root = draw_below(&seed, nr_objects);
		if (i % w->row->nr_threads == w->index)
			*top++ = object_at(root);
	}
	return top;
}

/* Marks @o unless it is marked, and pushes its edges. */
static inline struct object **mark(struct worker *w, struct object *o,
				   struct object **top)
{
	size_t g = ((char *)o - heap) / 8;
	uint64_t *word = &bits[g / 64], bit = 1ULL << g % 64;
	uint32_t i;

	if (__atomic_load_n(word, __ATOMIC_RELAXED) & bit ||
	    __atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit)
		return top;
	w->work += o->size;
	for (i = 0; i < o->nr; i++)
		*top++ = o->to[i];
	return top;
}

static uint64_t quota(const struct worker *w)
{
	return heap_bytes / MARK_PART / w->row->nr_threads;
}

static void mark_serial(struct worker *w)
{
	struct object **top = push_roots(w);

	while (top > w->stack && w->work < quota(w)) {
		top--;
		top = mark(w, *top, top);
	}
}

static inline void prefetch(struct object *o)
{
	__builtin_prefetch(&bits[((char *)o - heap) / 512], 1);
	__builtin_prefetch(o);
	__builtin_prefetch(&o->to[3]);		/* in the next line, or not */
}

/* The same, but an edge waits AHEAD turns between prefetch and use. */
static void mark_ahead(struct worker *w)
{
	struct object **top = push_roots(w), *fifo[AHEAD] = { NULL }, *o;
	unsigned int i = 0, waiting = 0;

	while ((top > w->stack || waiting) && w->work < quota(w)) {
		o = fifo[i];
		fifo[i] = NULL;
		if (top > w->stack) {
			fifo[i] = *--top;
			prefetch(fifo[i]);
			waiting++;
		}
		i = (i + 1) % AHEAD;
		if (o) {
			waiting--;
			top = mark(w, o, top);
		}
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t cpu, wall;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpus[w->index], &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "CPU %d", cpus[w->index]);
	pthread_barrier_wait(&gate);
	cpu = now(CLOCK_THREAD_CPUTIME_ID);
	wall = now(CLOCK_MONOTONIC);
	if (w->row->kind == MUTATOR)
		mutate(w);
	else if (w->row->kind == MARK_SERIAL)
		mark_serial(w);
	else
		mark_ahead(w);
	w->cpu_ns = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	w->wall_ns = now(CLOCK_MONOTONIC) - wall;
	return NULL;
}

/* Row @r, once: ns per load of one thread, or MB/ms of all together. */
static double measure(size_t r)
{
	const struct row *row = &rows[r];
	static uint64_t before[NR_ROWS];
	struct worker w[MAX_THREADS], *last = w + row->nr_threads, *i;
	pthread_t thread[MAX_THREADS];
	uint64_t sum = 0;
	double x = 0;

	bits = row->big_bits ? bits_big : bits_small;
	memset(bits, 0, heap_bytes / 64);
	pthread_barrier_init(&gate, NULL, row->nr_threads);
	for (i = w; i < last; i++) {
		*i = (struct worker){ .row = row, .index = i - w,
				      .stack = stacks[i - w] };
		errno = pthread_create(&thread[i - w], NULL, work, i);
		if (errno)
			err(1, "thread");
	}
	for (i = w; i < last; i++) {
		pthread_join(thread[i - w], NULL);
		if (row->kind == MUTATOR)
			x += (double)i->cpu_ns / i->work / row->nr_threads;
		else
			x += (double)i->work / i->cpu_ns;
		if (row->kind != MUTATOR && i->work < quota(i))
			errx(1, "%s: only %lu bytes", row->name, i->work);
		sum += row->kind == MUTATOR ? i->end : i->work;
		keep(got_cpu, (double)i->cpu_ns / i->wall_ns);
	}
	pthread_barrier_destroy(&gate);

	/* R3; a marker stops at the first object past its quota */
	if (row->kind != MUTATOR && row->nr_threads > 1)
		return x;
	if (before[r] && before[r] != sum)
		errx(1, "%s: %lu, but %lu before", row->name, sum, before[r]);
	before[r] = sum;
	return x;
}

/* rows[] has the mutator's first. */
static void visit(int v, int rep)
{
	size_t r = 0;

	heap = shape_make(v);
	shape_check(v, heap);
	ring_write();
	for (; rows[r].kind == MUTATOR; r++)
		result[r][v][rep] = measure(r);
	graph_write();
	for (; r < NR_ROWS; r++)
		result[r][v][rep] = measure(r);
	shape_check(v, heap);
	map_free(heap, heap_bytes);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Values from the best to the worst of row @r and variant @v. */
static void sorted(size_t r, int v, double *value)
{
	double *from = &result[r][v][1], t;
	int i, n = nr_reps;

	memcpy(value, from, n * sizeof(*value));
	qsort(value, n, sizeof(*value), by_size);
	for (i = 0; rows[r].kind != MUTATOR && i < n / 2; i++) {
		t = value[i];
		value[i] = value[n - 1 - i];
		value[n - 1 - i] = t;
	}
}

/* How much longer than A, in the same repetition, from the lowest on. */
static void ratios(size_t r, int v, double *ratio)
{
	double *a = &result[r][0][1], *x = &result[r][v][1];
	int i;

	for (i = 0; i < nr_reps; i++)
		ratio[i] = rows[r].kind == MUTATOR ? x[i] / a[i] : a[i] / x[i];
	qsort(ratio, nr_reps, sizeof(*ratio), by_size);
}

/* Repetition 0 was the warm-up. */
static void report(void)
{
	double value[MAX_REPS], ratio[MAX_REPS], best;
	int v, best_only, middle = nr_reps / 2;
	size_t r;

	for (best_only = 0; best_only < 2; best_only++) {
		printf(best_only ?
		       "\nBest of %d (ratio of its time to that of A's best):\n" :
		       "\nMedian of %d (ratio of its time to A's in the same "
		       "repetition: median, lowest-highest):\n", nr_reps);
		printf("\n| | threads | A | B | C | D | E |\n"
		       "| --- | --- | --- | --- | --- | --- | --- |\n");
		for (r = 0; r < NR_ROWS; r++) {
			printf("| %s | %d |", rows[r].name, rows[r].nr_threads);
			sorted(r, 0, value);
			best = value[0];
			for (v = 0; v < NR_VARIANTS; v++) {
				sorted(r, v, value);
				ratios(r, v, ratio);
				printf(" %.*f", rows[r].kind == MUTATOR ? 0 : 2,
				       value[best_only ? 0 : middle]);
				if (best_only)
					printf(" (%.2f) |",
					       rows[r].kind == MUTATOR ?
					       value[0] / best : best / value[0]);
				else
					printf(" (%.2f, %.2f-%.2f) |",
					       ratio[middle], ratio[0],
					       ratio[nr_reps - 1]);
			}
			printf("\n");
		}
	}
}

/* Two CPUs, frame numbers, a userfaultfd that can move. */
static void needs_check(void)
{
	const char *lack;
	cpu_set_t set;
	int i, n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		err(1, "affinity");
	for (i = 0; i < CPU_SETSIZE && n < MAX_THREADS; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	if (n < MAX_THREADS)
		errx(SKIP, "skipped: needs %d CPUs", MAX_THREADS);
	lack = shapes_lack();
	if (lack)
		errx(SKIP, "skipped: %s", lack);
}

static void tables_make(void)
{
	size_t i, bytes;

	ring = permutation(heap_bytes / NODE, 1, 1);
	shapes_init(heap_bytes, permutation(heap_bytes / FRAME, 0, 2));
	graph_make();
	bits_small = (uint64_t *)map_make(heap_bytes / 64, MADV_NOHUGEPAGE);
	bits_big = (uint64_t *)map_make(heap_bytes / 64, MADV_HUGEPAGE);
	touch((char *)bits_small, heap_bytes / 64);
	touch((char *)bits_big, heap_bytes / 64);
	if (share_huge(bits_small, heap_bytes / 64) != 0 ||
	    share_huge(bits_big, heap_bytes / 64) != 1)
		errx(1, "the mark bits are not on the entries they should be");
	/* an object is scanned once, by one marker, and has 4 edges at most */
	bytes = (4UL * nr_objects + NR_ROOTS) * sizeof(**stacks);
	for (i = 0; i < MAX_THREADS; i++)
		stacks[i] = (struct object **)
			map_make((bytes | (BLOCK - 1)) + 1, MADV_HUGEPAGE);
}

static void repetition(int rep)
{
	double steal = stolen();
	uint64_t begin = now(CLOCK_MONOTONIC);
	int i, v;

	got_cpu[0] = 1;
	for (i = 0; i < NR_VARIANTS; i++) {
		v = (rep + (rep % 2 ? i : NR_VARIANTS - i)) % NR_VARIANTS;
		visit(v, rep);
	}
	printf("%s %d: %.1f s, stolen %.0f ms, a worker had at least %.0f %% "
	       "of a CPU\n",
	       rep ? "repetition" : "warm-up", rep,
	       (now(CLOCK_MONOTONIC) - begin) / 1e9, stolen() - steal,
	       got_cpu[0] * 100);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int opt, rep;

	while ((opt = getopt(argc, argv, "m:r:")) != -1) {
		if (opt == 'm')
			heap_bytes = strtoul(optarg, NULL, 0) << 20;
		else if (opt == 'r')
			nr_reps = atoi(optarg);
		else
			return 2;
	}
	if (!heap_bytes || heap_bytes % (64 * BLOCK) || heap_bytes > 1UL << 32)
		errx(2, "-m: a multiple of 128, 4096 at most");
	if (nr_reps < 1 || nr_reps >= MAX_REPS || nr_reps % 2 == 0)
		errx(2, "-r: odd, below %d", MAX_REPS);
	needs_check();
	tables_make();
	for (rep = 0; rep <= nr_reps; rep++)
		repetition(rep);
	shapes_report();
	report();
	getrusage(RUSAGE_SELF, &usage);
	printf("\npeak of memory: %ld MiB\n", usage.ru_maxrss >> 10);
	return 0;
}
