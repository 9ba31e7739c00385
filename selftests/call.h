/* SPDX-License-Identifier: MIT */
/*
 * call: every ioctl as a row of one table, with arguments that succeed.
 *
 *	abi.c		takes each row and spoils one thing at a time
 *	  call_all[]	<- here
 *
 * A *bed* is a heap in which each call can succeed: an arena, a live span, a
 * thread slot that holds a token.
 */
#ifndef BURROW_SELFTEST_CALL_H
#define BURROW_SELFTEST_CALL_H

#include "burrow_selftest.h"

union call_arg {
	__u32 size;
	struct {
		__u32 size;
		__u32 flags;
	} head;
	struct burrow_query query;
	struct burrow_heap_setup heap_setup;
	struct burrow_heap_stats heap_stats;
	struct burrow_heap_reclaim heap_reclaim;
	struct burrow_heap_limit heap_limit;
	struct burrow_heap_events heap_events;
	struct burrow_heap_harvest heap_harvest;
	struct burrow_heap_room heap_room;
	struct burrow_arena_add arena_add;
	struct burrow_span_alloc span_alloc;
	struct burrow_span_free span_free;
	struct burrow_span_reclaim span_reclaim;
	struct burrow_span_sweep span_sweep;
	struct burrow_span_resize span_resize;
	struct burrow_span_move span_move;
	struct burrow_thread_add thread_add;
	struct burrow_thread_del thread_del;
	struct burrow_thread_park thread_park;
	struct burrow_thread_unpark thread_unpark;
	char raw[256];
};

struct bed {
	struct heap h;
	struct burrow_span_ref ref;	/* live, of a kind that is swept */
	struct burrow_range range;	/* the same */
	struct burrow_span_ref to;	/* live, too */
	struct burrow_span_ref new;	/* for the kernel to write */
	__u32 slot;
	__u64 bits[BURROW_HARVEST_WORDS];
};

/**
 * struct call_row - one ioctl
 * @size:	of its first version
 * @flags:	those it knows
 * @answers:	the kernel writes the struct
 * @makes:	a success shows in HEAP_STATS
 * @fill:	arguments that succeed once; the rest is zero
 */
struct call_row {
	const char *name;
	unsigned int cmd;
	__u32 size;
	__u32 flags;
	bool answers;
	bool makes;
	void (*fill)(struct bed *bed, union call_arg *arg);
};

static void fill_nothing(struct bed *bed, union call_arg *arg)
{
	(void)bed;
	(void)arg;
}

static void fill_heap_setup(struct bed *bed, union call_arg *arg)
{
	arg->heap_setup.window = U64(bed->h.window);
	arg->heap_setup.window_size = bed->h.nr_arenas * BURROW_ARENA_SIZE;
	arg->heap_setup.kmeta = U64(bed->h.kmeta);
	arg->heap_setup.umeta = U64(bed->h.umeta);
}

static void fill_heap_reclaim(struct bed *bed, union call_arg *arg)
{
	(void)bed;
	arg->heap_reclaim.bytes = ~0ULL;
}

static void fill_heap_limit(struct bed *bed, union call_arg *arg)
{
	(void)bed;
	arg->heap_limit.bytes = 1 << 30;
}

static void fill_heap_harvest(struct bed *bed, union call_arg *arg)
{
	arg->heap_harvest.bits = U64(bed->bits);
}

static void fill_heap_room(struct bed *bed, union call_arg *arg)
{
	(void)bed;
	arg->heap_room.bytes = 1;
}

static void fill_arena_add(struct bed *bed, union call_arg *arg)
{
	(void)bed;
	arg->arena_add.kind = BURROW_ARENA_HEAP;
	arg->arena_add.index = BURROW_ARENA_ANY;
}

static void fill_span_alloc(struct bed *bed, union call_arg *arg)
{
	arg->span_alloc.spans = U64(&bed->new);
	arg->span_alloc.nr = 1;
	arg->span_alloc.npages = 1;
}

static void fill_span_free(struct bed *bed, union call_arg *arg)
{
	arg->span_free.spans = U64(&bed->ref);
	arg->span_free.nr = 1;
}

static void fill_span_reclaim(struct bed *bed, union call_arg *arg)
{
	arg->span_reclaim.ranges = U64(&bed->range);
	arg->span_reclaim.nr = 1;
}

/* Marks that were never touched keep the span. */
static void fill_span_sweep(struct bed *bed, union call_arg *arg)
{
	arg->span_sweep.spans = U64(&bed->ref);
	arg->span_sweep.freed = U64(&bed->new);
	arg->span_sweep.nr = 1;
}

static void fill_span_resize(struct bed *bed, union call_arg *arg)
{
	arg->span_resize.span = bed->ref;
	arg->span_resize.npages = 2;
}

static void fill_span_move(struct bed *bed, union call_arg *arg)
{
	arg->span_move.from = bed->ref;
	arg->span_move.to = bed->to;
}

static void fill_thread_del(struct bed *bed, union call_arg *arg)
{
	arg->thread_del.slot = bed->slot;
}

static void fill_thread_park(struct bed *bed, union call_arg *arg)
{
	arg->thread_park.slot = bed->slot;
	/* passed long ago: should there be no token, nobody sleeps */
	arg->thread_park.deadline = 1;
}

static void fill_thread_unpark(struct bed *bed, union call_arg *arg)
{
	arg->thread_unpark.slot = bed->slot;
}

#define CALL_ROW(NAME, noun, known, does_answer, does_make, fn)		\
	{ .name = #NAME, .cmd = BURROW_IOC_##NAME,			\
	  .size = sizeof(struct burrow_##noun), .flags = known,		\
	  .answers = does_answer, .makes = does_make, .fill = fn }

static const struct call_row call_all[] = {
	CALL_ROW(QUERY, query, 0, true, false, fill_nothing),
	CALL_ROW(HEAP_SETUP, heap_setup, 0, false, true, fill_heap_setup),
	CALL_ROW(HEAP_STATS, heap_stats, 0, true, false, fill_nothing),
	CALL_ROW(HEAP_RECLAIM, heap_reclaim, 0, true, false,
		 fill_heap_reclaim),
	CALL_ROW(HEAP_LIMIT, heap_limit, 0, false, false, fill_heap_limit),
	CALL_ROW(HEAP_EVENTS, heap_events, 0, true, false, fill_nothing),
	CALL_ROW(HEAP_HARVEST, heap_harvest, 0, true, false,
		 fill_heap_harvest),
	CALL_ROW(HEAP_ROOM, heap_room, 0, false, false, fill_heap_room),
	CALL_ROW(ARENA_ADD, arena_add, 0, true, true, fill_arena_add),
	CALL_ROW(SPAN_ALLOC, span_alloc,
		 BURROW_ALLOC_LAZY | BURROW_ALLOC_HUGE | BURROW_ALLOC_UWORDS,
		 true, true, fill_span_alloc),
	CALL_ROW(SPAN_FREE, span_free, BURROW_FREE_RECLAIM, true, false,
		 fill_span_free),
	CALL_ROW(SPAN_RECLAIM, span_reclaim, 0, true, false,
		 fill_span_reclaim),
	CALL_ROW(SPAN_SWEEP, span_sweep, BURROW_SWEEP_RECLAIM, true, false,
		 fill_span_sweep),
	CALL_ROW(SPAN_RESIZE, span_resize, BURROW_RESIZE_LAZY, false, false,
		 fill_span_resize),
	CALL_ROW(SPAN_MOVE, span_move, BURROW_MOVE_LAZY, false, false,
		 fill_span_move),
	CALL_ROW(THREAD_ADD, thread_add, 0, true, true, fill_nothing),
	CALL_ROW(THREAD_DEL, thread_del, 0, false, false, fill_thread_del),
	CALL_ROW(THREAD_PARK, thread_park, BURROW_PARK_SWAP, false, false,
		 fill_thread_park),
	CALL_ROW(THREAD_UNPARK, thread_unpark, 0, false, false,
		 fill_thread_unpark),
};

/* A bed for @row: HEAP_SETUP finds an empty file. */
static inline int bed_make(struct bed *bed, const struct call_row *row)
{
	struct burrow_span_alloc span = {
		.spans = U64(&bed->ref),
		.nr = 1,
		.npages = 1,
		.kind = BURROW_KIND_NOSCAN,
	};
	int r;

	memset(bed, 0, sizeof(*bed));
	r = places_reserve(&bed->h, TEST_ARENAS);
	if (r)
		return r;
	bed->h.fd = device_open();
	if (bed->h.fd < 0)
		return bed->h.fd;
	if (row->cmd == BURROW_IOC_HEAP_SETUP)
		return 0;
	r = heap_set_up(&bed->h);
	if (!r)
		r = arenas_make(&bed->h, 1);
	if (!r)
		r = span_alloc(&bed->h, 1, 0, &bed->to);
	if (!r)
		r = spans_alloc(&bed->h, &span);
	if (r)
		return r;
	bed->range = (struct burrow_range){ bed->ref.page, 1 };
	r = thread_add(&bed->h);
	if (r < 0)
		return r;
	bed->slot = r;
	return thread_unpark(&bed->h, bed->slot);
}

static inline void bed_drop(struct bed *bed)
{
	munmap(bed->h.window, bed->h.nr_arenas * BURROW_ARENA_SIZE);
	munmap((void *)bed->h.kmeta, bed->h.nr_arenas * BURROW_KMETA_SIZE);
	munmap(bed->h.umeta, bed->h.nr_arenas * BURROW_UMETA_SIZE);
	close(bed->h.fd);
}

/* Arguments for @row that succeed, in a buffer that is otherwise zero. */
static inline void call_fill(const struct call_row *row, struct bed *bed,
			     union call_arg *arg)
{
	memset(arg, 0, sizeof(*arg));
	arg->size = row->size;
	row->fill(bed, arg);
}

static inline int call_row(const struct call_row *row, struct bed *bed,
			   const void *arg)
{
	return call(bed->h.fd, row->cmd, arg);
}

#endif
