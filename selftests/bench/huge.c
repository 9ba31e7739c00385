// SPDX-License-Identifier: MIT
/*
 * huge: spans of 2 MiB in huge arenas, against anonymous huge pages, per 4 KiB.
 * Where the kernel maps no such blocks the arenas hold 4 KiB frames.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "bench.h"

#define DEMAND	"anon demand fault"
#define GIVE	"THP MADV_DONTNEED 2M"
#define UNIT	(2 * M)

#define ROW(n, ba, tot, b, be, ru, af) \
	{ .name = n, .unit = "4K page", .units = (double)(tot) / FRAME, \
	  .base = ba, .span = UNIT, .total = tot, .batch = b, \
	  .flags = BURROW_ALLOC_HUGE, .before = be, .run = ru, .after = af }
#define ADVICE(n, be) \
	{ .name = n, .unit = "4K page", .units = TOTAL / FRAME, .base = GIVE, \
	  .span = UNIT, .total = TOTAL, .before = be, .run = anon_madvise, \
	  .after = anon_unmap, .arg = MADV_DONTNEED }

/* All units are those of live spans. */
static void units_reclaim(const struct row *r)
{
	uint32_t nr = spans_of(r), i;
	struct burrow_range range[64];

	for (i = 0; i < nr; i++)
		range[i] = (struct burrow_range){
			heap.ref[i].page, UNIT / BURROW_PAGE_SIZE };
	ranges_reclaim(range, nr, r->batch);
}

static const struct row rows[] = {
	ROW(DEMAND, DEMAND, TOTAL, 0, anon_map, anon_touch, anon_unmap),
	ROW("anon MADV_POPULATE_WRITE 2M", DEMAND, TOTAL, 0, anon_map,
	    anon_populate, anon_unmap),
	ROW("THP demand fault", DEMAND, TOTAL, 0, anon_map_huge, anon_touch,
	    anon_unmap),
	ROW("THP MADV_POPULATE_WRITE 2M", DEMAND, TOTAL, 0, anon_map_huge,
	    anon_populate, anon_unmap),
	ROW("burrow huge, demand fault", DEMAND, TOTAL, 8, span_alloc_lazy,
	    span_touch, span_free_reclaim),
	ROW("burrow huge, populate 2M x1", DEMAND, TOTAL, 1, NULL, span_alloc,
	    span_free_reclaim),
	ROW("burrow huge, populate 2M x8", DEMAND, TOTAL, 8, NULL, span_alloc,
	    span_free_reclaim),
	ROW("burrow huge, populate 2M x64", DEMAND, 128 * M, 64, NULL,
	    span_alloc, span_free_reclaim),
	ROW("burrow huge, alloc of lazy 2M x8", DEMAND, TOTAL, 8, make_lazy,
	    span_alloc, span_free_reclaim),
	ADVICE("MADV_DONTNEED 2M", anon_full),
	ADVICE(GIVE, anon_full_huge),
	ROW("burrow huge, reclaim 2M x8", GIVE, TOTAL, 8, span_alloc,
	    units_reclaim, span_free_reclaim),
	ROW("burrow huge, free+reclaim 2M x8", GIVE, TOTAL, 8, span_alloc,
	    span_free_reclaim, NULL),
};

void huge_part(void)
{
	heap_make(1, BURROW_ARENA_HUGE, 2);
	rows_measure(rows, NR(rows));
}
