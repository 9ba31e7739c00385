// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl_resize: a live span gets longer or shorter, where it is.
 *
 *	SPAN_RESIZE
 *	  bw_call_span_resize()		<- here
 *	    bw_core_span_extend/trim()	core/coreheap.c
 *	    bw_populate()		kmod/frame.c	frames for what came
 *
 * What goes is free and lazy like a freed span. Who asks for a span to grow has
 * it: should somebody else free it meanwhile, what came goes with it.
 */
#include <linux/sched.h>

#include "burrow_trace.h"
#include "ioctl.h"

/* Its shape allows it to become that long. */
static int check_shape_locked(struct bw_heap *heap, u32 page, u32 npages,
			      u64 word)
{
	struct bw_arena *arena;

	arena = bw_arena_find_locked(heap, page >> BURROW_ARENA_PAGE_SHIFT);
	if (arena->kind == BURROW_ARENA_STACK || word & BURROW_W_GUARD)
		return -EINVAL;
	if (arena->kind == BURROW_ARENA_HUGE && npages % BURROW_HUGE_PAGES)
		return -EINVAL;
	return 0;
}

static int trim_locked(struct bw_heap *heap, struct burrow_span_ref ref,
		       u32 npages)
{
	struct bw_run tail;
	int err;

	err = bw_core_span_trim(&heap->core, ref.page, ref.gen, npages, &tail);
	if (err)
		return err;
	trace_burrow_span_free(heap->id, tail.page, tail.npages);
	bw_lazy_note_locked(heap, tail.page, tail.npages);
	return 0;
}

/* @tail: what came, no pages if nothing did. */
static int resize_locked(struct bw_heap *heap, struct burrow_span_ref ref,
			 u32 npages, struct bw_run *tail, u64 *word)
{
	int err;

	tail->npages = 0;
	err = bw_core_span_find(&heap->core, ref.page, ref.gen, word);
	if (!err)
		err = check_shape_locked(heap, ref.page, npages, *word);
	if (err || npages == burrow_word_low(*word))
		return err;
	if (npages < burrow_word_low(*word))
		return trim_locked(heap, ref, npages);
	err = bw_core_span_extend(&heap->core, ref.page, ref.gen, npages, tail);
	if (!err)
		trace_burrow_span_alloc(heap->id, tail->page, tail->npages);
	return err;
}

/* All of what came has frames, or it goes again. */
static int tail_populate(struct bw_heap *heap, struct burrow_span_ref ref,
			 const struct bw_run *tail, bool huge)
{
	u32 done;
	int err;

	if (huge && BW_CAN_HUGE)
		err = bw_units_populate(heap, tail->page, tail->npages, &done);
	else
		err = bw_populate(heap, tail->page, tail->npages, &done);
	if (!err || done == tail->npages)
		return 0;
	spin_lock(&heap->lock);
	trim_locked(heap, ref, tail->page - ref.page);
	spin_unlock(&heap->lock);
	return err;
}

int bw_call_span_resize(struct bw_call *call)
{
	struct burrow_span_resize *r = &call->arg.span_resize;
	struct bw_heap *heap = call->heap;
	struct bw_run tail;
	u64 word;
	int err;

	if (!r->npages || r->npages >= BURROW_MAX_PAGES || r->pad)
		return -EINVAL;
	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	spin_lock(&heap->lock);
	err = resize_locked(heap, r->span, r->npages, &tail, &word);
	spin_unlock(&heap->lock);
	if (!err && tail.npages && !(r->flags & BURROW_RESIZE_LAZY))
		err = tail_populate(heap, r->span, &tail, word & BURROW_W_HUGE);
	mmap_read_unlock(current->mm);
	return err;
}
