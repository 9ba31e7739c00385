// SPDX-License-Identifier: GPL-2.0-only
/*
 * uwords: the U-words of new spans, there before anybody touches them.
 *
 *	SPAN_ALLOC	bw_uwords_prepare()	<- here
 *	touch		  bw_frames_map()	frame.c, the same frames
 *
 * A touch has no way to say ENOMEM: at the limit of a memory cgroup it calls the
 * OOM killer. So a runtime that is going to write to the U-words of what it
 * allocates says so with the call (BURROW_ALLOC_UWORDS), which can.
 *
 * V1. When the call returns a span has behind it, in frames that no other heap
 *     holds: the owner words of its pages; alloc bits, and mark bits if its kind
 *     is swept, where its first page has them; the pointer bits of its pages if
 *     they are what its kind is scanned by.
 * V2. Frames of U-words go with their view and not before, so what was there
 *     once stays until the mmap lock is held for writing: the slots are read
 *     without heap->lock. One that fork shares since then is found by heap->cow.
 *
 * Rejected: all bits of all pages. A runtime that keeps one bit per object, dense,
 * uses those of the first page, and a large object's would be a sixty-fourth of it
 * in each map. Rejected, too: without being asked. Who has bits of its own, or
 * none, would pay for frames that nobody writes to.
 */
#include <linux/sched/signal.h>

#include "heap.h"

static bool is_there(const struct bw_view *view, u32 frame)
{
	struct page **chunk = READ_ONCE(view->chunk[frame / BW_SLOT_CHUNK]);

	return chunk && READ_ONCE(chunk[frame % BW_SLOT_CHUNK]);
}

/* What is at @from in the view, @bytes of it. */
static int view_prepare(struct bw_view *view, unsigned long from,
			unsigned long bytes)
{
	u32 frame = from / PAGE_SIZE, last = (from + bytes - 1) / PAGE_SIZE;
	int err = 0;

	for (; frame <= last && !err; frame++) {
		if (!is_there(view, frame)) {
			err = bw_frames_map(view, NULL, frame, 1, BW_GFP_CALL);
			cond_resched();
		}
		if (!err && READ_ONCE(view->arena->heap->cow))
			err = bw_frame_unshare(view, frame, BW_GFP_CALL);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	return err;
}

/* A table at @base in each arena's U-words, @each bytes of it to a page. */
static int table_prepare(struct bw_heap *heap, u32 page, u32 npages,
			 unsigned long base, unsigned long each)
{
	int err = 0;

	while (npages && !err) {
		u32 at = page % BURROW_ARENA_PAGES;
		u32 n = min(npages, BURROW_ARENA_PAGES - at);
		struct bw_arena *arena;

		/* the span was made under this mmap lock: its arenas stay */
		arena = heap->arena[page >> BURROW_ARENA_PAGE_SHIFT];
		err = view_prepare(&arena->view[BURROW_MMAP_UMETA],
				   base + at * each, n * each);
		page += n;
		npages -= n;
	}
	return err;
}

static int span_prepare(struct bw_heap *heap, u32 kind, u32 page, u32 npages)
{
	int err;

	err = table_prepare(heap, page, npages, BURROW_U_OWNER, sizeof(u64));
	if (!err)
		err = table_prepare(heap, page, 1, BURROW_U_ALLOC,
				    BURROW_U_PAGE_BYTES);
	if (!err && kind < BURROW_KIND_MANUAL)
		err = table_prepare(heap, page, 1, BURROW_U_MARK,
				    BURROW_U_PAGE_BYTES);
	if (!err && kind == BURROW_KIND_SCAN)
		err = table_prepare(heap, page, npages, BURROW_U_PTR,
				    BURROW_U_PAGE_BYTES);
	return err;
}

/* @done: how many of the new spans have theirs. The mmap lock is held. */
int bw_uwords_prepare(struct bw_heap *heap, u32 kind,
		      const struct burrow_span_ref *ref, u32 nr, u32 npages,
		      u32 *done)
{
	int err = 0;

	for (*done = 0; *done < nr; (*done)++) {
		err = span_prepare(heap, kind, ref[*done].page, npages);
		if (err)
			break;
	}
	return err;
}
