// SPDX-License-Identifier: MIT
/*
 * arenas: does an allocation cost more in a large heap? A window of 256 GiB
 * with 1, 100 and 4,000 arenas.
 *
 * All arenas, but the second half of the last, are filled with spans of nine
 * pages at every sixteenth page, so that seven of each sixteen pages are free.
 * A span of eight pages has no place there: the lowest free page, which the
 * heap remembers, is the tenth of the first arena, and the place is in the
 * last. "anywhere" asks for one page, which the first hole has.
 *
 * "misfit" is the worst that can be asked for: four pages at a multiple of
 * eight. Holes are long enough in all arenas and lie wrong in all.
 */
#include <stdio.h>
#include <sys/ioctl.h>

#include "bench.h"

#define WINDOW		4096U
#define FILL_PAGES	9U
#define FILL_ALIGN	16U
#define FILL_SPANS	(BURROW_ARENA_PAGES / FILL_ALIGN)
#define COUNT		256U

static void some_alloc(uint32_t at, uint32_t nr, uint32_t npages,
		       uint32_t align)
{
	struct burrow_span_alloc a = {
		.size = sizeof(a), .flags = BURROW_ALLOC_LAZY,
		.spans = (uintptr_t)&heap.ref[at], .nr = nr, .npages = npages,
		.align = align, .kind = BURROW_KIND_NOSCAN,
	};

	if (ioctl(heap.fd, BURROW_IOC_SPAN_ALLOC, &a) || a.out_nr != nr)
		die("SPAN_ALLOC");
}

/* Half an arena; where all was filled before there is no place for it. */
static void half_fill(uint32_t page)
{
	some_alloc(0, FILL_SPANS / 2, FILL_PAGES, FILL_ALIGN);
	if (heap.ref[0].page != page)
		die("an arena that was taken for full");
}

static void alloc(const struct row *r)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i += r->batch)
		some_alloc(i, r->batch, r->span / BURROW_PAGE_SIZE, r->arg);
}

#define ROW(n, at, pages, nr, b, al) \
	{ .name = n ", " at, .unit = "span", .units = nr, \
	  .base = n ", 1 arena", .span = (pages) * BURROW_PAGE_SIZE, \
	  .total = (nr) * (pages) * BURROW_PAGE_SIZE, .batch = b, .run = alloc, \
	  .after = span_free, .arg = al }
#define AT(at) { \
	ROW("alloc 1 page x1 anywhere", at, 1UL, COUNT, 1, 0), \
	ROW("alloc 1 page x64 anywhere", at, 1UL, COUNT, 64, 0), \
	ROW("alloc 8 pages x1", at, 8UL, COUNT, 1, 0), \
	ROW("alloc 8 pages x64", at, 8UL, COUNT, 64, 0), \
	ROW("alloc 4 pages x1 misfit", at, 4UL, 4, 1, 8), \
}

static const struct {
	uint32_t nr;
	struct row rows[5];
} sizes[] = {
	{ 1, AT("1 arena") },
	{ 100, AT("100 arenas") },
	{ 4000, AT("4000 arenas") },
};

void arenas_part(void)
{
	uint32_t nr = 0, i;

	heap_open(WINDOW);
	for (i = 0; i < NR(sizes); i++) {
		for (; nr < sizes[i].nr; nr++) {
			if (nr)
				half_fill(nr * BURROW_ARENA_PAGES -
					  BURROW_ARENA_PAGES / 2);
			arena_make(nr, BURROW_ARENA_HEAP, false);
			half_fill(nr * BURROW_ARENA_PAGES);
		}
		rows_measure(sizes[i].rows, NR(sizes[i].rows));
	}
}
