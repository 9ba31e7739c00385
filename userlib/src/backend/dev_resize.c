// SPDX-License-Identifier: MIT
/*
 * dev_resize: a live span gets longer or shorter, where it is or elsewhere.
 *
 *	bw_mspan_resize()		heap/pageheap_resize.c
 *	  bw_dev_span_resize()		<- here
 *	    SPAN_RESIZE			kmod/ioctl_resize.c
 *	    SPAN_ALLOC, SPAN_MOVE	kmod/ioctl_move.c	where it has to move
 *
 * The frames of a span that moves go to the new place as they are; so the new span
 * is had without any.
 */
#include "dev.h"

/* The caller's span, so its word is there to be read. */
static u64 span_word(const struct bw_backend *be, u32 page)
{
	const char *kmeta = bw_window_kmeta(&be->window,
					    page >> BURROW_ARENA_PAGE_SHIFT);

	return ((const u64 *)(const void *)kmeta)[page % BURROW_ARENA_PAGES];
}

/* A span that is longer is had, and the memory of this one moves there. */
static int span_move(struct bw_backend *be, u32 flags,
		     struct burrow_span_ref *span, u32 npages)
{
	u64 word = span_word(be, span->page);
	const struct burrow_span_alloc req = {
		.flags = BURROW_ALLOC_LAZY,
		.npages = npages,
		.kind = (u16)burrow_word_kind(word),
		.cls = (u16)burrow_word_class(word),
	};
	struct burrow_span_move arg = {
		.size = sizeof(arg),
		.flags = flags & BW_RESIZE_LAZY ? BURROW_MOVE_LAZY : 0,
		.from = *span,
	};
	u32 done;
	int err;

	if (word & BURROW_W_HUGE ||
	    !(bw_to_dev(be)->features & BURROW_FEAT_MOVE))
		return -EOPNOTSUPP;
	err = be->ops->span_alloc(be, &req, &arg.to, 1, &done);
	if (err)
		return err;
	err = bw_dev_call(be, BURROW_IOC_SPAN_MOVE, &arg);
	if (err)
		/* a span that nobody knows of goes back */
		be->ops->span_free(be, 0, &arg.to, 1, &done);
	else
		*span = arg.to;
	return err;
}

/* The gate: a child would have a second span that nobody knows of. */
int bw_dev_span_resize(struct bw_backend *be, u32 flags,
		       struct burrow_span_ref *span, u32 npages)
{
	struct burrow_span_resize arg = {
		.size = sizeof(arg),
		.flags = flags & BW_RESIZE_LAZY ? BURROW_RESIZE_LAZY : 0,
		.span = *span,
		.npages = npages,
	};
	int err;

	if (flags & ~(BW_RESIZE_LAZY | BW_RESIZE_MOVE))
		return -EOPNOTSUPP;
	err = bw_dev_call(be, BURROW_IOC_SPAN_RESIZE, &arg);
	if (err != -ENOSPC || !(flags & BW_RESIZE_MOVE))
		return err;
	bw_gate_enter(&be->gate);
	err = span_move(be, flags, span, npages);
	bw_gate_leave(&be->gate);
	return err;
}
