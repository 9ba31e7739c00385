// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl_move: the memory of one span becomes another's; no byte is copied.
 *
 *	SPAN_MOVE
 *	  bw_call_span_move()	<- here
 *	    move_prepare()	all that can fail
 *	    move_begin()	both spans DISCARDING
 *	    piece_move()	2 MiB at a time, under heap->insert
 *	    move_end()		both live, the first one free
 *
 * A frame goes from slot to slot with the slot's reference to it. Its entries at
 * the old place are gone by then, and it gets one at the new place if it is
 * exclusive (share.c). One that a relative holds too, or may, comes there by
 * touch, as after a fork. Who has pinned a frame goes on with that frame.
 *
 * X1. While frames are under way both spans are DISCARDING and the mmap lock is
 *     held: nobody frees, sweeps, resizes, reclaims or forks them, and their
 *     arenas stay. So neither end needs to be busy (H2 in heap.h).
 * X2. A frame changes slots under heap->insert, after all entries of its piece, at
 *     both ends, were taken out under the same hold. So no entry maps a frame
 *     that its slot has lost (H3), and who faults there waits.
 * X3. What the new place had in these pages goes before frames come.
 * X4. The note that a frame was written is made when it is at its new place. An
 *     earlier one might be handed out for what was there before (V1 in
 *     written.c cares for the old place).
 * X5. Once begun it cannot fail and is not interrupted: nobody finds half of it.
 *     A frame whose entry cannot be had comes by touch.
 *
 * Between two pieces the others get heap->insert. Who touches either span then is
 * mapped what is there, or a fresh frame; at the new place that goes with X3, at
 * the old one it is lazy when the span is freed.
 *
 * Rejected: a destination that the kernel chooses, told by the reply. A reply
 * that cannot be written (EFAULT) would leave a span whose name nobody knows.
 * Holding insert from end to end: a GiB would keep all faults waiting for it.
 */
#include <linux/sched.h>

#include "burrow_trace.h"
#include "ioctl.h"

#define PIECE_PAGES	(BW_SLOT_CHUNK / BW_FRAMES_PER_PAGE)
#define MOVE_BATCH	32U
#define ARENA_FRAMES	(BURROW_ARENA_PAGES * BW_FRAMES_PER_PAGE)

/* Its data, of an arena that cannot go (X1). */
static struct bw_view *view_of(struct bw_heap *heap, u32 page)
{
	return &heap->arena[page >> BURROW_ARENA_PAGE_SHIFT]
			->view[BURROW_MMAP_DATA];
}

static int end_find_locked(struct bw_heap *heap, struct burrow_span_ref ref,
			   struct bw_run *run)
{
	u64 word;
	int err = bw_core_span_find(&heap->core, ref.page, ref.gen, &word);

	if (err)
		return err;
	*run = (struct bw_run){ ref.page, burrow_word_low(word), ref.gen };
	return view_of(heap, ref.page)->arena->kind == BURROW_ARENA_HEAP ?
	       0 : -EINVAL;
}

static int ends_find_locked(struct bw_heap *heap,
			    const struct burrow_span_move *m,
			    struct bw_run *from, struct bw_run *to)
{
	int err = end_find_locked(heap, m->from, from);

	if (!err)
		err = end_find_locked(heap, m->to, to);
	if (!err && (from->page == to->page || from->npages > to->npages))
		err = -EINVAL;
	return err;
}

/*
 * The slots that frames come to. @shares: the mappings there are such that a
 * frame may be in another heap, too.
 */
static int place_prepare(struct bw_heap *heap, u32 page, u32 npages,
			 bool *shares)
{
	u32 end = page + npages;
	int err = 0;

	*shares = true;
	for (; page < end && !err;
	     page = (page | (PIECE_PAGES - 1)) + 1) {
		struct bw_view *view = view_of(heap, page);
		struct vm_area_struct *vma = bw_vma_find(view);

		if (!vma)
			return -EFAULT;
		*shares &= bw_ops_are_cow(vma->vm_ops);
		err = bw_chunk_get(view, page % BURROW_ARENA_PAGES *
				   BW_FRAMES_PER_PAGE, BW_GFP_CALL);
		cond_resched();
	}
	return err;
}

/* Every frame there is exclusive after this, and remains so till a fork. */
static int frames_unshare(struct bw_heap *heap, const struct bw_run *run)
{
	u32 frame = run->page * BW_FRAMES_PER_PAGE;
	u32 end = frame + run->npages * BW_FRAMES_PER_PAGE;
	int err = 0;

	for (; frame < end && !err; frame++) {
		err = bw_frame_unshare(view_of(heap, frame / BW_FRAMES_PER_PAGE),
				       frame % ARENA_FRAMES, BW_GFP_CALL);
		cond_resched();
	}
	return err;
}

/*
 * A relative's arena may have been kept from a fork (MADV_DONTFORK), or be
 * settled before others (fork.c): no frame may be shared in there (F1).
 */
static int move_prepare(struct bw_heap *heap, u32 flags,
			const struct bw_run *from, const struct bw_run *to)
{
	u32 done;
	bool shares;
	int err = place_prepare(heap, to->page, from->npages, &shares);

	if (!err && heap->cow && !shares)
		err = frames_unshare(heap, from);
	if (!err && !(flags & BURROW_MOVE_LAZY))
		err = bw_populate(heap, to->page + from->npages,
				  to->npages - from->npages, &done);
	return err;
}

/* The lock was dropped since they were found. */
static int move_begin_locked(struct bw_heap *heap,
			     const struct burrow_span_move *m,
			     const struct bw_run *from, const struct bw_run *to)
{
	struct bw_run now_from, now_to;
	int err = ends_find_locked(heap, m, &now_from, &now_to);

	if (err)
		return err;
	if (now_from.npages != from->npages || now_to.npages != to->npages)
		return -EBUSY;
	/* they are live, as was just seen */
	bw_core_discard_begin(&heap->core, from->page, from->npages, &now_from);
	bw_core_discard_begin(&heap->core, to->page, to->npages, &now_to);
	return 0;
}

/* @nr frames change slots; what they are, or NULL where there was none. */
static void slots_move_locked(struct bw_heap *heap, struct page **from,
			      struct page **to, u32 to_page, struct page **page,
			      u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		page[i] = from[i];
		if (!page[i])
			continue;
		WRITE_ONCE(from[i], NULL);
		WRITE_ONCE(to[i], page[i]);
		bw_core_set_resident(&heap->core,
				     to_page + i / BW_FRAMES_PER_PAGE, 1);
	}
}

/* The slot's reference is all that we name: the entries are out (X2). */
static bool is_ours(struct page *page)
{
	return page && bw_frame_claim(page, 0);
}

/* X5: if one entry cannot be had, none is there. */
static void entries_insert(struct bw_view *view, struct vm_area_struct *vma,
			   u32 frame, struct page **page, unsigned long nr)
{
	unsigned long left = nr;

	if (vm_insert_pages(vma, vma->vm_start + (unsigned long)frame * PAGE_SIZE,
			    page, &left))
		unmap_mapping_pages(&view->arena->heap->file->mapping,
				    bw_view_pgoff(view) + frame, nr, false);
}

static void frames_enter(struct bw_view *view, u32 frame, struct page **page,
			 u32 nr)
{
	struct vm_area_struct *vma = bw_vma_find(view);
	u32 i, n;

	if (vma && bw_ops_are_cow(vma->vm_ops))
		bw_vma_protect(vma, false);
	for (i = 0; vma && i < nr; i += n + 1) {
		for (n = 0; i + n < nr && is_ours(page[i + n]); n++)
			;
		if (n)
			entries_insert(view, vma, frame + i, page + i, n);
	}
	for (i = 0; i < nr; i++)
		if (page[i])
			bw_written_note(view, frame + i);
}

/* @nr frames, at both ends in one chunk of slots. */
static void batch_move(struct bw_heap *heap, u32 from, u32 to, u32 nr)
{
	struct bw_view *view_from = view_of(heap, from / BW_FRAMES_PER_PAGE);
	struct bw_view *view_to = view_of(heap, to / BW_FRAMES_PER_PAGE);
	struct page *page[MOVE_BATCH], **slot;

	spin_lock(&heap->lock);
	slot = bw_slot_locked(view_from, from % ARENA_FRAMES);
	if (slot)
		slots_move_locked(heap, slot,
				  bw_slot_locked(view_to, to % ARENA_FRAMES),
				  to / BW_FRAMES_PER_PAGE, page, nr);
	spin_unlock(&heap->lock);
	if (slot)
		frames_enter(view_to, to % ARENA_FRAMES, page, nr);
}

static u32 left_in_chunk(u32 frame)
{
	return BW_SLOT_CHUNK - frame % BW_SLOT_CHUNK;
}

/* Pages [from, from + npages), under heap->insert. */
static void piece_move(struct bw_heap *heap, u32 from, const struct bw_run *to,
		       u32 to_page, u32 npages)
{
	u32 src = from * BW_FRAMES_PER_PAGE, dst = to_page * BW_FRAMES_PER_PAGE;
	u32 end = src + npages * BW_FRAMES_PER_PAGE, n;

	bw_pages_unmap(heap, from, npages);
	bw_pages_empty(heap, to_page, npages, to);
	for (; src < end; src += n, dst += n) {
		n = min3(end - src, left_in_chunk(src), left_in_chunk(dst));
		n = min(n, MOVE_BATCH);
		batch_move(heap, src, dst, n);
	}
	spin_lock(&heap->lock);
	bw_core_clear_resident(&heap->core, from, npages);
	spin_unlock(&heap->lock);
}

static void move_end(struct bw_heap *heap, const struct bw_run *from,
		     const struct bw_run *to)
{
	struct bw_run gone;

	spin_lock(&heap->lock);
	bw_core_discard_end(&heap->core, to);
	bw_core_discard_end(&heap->core, from);
	bw_core_span_free(&heap->core, from->page, from->gen, &gone);
	heap->nr_free++;
	trace_burrow_span_free(heap->id, from->page, from->npages);
	bw_lazy_note_locked(heap, from->page, from->npages);
	spin_unlock(&heap->lock);
}

static int move(struct bw_heap *heap, const struct burrow_span_move *m)
{
	struct bw_run from, to;
	u32 at, n;
	int err;

	spin_lock(&heap->lock);
	err = ends_find_locked(heap, m, &from, &to);
	spin_unlock(&heap->lock);
	if (!err)
		err = move_prepare(heap, m->flags, &from, &to);
	if (err)
		return err;
	spin_lock(&heap->lock);
	err = move_begin_locked(heap, m, &from, &to);
	spin_unlock(&heap->lock);
	if (err)
		return err;
	trace_burrow_span_move(heap->id, from.page, to.page, from.npages);
	for (at = 0; at < from.npages; at += n) {
		n = min_t(u32, from.npages - at, PIECE_PAGES);
		mutex_lock(&heap->insert);
		piece_move(heap, from.page + at, &to, to.page + at, n);
		mutex_unlock(&heap->insert);
		cond_resched();
	}
	move_end(heap, &from, &to);
	return 0;
}

int bw_call_span_move(struct bw_call *call)
{
	int err;

	if (mmap_read_lock_killable(current->mm))
		return -EINTR;
	err = move(call->heap, &call->arg.span_move);
	mmap_read_unlock(current->mm);
	return err;
}
