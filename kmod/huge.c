// SPDX-License-Identifier: GPL-2.0-only
/*
 * huge: the data of huge arenas, 2 MiB at a time.
 *
 *	SPAN_ALLOC	bw_units_populate()	\
 *	fault		bw_huge_fault()		 > unit_fill()	<- here
 *	fork, write	bw_unit_copy()		/
 *
 * A *unit* is 2 MiB of such an arena: one block of memory behind one entry, or
 * where no such block is to be had 512 frames like those of other arenas. Spans
 * there are made of whole units, and frames leave in whole units.
 *
 * Y1. The slots of a unit with a block hold its 512 pages, head first. They have
 *     one reference to it between them, and one count of sharers, the head's.
 * Y2. Slots of a unit go from empty to a block, or frame by frame to frames;
 *     never from one to the other but through bw_unit_copy().
 * Y3. Resident, busy and claimed are always whole units.
 *
 * A unit is mapped by one entry where the kernel lets us: huge_fault() is asked
 * only when it would put one there, not where a page table is in the way that a
 * unit of frames has left. Then fault() maps the block page by page.
 *
 * Rejected: copying entries at fork. 6.12 would copy them as they are, writable
 * for both; so fork takes the parent's out and both come back by faults.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "burrow_trace.h"
#include "heap.h"

#define UNIT_ORDER	9U

/* A block may fail: there are frames. Nobody is to be killed for it. */
#define BLOCK_FLAGS	(__GFP_COMP | __GFP_NOWARN)

bool bw_view_is_huge(const struct bw_view *view)
{
	return BW_CAN_HUGE && view->kind == BURROW_MMAP_DATA &&
	       view->arena->kind == BURROW_ARENA_HUGE;
}

static struct page *block_alloc(gfp_t gfp)
{
	if (!(gfp & __GFP_RETRY_MAYFAIL))
		gfp |= __GFP_NORETRY;
	return alloc_pages(gfp | BLOCK_FLAGS, UNIT_ORDER);
}

static void unit_free(struct page **unit)
{
	u32 i, n = unit[0] && PageCompound(unit[0]) ? 1 : BW_UNIT_FRAMES;

	for (i = 0; i < n && unit[i]; i++)
		put_page(unit[i]);
	free_page((unsigned long)unit);
}

/*
 * What the slots of a unit shall hold, as a table of their size: a block, or
 * with @frames_too frames if there is no block.
 */
static struct page **unit_alloc(gfp_t gfp, bool frames_too)
{
	struct page **unit = (struct page **)get_zeroed_page(gfp & ~__GFP_ZERO);
	struct page *block = unit ? block_alloc(gfp) : NULL;
	u32 i;

	if (!unit)
		return NULL;
	for (i = 0; i < BW_UNIT_FRAMES; i++) {
		unit[i] = block ? block + i :
			  frames_too ? alloc_page(gfp) : NULL;
		if (!unit[i]) {
			unit_free(unit);
			return NULL;
		}
	}
	return unit;
}

enum unit_state {
	UNIT_EMPTY,
	UNIT_BLOCK,
	UNIT_FRAMES,
};

static enum unit_state unit_state(struct page **slot)
{
	u32 i;

	if (!slot)
		return UNIT_EMPTY;
	if (slot[0] && PageCompound(slot[0]))
		return UNIT_BLOCK;
	for (i = 0; i < BW_UNIT_FRAMES; i++)
		if (slot[i])
			return UNIT_FRAMES;
	return UNIT_EMPTY;
}

/* The slots of the unit around @frame; their chunk is there. */
static struct page **unit_slots(struct bw_view *view, u32 frame)
{
	BUILD_BUG_ON(BW_UNIT_FRAMES != BW_SLOT_CHUNK);
	return view->chunk[frame / BW_SLOT_CHUNK];
}

static u32 unit_page(const struct bw_view *view, u32 frame)
{
	return view->arena->index * BURROW_ARENA_PAGES +
	       frame / BW_FRAMES_PER_PAGE;
}

static void unit_busy_locked(struct bw_view *view, u32 frame)
{
	struct bw_heap *heap = view->arena->heap;

	heap->busy = unit_page(view, frame);
	heap->nr_busy = BURROW_HUGE_PAGES;
}

static void unit_idle(struct bw_heap *heap)
{
	spin_lock(&heap->lock);
	heap->nr_busy = 0;
	spin_unlock(&heap->lock);
}

/*
 * heap->insert is held. The unit has a block, its own or that of *fresh, which
 * is taken over; it is busy, and *head has a reference of the caller's.
 * -EBUSY: it has frames; -ESTALE: it is in no span; -EAGAIN: bring a block.
 */
static int unit_fill(struct bw_view *view, u32 frame, struct page ***fresh,
		     struct page **head)
{
	struct bw_heap *heap = view->arena->heap;
	struct page **slot = unit_slots(view, frame);
	u32 page = unit_page(view, frame);
	enum unit_state state;
	bool fillable;
	int err = 0;

	spin_lock(&heap->lock);
	state = unit_state(slot);
	fillable = bw_core_page_is_fillable(&heap->core, page);
	if (!fillable && (state == UNIT_EMPTY ||
			  !bw_core_page_is_usable(&heap->core, page)))
		err = -ESTALE;
	else if (state == UNIT_FRAMES)
		err = -EBUSY;
	else if (state == UNIT_EMPTY && !*fresh)
		err = -EAGAIN;
	if (err)
		goto out_unlock;
	if (state == UNIT_EMPTY) {
		memcpy(slot, *fresh, PAGE_SIZE);
		bw_heap_count_locked(heap, BURROW_MMAP_DATA, BW_UNIT_FRAMES);
		heap->nr_units++;
		free_page((unsigned long)*fresh);
		*fresh = NULL;
	}
	*head = slot[0];
	get_page(*head);
	unit_busy_locked(view, frame);
	bw_core_set_resident(&heap->core, page, BURROW_HUGE_PAGES);
out_unlock:
	spin_unlock(&heap->lock);
	return err;
}

/* Another thread was faster, or the unit is gone: the block is not needed. */
static void fresh_drop(struct bw_heap *heap, struct page **fresh)
{
	if (!fresh)
		return;
	unit_free(fresh);
	bw_heap_uncharge(heap, BW_UNIT_FRAMES);
}

static int fresh_make(struct bw_heap *heap, gfp_t gfp, struct page ***fresh)
{
	int err = bw_heap_charge(heap, BW_UNIT_FRAMES);

	if (err)
		return err;
	*fresh = unit_alloc(gfp | __GFP_ZERO, false);
	if (*fresh)
		return 0;
	bw_heap_uncharge(heap, BW_UNIT_FRAMES);
	return -ENOMEM;
}

/*
 * Under heap->insert. In a heap with shared frames the entry can be written
 * only if the block is ours alone (F1 in share.c).
 */
static vm_fault_t unit_insert(struct vm_fault *vmf, struct page *head)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE, ours;
	struct vm_area_struct *vma = vmf->vma;

	/* one more than the slots' and the entries': unit_fill()'s */
	ours = bw_frame_claim(head, 1);
	if (bw_ops_are_cow(vma->vm_ops))
		bw_vma_protect(vma, !ours);
	return bw_insert_unit(vmf, head, write && ours);
}

/*
 * The unit has a block when this returns 0, and with @vmf an entry; *ret is how
 * the insertion was answered. -ENOMEM: there is no block; otherwise as
 * unit_fill().
 */
static int unit_map(struct bw_view *view, struct vm_fault *vmf, u32 frame,
		    gfp_t gfp, vm_fault_t *ret)
{
	struct bw_heap *heap = view->arena->heap;
	struct page **fresh = NULL, *head;
	int err;

	err = bw_chunk_get(view, frame, gfp);
	if (err)
		return err;
	do {
		/* a guess without the lock: unit_fill() looks again */
		if (unit_state(unit_slots(view, frame)) == UNIT_EMPTY && !fresh)
			err = fresh_make(heap, gfp, &fresh);
		if (err && err != -EAGAIN)
			break;
		mutex_lock(&heap->insert);
		err = unit_fill(view, frame, &fresh, &head);
		if (!err) {
			if (vmf)
				*ret = unit_insert(vmf, head);
			unit_idle(heap);
			put_page(head);
		}
		mutex_unlock(&heap->insert);
	} while (err == -EAGAIN);
	fresh_drop(heap, fresh);
	return err;
}

/*
 * Puts a copy in the place of a unit's block, which somebody else holds too: a
 * block, or frames. If the unit has another block by now, all is well. As
 * frame_replace() in share.c.
 */
int bw_unit_copy(struct bw_view *view, u32 frame, struct page *block, gfp_t gfp)
{
	struct bw_heap *heap = view->arena->heap;
	struct page **fresh, **slot, *head = compound_head(block);
	bool there;
	u32 i;
	int err;

	frame = ALIGN_DOWN(frame, BW_UNIT_FRAMES);
	err = bw_heap_charge(heap, BW_UNIT_FRAMES);
	if (err)
		return err;
	fresh = unit_alloc(gfp, true);
	if (!fresh) {
		bw_heap_uncharge(heap, BW_UNIT_FRAMES);
		return -ENOMEM;
	}
	slot = unit_slots(view, frame);
	mutex_lock(&heap->insert);
	spin_lock(&heap->lock);
	there = slot[0] == head;
	if (there)
		unit_busy_locked(view, frame);
	spin_unlock(&heap->lock);
	if (there) {
		unmap_mapping_pages(&heap->file->mapping,
				    bw_view_pgoff(view) + frame,
				    BW_UNIT_FRAMES, false);
		for (i = 0; i < BW_UNIT_FRAMES; i++)
			copy_highpage(fresh[i], head + i);
		spin_lock(&heap->lock);
		memcpy(slot, fresh, PAGE_SIZE);
		heap->nr_units -= !PageCompound(fresh[0]);
		heap->nr_busy = 0;
		spin_unlock(&heap->lock);
		free_page((unsigned long)fresh);
		fresh = NULL;
	}
	mutex_unlock(&heap->insert);
	if (there)
		bw_heap_uncharge(heap, bw_frame_drop(head));
	fresh_drop(heap, fresh);
	return 0;
}

/*
 * For the child's slots, when somebody has pinned the parent's block: a copy.
 * There is nobody else yet.
 */
int bw_unit_clone(struct bw_heap *child, struct page **to, struct page *head)
{
	struct page **fresh;
	u32 i;

	if (bw_heap_charge(child, BW_UNIT_FRAMES))
		return -ENOMEM;
	fresh = unit_alloc(BW_GFP_CALL, true);
	if (!fresh) {
		bw_heap_uncharge(child, BW_UNIT_FRAMES);
		return -ENOMEM;
	}
	for (i = 0; i < BW_UNIT_FRAMES; i++)
		copy_highpage(fresh[i], head + i);
	memcpy(to, fresh, PAGE_SIZE);
	free_page((unsigned long)fresh);
	return 0;
}

/* Before a write that found no entry: is the unit's block ours alone? */
static int unit_unshare(struct bw_view *view, u32 frame, gfp_t gfp)
{
	struct bw_heap *heap = view->arena->heap;
	struct page **slot, *head = NULL;
	int err = 0;

	spin_lock(&heap->lock);
	slot = bw_slot_locked(view, frame);
	if (slot && unit_state(slot) == UNIT_BLOCK &&
	    !bw_frame_claim(slot[0], 0)) {
		head = slot[0];
		get_page(head);
	}
	spin_unlock(&heap->lock);
	if (head) {
		err = bw_unit_copy(view, frame, head, gfp);
		put_page(head);
	}
	return err;
}

/* Asked before 2 MiB are allocated, for fault() to say SIGSEGV. */
static bool unit_is_outside(struct bw_view *view, u32 frame)
{
	struct bw_heap *heap = view->arena->heap;
	bool outside;

	spin_lock(&heap->lock);
	outside = !bw_core_page_is_usable(&heap->core, unit_page(view, frame));
	spin_unlock(&heap->lock);
	return outside;
}

/*
 * A touch where a huge entry may be, or a write to one that is read-only.
 * Whatever stands in the way of one is left to fault(): it maps page by page
 * and knows the answers.
 */
vm_fault_t bw_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct bw_view *view = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_FALLBACK;
	struct bw_heap *heap;
	u32 frame;
	int err = 0;

	if (!view || order != UNIT_ORDER || current->flags & PF_DUMPCORE)
		return VM_FAULT_FALLBACK;
	heap = view->arena->heap;
	if (READ_ONCE(heap->dead))
		return VM_FAULT_FALLBACK;
	frame = ALIGN_DOWN(vmf->pgoff - bw_view_pgoff(view), BW_UNIT_FRAMES);
	if (unit_is_outside(view, frame))
		return VM_FAULT_FALLBACK;
	if (vmf->flags & FAULT_FLAG_WRITE && READ_ONCE(heap->cow))
		err = unit_unshare(view, frame, BW_GFP_FAULT);
	if (!err)
		err = unit_map(view, vmf, frame, BW_GFP_FAULT, &ret);
	trace_burrow_fault(heap->id, vmf->address, view->kind,
			   vmf->flags & FAULT_FLAG_WRITE, err);
	if (err || ret & VM_FAULT_FALLBACK)
		return VM_FAULT_FALLBACK;
	spin_lock(&heap->lock);
	heap->nr_faults++;
	heap->nr_huge_faults++;
	spin_unlock(&heap->lock);
	return ret;
}

/*
 * Faults of our own: one, if that gave a huge entry, or if the @block is mapped
 * already, as an earlier span left it; else one for each page. Should another
 * thread's fault mislead us, the rest of this unit comes with the first touch.
 */
static int unit_touch(struct bw_heap *heap, unsigned long addr, bool block)
{
	u64 huge = READ_ONCE(heap->nr_huge_faults);
	u64 all = READ_ONCE(heap->nr_faults);
	u32 i;
	int err = 0;

	for (i = 0; i < BW_UNIT_FRAMES && !err; i++) {
		err = fixup_user_fault(heap->mm, addr + i * PAGE_SIZE,
				       FAULT_FLAG_WRITE, NULL);
		if (READ_ONCE(heap->nr_huge_faults) != huge ||
		    (block && READ_ONCE(heap->nr_faults) == all))
			break;
	}
	return err;
}

/*
 * Populates pages of spans that were just allocated: the block, then its entry
 * by a fault of our own. @done says how many pages from the front are there.
 */
int bw_units_populate(struct bw_heap *heap, u32 page, u32 npages, u32 *done)
{
	for (*done = 0; *done < npages; *done += BURROW_HUGE_PAGES) {
		u32 at = page + *done;
		unsigned long addr = heap->base[BURROW_MMAP_DATA] +
				     at * BURROW_PAGE_SIZE;
		struct bw_arena *arena;
		int err;

		arena = heap->arena[at >> BURROW_ARENA_PAGE_SHIFT];
		err = unit_map(&arena->view[BURROW_MMAP_DATA], NULL,
			       at % BURROW_ARENA_PAGES * BW_FRAMES_PER_PAGE,
			       BW_GFP_CALL, NULL);
		/* memory left of an earlier span may be in frames: that will do */
		if (!err || err == -EBUSY)
			err = unit_touch(heap, addr, !err);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
