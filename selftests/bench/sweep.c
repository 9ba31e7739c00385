// SPDX-License-Identifier: MIT
/*
 * sweep: what it costs to give memory back, per span of 8 KiB: by the calls
 * that mainline has, by explicit reclaim, by free, and by a sweep of mark bits.
 *
 * "half" is every second span: what stays between them keeps stretches short.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

#define SPAN		(8 * K)
#define SPANS		(TOTAL / SPAN)
#define GIVE		"MADV_DONTNEED 8K"
#define MAX_VECTOR	1024U		/* UIO_MAXIOV */

#define HALF		2U		/* row->arg: every second span */

/* 16 KiB apart for half, 8 KiB for all. */
static size_t stride(const struct row *r)
{
	return r->arg == HALF ? 2 * SPAN : SPAN;
}

static void some_madvise(const struct row *r, int advice)
{
	size_t i;

	for (i = 0; i < TOTAL; i += stride(r))
		if (madvise(anon + i, SPAN, advice))
			die("madvise");
}

static void some_dontneed(const struct row *r)
{
	some_madvise(r, MADV_DONTNEED);
}

static void some_free(const struct row *r)
{
	some_madvise(r, MADV_FREE);
}

static void all_dontneed(const struct row *r)
{
	if (madvise(anon, r->total, MADV_DONTNEED))
		die("MADV_DONTNEED");
}

/* By vectors. Of one's own memory this is allowed from 6.13 on. */
static void some_vectored(const struct row *r)
{
	static struct iovec vec[MAX_VECTOR];
	uint32_t nr = TOTAL / stride(r), i, n;
	static int self = -1;

	if (self < 0)
		self = syscall(SYS_pidfd_open, getpid(), 0);
	for (i = 0; i < nr; i += n) {
		for (n = 0; n < r->batch && i + n < nr; n++)
			vec[n] = (struct iovec){
				anon + (i + n) * stride(r), SPAN };
		errno = 0;
		if (syscall(SYS_process_madvise, self, vec, n, MADV_DONTNEED,
			    0) != (long)(n * SPAN)) {
			refuse(errno);
			return;
		}
	}
}

/* Turned by 1 no two in a row are neighbours. */
static void some_reclaim(const struct row *r, uint32_t turn)
{
	static struct burrow_range range[SPANS];
	uint32_t step = stride(r) / SPAN, nr = SPANS / step, i;

	for (i = 0; i < nr; i++)
		range[i] = (struct burrow_range){
			heap.ref[(i * step) ^ turn].page, 1 };
	ranges_reclaim(range, nr, r->batch);
}

static void span_reclaim(const struct row *r)
{
	some_reclaim(r, 0);
}

static void span_reclaim_turned(const struct row *r)
{
	some_reclaim(r, 1);
}

static unsigned char *marks(uint32_t page)
{
	uint32_t arena = page / BURROW_ARENA_PAGES;

	return (unsigned char *)heap.umeta + arena * BURROW_UMETA_SIZE +
	       BURROW_U_MARK + page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES;
}

/* Populated; the odd ones marked for half, all of them for none. */
static void swept_alloc(const struct row *r, bool all_marked)
{
	uint32_t i;

	spans_get(r, 0, BURROW_KIND_NOSCAN);
	for (i = 0; i < SPANS; i++) {
		unsigned char *m = marks(heap.ref[i].page);

		memset(m, 0, BURROW_U_PAGE_BYTES);
		/* in the middle: what a span of one live object looks like */
		if (all_marked || (r->arg == HALF && i % 2))
			m[BURROW_U_PAGE_BYTES / 2] = 1;
	}
	frames_check(TOTAL);
}

static void alloc_unmarked(const struct row *r)
{
	swept_alloc(r, false);
}

static void alloc_marked(const struct row *r)
{
	swept_alloc(r, true);
}

static uint32_t nr_freed;

static void sweep(const struct row *r)
{
	uint32_t i;

	nr_freed = 0;
	for (i = 0; i < SPANS; i += r->batch) {
		struct burrow_span_sweep s = {
			.size = sizeof(s), .flags = r->flags,
			.spans = (uintptr_t)&heap.ref[i],
			.nr = SPANS - i < r->batch ? SPANS - i : r->batch,
		};

		if (ioctl(heap.fd, BURROW_IOC_SPAN_SWEEP, &s) ||
		    s.out_nr != s.nr)
			die("SPAN_SWEEP");
		nr_freed += s.out_nr_freed;
	}
}

static void sweep_then_reclaim(const struct row *r)
{
	sweep(r);
	heap_reclaim_all();
}

/* The marked spans are still there. */
static void rest_free(const struct row *r)
{
	struct row rest = *r;
	uint32_t i;

	if (nr_freed != r->units)
		die("SPAN_SWEEP freed others");
	frames_check(r->run == sweep && !r->flags ? TOTAL :
		     (SPANS - nr_freed) * SPAN);
	if (r->arg == HALF) {
		for (i = 0; i < SPANS / 2; i++)
			heap.ref[i] = heap.ref[2 * i + 1];
		rest.total = TOTAL / 2;
		span_free_reclaim(&rest);
	}
	heap_reclaim_all();
}

#define ROW(n, b, be, ru, af, ar, ...) \
	{ .name = n, .unit = "8K span", \
	  .units = SPANS / ((ar) == HALF ? 2 : 1), .base = GIVE, \
	  .span = SPAN, .total = TOTAL, .batch = b, .before = be, .run = ru, \
	  .after = af, .arg = ar, __VA_ARGS__ }
#define ANON(n, b, ru, ar) ROW(n, b, anon_full, ru, anon_unmap, ar)
#define LIVE(n, b, ru, ar) ROW(n, b, span_alloc, ru, span_free_reclaim, ar)
#define SWEEP(n, b, ru, ar, fl) \
	ROW(n, b, alloc_unmarked, ru, rest_free, ar, .flags = fl)

static const struct row rows[] = {
	ANON(GIVE, 0, some_dontneed, 0),
	ANON("MADV_DONTNEED 8K, half", 0, some_dontneed, HALF),
	ANON("MADV_DONTNEED, one call", 0, all_dontneed, 0),
	ANON("MADV_FREE 8K", 0, some_free, 0),
	ANON("process_madvise DONTNEED x64", 64, some_vectored, 0),
	ANON("process_madvise DONTNEED x1024", 1024, some_vectored, 0),
	ANON("process_madvise DONTNEED x1024, half", 1024, some_vectored, HALF),
	LIVE("burrow reclaim x1", 1, span_reclaim, 0),
	LIVE("burrow reclaim x64", 64, span_reclaim, 0),
	LIVE("burrow reclaim x1024", 1024, span_reclaim, 0),
	LIVE("burrow reclaim x1024, turned", 1024, span_reclaim_turned, 0),
	LIVE("burrow reclaim x1024, half", 1024, span_reclaim, HALF),
	ROW("burrow free+reclaim x64", 64, span_alloc, span_free_reclaim,
	    NULL, 0),
	ROW("burrow free+reclaim x1024", 1024, span_alloc, span_free_reclaim,
	    NULL, 0),
	SWEEP("burrow sweep x64", 64, sweep, 0, 0),
	SWEEP("burrow sweep x1024", 1024, sweep, 0, 0),
	SWEEP("burrow sweep x1024, half", 1024, sweep, HALF, 0),
	ROW("burrow sweep x1024, none goes", 1024, alloc_marked, sweep,
	    span_free_reclaim, 0),
	SWEEP("burrow sweep RECLAIM x64", 64, sweep, 0, BURROW_SWEEP_RECLAIM),
	SWEEP("burrow sweep RECLAIM x1024", 1024, sweep, 0,
	      BURROW_SWEEP_RECLAIM),
	SWEEP("burrow sweep RECLAIM x1024, half", 1024, sweep, HALF,
	      BURROW_SWEEP_RECLAIM),
	SWEEP("burrow sweep x1024 + HEAP_RECLAIM", 1024, sweep_then_reclaim,
	      0, 0),
	SWEEP("burrow sweep x1024 + HEAP_RECLAIM, half", 1024,
	      sweep_then_reclaim, HALF, 0),
};

void sweep_part(void)
{
	heap_make(1, 0, 0);
	rows_measure(rows, NR(rows));
}
