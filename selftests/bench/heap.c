// SPDX-License-Identifier: MIT
/*
 * heap: the calls of /dev/burrow as the benchmarks make them. Whatever does not
 * go through whole ends the program: a figure of half a job is worth nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

struct place heap = { .fd = -1 };

static void call(unsigned int cmd, void *arg, const char *what)
{
	if (ioctl(heap.fd, cmd, arg))
		die(what);
}

/* Address space without memory; what is cut off for @align is lost. */
char *reserve(size_t bytes, size_t align)
{
	char *p = mmap(NULL, bytes + align, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return (char *)(((uintptr_t)p + align - 1) & ~(align - 1));
}

void heap_open(uint32_t nr_arenas)
{
	struct burrow_heap_setup setup = { .size = sizeof(setup) };

	heap.fd = open(BURROW_DEVICE, O_RDWR | O_CLOEXEC);
	if (heap.fd < 0)
		die(BURROW_DEVICE);
	heap.nr_arenas = nr_arenas;
	setup.window_size = nr_arenas * BURROW_ARENA_SIZE;
	heap.window = reserve(setup.window_size, BURROW_ARENA_SIZE);
	heap.kmeta = reserve(nr_arenas * BURROW_KMETA_SIZE, BURROW_KMETA_SIZE);
	heap.umeta = reserve(nr_arenas * BURROW_UMETA_SIZE, BURROW_UMETA_SIZE);
	setup.window = (uintptr_t)heap.window;
	setup.kmeta = (uintptr_t)heap.kmeta;
	setup.umeta = (uintptr_t)heap.umeta;
	call(BURROW_IOC_HEAP_SETUP, &setup, "HEAP_SETUP");
}

void heap_close(void)
{
	if (munmap(heap.window, heap.nr_arenas * BURROW_ARENA_SIZE) ||
	    munmap(heap.kmeta, heap.nr_arenas * BURROW_KMETA_SIZE) ||
	    munmap(heap.umeta, heap.nr_arenas * BURROW_UMETA_SIZE) ||
	    close(heap.fd))
		die("the end of a heap");
	heap.fd = -1;
}

static void view_map(char *base, size_t size, uint32_t index, int prot,
		     enum burrow_mmap_kind kind)
{
	if (mmap(base + index * size, size, prot, MAP_SHARED | MAP_FIXED,
		 heap.fd, BURROW_MMAP_OFFSET(kind, index * BURROW_ARENA_SIZE)) ==
	    MAP_FAILED)
		die("mmap of an arena");
}

void arena_make(uint32_t index, uint32_t kind, bool with_meta)
{
	struct burrow_arena_add add = {
		.size = sizeof(add), .kind = kind, .index = index,
	};

	call(BURROW_IOC_ARENA_ADD, &add, "ARENA_ADD");
	view_map(heap.window, BURROW_ARENA_SIZE, index, PROT_READ | PROT_WRITE,
		 BURROW_MMAP_DATA);
	if (!with_meta)
		return;
	view_map(heap.kmeta, BURROW_KMETA_SIZE, index, PROT_READ,
		 BURROW_MMAP_KMETA);
	view_map(heap.umeta, BURROW_UMETA_SIZE, index, PROT_READ | PROT_WRITE,
		 BURROW_MMAP_UMETA);
}

/* @nr_heap ordinary arenas and @nr_kind of another kind behind them. */
void heap_make(uint32_t nr_heap, uint32_t kind, uint32_t nr_kind)
{
	uint32_t i;

	heap_open(nr_heap + nr_kind);
	for (i = 0; i < nr_heap + nr_kind; i++)
		arena_make(i, i < nr_heap ? BURROW_ARENA_HEAP : kind, true);
}

uint32_t spans_of(const struct row *r)
{
	return r->total / r->span;
}

char *span_addr(uint32_t i)
{
	return heap.window + heap.ref[i].page * BURROW_PAGE_SIZE;
}

static uint32_t batch_of(uint32_t nr, uint32_t i, uint32_t batch)
{
	return nr - i < batch ? nr - i : batch;
}

void spans_get(const struct row *r, uint32_t flags, uint32_t kind)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i += r->batch) {
		struct burrow_span_alloc a = {
			.size = sizeof(a), .flags = flags, .kind = kind,
			.spans = (uintptr_t)&heap.ref[i],
			.nr = batch_of(nr, i, r->batch),
			.npages = r->span / BURROW_PAGE_SIZE,
		};

		call(BURROW_IOC_SPAN_ALLOC, &a, "SPAN_ALLOC");
		if (a.out_nr != a.nr)
			die("SPAN_ALLOC in part");
	}
}

void spans_put(const struct row *r, uint32_t flags)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i += r->batch) {
		struct burrow_span_free f = {
			.size = sizeof(f), .flags = flags,
			.spans = (uintptr_t)&heap.ref[i],
			.nr = batch_of(nr, i, r->batch),
		};

		call(BURROW_IOC_SPAN_FREE, &f, "SPAN_FREE");
		if (f.out_nr != f.nr)
			die("SPAN_FREE in part");
	}
}

void ranges_reclaim(const struct burrow_range *range, uint32_t nr,
		    uint32_t batch)
{
	uint64_t frames = 0, pages = 0;
	uint32_t i;

	for (i = 0; i < nr; i += batch) {
		struct burrow_span_reclaim c = {
			.size = sizeof(c), .ranges = (uintptr_t)&range[i],
			.nr = batch_of(nr, i, batch),
		};

		call(BURROW_IOC_SPAN_RECLAIM, &c, "SPAN_RECLAIM");
		if (c.out_nr != c.nr)
			die("SPAN_RECLAIM in part");
		frames += c.out_frames;
	}
	for (i = 0; i < nr; i++)
		pages += range[i].npages;
	if (frames * FRAME != pages * BURROW_PAGE_SIZE)
		die("SPAN_RECLAIM of what was not there");
}

void heap_reclaim_all(void)
{
	struct burrow_heap_reclaim c = { .size = sizeof(c), .bytes = ~0ULL };

	call(BURROW_IOC_HEAP_RECLAIM, &c, "HEAP_RECLAIM");
}

void heap_stats(struct burrow_heap_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	call(BURROW_IOC_HEAP_STATS, out, "HEAP_STATS");
}

/* So many bytes of data have frames: a row that measures nothing ends here. */
void frames_check(uint64_t bytes)
{
	struct burrow_heap_stats s;

	heap_stats(&s);
	if (s.out_frames * FRAME == bytes)
		return;
	fprintf(stderr, "%llu frames instead of %llu\n",
		(unsigned long long)s.out_frames,
		(unsigned long long)(bytes / FRAME));
	exit(1);
}

void span_alloc(const struct row *r)
{
	spans_get(r, r->flags, BURROW_KIND_NOSCAN);
}

void span_alloc_lazy(const struct row *r)
{
	spans_get(r, r->flags | BURROW_ALLOC_LAZY, BURROW_KIND_NOSCAN);
}

void span_free(const struct row *r)
{
	spans_put(r, 0);
}

void span_free_reclaim(const struct row *r)
{
	spans_put(r, BURROW_FREE_RECLAIM);
}

void span_touch(const struct row *r)
{
	uint32_t nr = spans_of(r), i;
	size_t at;

	for (i = 0; i < nr; i++)
		for (at = 0; at < r->span; at += FRAME)
			span_addr(i)[at] = 1;
}

/* Lazy spans: their frames are there. */
void make_lazy(const struct row *r)
{
	span_alloc(r);
	span_free(r);
	frames_check(r->total);
}

void take_lazy(const struct row *r)
{
	(void)r;
	heap_reclaim_all();
}
