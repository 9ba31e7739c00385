/* SPDX-License-Identifier: MIT */
/*
 * failnth: what a call of failnth_rows.h finds, and what a row of it says.
 */
#ifndef BURROW_SELFTEST_FAILNTH_H
#define BURROW_SELFTEST_FAILNTH_H

#include <sys/syscall.h>
#include <sys/uio.h>

#include "child.h"
#include "proc.h"

#define BATCH		600U		/* a vector that is not on the stack */
#define SMALL		12U
#define SPAN_PAGES	4U

/* How far a bed is made before the call. */
enum stage { NOTHING, OPEN, HEAP, ADDED, MAPPED };

/**
 * struct bed - a heap that one call is made to
 * @ref:	spans, the first @nr of them live
 * @due:	how many things the call is to do
 * @slot:	of two threads
 * @mapped:	views of arena 0
 * @pipe:	for what goes past the heap
 * @child:	who shares its frames, or 0
 */
struct bed {
	struct heap h;
	struct burrow_span_ref ref[BATCH];
	__u32 nr;
	__u32 due;
	int slot[2];
	bool mapped[BURROW_NR_MMAP_KINDS];
	int pipe[2];
	pid_t child;
};

/* What a call may answer besides a success. */
#define MAY_NOT		0U
#define MAY_NOMEM	(1U << 0)
#define MAY_FAULT	(1U << 1)

/**
 * struct row - one call
 * @stage:	what it finds
 * @prepare:	what else it finds
 * @call:	-errno, or of how many things it did its work
 * @is_right:	what the counts do not show, after answer @r
 * @may:	MAY_*
 * @spans:	one more (1) or one less (-1) for each thing it did
 * @arenas:	same, for a success
 * @mapped:	same
 * @threads:	same
 * @gives:	it cannot take back what it did: with EFAULT it may have worked
 */
struct row {
	const char *name;
	enum stage stage;
	int (*prepare)(struct bed *b);
	int (*call)(struct bed *b);
	bool (*is_right)(struct bed *b, int r);
	unsigned int may;
	int spans, arenas, mapped, threads;
	bool gives;
};

static int bed_map(struct bed *b, enum burrow_mmap_kind kind)
{
	int r = part_map(&b->h, kind, 0);

	if (!r)
		b->mapped[kind] = true;
	return r;
}

/* Brings a bed to @stage from wherever it is. */
static int bed_advance(struct bed *b, enum stage stage)
{
	struct burrow_heap_stats stats;
	int kind, r;

	if (stage >= OPEN && b->h.fd < 0) {
		b->h.fd = device_open();
		if (b->h.fd < 0)
			return b->h.fd;
	}
	r = stage >= HEAP ? heap_stats(b->h.fd, &stats) : 0;
	if (r == -ENXIO)
		r = heap_set_up(&b->h);
	if (!r && stage >= ADDED) {
		r = arena_add(&b->h, 0);
		if (r == -EEXIST)
			r = 0;
	}
	for (kind = 0; stage >= MAPPED && kind < BURROW_NR_MMAP_KINDS && !r;
	     kind++)
		if (!b->mapped[kind])
			r = bed_map(b, kind);
	return r;
}

static int bed_make(struct bed *b, const struct row *row)
{
	int r;

	memset(b, 0, sizeof(*b));
	b->h.fd = -1;
	if (pipe(b->pipe))
		return -errno;
	r = places_reserve(&b->h, TEST_ARENAS);
	if (!r)
		r = bed_advance(b, row->stage);
	if (!r && row->prepare)
		r = row->prepare(b);
	return r;
}

/* Zero before there is a heap. */
static void bed_stats(const struct bed *b, struct burrow_heap_stats *s)
{
	if (b->h.fd < 0 || heap_stats(b->h.fd, s))
		memset(s, 0, sizeof(*s));
}

static bool is_full_of(const char *p, char val, size_t n)
{
	return p[0] == val && !memcmp(p, p + 1, n - 1);
}

#define MB		(1UL << 20)
#define SPAN_BYTES	(SPAN_PAGES * BURROW_PAGE_SIZE)
#define OTHER_ARENA	1U		/* of another kind */
#define NEW_ARENA	3U

static char *ref_addr(const struct bed *b, __u32 i)
{
	return page_addr(&b->h, b->ref[i].page);
}

/* -- what a call finds -- */

static int prepare_spans(struct bed *b, __u32 nr, __u32 npages, __u16 kind,
			 __u32 flags)
{
	struct burrow_span_alloc arg = {
		.spans = U64(b->ref), .nr = nr, .npages = npages,
		.kind = kind, .flags = flags,
	};
	int r = spans_alloc(&b->h, &arg);

	b->nr = nr;
	b->due = nr;
	return !r && arg.out_nr != nr ? -ENOSPC : r;
}

static int prepare_few(struct bed *b)
{
	int r = prepare_spans(b, SMALL / 3, SPAN_PAGES, BURROW_KIND_MANUAL, 0);
	__u32 i;

	for (i = 0; i < b->nr && !r; i++)
		memset(ref_addr(b, i), 'x', SPAN_BYTES);
	return r;
}

static int prepare_batch(struct bed *b)
{
	return prepare_spans(b, BATCH, 1, BURROW_KIND_MANUAL,
			     BURROW_ALLOC_LAZY);
}

static int prepare_lazy_frames(struct bed *b)
{
	struct burrow_span_free done;
	int r = prepare_few(b);

	return r ? r : spans_free(&b->h, 0, b->ref, b->nr, &done);
}

static int prepare_untouched(struct bed *b)
{
	return prepare_spans(b, 1, SPAN_PAGES, BURROW_KIND_MANUAL,
			     BURROW_ALLOC_LAZY);
}

/* Spans of which every third is marked. */
static int prepare_marks(struct bed *b)
{
	int r = prepare_spans(b, BATCH, 1, BURROW_KIND_CONSERVATIVE, 0);
	__u32 i;

	b->due = 0;
	for (i = 0; i < BATCH && !r; i++) {
		char *bits = b->h.umeta + BURROW_U_MARK +
			     b->ref[i].page * BURROW_U_PAGE_BYTES;

		*bits = i % 3 == 0;
		b->due += i % 3 != 0;
	}
	return r;
}

static int prepare_event(struct bed *b)
{
	struct burrow_heap_limit arg = {
		.size = sizeof(arg), .bytes = FRAME_SIZE,
	};
	int r = prepare_few(b);

	return r ? r : call(b->h.fd, BURROW_IOC_HEAP_LIMIT, &arg);
}

static int kind_arena_add(struct bed *b, __u32 kind, __u32 index)
{
	struct burrow_arena_add arg = {
		.size = sizeof(arg), .kind = kind, .index = index,
	};

	return call(b->h.fd, BURROW_IOC_ARENA_ADD, &arg);
}

static int prepare_kind(struct bed *b, __u32 kind)
{
	int r = kind_arena_add(b, kind, OTHER_ARENA);

	return r ? r : arena_map(&b->h, OTHER_ARENA);
}

static int prepare_stack_arena(struct bed *b)
{
	return prepare_kind(b, BURROW_ARENA_STACK);
}

static int prepare_huge_arena(struct bed *b)
{
	return prepare_kind(b, BURROW_ARENA_HUGE);
}

/* A huge span without memory. */
static int prepare_huge_span(struct bed *b)
{
	int r = prepare_huge_arena(b);

	if (!r)
		r = prepare_spans(b, 1, BURROW_HUGE_PAGES, BURROW_KIND_NOSCAN,
				  BURROW_ALLOC_HUGE | BURROW_ALLOC_LAZY);
	return r;
}

/* What earlier stacks left lies where the new ones have their guards. */
static int prepare_old_stacks(struct bed *b)
{
	struct burrow_span_free done;
	int r = prepare_stack_arena(b);
	__u32 i;

	if (!r)
		r = prepare_spans(b, SMALL, 3, BURROW_KIND_STACK, 0);
	for (i = 0; i < SMALL && !r; i++)
		memset(ref_addr(b, i) + BURROW_GUARD_PAGES * BURROW_PAGE_SIZE,
		       'x', BURROW_PAGE_SIZE);
	return r ? r : spans_free(&b->h, 0, b->ref, SMALL, &done);
}

static int prepare_slots(struct bed *b)
{
	b->slot[0] = thread_add(&b->h);
	b->slot[1] = thread_add(&b->h);
	return b->slot[0] < 0 || b->slot[1] < 0 ? -ENOMEM : 0;
}

static int prepare_token(struct bed *b)
{
	int r = prepare_slots(b);

	return r ? r : thread_unpark(&b->h, b->slot[0]);
}

static int child_stays(void *arg)
{
	(void)arg;
	return pause();
}

/* Frames that a child shares. */
static int prepare_child(struct bed *b)
{
	int r = prepare_few(b);

	if (r)
		return r;
	*(b->h.umeta + BURROW_U_OWNER) = 'u';
	b->child = child_start(child_stays, NULL);
	return b->child < 0 ? -errno : 0;
}

#define MOVED_PAGES	10U

/* A place for the last span, where there are no slots yet. */
static int prepare_move(struct bed *b)
{
	struct burrow_span_ref gap;
	int r = prepare_few(b);

	if (!r)
		r = span_alloc(&b->h, 2 * BURROW_HUGE_PAGES, BURROW_ALLOC_LAZY,
			       &gap);
	return r ? r : span_alloc(&b->h, MOVED_PAGES, BURROW_ALLOC_LAZY,
				  &b->ref[b->nr]);
}

/* The same, but frames are shared, and the place is kept from the fork. */
static int prepare_move_copied(struct bed *b)
{
	struct burrow_span_ref rest;
	int r = prepare_kind(b, BURROW_ARENA_HEAP);

	if (!r)
		r = prepare_few(b);
	if (!r)
		r = span_alloc(&b->h, BURROW_ARENA_PAGES - b->nr * SPAN_PAGES,
			       BURROW_ALLOC_LAZY, &rest);
	if (!r)
		r = span_alloc(&b->h, MOVED_PAGES, BURROW_ALLOC_LAZY,
			       &b->ref[b->nr]);
	if (r)
		return r;
	if (madvise(part(&b->h, BURROW_MMAP_DATA, OTHER_ARENA),
		    BURROW_ARENA_SIZE, MADV_DONTFORK))
		return -errno;
	b->child = child_start(child_stays, NULL);
	return b->child < 0 ? -errno : 0;
}

static int prepare_pipe(struct bed *b)
{
	int r = prepare_untouched(b);

	if (!r && write(b->pipe[1], "xxxxxxxx", 8) != 8)
		r = -errno;
	return r;
}

static int prepare_other_views(struct bed *b)
{
	int r = bed_map(b, BURROW_MMAP_KMETA);

	return r ? r : bed_map(b, BURROW_MMAP_UMETA);
}

static int view_unmap(struct bed *b, enum burrow_mmap_kind kind)
{
	int r = part_unmap(&b->h, kind, 0);

	if (!r)
		b->mapped[kind] = false;
	return r;
}

static int prepare_data_only(struct bed *b)
{
	int r = prepare_few(b);

	if (!r)
		r = view_unmap(b, BURROW_MMAP_KMETA);
	return r ? r : view_unmap(b, BURROW_MMAP_UMETA);
}

#endif
