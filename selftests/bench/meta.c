// SPDX-License-Identifier: MIT
/*
 * meta: bytes that an arena costs beside its data, as HEAP_STATS counts them
 * and as the machine misses them (page tables, VMAs and slabs are in there
 * too), for an arena that is empty, with one span, full of spans, and with all
 * its U-words touched.
 */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define MANY	128U	/* arenas, where they hold little */
#define FEW	8U	/* ... and where they are full */

struct count {
	double stats;		/* what HEAP_STATS knows of */
	double missing;		/* free frames that are gone, less the data */
	double tables;		/* page tables */
};

/* The sum of all figures called @name in a file of /proc. */
static double proc_sum(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	char word[64];
	double sum = 0, x;

	if (!f)
		die(path);
	while (fscanf(f, "%63s", word) == 1)
		if (!strcmp(word, name) && fscanf(f, "%lf", &x) == 1)
			sum += x;
	fclose(f);
	return sum;
}

/* Free frames: MemFree does not count those that wait on a CPU's own lists. */
static double frames_free(void)
{
	return proc_sum("/proc/zoneinfo", "nr_free_pages") +
	       proc_sum("/proc/zoneinfo", "count:");
}

/* What each CPU has counted for itself is brought together first. */
static struct count look(void)
{
	struct burrow_heap_stats s;

	proc_sum("/proc/sys/vm/stat_refresh", "");
	heap_stats(&s);
	return (struct count){
		.stats = s.out_kmeta_bytes + s.out_umeta_frames * FRAME,
		.missing = -(frames_free() + s.out_frames) * FRAME,
		.tables = proc_sum("/proc/meminfo", "PageTables:") * K,
	};
}

static void tell_one(const char *what, const char *how, double bytes)
{
	char name[64];

	snprintf(name, sizeof(name), "%s, %s", what, how);
	tell(name, bytes, "bytes/arena");
}

static void tell_all(const char *what, const struct count *before, uint32_t nr)
{
	struct count c = look();

	tell_one(what, "HEAP_STATS", (c.stats - before->stats) / nr);
	tell_one(what, "missing less data", (c.missing - before->missing) / nr);
	tell_one(what, "of that page tables", (c.tables - before->tables) / nr);
}

static void arenas_make(uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		arena_make(i, BURROW_ARENA_HEAP, true);
}

/* A span at the beginning of each arena: aligned to it. */
static void one_span_each(uint32_t nr)
{
	struct row r = {
		.span = BURROW_ARENA_SIZE, .total = nr * BURROW_ARENA_SIZE,
		.batch = nr,
	};
	uint32_t i;

	/* lazy, so that they have no frames but the one that is touched */
	span_alloc_lazy(&r);
	for (i = 0; i < nr; i++)
		span_addr(i)[0] = 1;
}

static void all_spans(uint32_t nr)
{
	struct row r = {
		.span = BURROW_PAGE_SIZE, .total = BURROW_ARENA_SIZE,
		.batch = 1024,
	};
	uint32_t i;

	for (i = 0; i < nr; i++)
		span_alloc(&r);
}

static void all_uwords(uint32_t nr)
{
	size_t i;

	for (i = 0; i < nr * BURROW_UMETA_SIZE; i += FRAME)
		heap.umeta[i] = 1;
}

void meta_part(void)
{
	struct count none;

	heap_open(MANY);
	none = look();
	arenas_make(MANY);
	tell_all("arena, empty", &none, MANY);
	one_span_each(MANY);
	tell_all("arena, one span and frame", &none, MANY);
	heap_close();

	heap_open(FEW);
	none = look();
	arenas_make(FEW);
	all_spans(FEW);
	tell_all("arena, full of 8K spans", &none, FEW);
	all_uwords(FEW);
	tell_all("arena, full, all U-words touched", &none, FEW);
}
