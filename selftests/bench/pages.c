// SPDX-License-Identifier: MIT
/*
 * pages: what a 4 KiB page costs that is zeroed and mapped, and what calls cost
 * that move no page. Through the module and through mainline calls.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define DEMAND	"anon demand fault"
#define CGROUP	"/sys/fs/cgroup/bench"

#define ANON(n, sp, be, ru) \
	{ .name = n, .unit = "4K page", .units = TOTAL / FRAME, .base = DEMAND, \
	  .span = sp, .total = TOTAL, .before = be, .run = ru, \
	  .after = anon_unmap }
#define PAGES(n, sp, b, tot, be, ru) \
	{ .name = n, .unit = "4K page", .units = (double)(tot) / FRAME, \
	  .base = DEMAND, .span = sp, .total = tot, .batch = b, .before = be, \
	  .run = ru, .after = span_free_reclaim }

static const struct row pages[] = {
	ANON(DEMAND, FRAME, anon_map, anon_touch),
	ANON("anon MADV_POPULATE_WRITE 8K", 8 * K, anon_map, anon_populate),
	ANON("anon MADV_POPULATE_WRITE 64K", 64 * K, anon_map, anon_populate),
	ANON("anon MADV_POPULATE_WRITE 2M", 2 * M, anon_map, anon_populate),
	PAGES("burrow demand fault", 8 * K, 64, TOTAL, span_alloc_lazy,
	      span_touch),
	PAGES("burrow populate 8K x1", 8 * K, 1, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 8K x8", 8 * K, 8, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 8K x64", 8 * K, 64, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 64K x1", 64 * K, 1, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 64K x8", 64 * K, 8, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 64K x64", 64 * K, 64, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 2M x1", 2 * M, 1, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 2M x8", 2 * M, 8, TOTAL, NULL, span_alloc),
	PAGES("burrow populate 2M x64", 2 * M, 64, 128 * M, NULL, span_alloc),
};

void pages_part(void)
{
	/* room for 64 spans of 2 MiB */
	heap_make(3, 0, 0);
	rows_measure(pages, NR(pages));
}

/*
 * The same for a process in a memory cgroup of its own, where each page is
 * charged.
 */
void memcg_part(void)
{
	FILE *f;

	if (mkdir(CGROUP, 0755))
		die(CGROUP);
	f = fopen(CGROUP "/cgroup.procs", "w");
	if (!f || fprintf(f, "%d", getpid()) < 0 || fclose(f))
		die(CGROUP "/cgroup.procs");
	pages_part();
}

/* The floor under every call: a call that only copies its struct both ways. */
static void query(const struct row *r)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i++) {
		struct burrow_query q = { .size = sizeof(q) };

		if (ioctl(heap.fd, BURROW_IOC_QUERY, &q))
			die("QUERY");
	}
}

/* What there is to know how much is resident. */
static void stats(const struct row *r)
{
	struct burrow_heap_stats s;
	uint32_t i;

	for (i = 0; i < r->units; i++)
		heap_stats(&s);
}

static void statm(const struct row *r)
{
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[128];
	uint32_t i;

	for (i = 0; i < r->units; i++)
		if (pread(fd, text, sizeof(text), 0) <= 0)
			die("statm");
	close(fd);
}

/* @span bytes of room are there, and nothing is taken. */
static void room(const struct row *r)
{
	uint32_t nr = r->units, i;

	for (i = 0; i < nr; i++) {
		struct burrow_heap_room a = {
			.size = sizeof(a), .bytes = r->span,
		};

		if (ioctl(heap.fd, BURROW_IOC_HEAP_ROOM, &a))
			die("HEAP_ROOM");
	}
}

/* In a heap that had none: the first U-words of each page. */
static double first_spans(const struct row *r)
{
	double cost;

	heap_close();
	heap_make(3, 0, 0);
	cost = timed(span_alloc_lazy, r);
	span_free(r);
	return cost;
}

static void no_call(const struct row *r)
{
	uint32_t nr = spans_of(r), i;

	for (i = 0; i < nr; i++)
		syscall(SYS_getppid);
}

#define CALL(n, ru) \
	{ .name = n, .unit = "call", .units = 2048, .span = 8 * K, \
	  .total = TOTAL, .run = ru }
/* Spans with their frames there, so that no page moves. */
#define ALLOC(n, sp, b, tot) \
	{ .name = "alloc of a lazy " n, .unit = "span", \
	  .units = (double)(tot) / (sp), .span = sp, .total = tot, .batch = b, \
	  .before = make_lazy, .run = span_alloc, .after = span_free_reclaim }
/* ... and, from the second time on, their U-words. */
#define WORDS(b) \
	{ .name = "alloc of a lazy 8K span x" #b ", with U-words", \
	  .unit = "span", .units = TOTAL / (8 * K), .span = 8 * K, \
	  .total = TOTAL, .batch = b, .flags = BURROW_ALLOC_UWORDS, \
	  .before = make_lazy, .run = span_alloc, .after = span_free_reclaim }
#define FIRST(n, f) \
	{ .name = "alloc of the first lazy 8K spans x64" n, .unit = "span", \
	  .units = TOTAL / (8 * K), .span = 8 * K, .total = TOTAL, \
	  .batch = 64, .flags = f, .cost = first_spans }
#define ROOM(n, sp) \
	{ .name = "HEAP_ROOM of " n, .unit = "call", .units = 2048, \
	  .span = sp, .total = TOTAL, .run = room }
#define FREE(n, sp, b, tot) \
	{ .name = "free of a " n, .unit = "span", \
	  .units = (double)(tot) / (sp), .span = sp, .total = tot, .batch = b, \
	  .before = span_alloc, .run = span_free, .after = take_lazy }
#define EACH(row) \
	row("8K span x1", 8 * K, 1, TOTAL), \
	row("8K span x8", 8 * K, 8, TOTAL), \
	row("8K span x64", 8 * K, 64, TOTAL), \
	row("64K span x1", 64 * K, 1, TOTAL), \
	row("64K span x8", 64 * K, 8, TOTAL), \
	row("64K span x64", 64 * K, 64, TOTAL), \
	row("2M span x1", 2 * M, 1, TOTAL), \
	row("2M span x8", 2 * M, 8, TOTAL), \
	row("2M span x64", 2 * M, 64, 128 * M)

static const struct row calls[] = {
	CALL("getppid", no_call),
	CALL("QUERY", query),
	CALL("read of /proc/self/statm", statm),
	{ .name = "HEAP_STATS", .unit = "call", .units = 2048,
	  .base = "read of /proc/self/statm", .run = stats },
	EACH(ALLOC),
	EACH(FREE),
	ROOM("4K", 4 * K),
	ROOM("32K", 32 * K),
	WORDS(1),
	WORDS(8),
	WORDS(64),
	FIRST("", 0),
	FIRST(", with U-words", BURROW_ALLOC_UWORDS),
};

void calls_part(void)
{
	heap_make(3, 0, 0);
	rows_measure(calls, NR(calls));
}
