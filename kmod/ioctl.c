// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl: the table of calls, and the short ones.
 *
 *	ioctl(2)
 *	  bw_ioctl()		<- here: size, flags, who may call
 *	    fn()		<- here, or ioctl_span.c
 *
 * What a caller passes is copied once and looked at only in the copy. A call
 * that gave something and cannot tell the caller what takes it back.
 */
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "ioctl.h"

int bw_call_reply(struct bw_call *call)
{
	if (copy_to_user(call->uarg, &call->arg,
			 min(call->usize, call->ksize)))
		return -EFAULT;
	return 0;
}

static int call_query(struct bw_call *call)
{
	struct burrow_query *q = &call->arg.query;

	q->out_features = BURROW_FEAT_POPULATE | BURROW_FEAT_RECLAIM |
			  BURROW_FEAT_PARK | BURROW_FEAT_FORK |
			  BURROW_FEAT_SHRINK | BURROW_FEAT_SWEEP |
			  BURROW_FEAT_STACK | BURROW_FEAT_EVENTS |
			  BURROW_FEAT_RESIZE | BURROW_FEAT_MOVE |
			  BURROW_FEAT_UWORDS | BURROW_FEAT_ROOM |
			  (BW_CAN_HUGE ? BURROW_FEAT_HUGE : 0) |
			  (BW_CAN_HARVEST ? BURROW_FEAT_HARVEST : 0);
	q->out_page_shift = BURROW_PAGE_SHIFT;
	q->out_arena_shift = BURROW_ARENA_SHIFT;
	q->out_max_arenas = BURROW_MAX_ARENAS;
	q->out_max_batch = BW_MAX_BATCH;
	q->out_max_threads = BW_MAX_THREADS;
	q->out_pad = 0;
	return bw_call_reply(call);
}

static int call_heap_setup(struct bw_call *call)
{
	return bw_heap_setup(call->file, &call->arg.setup);
}

static int call_heap_stats(struct bw_call *call)
{
	bw_heap_stats(call->heap, &call->arg.stats);
	return bw_call_reply(call);
}

/* Paced: about so many bytes of what is lazy, oldest first. */
static int call_heap_reclaim(struct bw_call *call)
{
	struct burrow_heap_reclaim *r = &call->arg.heap_reclaim;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	r->out_bytes = PAGE_SIZE *
		bw_lazy_reclaim(call->heap, r->bytes / PAGE_SIZE +
					    !!(r->bytes % PAGE_SIZE));
	mmap_read_unlock(current->mm);
	return bw_call_reply(call);
}

static int call_heap_limit(struct bw_call *call)
{
	bw_heap_limit(call->heap, call->arg.heap_limit.bytes);
	return 0;
}

/* An event that cannot be told stays. */
static int call_heap_events(struct bw_call *call)
{
	struct burrow_heap_events *e = &call->arg.heap_events;
	int err;

	e->out_events = bw_heap_events(call->heap);
	e->out_pad = 0;
	err = bw_call_reply(call);
	if (err && e->out_events) {
		spin_lock(&call->heap->lock);
		bw_heap_event_locked(call->heap, e->out_events);
		spin_unlock(&call->heap->lock);
	}
	return err;
}

static int harvest(struct bw_call *call, unsigned long *bits)
{
	struct burrow_heap_harvest *h = &call->arg.heap_harvest;
	bool all;
	int err;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	err = bw_written_harvest(call->heap, h->arena, bits, &h->out_nr, &all);
	mmap_read_unlock(current->mm);
	if (err)
		return err;
	h->out_all = all;
	h->out_pad = 0;
	if (all) {
		memset(bits, 0xff, BURROW_HARVEST_FRAMES / 8);
		h->out_nr = BURROW_HARVEST_FRAMES;
	}
	if (!copy_to_user(u64_to_user_ptr(h->bits), bits,
			  BURROW_HARVEST_FRAMES / 8) && !bw_call_reply(call))
		return 0;
	bw_written_return(call->heap, h->arena, bits);
	return -EFAULT;
}

static int call_heap_harvest(struct bw_call *call)
{
	unsigned long *bits;
	int err = -ENOMEM;

	if (!BW_CAN_HARVEST)
		return -ENOTTY;
	bits = kmalloc(BURROW_HARVEST_FRAMES / 8, BW_GFP_CALL);
	if (bits)
		err = harvest(call, bits);
	kfree(bits);
	return err;
}

/*
 * What can be had in our way, and is given back, can be had in the kernel's: the
 * cgroup keeps what is uncharged on a CPU for the next charge there.
 */
static int call_heap_room(struct bw_call *call)
{
	struct page *page[BURROW_MAX_ROOM / PAGE_SIZE];
	u64 bytes = call->arg.heap_room.bytes;
	u32 nr = 0, want;

	if (!bytes || bytes > BURROW_MAX_ROOM)
		return -EINVAL;
	want = DIV_ROUND_UP(bytes, PAGE_SIZE);
	while (nr < want) {
		page[nr] = alloc_page(BW_GFP_CALL);
		if (!page[nr])
			break;
		nr++;
	}
	want -= nr;
	while (nr)
		__free_page(page[--nr]);
	return want ? -ENOMEM : 0;
}

static int call_arena_add(struct bw_call *call)
{
	struct burrow_arena_add *a = &call->arg.arena_add;
	int err;

	if (a->kind >= BURROW_NR_ARENA_KINDS)
		return -EOPNOTSUPP;
	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	err = bw_arena_add(call->heap, a->kind, a->index, &a->out_index);
	mmap_read_unlock(current->mm);
	if (err)
		return err;
	a->out_pad = 0;
	err = bw_call_reply(call);
	if (err) {
		mmap_write_lock(current->mm);
		bw_arena_del_unmapped(call->heap, a->out_index);
		mmap_write_unlock(current->mm);
	}
	return err;
}

static int call_thread_add(struct bw_call *call)
{
	struct burrow_thread_add *t = &call->arg.thread_add;
	int err;

	err = bw_thread_add(call->heap, &t->out_slot);
	if (err)
		return err;
	t->out_pad = 0;
	err = bw_call_reply(call);
	if (err)
		bw_thread_del(call->heap, t->out_slot);
	return err;
}

static int call_thread_del(struct bw_call *call)
{
	if (call->arg.thread_del.pad)
		return -EINVAL;
	return bw_thread_del(call->heap, call->arg.thread_del.slot);
}

static int call_thread_park(struct bw_call *call)
{
	return bw_thread_park(call->heap, &call->arg.thread_park);
}

static int call_thread_unpark(struct bw_call *call)
{
	if (call->arg.thread_unpark.pad)
		return -EINVAL;
	return bw_thread_unpark(call->heap, call->arg.thread_unpark.slot);
}

/**
 * struct call_type - one row of the table
 * @fn:		what does it
 * @ksize:	size of its struct
 * @min_size:	size of its struct when the call first appeared
 * @flags:	flags it knows
 * @no_heap:	answers without a heap and from any address space
 */
struct call_type {
	int (*fn)(struct bw_call *call);
	u32 ksize;
	u32 min_size;
	u32 flags;
	bool no_heap;
};

#define CALL(name, type, known, ...)					\
	[_IOC_NR(BURROW_IOC_ ## name)] = {				\
		.ksize = sizeof(struct burrow_ ## type),		\
		.min_size = sizeof(struct burrow_ ## type),		\
		.flags = (known), __VA_ARGS__ }

static const struct call_type call_types[] = {
	CALL(QUERY, query, 0, .fn = call_query, .no_heap = true),
	CALL(HEAP_SETUP, heap_setup, 0, .fn = call_heap_setup, .no_heap = true),
	CALL(HEAP_STATS, heap_stats, 0, .fn = call_heap_stats),
	CALL(HEAP_RECLAIM, heap_reclaim, 0, .fn = call_heap_reclaim),
	CALL(HEAP_LIMIT, heap_limit, 0, .fn = call_heap_limit),
	CALL(HEAP_EVENTS, heap_events, 0, .fn = call_heap_events),
	CALL(HEAP_HARVEST, heap_harvest, 0, .fn = call_heap_harvest),
	CALL(HEAP_ROOM, heap_room, 0, .fn = call_heap_room),
	CALL(ARENA_ADD, arena_add, 0, .fn = call_arena_add),
	CALL(SPAN_ALLOC, span_alloc, BURROW_ALLOC_LAZY | BURROW_ALLOC_HUGE |
	     BURROW_ALLOC_UWORDS, .fn = bw_call_span_alloc),
	CALL(SPAN_FREE, span_free, BURROW_FREE_RECLAIM,
	     .fn = bw_call_span_free),
	CALL(SPAN_RECLAIM, span_reclaim, 0, .fn = bw_call_span_reclaim),
	CALL(SPAN_SWEEP, span_sweep, BURROW_SWEEP_RECLAIM,
	     .fn = bw_call_span_sweep),
	CALL(SPAN_RESIZE, span_resize, BURROW_RESIZE_LAZY,
	     .fn = bw_call_span_resize),
	CALL(SPAN_MOVE, span_move, BURROW_MOVE_LAZY, .fn = bw_call_span_move),
	CALL(THREAD_ADD, thread_add, 0, .fn = call_thread_add),
	CALL(THREAD_DEL, thread_del, 0, .fn = call_thread_del),
	CALL(THREAD_PARK, thread_park, BURROW_PARK_SWAP,
	     .fn = call_thread_park),
	CALL(THREAD_UNPARK, thread_unpark, 0, .fn = call_thread_unpark),
};

long bw_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bw_call call = {
		.file = file->private_data,
		.uarg = (void __user *)arg,
	};
	const struct call_type *type;
	u32 flags;
	int err;

	if (_IOC_TYPE(cmd) != BURROW_IOC_MAGIC ||
	    cmd != _IO(BURROW_IOC_MAGIC, _IOC_NR(cmd)) ||
	    _IOC_NR(cmd) >= ARRAY_SIZE(call_types))
		return -ENOTTY;
	type = &call_types[_IOC_NR(cmd)];
	if (!type->fn)
		return -ENOTTY;

	if (get_user(call.usize, (u32 __user *)call.uarg))
		return -EFAULT;
	if (call.usize < type->min_size)
		return -EINVAL;
	if (call.usize > PAGE_SIZE)
		return -E2BIG;
	call.ksize = type->ksize;
	err = copy_struct_from_user(&call.arg, call.ksize, call.uarg,
				    call.usize);
	if (err)
		return err;
	/* every struct: __u32 size, __u32 flags */
	flags = call.arg.query.flags;
	if (flags & ~type->flags)
		return -EOPNOTSUPP;
	if (!type->no_heap) {
		if (READ_ONCE(call.file->nr_heaps) > 1)
			bw_file_collect(call.file);
		call.heap = bw_file_heap(call.file, current->mm);
		if (IS_ERR(call.heap))
			return PTR_ERR(call.heap);
		if (READ_ONCE(call.heap->cow))
			bw_heap_settle_cow(call.heap);
	}
	return type->fn(&call);
}
