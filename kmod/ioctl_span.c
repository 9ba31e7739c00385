// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl_span: the vector calls on spans.
 *
 *	SPAN_ALLOC
 *	  bw_call_span_alloc()		<- here
 *	    bw_core_span_alloc()	core/coreheap.c	pages for a group
 *	    bw_populate()		kmod/frame.c	frames for the group
 *
 * User memory is copied before the mmap lock is taken and after it is dropped.
 * In between, each call holds it for reading from its first change to its
 * last, so that fork() sees all of a call or nothing.
 */
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "burrow_trace.h"
#include "ioctl.h"

/* Spans allocated under one hold of the heap lock, then populated together. */
#define GROUP	32U

/* Vectors up to this length stay on the stack. */
#define FEW	8U

static int check_batch(u32 nr)
{
	return nr && nr <= BW_MAX_BATCH ? 0 : -EINVAL;
}

/* The caller's vector: in @few if it fits there, else allocated. */
static void *vector_get(u64 uptr, u32 nr, size_t size, void *few)
{
	void *v = nr <= FEW ? few : kvmalloc_array(nr, size, BW_GFP_SHORT);

	if (!v)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(v, u64_to_user_ptr(uptr), nr * size)) {
		if (v != few)
			kvfree(v);
		return ERR_PTR(-EFAULT);
	}
	return v;
}

/*
 * How a vector call ends: @err stopped it after @done elements. The first
 * failure is the call's own; a later one is told beside the count.
 */
static int vector_end(u32 done, int err, u32 *out_nr, u32 *out_errno)
{
	if (err && !done)
		return err;
	*out_nr = done;
	*out_errno = -err;
	return 0;
}

static int check_alloc(const struct burrow_span_alloc *a)
{
	u32 limit = BURROW_MAX_PAGES;

	if (check_batch(a->nr) || !a->npages || a->npages >= limit ||
	    a->align >= limit || a->align & (a->align - 1) ||
	    a->cls >= BURROW_NR_CLASSES)
		return -EINVAL;
	if (a->kind >= BURROW_NR_KINDS)
		return -EOPNOTSUPP;
	/* a guard and something above it */
	if (a->kind == BURROW_KIND_STACK && (a->flags & BURROW_ALLOC_HUGE ||
					     a->npages <= BURROW_GUARD_PAGES))
		return -EINVAL;
	if (a->flags & BURROW_ALLOC_HUGE && a->npages % BURROW_HUGE_PAGES)
		return -EINVAL;
	return 0;
}

static void spans_free(struct bw_heap *heap, const struct burrow_span_ref *ref,
		       u32 nr)
{
	struct bw_run run;
	u32 i;

	spin_lock(&heap->lock);
	for (i = 0; i < nr; i++) {
		if (bw_core_span_free(&heap->core, ref[i].page, ref[i].gen,
				      &run))
			continue;
		heap->nr_free++;
		trace_burrow_span_free(heap->id, run.page, run.npages);
		bw_lazy_note_locked(heap, run.page, run.npages);
	}
	spin_unlock(&heap->lock);
}

/* Takes up to @nr spans, GROUP at most. Fewer: there is no room for more. */
static u32 group_take(struct bw_heap *heap, struct bw_span_req *req,
		      struct burrow_span_ref *ref, u32 nr)
{
	struct bw_run run[GROUP];
	u32 got = 0, more, i;

	spin_lock(&heap->lock);
	while (got < nr) {
		more = bw_core_spans_alloc(&heap->core, req, run + got,
					   nr - got);
		got += more;
		if (more)
			continue;
		if (req->from == BW_NO_PAGE || fatal_signal_pending(current))
			break;
		/* a search among very many holes lets others in */
		spin_unlock(&heap->lock);
		cond_resched();
		spin_lock(&heap->lock);
	}
	heap->nr_alloc += got;
	spin_unlock(&heap->lock);
	for (i = 0; i < got; i++) {
		ref[i] = (struct burrow_span_ref){ run[i].page, run[i].gen };
		trace_burrow_span_alloc(heap->id, run[i].page, run[i].npages);
	}
	return got;
}

/* Populates a group, neighbours together. @done: how many spans are complete. */
static int group_populate(struct bw_heap *heap, bool huge, u32 npages,
			  const struct burrow_span_ref *ref, u32 nr, u32 *done)
{
	u32 i = 0, n, pages;
	int err = 0;

	while (i < nr && !err) {
		for (n = 1; i + n < nr; n++)
			if (ref[i + n].page != ref[i].page + n * npages)
				break;
		if (huge && BW_CAN_HUGE)
			err = bw_units_populate(heap, ref[i].page, n * npages,
						&pages);
		else
			err = bw_populate(heap, ref[i].page, n * npages,
					  &pages);
		i += pages / npages;
	}
	*done = i;
	return err;
}

/* The memory of its spans. @full: how many have it. */
static int group_fill(struct bw_heap *heap, const struct burrow_span_alloc *a,
		      const struct burrow_span_ref *ref, u32 nr, u32 *full)
{
	bool lazy = a->flags & BURROW_ALLOC_LAZY;

	*full = nr;
	if (a->kind == BURROW_KIND_STACK)
		return bw_stack_prepare(heap, ref, nr, a->npages, !lazy, full);
	return lazy ? 0 : group_populate(heap, a->flags & BURROW_ALLOC_HUGE,
					 a->npages, ref, nr, full);
}

/*
 * What a group needs before it is the caller's. U-words first: they stay, and
 * who has none has no use for the memory.
 */
static int group_prepare(struct bw_heap *heap,
			 const struct burrow_span_alloc *a,
			 const struct burrow_span_ref *ref, u32 nr, u32 *full)
{
	int err, short_of = 0;

	if (a->flags & BURROW_ALLOC_UWORDS)
		short_of = bw_uwords_prepare(heap, a->kind, ref, nr, a->npages,
					     &nr);
	err = group_fill(heap, a, ref, nr, full);
	return err ? err : short_of;
}

static int spans_alloc(struct bw_heap *heap,
		       const struct burrow_span_alloc *a,
		       struct burrow_span_ref *ref, u32 *done)
{
	struct bw_span_req req = {
		.npages = a->npages,
		.align = a->align,
		.cls = a->cls,
		.kind = a->kind,
		.steps = BW_SEARCH_STEPS,
	};
	int err = 0;

	if (a->kind == BURROW_KIND_STACK) {
		req.arena_kind = BURROW_ARENA_STACK;
		req.flags = BURROW_W_GUARD;
	} else if (a->flags & BURROW_ALLOC_HUGE) {
		req.arena_kind = BURROW_ARENA_HUGE;
		req.flags = BURROW_W_HUGE;
		req.align = max(a->align, BURROW_HUGE_PAGES);
	}

	for (*done = 0; *done < a->nr && !err;) {
		u32 want = min(a->nr - *done, GROUP);
		u32 got = group_take(heap, &req, ref + *done, want);
		u32 full;

		err = group_prepare(heap, a, ref + *done, got, &full);
		spans_free(heap, ref + *done + full, got - full);
		*done += full;
		if (!err && got < want)
			err = -ENOSPC;
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	return err;
}

int bw_call_span_alloc(struct bw_call *call)
{
	struct burrow_span_alloc *a = &call->arg.span_alloc;
	struct bw_heap *heap = call->heap;
	struct burrow_span_ref few[FEW], *ref = few;
	u32 done;
	int err;

	err = check_alloc(a);
	if (err)
		return err;
	if (a->nr > FEW)
		ref = kvmalloc_array(a->nr, sizeof(*ref), BW_GFP_SHORT);
	if (!ref)
		return -ENOMEM;
	err = -EINTR;
	if (mmap_read_lock_killable(current->mm))
		goto out_free;
	err = spans_alloc(heap, a, ref, &done);
	mmap_read_unlock(current->mm);

	err = vector_end(done, err, &a->out_nr, &a->out_errno);
	if (err)
		goto out_free;
	if (copy_to_user(u64_to_user_ptr(a->spans), ref,
			 done * sizeof(*ref)) || bw_call_reply(call)) {
		mmap_read_lock(current->mm);
		spans_free(heap, ref, done);
		mmap_read_unlock(current->mm);
		err = -EFAULT;
	}
out_free:
	if (ref != few)
		kvfree(ref);
	return err;
}

/*
 * Frees in order until one fails, at most GROUP under one hold of the lock. To
 * be reclaimed they must be neighbours: then [lo, hi) are their pages.
 */
static int group_release(struct bw_heap *heap, bool reclaim,
			 const struct burrow_span_ref *ref, u32 nr, u32 *done,
			 u32 *lo, u32 *hi)
{
	u32 end = min(nr, *done + GROUP);
	int err = 0;

	spin_lock(&heap->lock);
	for (; *done < end; (*done)++) {
		const struct burrow_span_ref *r = &ref[*done];
		struct bw_run run;

		if (reclaim && *hi > *lo && r->page != *hi)
			break;
		err = bw_core_span_free(&heap->core, r->page, r->gen, &run);
		if (err)
			break;
		heap->nr_free++;
		trace_burrow_span_free(heap->id, run.page, run.npages);
		bw_lazy_note_locked(heap, run.page, run.npages);
		if (*hi == *lo)
			*lo = run.page;
		*hi = run.page + run.npages;
	}
	spin_unlock(&heap->lock);
	return err;
}

static int spans_release(struct bw_heap *heap, bool reclaim,
			 const struct burrow_span_ref *ref, u32 nr, u32 *done)
{
	int err = 0;

	*done = 0;
	while (*done < nr && !err) {
		u32 lo = 0, hi = 0;

		err = group_release(heap, reclaim, ref, nr, done, &lo, &hi);
		if (reclaim)
			bw_reclaim_free(heap, lo, hi - lo, hi - lo);
		cond_resched();
	}
	return err;
}

int bw_call_span_free(struct bw_call *call)
{
	struct burrow_span_free *f = &call->arg.span_free;
	struct burrow_span_ref few[FEW], *ref;
	u32 done;
	int err;

	err = check_batch(f->nr);
	if (err)
		return err;
	ref = vector_get(f->spans, f->nr, sizeof(*ref), few);
	if (IS_ERR(ref))
		return PTR_ERR(ref);
	err = -EINTR;
	if (mmap_read_lock_killable(current->mm))
		goto out_free;
	err = spans_release(call->heap, f->flags & BURROW_FREE_RECLAIM, ref,
			    f->nr, &done);
	mmap_read_unlock(current->mm);
	f->out_pad = 0;
	err = vector_end(done, err, &f->out_nr, &f->out_errno);
	if (!err)
		err = bw_call_reply(call);
out_free:
	if (ref != few)
		kvfree(ref);
	return err;
}

int bw_call_span_reclaim(struct bw_call *call)
{
	struct burrow_span_reclaim *r = &call->arg.span_reclaim;
	struct burrow_range few[FEW], *range;
	u32 done;
	int err;

	err = check_batch(r->nr);
	if (err)
		return err;
	range = vector_get(r->ranges, r->nr, sizeof(*range), few);
	if (IS_ERR(range))
		return PTR_ERR(range);
	err = -EINTR;
	if (mmap_read_lock_killable(current->mm))
		goto out_free;
	err = bw_reclaim_ranges(call->heap, range, r->nr, &done,
				&r->out_frames);
	mmap_read_unlock(current->mm);
	r->out_pad = 0;
	err = vector_end(done, err, &r->out_nr, &r->out_errno);
	if (!err)
		err = bw_call_reply(call);
out_free:
	if (range != few)
		kvfree(range);
	return err;
}
