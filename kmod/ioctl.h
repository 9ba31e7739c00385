/* SPDX-License-Identifier: GPL-2.0-only */
/* ioctl: what a call carries from the dispatcher to its function. */
#ifndef BW_IOCTL_H
#define BW_IOCTL_H

#include "heap.h"

/**
 * struct bw_call - one ioctl under way
 * @file:	on which file
 * @heap:	on the heap that the caller's address space has there
 * @uarg:	the caller's struct
 * @usize:	its size, as the caller says
 * @ksize:	its size, as we know it
 * @arg:	our copy of it
 */
struct bw_call {
	struct bw_file *file;
	struct bw_heap *heap;
	void __user *uarg;
	u32 usize;
	u32 ksize;
	union {
		struct burrow_query query;
		struct burrow_heap_setup setup;
		struct burrow_heap_stats stats;
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
	} arg;
};

/* Copies the struct back: 0 or -EFAULT. The last thing a call does. */
int bw_call_reply(struct bw_call *call);

int bw_call_span_alloc(struct bw_call *call);
int bw_call_span_free(struct bw_call *call);
int bw_call_span_reclaim(struct bw_call *call);
int bw_call_span_sweep(struct bw_call *call);
int bw_call_span_resize(struct bw_call *call);
int bw_call_span_move(struct bw_call *call);

#endif
