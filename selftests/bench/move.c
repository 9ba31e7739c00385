// SPDX-License-Identifier: MIT
/*
 * move: 16 MiB in blocks go to other places, by mremap(), by SPAN_MOVE, and by a
 * copy into a span that is allocated for it.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "bench.h"

static struct burrow_span_ref from[MAX_SPANS];
static char *place;

static char *from_addr(uint32_t i)
{
	return heap.window + from[i].page * BURROW_PAGE_SIZE;
}

/* A page of nothing between two blocks, as they are when each was allocated. */
static size_t stride_of(const struct row *r)
{
	return r->span + FRAME;
}

static void anon_blocks(const struct row *r)
{
	place = reserve(2 * r->total, 2 * M);
	anon_full(r);
}

static void anon_move(const struct row *r)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i++)
		if (mremap(anon + i * r->span, r->span, r->span,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   place + i * stride_of(r)) == MAP_FAILED)
			die("mremap");
}

static void anon_blocks_end(const struct row *r)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i++)
		if (munmap(place + i * stride_of(r), r->span))
			die("munmap");
}

static void spans_full(const struct row *r)
{
	span_alloc(r);
	span_touch(r);
	memcpy(from, heap.ref, spans_of(r) * sizeof(from[0]));
}

static void spans_full_and_places(const struct row *r)
{
	spans_full(r);
	span_alloc_lazy(r);
}

static void span_move(const struct row *r)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i++) {
		struct burrow_span_move m = {
			.size = sizeof(m), .flags = BURROW_MOVE_LAZY,
			.from = from[i], .to = heap.ref[i],
		};

		if (ioctl(heap.fd, BURROW_IOC_SPAN_MOVE, &m))
			die("SPAN_MOVE");
	}
}

static void span_move_and_touch(const struct row *r)
{
	span_move(r);
	span_touch(r);
}

static void span_copy(const struct row *r)
{
	uint32_t nr = spans_of(r), i;

	span_alloc(r);
	for (i = 0; i < nr; i++)
		memcpy(span_addr(i), from_addr(i), r->span);
}

static void spans_end(const struct row *r)
{
	frames_check(r->total);
	span_free_reclaim(r);
}

static void copies_end(const struct row *r)
{
	span_free_reclaim(r);
	memcpy(heap.ref, from, spans_of(r) * sizeof(from[0]));
	span_free_reclaim(r);
}

#define ROWS(text, bytes)						\
	{ .name = "mremap, blocks of " text, .unit = "page",		\
	  .units = TOTAL / FRAME, .span = (bytes), .total = TOTAL,	\
	  .before = anon_blocks, .run = anon_move,			\
	  .after = anon_blocks_end },					\
	{ .name = "SPAN_MOVE, blocks of " text, .unit = "page",		\
	  .base = "mremap, blocks of " text,				\
	  .units = TOTAL / FRAME, .span = (bytes), .total = TOTAL,	\
	  .batch = 1, .before = spans_full_and_places,			\
	  .run = span_move, .after = spans_end },			\
	{ .name = "SPAN_MOVE and a write, " text, .unit = "page",	\
	  .base = "mremap, blocks of " text,				\
	  .units = TOTAL / FRAME, .span = (bytes), .total = TOTAL,	\
	  .batch = 1, .before = spans_full_and_places,			\
	  .run = span_move_and_touch, .after = spans_end },		\
	{ .name = "SPAN_ALLOC and a copy, " text, .unit = "page",	\
	  .base = "mremap, blocks of " text,				\
	  .units = TOTAL / FRAME, .span = (bytes), .total = TOTAL,	\
	  .batch = 1, .before = spans_full, .run = span_copy,		\
	  .after = copies_end }

static const struct row rows[] = {
	ROWS("64K", 64 * K),
	ROWS("256K", 256 * K),
	ROWS("2M", 2 * M),
};

void move_part(void)
{
	heap_make(1, BURROW_ARENA_HEAP, 0);
	rows_measure(rows, NR(rows));
	heap_close();
}
