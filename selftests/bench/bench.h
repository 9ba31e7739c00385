/* SPDX-License-Identifier: MIT */
/*
 * bench: what the benchmarks of the kernel's half share.
 *
 *	bench PART ...			main.c: rows of a part, measured and told
 *	  pages_rows huge_rows ...	<noun>.c: what is measured
 *	    spans_get() anon_map() ...	<- here: heap.c, anon.c
 *
 * They run in a VM whose clock counts instructions (run.sh --icount: 1 ns of
 * guest time is one instruction), so that repeats agree. Elsewhere the figures
 * are times of that machine and mean little.
 */
#ifndef BURROW_BENCH_H
#define BURROW_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <burrow/burrow.h>

#define K		1024UL
#define M		(1024 * K)
#define TOTAL		(16 * M)	/* bytes of a measurement, as a rule */
#define FRAME		4096UL
#define MAX_SPANS	16384U

#define NR(a)		(sizeof(a) / sizeof((a)[0]))

/**
 * struct row - one thing that is measured, REPEATS times after a warm-up
 * @name:	in the table; "NAME, more" is more of NAME
 * @unit:	what is divided by @units
 * @units:	how many of these a measurement does
 * @base:	the row it is to be compared with, or NULL
 * @span:	bytes of one span or block
 * @total:	bytes of all of them
 * @batch:	spans a call
 * @flags:	of the call under measurement
 * @before:	what is not timed, or NULL
 * @run:	what is timed
 * @cost:	instead of all three: measures for itself
 * @after:	what is not timed, or NULL
 * @arg:	the row's own
 *
 * A row that finds that the kernel refuses what it asks for calls refuse().
 */
struct row {
	const char *name;
	const char *unit;
	double units;
	const char *base;
	size_t span;
	size_t total;
	uint32_t batch;
	uint32_t flags;
	void (*before)(const struct row *r);
	void (*run)(const struct row *r);
	double (*cost)(const struct row *r);
	void (*after)(const struct row *r);
	uint32_t arg;
};

/* main.c */
void die(const char *what);
void refuse(int err);
uint64_t now(void);
double timed(void (*run)(const struct row *r), const struct row *r);
void measure(const struct row *r);
void rows_measure(const struct row *r, size_t nr);
void tell(const char *name, double value, const char *unit);

/* One part each: has a process of its own. */
void pages_part(void);
void memcg_part(void);
void calls_part(void);
void huge_part(void);
void sweep_part(void);
void shrink_part(void);
void meta_part(void);
void stack_part(void);
void move_part(void);
void fork_part(void);
void harvest_part(void);
void arenas_part(void);
void park_part(void);

/**
 * struct place - the heap of the part that runs
 * @nr_arenas:	of the window
 * @ref:	spans of the row that runs, in the order of their allocation
 */
struct place {
	int fd;
	uint32_t nr_arenas;
	char *window;
	char *kmeta;
	char *umeta;
	struct burrow_span_ref ref[MAX_SPANS];
};

extern struct place heap;

/* heap.c: calls on it, all or nothing */
char *reserve(size_t bytes, size_t align);
void heap_open(uint32_t nr_arenas);
void heap_close(void);
void arena_make(uint32_t index, uint32_t kind, bool with_meta);
void heap_make(uint32_t nr_heap, uint32_t kind, uint32_t nr_kind);
uint32_t spans_of(const struct row *r);
char *span_addr(uint32_t i);
void spans_get(const struct row *r, uint32_t flags, uint32_t kind);
void spans_put(const struct row *r, uint32_t flags);
void ranges_reclaim(const struct burrow_range *range, uint32_t nr,
		    uint32_t batch);
void heap_reclaim_all(void);
void heap_stats(struct burrow_heap_stats *out);
void frames_check(uint64_t bytes);

/* ... as rows do them */
void span_alloc(const struct row *r);
void span_alloc_lazy(const struct row *r);
void span_free(const struct row *r);
void span_free_reclaim(const struct row *r);
void span_touch(const struct row *r);
void make_lazy(const struct row *r);
void take_lazy(const struct row *r);

/* anon.c: the same of anonymous memory, of r->total bytes */
extern char *anon;
void anon_map(const struct row *r);
void anon_map_huge(const struct row *r);
void anon_touch(const struct row *r);
void anon_full(const struct row *r);
void anon_full_huge(const struct row *r);
void anon_populate(const struct row *r);
void anon_madvise(const struct row *r);
void anon_unmap(const struct row *r);

#endif
