// SPDX-License-Identifier: MIT
/*
 * pages: what a page costs, through the module and through mainline calls.
 *
 * Runs in a VM whose clock counts instructions (run.sh --icount: 1 ns of guest
 * time is one instruction), so that repeats agree. Elsewhere the figures are
 * times of that machine and mean little.
 *
 * Each row is measured REPEATS times after one warm-up and told as the median:
 *	name <tab> instructions per unit <tab> unit <tab> spread
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <burrow/burrow.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define REPEATS		7
#define TOTAL		(16UL << 20)	/* bytes touched per measurement */
#define FRAME		4096UL

static int fd;
static char *window;
static struct burrow_span_ref refs[4096];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static char *reserve(size_t bytes, size_t align)
{
	char *p = mmap(NULL, bytes + align, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return (char *)(((uintptr_t)p + align - 1) & ~(align - 1));
}

static void map(char *at, size_t size, int prot, enum burrow_mmap_kind kind)
{
	if (mmap(at, size, prot, MAP_SHARED | MAP_FIXED, fd,
		 BURROW_MMAP_OFFSET(kind, 0)) == MAP_FAILED)
		die("mmap of an arena");
}

static void heap_open(void)
{
	struct burrow_heap_setup setup = { .size = sizeof(setup) };
	struct burrow_arena_add add = { .size = sizeof(add) };

	fd = open(BURROW_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(BURROW_DEVICE);
	window = reserve(BURROW_ARENA_SIZE, BURROW_ARENA_SIZE);
	setup.window = (uintptr_t)window;
	setup.window_size = BURROW_ARENA_SIZE;
	setup.kmeta = (uintptr_t)reserve(BURROW_KMETA_SIZE, BURROW_KMETA_SIZE);
	setup.umeta = (uintptr_t)reserve(BURROW_UMETA_SIZE, BURROW_UMETA_SIZE);
	if (ioctl(fd, BURROW_IOC_HEAP_SETUP, &setup) ||
	    ioctl(fd, BURROW_IOC_ARENA_ADD, &add))
		die("set-up");
	map(window, BURROW_ARENA_SIZE, PROT_READ | PROT_WRITE,
	    BURROW_MMAP_DATA);
	map((char *)(uintptr_t)setup.kmeta, BURROW_KMETA_SIZE, PROT_READ,
	    BURROW_MMAP_KMETA);
	map((char *)(uintptr_t)setup.umeta, BURROW_UMETA_SIZE,
	    PROT_READ | PROT_WRITE, BURROW_MMAP_UMETA);
}

/* One way to do TOTAL bytes' worth of work; what is timed is run() alone. */
struct row {
	const char *name;
	const char *unit;
	size_t span;		/* bytes of one span or block */
	uint32_t batch;		/* spans a call */
	void (*before)(const struct row *r);
	void (*run)(const struct row *r);
	void (*after)(const struct row *r);
	bool per_span;
};

static char *anon;

static void anon_map(const struct row *r)
{
	(void)r;
	anon = mmap(NULL, TOTAL, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (anon == MAP_FAILED)
		die("mmap");
	madvise(anon, TOTAL, MADV_NOHUGEPAGE);
}

static void anon_map_huge(const struct row *r)
{
	(void)r;
	anon = reserve(TOTAL, 2UL << 20);
	if (mprotect(anon, TOTAL, PROT_READ | PROT_WRITE) ||
	    madvise(anon, TOTAL, MADV_HUGEPAGE))
		die("huge pages");
}

static void anon_touch(const struct row *r)
{
	size_t i;

	(void)r;
	for (i = 0; i < TOTAL; i += FRAME)
		anon[i] = 1;
}

static void anon_populate(const struct row *r)
{
	size_t i;

	for (i = 0; i < TOTAL; i += r->span)
		if (madvise(anon + i, r->span, MADV_POPULATE_WRITE))
			die("MADV_POPULATE_WRITE");
}

static void anon_full(const struct row *r)
{
	anon_map(r);
	anon_touch(r);
}

static void anon_dontneed(const struct row *r)
{
	size_t i;

	for (i = 0; i < TOTAL; i += r->span)
		if (madvise(anon + i, r->span, MADV_DONTNEED))
			die("MADV_DONTNEED");
}

static void anon_unmap(const struct row *r)
{
	(void)r;
	munmap(anon, TOTAL);
}

static void alloc_some(const struct row *r, uint32_t flags)
{
	uint32_t nr = TOTAL / r->span, i;

	for (i = 0; i < nr; i += r->batch) {
		struct burrow_span_alloc a = {
			.size = sizeof(a), .flags = flags,
			.spans = (uintptr_t)&refs[i],
			.nr = nr - i < r->batch ? nr - i : r->batch,
			.npages = r->span / BURROW_PAGE_SIZE,
		};

		if (ioctl(fd, BURROW_IOC_SPAN_ALLOC, &a) || a.out_nr != a.nr)
			die("SPAN_ALLOC");
	}
}

static void free_some(const struct row *r, uint32_t flags)
{
	uint32_t nr = TOTAL / r->span, i;

	for (i = 0; i < nr; i += r->batch) {
		struct burrow_span_free f = {
			.size = sizeof(f), .flags = flags,
			.spans = (uintptr_t)&refs[i],
			.nr = nr - i < r->batch ? nr - i : r->batch,
		};

		if (ioctl(fd, BURROW_IOC_SPAN_FREE, &f) || f.out_nr != f.nr)
			die("SPAN_FREE");
	}
}

static void span_alloc(const struct row *r)
{
	alloc_some(r, 0);
}

static void span_alloc_lazy(const struct row *r)
{
	alloc_some(r, BURROW_ALLOC_LAZY);
}

static void span_touch(const struct row *r)
{
	size_t i;

	(void)r;
	for (i = 0; i < TOTAL; i += FRAME)
		window[i] = 1;
}

static void span_free(const struct row *r)
{
	free_some(r, 0);
}

static void span_free_reclaim(const struct row *r)
{
	free_some(r, BURROW_FREE_RECLAIM);
}

/* The floor under every call: a call that only copies its struct both ways. */
static void query(const struct row *r)
{
	uint32_t nr = TOTAL / r->span, i;

	for (i = 0; i < nr; i++) {
		struct burrow_query q = { .size = sizeof(q) };

		if (ioctl(fd, BURROW_IOC_QUERY, &q))
			die("QUERY");
	}
}

static void no_call(const struct row *r)
{
	uint32_t nr = TOTAL / r->span, i;

	for (i = 0; i < nr; i++)
		syscall(SYS_getppid);
}

/* With the spans' order turned by @turn: at 1 no two in a row are neighbours. */
static void reclaim_some(const struct row *r, uint32_t turn)
{
	static struct burrow_range range[4096];
	uint32_t nr = TOTAL / r->span, i;

	for (i = 0; i < nr; i++)
		range[i] = (struct burrow_range){
			refs[i ^ turn].page, r->span / BURROW_PAGE_SIZE };
	for (i = 0; i < nr; i += r->batch) {
		struct burrow_span_reclaim c = {
			.size = sizeof(c), .ranges = (uintptr_t)&range[i],
			.nr = nr - i < r->batch ? nr - i : r->batch,
		};

		if (ioctl(fd, BURROW_IOC_SPAN_RECLAIM, &c) || c.out_nr != c.nr)
			die("SPAN_RECLAIM");
	}
}

static void span_reclaim(const struct row *r)
{
	reclaim_some(r, 0);
}

static void span_reclaim_apart(const struct row *r)
{
	reclaim_some(r, 1);
}

/* Lazy spans: their frames are there. */
static void make_lazy(const struct row *r)
{
	alloc_some(r, 0);
	free_some(r, 0);
}

static void take_lazy(const struct row *r)
{
	struct burrow_span_reclaim c = { .size = sizeof(c), .nr = 1 };
	struct burrow_range all = { 0, BURROW_ARENA_PAGES };

	(void)r;
	c.ranges = (uintptr_t)&all;
	if (ioctl(fd, BURROW_IOC_SPAN_RECLAIM, &c))
		die("SPAN_RECLAIM");
}

#define K	1024UL
#define M	(1024 * K)
#define PAGE_ROW(n, sp, b, be, ru, af) \
	{ n, "4K page", sp, b, be, ru, af, false }
#define SPAN_ROW(n, sp, b, be, ru, af) \
	{ n, "span", sp, b, be, ru, af, true }

static const struct row rows[] = {
	PAGE_ROW("anon demand fault", FRAME, 0, anon_map, anon_touch, anon_unmap),
	PAGE_ROW("anon MADV_POPULATE_WRITE 8K", 8 * K, 0, anon_map, anon_populate, anon_unmap),
	PAGE_ROW("anon MADV_POPULATE_WRITE 64K", 64 * K, 0, anon_map, anon_populate, anon_unmap),
	PAGE_ROW("anon THP demand fault", 2 * M, 0, anon_map_huge, anon_touch, anon_unmap),
	PAGE_ROW("burrow demand fault", 8 * K, 64, span_alloc_lazy, span_touch, span_free_reclaim),
	PAGE_ROW("burrow populate 8K x1", 8 * K, 1, NULL, span_alloc, span_free_reclaim),
	PAGE_ROW("burrow populate 8K x8", 8 * K, 8, NULL, span_alloc, span_free_reclaim),
	PAGE_ROW("burrow populate 8K x64", 8 * K, 64, NULL, span_alloc, span_free_reclaim),
	PAGE_ROW("burrow populate 64K x1", 64 * K, 1, NULL, span_alloc, span_free_reclaim),
	PAGE_ROW("burrow populate 64K x8", 64 * K, 8, NULL, span_alloc, span_free_reclaim),
	PAGE_ROW("burrow populate 2M x1", 2 * M, 1, NULL, span_alloc, span_free_reclaim),
	{ "getppid", "call", 8 * K, 1, NULL, no_call, NULL, true },
	{ "QUERY", "call", 8 * K, 1, NULL, query, NULL, true },
	SPAN_ROW("alloc of a lazy 8K span x1", 8 * K, 1, make_lazy, span_alloc, span_free_reclaim),
	SPAN_ROW("alloc of a lazy 8K span x8", 8 * K, 8, make_lazy, span_alloc, span_free_reclaim),
	SPAN_ROW("alloc of a lazy 8K span x64", 8 * K, 64, make_lazy, span_alloc,
		 span_free_reclaim),
	SPAN_ROW("free of an 8K span x1", 8 * K, 1, span_alloc, span_free, take_lazy),
	SPAN_ROW("free of an 8K span x8", 8 * K, 8, span_alloc, span_free, take_lazy),
	SPAN_ROW("free of an 8K span x64", 8 * K, 64, span_alloc, span_free, take_lazy),
	SPAN_ROW("MADV_DONTNEED 8K", 8 * K, 1, anon_full, anon_dontneed, anon_unmap),
	SPAN_ROW("burrow reclaim 8K x1", 8 * K, 1, span_alloc, span_reclaim, span_free_reclaim),
	SPAN_ROW("burrow reclaim 8K x64", 8 * K, 64, span_alloc, span_reclaim, span_free_reclaim),
	SPAN_ROW("burrow reclaim 8K x1024", 8 * K, 1024, span_alloc, span_reclaim,
		 span_free_reclaim),
	SPAN_ROW("burrow reclaim 8K x1024, apart", 8 * K, 1024, span_alloc,
		 span_reclaim_apart, span_free_reclaim),
	SPAN_ROW("burrow free+reclaim 8K x64", 8 * K, 64, span_alloc, span_free_reclaim, NULL),
	PAGE_ROW("MADV_DONTNEED 2M", 2 * M, 1, anon_full, anon_dontneed, anon_unmap),
	PAGE_ROW("burrow reclaim 2M", 2 * M, 1, span_alloc, span_reclaim, span_free_reclaim),
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const struct row *r)
{
	double seen[REPEATS];
	int i;

	for (i = -1; i < REPEATS; i++) {
		uint64_t start;
		double units = r->per_span ? TOTAL / r->span : TOTAL / FRAME;

		if (r->before)
			r->before(r);
		start = now();
		r->run(r);
		if (i >= 0)
			seen[i] = (now() - start) / units;
		if (r->after)
			r->after(r);
	}
	qsort(seen, REPEATS, sizeof(seen[0]), by_size);
	printf("%s\t%.0f\t%s\t%.3f\n", r->name, seen[REPEATS / 2], r->unit,
	       (seen[REPEATS - 1] - seen[0]) / seen[REPEATS / 2]);
	fflush(stdout);
}

int main(void)
{
	size_t i;

	heap_open();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		measure(&rows[i]);
	return 0;
}
