// SPDX-License-Identifier: GPL-2.0-only
/*
 * event: what a heap tells its process without being asked.
 *
 *	frame.c, fork.c		bw_heap_count_locked()	more frames, or fewer
 *	lazy.c			bw_heap_event_locked()	a shrinker took some
 *	poll(), epoll		bw_poll()		EPOLLPRI while one is there
 *	HEAP_EVENTS		bw_heap_events()	which, and they are gone
 *
 * The limit is soft: nothing fails because of it. It is meant for a collector
 * that wants to know when it is time, without a counter of its own in each
 * allocation.
 *
 * E1. BURROW_EVENT_LIMIT is raised when the frames come to be more than the
 *     limit, not again while they stay so.
 * E2. Raised before the wake-up, both under heap->lock: a poller that finds
 *     nothing is on the queue already and is woken by whoever raises one.
 */
#include <linux/poll.h>
#include <linux/sched.h>

#include "heap.h"

void bw_heap_event_locked(struct bw_heap *heap, u32 event)
{
	lockdep_assert_held(&heap->lock);
	if (heap->events & event)
		return;
	heap->events |= event;
	wake_up_poll(&heap->file->events_wait, EPOLLPRI);
}

static u64 nr_counted(const struct bw_heap *heap)
{
	return heap->nr_frames[BURROW_MMAP_DATA] +
	       heap->nr_frames[BURROW_MMAP_UMETA];
}

/* @delta more slots of such views hold a frame. */
void bw_heap_count_locked(struct bw_heap *heap, enum burrow_mmap_kind kind,
			  s64 delta)
{
	u64 old = nr_counted(heap);

	lockdep_assert_held(&heap->lock);
	heap->nr_frames[kind] += delta;
	if (old <= heap->limit && nr_counted(heap) > heap->limit)
		bw_heap_event_locked(heap, BURROW_EVENT_LIMIT);
}

/* In bytes, 0 for none. A heap that is beyond it already hears so at once. */
void bw_heap_limit(struct bw_heap *heap, u64 bytes)
{
	spin_lock(&heap->lock);
	heap->limit = bytes ? bytes / PAGE_SIZE : ~0ULL;
	if (nr_counted(heap) > heap->limit)
		bw_heap_event_locked(heap, BURROW_EVENT_LIMIT);
	spin_unlock(&heap->lock);
}

u32 bw_heap_events(struct bw_heap *heap)
{
	u32 events;

	spin_lock(&heap->lock);
	events = heap->events;
	heap->events = 0;
	spin_unlock(&heap->lock);
	return events;
}

__poll_t bw_poll(struct file *f, struct poll_table_struct *wait)
{
	struct bw_file *file = f->private_data;
	struct bw_heap *heap;
	__poll_t mask;

	poll_wait(f, &file->events_wait, wait);
	heap = bw_file_heap(file, current->mm);
	if (IS_ERR(heap))
		return EPOLLERR;
	spin_lock(&heap->lock);
	mask = heap->events ? EPOLLPRI : 0;
	spin_unlock(&heap->lock);
	return mask;
}
