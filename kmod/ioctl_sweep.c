// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl_sweep: spans without a mark go, in one call.
 *
 *	SPAN_SWEEP
 *	  bw_call_span_sweep()		<- here
 *	    sweep_next_locked()		one span, or a stretch of a long one
 *	      bw_core_span_free()	core/coreheap.c
 *	    bw_reclaim_free()		kmod/reclaim.c, if asked for
 *
 * W1. Only the span that the caller names by page and generation is looked at:
 *     one that came to the same place since then is not there (ESTALE).
 * W2. Mark bits are the process's: each word is read once, and the worst that
 *     bits of garbage do is to free the caller's own spans.
 * W3. A frame of mark bits that is not there says "marked". The slot is looked
 *     up under heap->lock each time, never kept: fork may have replaced it.
 * W4. A span is freed under the hold of the lock in which its last mark bits
 *     were read. A long one's first bits may have been read before: a mark that
 *     is set during the call may be missed, whatever we do.
 */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "burrow_trace.h"
#include "ioctl.h"

/* What one hold of the lock may cost: pages looked at, 128 bytes of bits each. */
#define HOLD_PAGES	128U
/* ... of which a span, however short, counts for so many. */
#define SPAN_COST	4U

#define MARK_FRAME_PAGES	((u32)(PAGE_SIZE / BURROW_U_PAGE_BYTES))

/**
 * struct sweep - a call under way
 * @heap:	whose spans
 * @ref:	which
 * @nr:		how many
 * @freed:	bit i: ref[i] was freed
 * @reclaim:	take their frames too
 * @done:	spans that were dealt with
 * @at:		pages of ref[done] that were found to have no mark
 * @lo:		of what is to be reclaimed: the first page
 * @hi:		and the end
 * @nr_freed:	so far
 * @pages:	in these
 */
struct sweep {
	struct bw_heap *heap;
	const struct burrow_span_ref *ref;
	u32 nr;
	unsigned long *freed;
	bool reclaim;
	u32 done;
	u32 at;
	u32 lo;
	u32 hi;
	u32 nr_freed;
	u64 pages;
};

/* Has any of @npages pages a mark? Their bits are in one frame. */
static bool is_marked_locked(struct bw_heap *heap, u32 page, u32 npages)
{
	struct bw_arena *arena = heap->arena[page >> BURROW_ARENA_PAGE_SHIFT];
	unsigned long off = BURROW_U_MARK +
		page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES;
	u32 i, nr = npages * BURROW_U_PAGE_BYTES / sizeof(u64);
	bool marked = false;
	struct page **slot;
	const u64 *bits;

	slot = bw_slot_locked(&arena->view[BURROW_MMAP_UMETA], off / PAGE_SIZE);
	if (!slot || !*slot)
		return true;
	bits = kmap_local_page(*slot) + offset_in_page(off);
	for (i = 0; i < nr && !marked; i++)
		marked = READ_ONCE(bits[i]);
	kunmap_local(bits);
	return marked;
}

static bool kind_is_swept(u32 kind)
{
	return kind == BURROW_KIND_NOSCAN || kind == BURROW_KIND_SCAN ||
	       kind == BURROW_KIND_CONSERVATIVE;
}

static void free_locked(struct sweep *s, const struct burrow_span_ref *ref)
{
	struct bw_heap *heap = s->heap;
	struct bw_run run;

	/* it was found alive under this hold of the lock */
	bw_core_span_free(&heap->core, ref->page, ref->gen, &run);
	heap->nr_free++;
	trace_burrow_span_free(heap->id, run.page, run.npages);
	bw_lazy_note_locked(heap, run.page, run.npages);
	__set_bit(s->done, s->freed);
	s->nr_freed++;
	s->pages += run.npages;
	if (s->hi == s->lo)
		s->lo = run.page;
	s->hi = run.page + run.npages;
}

/*
 * Looks at ref[done] from page @at on, no further than @budget pages, and is
 * done with it when it knows.
 */
static int sweep_next_locked(struct sweep *s, u32 *budget)
{
	const struct burrow_span_ref *ref = &s->ref[s->done];
	bool marked = false;
	u32 npages;
	u64 word;
	int err;

	err = bw_core_span_find(&s->heap->core, ref->page, ref->gen, &word);
	if (err)
		return err;
	if (!kind_is_swept(burrow_word_kind(word)))
		return -EINVAL;
	npages = burrow_word_low(word);
	*budget -= min(*budget, SPAN_COST);
	while (!marked && s->at < npages) {
		u32 page = ref->page + s->at;
		u32 n = min(npages - s->at,
			    MARK_FRAME_PAGES - page % MARK_FRAME_PAGES);

		if (!*budget)
			return 0;
		marked = is_marked_locked(s->heap, page, n);
		s->at += n;
		*budget -= min(*budget, n);
	}
	if (!marked)
		free_locked(s, ref);
	s->done++;
	s->at = 0;
	return 0;
}

/* One hold of the lock. What is to be reclaimed after it must be neighbours. */
static int sweep_some(struct sweep *s)
{
	u32 budget = HOLD_PAGES;
	int err = 0;

	s->lo = 0;
	s->hi = 0;
	spin_lock(&s->heap->lock);
	while (!err && budget && s->done < s->nr) {
		if (s->reclaim && s->hi > s->lo &&
		    s->ref[s->done].page != s->hi)
			break;
		err = sweep_next_locked(s, &budget);
	}
	spin_unlock(&s->heap->lock);
	if (s->reclaim)
		bw_reclaim_free(s->heap, s->lo, s->hi - s->lo, s->hi - s->lo);
	return err;
}

static int sweep(struct sweep *s)
{
	int err = 0;

	while (!err && s->done < s->nr) {
		err = sweep_some(s);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

static int sweep_under_lock(struct sweep *s)
{
	int err;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	err = sweep(s);
	mmap_read_unlock(current->mm);
	return err;
}

/*
 * What was freed cannot be taken back: that the answer can be written is found
 * out first.
 */
static int sweep_call(struct bw_call *call, struct sweep *s)
{
	struct burrow_span_sweep *a = &call->arg.span_sweep;
	size_t bytes = BITS_TO_LONGS(s->nr) * sizeof(u64);
	void __user *freed = u64_to_user_ptr(a->freed);
	int err;

	if (copy_from_user((void *)s->ref, u64_to_user_ptr(a->spans),
			   s->nr * sizeof(*s->ref)))
		return -EFAULT;
	if (a->freed && clear_user(freed, bytes))
		return -EFAULT;
	err = sweep_under_lock(s);
	if (err && !s->done)
		return err;
	a->out_nr = s->done;
	a->out_errno = -err;
	a->out_nr_freed = s->nr_freed;
	a->out_pages_freed = s->pages;
	if (a->freed && copy_to_user(freed, s->freed, bytes))
		return -EFAULT;
	return bw_call_reply(call);
}

int bw_call_span_sweep(struct bw_call *call)
{
	struct burrow_span_sweep *a = &call->arg.span_sweep;
	struct sweep s = {
		.heap = call->heap,
		.nr = a->nr,
		.reclaim = a->flags & BURROW_SWEEP_RECLAIM,
	};
	struct burrow_span_ref *ref;
	int err = -ENOMEM;

	BUILD_BUG_ON(sizeof(long) != sizeof(u64));
	if (!a->nr || a->nr > BW_MAX_BATCH)
		return -EINVAL;
	ref = kvmalloc_array(a->nr, sizeof(*ref), BW_GFP_SHORT);
	s.ref = ref;
	s.freed = kvcalloc(BITS_TO_LONGS(a->nr), sizeof(long), BW_GFP_SHORT);
	if (ref && s.freed)
		err = sweep_call(call, &s);
	kvfree(s.freed);
	kvfree(ref);
	return err;
}
