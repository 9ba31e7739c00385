// SPDX-License-Identifier: MIT
/*
 * shrink: what a page costs that the shrinker gives back. drop_caches asks all
 * shrinkers until they have nothing left; what it takes without lazy pages is
 * taken off what it takes with them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define LAZY	(128 * M)
#define GIVE	"MADV_DONTNEED 2M"
#define HALF	2U		/* row->arg: every second span */

static void drop_caches(const struct row *r)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	(void)r;
	if (fd < 0 || write(fd, "2", 1) != 1)
		die("drop_caches");
	close(fd);
}

static uint64_t nr_shrunk(void)
{
	struct burrow_heap_stats s;

	heap_stats(&s);
	return s.out_nr_shrunk;
}

/* The first @nr of heap.ref. */
static struct row some(const struct row *r, uint32_t nr)
{
	struct row s = *r;

	s.total = nr * r->span;
	return s;
}

/* Frees all spans, or for HALF every second; the others lie first then. */
static void lazy_make(const struct row *r)
{
	static struct burrow_span_ref kept[MAX_SPANS / 2];
	uint32_t half = spans_of(r) / 2, i;
	struct row freed = *r;

	span_alloc(r);
	if (r->arg == HALF) {
		for (i = 0; i < half; i++) {
			kept[i] = heap.ref[2 * i + 1];
			heap.ref[i] = heap.ref[2 * i];
		}
		freed = some(r, half);
	}
	span_free(&freed);
	memcpy(heap.ref, kept, half * sizeof(*kept));
}

static void kept_free(const struct row *r)
{
	struct row kept = some(r, r->arg == HALF ? spans_of(r) / 2 : 0);

	span_free_reclaim(&kept);
	heap_reclaim_all();
}

/* Per frame that went. */
static double cost(const struct row *r)
{
	double without, with, frames;
	uint64_t before;

	drop_caches(r);
	drop_caches(r);
	without = timed(drop_caches, r);
	lazy_make(r);
	before = nr_shrunk();
	with = timed(drop_caches, r);
	frames = nr_shrunk() - before;
	if (frames != r->units)
		die("the shrinker left something");
	kept_free(r);
	return with - without;
}

#define ROW(n, sp, ar) \
	{ .name = n, .unit = "4K page", .base = GIVE, .span = sp, \
	  .units = LAZY / FRAME / ((ar) == HALF ? 2 : 1), \
	  .total = LAZY, .batch = 1024, .cost = cost, .arg = ar }

static const struct row rows[] = {
	{ .name = GIVE, .unit = "4K page", .units = TOTAL / FRAME, .span = 2 * M,
	  .total = TOTAL, .before = anon_full, .run = anon_madvise,
	  .after = anon_unmap, .arg = MADV_DONTNEED },
	ROW("shrinker, neighbours", 8 * K, 0),
	ROW("shrinker, every second 8K span", 8 * K, HALF),
	ROW("shrinker, every second 64K span", 64 * K, HALF),
};

void shrink_part(void)
{
	heap_make(3, 0, 0);
	rows_measure(rows, NR(rows));
}
