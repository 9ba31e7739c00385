/* SPDX-License-Identifier: MIT */
/*
 * failnth_rows: every call of a heap, as a table for failnth.c.
 */
#ifndef BURROW_SELFTEST_FAILNTH_ROWS_H
#define BURROW_SELFTEST_FAILNTH_ROWS_H

#include "failnth.h"
#include "move.h"

/* -- the calls -- */

static int call_query(struct bed *b)
{
	struct burrow_query q;

	return device_query(b->h.fd, &q);
}

static int call_setup(struct bed *b)
{
	return heap_set_up(&b->h);
}

static int call_stats(struct bed *b)
{
	struct burrow_heap_stats stats;

	return heap_stats(b->h.fd, &stats);
}

static int call_heap_reclaim(struct bed *b)
{
	struct burrow_heap_reclaim arg = { .size = sizeof(arg), .bytes = ~0ULL };

	return call(b->h.fd, BURROW_IOC_HEAP_RECLAIM, &arg);
}

static int call_limit(struct bed *b)
{
	struct burrow_heap_limit arg = { .size = sizeof(arg), .bytes = MB };

	return call(b->h.fd, BURROW_IOC_HEAP_LIMIT, &arg);
}

/* The events, or -errno. */
static int call_events(struct bed *b)
{
	struct burrow_heap_events arg = { .size = sizeof(arg) };
	int r = call(b->h.fd, BURROW_IOC_HEAP_EVENTS, &arg);

	return r ? r : (int)arg.out_events;
}

static int call_room(struct bed *b)
{
	return room(&b->h, BURROW_MAX_ROOM);
}

/* Once it has succeeded it is no longer the first, which says "all". */
static int call_harvest(struct bed *b)
{
	__u64 bits[BURROW_HARVEST_WORDS];
	struct burrow_heap_harvest arg = {
		.size = sizeof(arg), .bits = U64(bits),
	};
	int r = call(b->h.fd, BURROW_IOC_HEAP_HARVEST, &arg);

	return r ? r : (int)arg.out_nr;
}

static int call_arena(struct bed *b)
{
	int r = arena_add(&b->h, NEW_ARENA);

	return r < 0 ? r : 0;
}

static int call_stack_arena(struct bed *b)
{
	return kind_arena_add(b, BURROW_ARENA_STACK, NEW_ARENA);
}

static int call_alloc(struct bed *b, __u32 nr, __u32 npages, __u16 kind,
		      __u32 flags)
{
	struct burrow_span_alloc arg = {
		.spans = U64(b->ref), .nr = nr, .npages = npages,
		.kind = kind, .flags = flags,
	};
	int r = spans_alloc(&b->h, &arg);

	if (r)
		return r;
	b->nr = arg.out_nr;
	return arg.out_nr < nr && arg.out_errno != ENOMEM ? -EPROTO :
							     (int)arg.out_nr;
}

static int call_alloc_few(struct bed *b)
{
	return call_alloc(b, 3, SPAN_PAGES, BURROW_KIND_MANUAL, 0);
}

static int call_alloc_many(struct bed *b)
{
	return call_alloc(b, 2 * SMALL, 2, BURROW_KIND_CONSERVATIVE, 0);
}

static int call_alloc_lazy(struct bed *b)
{
	return call_alloc(b, 3, SPAN_PAGES, BURROW_KIND_MANUAL,
			  BURROW_ALLOC_LAZY);
}

static int call_alloc_words(struct bed *b)
{
	return call_alloc(b, 3, SPAN_PAGES, BURROW_KIND_SCAN,
			  BURROW_ALLOC_LAZY | BURROW_ALLOC_UWORDS);
}

static int call_alloc_batch(struct bed *b)
{
	return call_alloc(b, BATCH, 1, BURROW_KIND_MANUAL, BURROW_ALLOC_LAZY);
}

static int call_alloc_stacks(struct bed *b)
{
	return call_alloc(b, SMALL, SPAN_PAGES, BURROW_KIND_STACK, 0);
}

static int call_alloc_huge(struct bed *b)
{
	return call_alloc(b, 2, BURROW_HUGE_PAGES, BURROW_KIND_NOSCAN,
			  BURROW_ALLOC_HUGE);
}

static int call_free(struct bed *b)
{
	struct burrow_span_free arg;
	int r = spans_free(&b->h, 0, b->ref, b->nr, &arg);

	return r ? r : (int)arg.out_nr;
}

static int call_free_reclaim(struct bed *b)
{
	struct burrow_span_free arg;
	int r = spans_free(&b->h, BURROW_FREE_RECLAIM, b->ref, b->nr, &arg);

	return r ? r : (int)arg.out_nr;
}

static int call_reclaim(struct bed *b)
{
	static struct burrow_range range[BATCH];
	struct burrow_span_reclaim arg;
	__u32 i;
	int r;

	for (i = 0; i < b->nr; i++)
		range[i] = (struct burrow_range){
			b->ref[i].page, b->nr == BATCH ? 1 : SPAN_PAGES,
		};
	r = ranges_reclaim(&b->h, range, b->nr, &arg);
	return r ? r : (int)arg.out_nr;
}

static int call_sweep(struct bed *b, __u32 flags)
{
	static __u64 freed[(BATCH + 63) / 64];
	struct burrow_span_sweep arg = {
		.size = sizeof(arg), .flags = flags, .spans = U64(b->ref),
		.nr = b->nr, .freed = U64(freed),
	};
	int r = call(b->h.fd, BURROW_IOC_SPAN_SWEEP, &arg);

	return r ? r : (int)arg.out_nr_freed;
}

static int call_sweep_lazy(struct bed *b)
{
	return call_sweep(b, 0);
}

static int call_sweep_reclaim(struct bed *b)
{
	return call_sweep(b, BURROW_SWEEP_RECLAIM);
}

#define LONG_PAGES	60U

/* The last span, which has room behind it. */
static int call_resize(struct bed *b)
{
	struct burrow_span_resize arg = {
		.size = sizeof(arg), .span = b->ref[b->nr - 1],
		.npages = LONG_PAGES,
	};
	int r = call(b->h.fd, BURROW_IOC_SPAN_RESIZE, &arg);

	return r ? r : 1;
}

/* It grew with all its frames, or not at all. */
static bool span_is_whole(struct bed *b, int r)
{
	struct burrow_span_ref ref = b->ref[b->nr - 1];
	__u32 npages = burrow_word_low(kword(&b->h, ref.page));
	char *p = page_addr(&b->h, ref.page);

	if (npages != (r < 0 ? SPAN_PAGES : LONG_PAGES))
		return false;
	return r < 0 || !p[npages * BURROW_PAGE_SIZE - 1];
}

/* Its last span's memory to the one that was made for it. */
static int call_move(struct bed *b)
{
	int r = span_move(&b->h, b->ref[b->nr - 1], b->ref[b->nr], 0);

	return r ? r : 1;
}

/* All of it is there or here, and the other place is as it was or gone. */
static bool span_is_moved(struct bed *b, int r)
{
	__u32 gone = r < 0 ? b->nr : b->nr - 1, there = r < 0 ? b->nr - 1 : b->nr;
	char *p = ref_addr(b, there);

	if (!is_full_of(p, 'x', SPAN_BYTES))
		return false;
	/* of frames that were shared some may have been copied: now all are */
	memset(p, 'x', SPAN_BYTES);
	if (r < 0)
		return span_free(&b->h, 0, b->ref[gone]) == 0;
	return span_free(&b->h, 0, b->ref[gone]) == -ESTALE &&
	       is_full_of(p + SPAN_BYTES, 0, FRAME_SIZE) &&
	       !p[MOVED_PAGES * BURROW_PAGE_SIZE - 1];
}

static int call_thread_add(struct bed *b)
{
	int r = thread_add(&b->h);

	return r < 0 ? r : 0;
}

static int call_thread_del(struct bed *b)
{
	return thread_del(&b->h, b->slot[1]);
}

/* Deadlines are long past: without a token nobody sleeps. */
static int call_park(struct bed *b)
{
	return thread_park(&b->h, b->slot[0], 1);
}

static int call_swap(struct bed *b)
{
	return thread_swap(&b->h, b->slot[0], b->slot[1], 1);
}

static int call_unpark(struct bed *b)
{
	return thread_unpark(&b->h, b->slot[1]);
}

static int call_open(struct bed *b)
{
	b->h.fd = device_open();
	return b->h.fd < 0 ? b->h.fd : 0;
}

static int call_map_data(struct bed *b)
{
	return bed_map(b, BURROW_MMAP_DATA);
}

static int call_map_kmeta(struct bed *b)
{
	return bed_map(b, BURROW_MMAP_KMETA);
}

static int call_map_umeta(struct bed *b)
{
	return bed_map(b, BURROW_MMAP_UMETA);
}

static int call_unmap_data(struct bed *b)
{
	int r = view_unmap(b, BURROW_MMAP_DATA);

	return r ? r : (int)b->nr;
}

static int call_fork(struct bed *b)
{
	struct burrow_heap_stats stats;
	int r;

	b->child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (b->child)
		return b->child < 0 ? -errno : 0;
	r = heap_stats(b->h.fd, &stats);
	/* no memory for a clone: a child without a heap */
	if (r == -EXDEV)
		_exit(CHILD_OK);
	_exit(!r && stats.out_spans == b->nr &&
	      is_full_of(ref_addr(b, 0), 'x', SPAN_BYTES) ? CHILD_OK :
							    CHILD_BAD);
}

static int call_read(struct bed *b)
{
	return *(volatile char *)ref_addr(b, 0) ? -EPROTO : 0;
}

static int call_write(struct bed *b)
{
	*(volatile char *)ref_addr(b, 0) = 'w';
	return 0;
}

static int call_write_uword(struct bed *b)
{
	*(volatile char *)(b->h.umeta + BURROW_U_OWNER) = 'w';
	return 0;
}

static int call_pipe_read(struct bed *b)
{
	return read(b->pipe[0], ref_addr(b, 0), 8) < 0 ? -errno : 0;
}

static int call_vmsplice(struct bed *b)
{
	struct iovec iov = { ref_addr(b, 0), FRAME_SIZE };

	return vmsplice(b->pipe[1], &iov, 1, 0) < 0 ? -errno : 0;
}

/* -- what it leaves -- */

static bool heap_is_reclaimed(struct bed *b, int r)
{
	struct burrow_heap_stats stats;

	bed_stats(b, &stats);
	return r < 0 || !stats.out_pages_lazy;
}

static bool limit_is_set(struct bed *b, int r)
{
	struct burrow_heap_stats stats;

	bed_stats(b, &stats);
	return r < 0 || stats.out_limit == MB;
}

/* Told or still there. */
static bool event_is_not_lost(struct bed *b, int r)
{
	int again = call_events(b);

	return r < 0 ? again == BURROW_EVENT_LIMIT :
		       r == BURROW_EVENT_LIMIT && !again;
}

/* Nothing is lost by a first harvest that failed. */
static bool all_is_told_once(struct bed *b, int r)
{
	int again = call_harvest(b), all = BURROW_HARVEST_FRAMES;

	return r < 0 ? again == all : r == all && !again;
}

static bool arena_can_be_had(struct bed *b, int r)
{
	return arena_add(&b->h, NEW_ARENA) == (r < 0 ? (int)NEW_ARENA :
							-EEXIST);
}

/* Each is there, zero where it says so, to be written and to be freed. */
static bool spans_are_good(struct bed *b, int r)
{
	struct burrow_span_free done;
	__u32 i;

	for (i = 0; r > 0 && i < (__u32)r; i++) {
		__u64 word = kword(&b->h, b->ref[i].page);
		__u32 npages = burrow_word_low(word);
		char *top = ref_addr(b, i) + npages * BURROW_PAGE_SIZE -
			    FRAME_SIZE;

		if (burrow_word_tag(word) != BURROW_TAG_HEAD ||
		    burrow_word_gen(word) != b->ref[i].gen)
			return false;
		if (!(word & BURROW_W_NEEDZERO) &&
		    !is_full_of(top, 0, FRAME_SIZE))
			return false;
		memset(top, 'x', FRAME_SIZE);
	}
	return r <= 0 || (!spans_free(&b->h, 0, b->ref, r, &done) &&
			  done.out_nr == (__u32)r);
}

static bool all_are_swept(struct bed *b, int r)
{
	return r < 0 || r == (int)b->due;
}

/* After EFAULT nobody knows; else what was not reclaimed is as it was. */
static bool ranges_are_right(struct bed *b, int r)
{
	__u32 i;

	for (i = 0; i < b->nr && r != -EFAULT; i++)
		if (!is_full_of(ref_addr(b, i), r < 0 ? 'x' : 0, SPAN_BYTES))
			return false;
	return true;
}

static bool spans_are_intact(struct bed *b, int r)
{
	__u32 i;

	for (i = 0; i < b->nr && r < 0; i++)
		if (!is_full_of(ref_addr(b, i), 'x', SPAN_BYTES))
			return false;
	return true;
}

static bool has_token(struct bed *b, int i)
{
	return thread_park(&b->h, b->slot[i], 1) == 0;
}

static bool token_is_taken(struct bed *b, int r)
{
	return has_token(b, 0) == (r < 0);
}

static bool token_is_given(struct bed *b, int r)
{
	return has_token(b, 1) == (r >= 0);
}

static bool tokens_are_right(struct bed *b, int r)
{
	return token_is_taken(b, r) && token_is_given(b, r);
}

static bool child_was_well(struct bed *b, int r)
{
	int status = r < 0 ? CHILD_OK : child_wait(b->child);

	b->child = 0;
	return status == CHILD_OK && spans_are_intact(b, -1);
}

static bool first_is_written(struct bed *b, int r)
{
	return r || *ref_addr(b, 0) == 'w';
}

static bool uword_is_written(struct bed *b, int r)
{
	return r || *(b->h.umeta + BURROW_U_OWNER) == 'w';
}

static bool first_is_read_into(struct bed *b, int r)
{
	return is_full_of(ref_addr(b, 0), r < 0 ? 0 : 'x', 8);
}

/* -- the rows -- */

#define ROW_OPEN(what, fn, answers) \
	{ .name = what, .stage = OPEN, .call = fn, .may = answers }
#define ROW(what, fn, ...) \
	{ .name = what, .stage = MAPPED, .call = fn, .may = MAY_FAULT, __VA_ARGS__ }
#define ROW_MEM(what, fn, ...) \
	{ .name = what, .stage = MAPPED, .call = fn, \
	  .may = MAY_FAULT | MAY_NOMEM, __VA_ARGS__ }

static const struct row ioctl_rows[] = {
	ROW_OPEN("QUERY", call_query, MAY_FAULT),
	ROW_OPEN("HEAP_SETUP", call_setup, MAY_FAULT | MAY_NOMEM),
	ROW("HEAP_STATS", call_stats),
	ROW("HEAP_RECLAIM", call_heap_reclaim, .prepare = prepare_lazy_frames,
	    .is_right = heap_is_reclaimed),
	ROW("HEAP_LIMIT", call_limit, .is_right = limit_is_set),
	ROW("HEAP_EVENTS", call_events, .prepare = prepare_event,
	    .is_right = event_is_not_lost),
	ROW_MEM("HEAP_HARVEST", call_harvest, .prepare = prepare_few,
		.is_right = all_is_told_once),
	ROW_MEM("HEAP_ROOM", call_room),
	ROW_MEM("ARENA_ADD", call_arena, .arenas = 1,
		.is_right = arena_can_be_had),
	ROW_MEM("ARENA_ADD, stacks", call_stack_arena, .arenas = 1,
		.is_right = arena_can_be_had),
	ROW_MEM("SPAN_ALLOC, 3 spans", call_alloc_few, .spans = 1,
		.is_right = spans_are_good),
	ROW_MEM("SPAN_ALLOC, 24 spans", call_alloc_many, .spans = 1,
		.is_right = spans_are_good),
	ROW_MEM("SPAN_ALLOC, lazy", call_alloc_lazy, .spans = 1,
		.is_right = spans_are_good),
	ROW_MEM("SPAN_ALLOC, lazy, U-words", call_alloc_words, .spans = 1,
		.is_right = spans_are_good),
	ROW_MEM("SPAN_ALLOC, a batch, lazy", call_alloc_batch, .spans = 1,
		.is_right = spans_are_good),
	ROW_MEM("SPAN_ALLOC, stacks", call_alloc_stacks, .spans = 1,
		.prepare = prepare_stack_arena, .is_right = spans_are_good),
	ROW_MEM("SPAN_ALLOC, stacks over old ones", call_alloc_stacks,
		.spans = 1, .prepare = prepare_old_stacks,
		.is_right = spans_are_good),
	ROW_MEM("SPAN_ALLOC, huge", call_alloc_huge, .spans = 1,
		.prepare = prepare_huge_arena, .is_right = spans_are_good),
	ROW("SPAN_FREE", call_free, .spans = -1, .prepare = prepare_few,
	    .gives = true),
	ROW("SPAN_FREE, reclaim", call_free_reclaim, .spans = -1,
	    .prepare = prepare_few, .gives = true),
	ROW_MEM("SPAN_FREE, a batch", call_free, .spans = -1,
		.prepare = prepare_batch, .gives = true),
	ROW("SPAN_RECLAIM, live", call_reclaim, .prepare = prepare_few,
	    .is_right = ranges_are_right),
	ROW_MEM("SPAN_RECLAIM, live, a batch", call_reclaim,
		.prepare = prepare_batch),
	ROW("SPAN_RECLAIM, lazy", call_reclaim, .prepare = prepare_lazy_frames,
	    .is_right = heap_is_reclaimed),
	ROW_MEM("SPAN_SWEEP", call_sweep_lazy, .spans = -1,
		.prepare = prepare_marks, .is_right = all_are_swept,
		.gives = true),
	ROW_MEM("SPAN_SWEEP, reclaim", call_sweep_reclaim, .spans = -1,
		.prepare = prepare_marks, .is_right = all_are_swept,
		.gives = true),
	ROW_MEM("SPAN_RESIZE", call_resize, .prepare = prepare_few,
		.is_right = span_is_whole),
	ROW_MEM("SPAN_MOVE", call_move, .spans = -1, .prepare = prepare_move,
		.is_right = span_is_moved),
	ROW_MEM("SPAN_MOVE, copied first", call_move, .spans = -1,
		.prepare = prepare_move_copied, .is_right = span_is_moved),
	ROW_MEM("THREAD_ADD", call_thread_add, .threads = 1),
	ROW("THREAD_DEL", call_thread_del, .threads = -1,
	    .prepare = prepare_slots),
	ROW("THREAD_PARK", call_park, .prepare = prepare_token,
	    .is_right = token_is_taken),
	ROW("THREAD_PARK, swap", call_swap, .prepare = prepare_token,
	    .is_right = tokens_are_right),
	ROW("THREAD_UNPARK", call_unpark, .prepare = prepare_slots,
	    .is_right = token_is_given),
};

static const struct row mapping_rows[] = {
	{ "open", NOTHING, .call = call_open, .may = MAY_FAULT | MAY_NOMEM },
	{ "mmap, data first", ADDED, .call = call_map_data, .mapped = 1,
	  .may = MAY_NOMEM },
	{ "mmap, data last", ADDED, prepare_other_views, call_map_data,
	  .mapped = 1, .may = MAY_NOMEM },
	{ "mmap, K-words", ADDED, .call = call_map_kmeta, .may = MAY_NOMEM },
	{ "mmap, U-words", ADDED, .call = call_map_umeta, .may = MAY_NOMEM },
	{ "munmap, data", MAPPED, prepare_few, call_unmap_data,
	  spans_are_intact, .may = MAY_NOMEM, .spans = -1, .mapped = -1 },
	{ "munmap, the last view", MAPPED, prepare_data_only, call_unmap_data,
	  spans_are_intact, .may = MAY_NOMEM, .spans = -1, .mapped = -1,
	  .arenas = -1 },
	{ "fork", MAPPED, prepare_few, call_fork, child_was_well,
	  .may = MAY_NOMEM },
};

/* Who touches memory itself waits until there is some. */
static const struct row touch_rows[] = {
	{ "read, the first", MAPPED, prepare_untouched, call_read,
	  .may = MAY_NOT },
	{ "write, the first", MAPPED, prepare_untouched, call_write,
	  first_is_written, .may = MAY_NOT },
	{ "write, a huge span", MAPPED, prepare_huge_span, call_write,
	  first_is_written, .may = MAY_NOT },
	{ "write, a U-word", MAPPED, NULL, call_write_uword, uword_is_written,
	  .may = MAY_NOT },
	{ "write, shared with a child", MAPPED, prepare_child, call_write,
	  first_is_written, .may = MAY_NOT },
	{ "write, a shared U-word", MAPPED, prepare_child, call_write_uword,
	  uword_is_written, .may = MAY_NOT },
	{ "read(2) into it", MAPPED, prepare_pipe, call_pipe_read,
	  first_is_read_into, .may = MAY_FAULT },
	{ "vmsplice(2) of it", MAPPED, prepare_untouched, call_vmsplice,
	  .may = MAY_FAULT | MAY_NOMEM },
};

#endif
