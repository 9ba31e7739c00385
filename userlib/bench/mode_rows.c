// SPDX-License-Identifier: MIT
/*
 * mode_rows: memory that comes, goes and is forked, and threads that wake each
 * other (mode_bench.h).
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burrow.h"
#include "burrow/heap.h"
#include "heap/pageheap.h"
#include "mode_bench.h"

#define M		(1024 * 1024UL)
#define TOTAL		(16 * M)
#define PAGES		((double)TOTAL / FRAME)
#define ROUND_TRIPS	1000

/* What the first call opens is not the row's; nothing is collected. */
static void begin(void)
{
	bw_gc_set_percent(-1);
	bw_free(bw_alloc(64));
}

static void *volatile sink;

static void grow(size_t n)
{
	size_t i;

	for (i = 0; i < TOTAL / n; i++) {
		char *p = bw_alloc(n);

		if (!p)
			die("bw_alloc");
		p[0] = 1;
		sink = p;
	}
}

static double grow_by(size_t n)
{
	double from;

	begin();
	from = now_ns();
	grow(n);
	return (now_ns() - from) / PAGES;
}

static double new_64(void)
{
	return grow_by(64);
}

static double new_8k(void)
{
	return grow_by(8192);
}

static double new_64k(void)
{
	return grow_by(65536);
}

static void *grower(void *arg)
{
	grow(64);
	return arg;
}

/* Two at once: each has pages to be had from the same kernel, and the same lock. */
static double new_two(void)
{
	pthread_t other;
	double from;

	begin();
	from = now_ns();
	if (pthread_create(&other, NULL, grower, NULL))
		die("pthread_create");
	grow(64);
	pthread_join(other, NULL);
	return (now_ns() - from) / (2 * PAGES);
}

#define BLOCKS	(TOTAL / M)

/* All of it is freed and had again, and nothing is written. */
static double blocks_1m(void)
{
	void *block[BLOCKS];
	double from = 0;
	size_t i, k;

	begin();
	for (k = 0; k < 17; k++) {
		if (k == 1)
			from = now_ns();
		for (i = 0; i < BLOCKS; i++)
			block[i] = bw_alloc_raw(M);
		for (i = 0; i < BLOCKS; i++)
			bw_free(block[i]);
	}
	return (now_ns() - from) / (16 * BLOCKS);
}

static void *block[TOTAL / 65536];

static void fill(void)
{
	size_t i, k;

	for (i = 0; i < TOTAL / 65536; i++) {
		block[i] = bw_alloc_noscan(65536);
		for (k = 0; k < 65536; k += FRAME)
			((char *)block[i])[k] = 1;
	}
}

static void drop(void)
{
	size_t i;

	for (i = 0; i < TOTAL / 65536; i++)
		bw_free(block[i]);
}

static double given_back(void)
{
	double from;
	u64 got;

	begin();
	fill();
	drop();
	from = now_ns();
	got = bw_mheap_scavenge(bw_mheap(), ~0ULL);
	from = now_ns() - from;
	if (got < TOTAL / 2)
		die("nothing went back");
	return from / ((double)got / FRAME);
}

static double resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		die("/proc/self/statm");
	fclose(f);
	return (double)pages * 4;
}

static double resident_alive(void)
{
	double before;

	begin();
	before = resident_kib();
	fill();
	return resident_kib() - before;
}

static double resident_after(void)
{
	double before;

	begin();
	before = resident_kib();
	fill();
	drop();
	bw_mheap_scavenge(bw_mheap(), ~0ULL);
	return resident_kib() - before;
}

/* What a fork costs, its child's end in it, or what the child's first writes do. */
static double forked(int writes)
{
	double *told = mmap(NULL, FRAME, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double from;
	int status;
	size_t i;
	pid_t pid;

	if (told == MAP_FAILED)
		die("mmap");
	begin();
	fill();
	from = now_ns();
	pid = fork();
	if (!pid) {
		double at = now_ns();

		for (i = 0; writes && i < TOTAL; i += FRAME)
			((char *)block[i / 65536])[i % 65536] = 2;
		*told = now_ns() - at;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("fork");
	return (writes ? *told : now_ns() - from) / PAGES;
}

static double fork_alone(void)
{
	return forked(0);
}

static double fork_write(void)
{
	return forked(1);
}

static struct bw_parker parker[2];

/*
 * Each has a CPU of its own where there are two: where the kernel puts them differs
 * from run to run, and is worth more than all else.
 */
static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1 &&
	    sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void *answer(void *arg)
{
	int i;

	stay_on(1);
	for (i = 0; i < ROUND_TRIPS; i++) {
		bw_parker_park(&parker[1]);
		bw_parker_unpark(&parker[0]);
	}
	return arg;
}

static double wakes(int swap)
{
	struct bw_heap *heap;
	pthread_t other;
	double from;
	int i;

	if (bw_heap_open(&heap, NULL) || bw_parker_init(&parker[0], heap) ||
	    bw_parker_init(&parker[1], heap) ||
	    pthread_create(&other, NULL, answer, NULL))
		die("parkers");
	stay_on(0);
	from = now_ns();
	for (i = 0; i < ROUND_TRIPS; i++) {
		if (swap) {
			bw_parker_handover(&parker[0], &parker[1], 0);
			continue;
		}
		bw_parker_unpark(&parker[1]);
		bw_parker_park(&parker[0]);
	}
	from = now_ns() - from;
	pthread_join(other, NULL);
	return from / ROUND_TRIPS;
}

static double wake_back(void)
{
	return wakes(0);
}

static double handover(void)
{
	return wakes(1);
}

const struct row heap_rows[] = {
	{ "new memory, objects of 64 bytes", "4K page", new_64, QUICK | WALL },
	{ "new memory, objects of 8 KiB", "4K page", new_8k, 0 },
	{ "new memory, objects of 64 KiB", "4K page", new_64k, QUICK },
	{ "new memory, two threads at once", "4K page", new_two,
	  QUICK | ONLY_WALL },
	{ "blocks of 1 MiB, had and freed, 16 at a time", "block", blocks_1m,
	  QUICK },
	{ "memory given back", "4K page", given_back, QUICK },
	{ "fork of 16 MiB, the child ends", "4K page", fork_alone, QUICK },
	{ "first write of the child", "4K page", fork_write, QUICK },
	{ "resident, with 16 MiB alive", "KiB", resident_alive, 0 },
	{ "resident, when these were given back", "KiB", resident_after, QUICK },
	{ "a thread wakes another and is woken", "round trip", wake_back,
	  QUICK | WALL },
	{ "the same by handing over", "round trip", handover, WALL },
	{ 0 },
};
