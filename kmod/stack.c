// SPDX-License-Identifier: GPL-2.0-only
/*
 * stack: spans to run on. Their lowest pages are a guard.
 *
 *	SPAN_ALLOC	bw_stack_prepare()	<- here
 *	fault		bw_core_page_is_fillable() says no to a guard
 *
 * A guard costs nothing: no page table entry, no VMA, no call. It only has to
 * be empty when the span appears, and where an earlier span had other borders
 * it may not be: its frames are lazy, thus still mapped.
 *
 * T1. From the moment a head word with BURROW_W_GUARD is there no frame enters
 *     the guard; when SPAN_ALLOC returns there is none in it.
 */
#include "heap.h"

static int guard_clear(struct bw_heap *heap, u32 page)
{
	struct burrow_range guard = { page, BURROW_GUARD_PAGES };
	bool resident;
	u64 frames;
	u32 done;

	spin_lock(&heap->lock);
	resident = bw_core_is_resident(&heap->core, page, BURROW_GUARD_PAGES);
	spin_unlock(&heap->lock);
	return resident ? bw_reclaim_ranges(heap, &guard, 1, &done, &frames) :
			  0;
}

/* The frame at the top, where a stack begins; the others come by touch. */
static int top_map(struct bw_heap *heap, u32 page, u32 npages)
{
	u32 top = page + npages - 1;
	struct bw_arena *arena;

	/* the span was made under this mmap lock: its arenas stay */
	arena = heap->arena[top >> BURROW_ARENA_PAGE_SHIFT];
	return bw_frames_map(&arena->view[BURROW_MMAP_DATA], NULL,
			     top % BURROW_ARENA_PAGES * BW_FRAMES_PER_PAGE +
			     BW_FRAMES_PER_PAGE - 1, 1, BW_GFP_CALL);
}

/* Makes @nr new spans fit to run on; @done says how many it came to. */
int bw_stack_prepare(struct bw_heap *heap, const struct burrow_span_ref *ref,
		     u32 nr, u32 npages, bool populate, u32 *done)
{
	for (*done = 0; *done < nr; (*done)++) {
		u32 page = ref[*done].page;
		int err = guard_clear(heap, page);

		if (!err && populate)
			err = top_map(heap, page, npages);
		if (err)
			return err;
	}
	return 0;
}
