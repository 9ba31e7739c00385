// SPDX-License-Identifier: GPL-2.0-only
/*
 * share: frames that a parent and its children have in common.
 *
 *	fork			bw_frame_share()	one more slot holds it
 *	write, no entry		bw_frame_unshare()	fault in mmap.c
 *	write, read-only entry	bw_view_mkwrite()
 *	reclaim, unmap, COW	bw_frame_drop()		one slot fewer holds it
 *
 * page_private() of our frames counts, from bit 1 on, the slots that hold it
 * beyond the first; bit 0 stays set from the first sharing until F3 was asked
 * and found well. 0 is *exclusive*: one slot, and nobody has a reference who had
 * it from another address space.
 *
 * F1. An entry that can be written maps a frame that no other slot holds.
 *     (An entry that cannot is clean.)
 * F2. The user's total counts a frame once, whoever holds it: the slot that
 *     drops it last pays back.
 * F3. A frame that was shared is written again without a copy only when no slot
 *     but ours and no reference that we cannot name holds it. Somebody who kept
 *     a reference (vmsplice() into a pipe, then exit) must not see what is
 *     written later. An exclusive one is not asked: who pinned it (I/O under
 *     way when we forked) must go on seeing it.
 * F4. A frame that was mapped goes back by put_page(), to no pool of ours.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched.h>

#include "heap.h"

#define WAS_SHARED	1L
#define ONE_MORE	2L

/* Of a block: its head's (Y1 in huge.c). */
static atomic_long_t *sharers(struct page *page)
{
	struct page *head = compound_head(page);

	BUILD_BUG_ON(sizeof(head->private) != sizeof(atomic_long_t));
	return (atomic_long_t *)&head->private;
}

/*
 * One more slot will hold the frame. False for a frame somebody has pinned:
 * what the pin's holder does to it is the parent's alone.
 */
bool bw_frame_share(struct page *page)
{
	if (folio_maybe_dma_pinned(page_folio(page)))
		return false;
	atomic_long_or(WAS_SHARED, sharers(page));
	atomic_long_add(ONE_MORE, sharers(page));
	get_page(page);
	return true;
}

/*
 * A slot lets go of a frame, or those of a unit of a block. If they were the
 * last: how many frames the caller uncharges.
 */
unsigned long bw_frame_drop(struct page *page)
{
	long old = atomic_long_read(sharers(page));
	unsigned long frames = compound_nr(page);

	while (old >= ONE_MORE &&
	       !atomic_long_try_cmpxchg(sharers(page), &old, old - ONE_MORE))
		;
	put_page(page);
	return old < ONE_MORE ? frames : 0;
}

/*
 * May the heap whose slot holds the frame write to it (F3)? Then it is exclusive
 * from now on. The references we can name are the slot's, those of the entries,
 * and @more. Only a fork of our own could share it meanwhile, and that waits for
 * the mmap lock.
 */
bool bw_frame_claim(struct page *page, int more)
{
	struct folio *folio = page_folio(page);
	long state = atomic_long_read(sharers(page));

	if (state >= ONE_MORE)
		return false;
	if (state == 0)
		return true;
	if (folio_ref_count(folio) != 1 + bw_mapcount(folio) + more)
		return false;
	atomic_long_set(sharers(page), 0);
	return true;
}

/*
 * Puts @fresh in the place of @old. Its entries are taken out of every page
 * table first, a sibling's too, which maps its own again when it touches it;
 * only then is it copied: another thread of ours may have been allowed to write
 * to @old after all, when the reference that we did not know was that thread's.
 * heap->insert is held: nobody maps it again meanwhile.
 */
static void frame_replace(struct bw_view *view, u32 frame, struct page **slot,
			  struct page *fresh, struct page *old)
{
	struct bw_heap *heap = view->arena->heap;

	unmap_mapping_pages(&heap->file->mapping, bw_view_pgoff(view) + frame,
			    1, false);
	copy_highpage(fresh, old);
	/* what that thread of ours wrote is noted in @old, which goes */
	bw_written_note(view, frame);
	spin_lock(&heap->lock);
	WRITE_ONCE(*slot, fresh);
	heap->nr_busy = 0;
	spin_unlock(&heap->lock);
}

/* Do several slots hold it? A guess, unless heaps are kept from forking. */
bool bw_frame_is_shared(struct page *page)
{
	return atomic_long_read(sharers(page)) >= ONE_MORE;
}

/* If the slot holds @page still, a copy takes its place; else all is well. */
static int frame_copy(struct bw_view *view, u32 frame, struct page *page,
		      gfp_t gfp)
{
	struct bw_heap *heap = view->arena->heap;
	struct page *old, *fresh, **slot;
	int err;

	if (PageCompound(page))
		return bw_unit_copy(view, frame, page, gfp);
	err = bw_heap_charge(heap, 1);
	if (err)
		return err;
	fresh = alloc_page(gfp);
	if (!fresh) {
		bw_heap_uncharge(heap, 1);
		return -ENOMEM;
	}
	mutex_lock(&heap->insert);
	spin_lock(&heap->lock);
	slot = bw_slot_locked(view, frame);
	old = slot && *slot == page ? page : NULL;
	if (old) {
		/* busy: nobody takes it from the slot before we do */
		get_page(old);
		heap->busy = view->arena->index * BURROW_ARENA_PAGES +
			     frame / BW_FRAMES_PER_PAGE;
		heap->nr_busy = view->kind == BURROW_MMAP_DATA;
		if (bw_view_is_huge(view)) {
			heap->busy = ALIGN_DOWN(heap->busy, BURROW_HUGE_PAGES);
			heap->nr_busy = BURROW_HUGE_PAGES;
		}
	}
	spin_unlock(&heap->lock);
	if (old)
		frame_replace(view, frame, slot, fresh, old);
	mutex_unlock(&heap->insert);
	if (!old) {
		__free_page(fresh);
		bw_heap_uncharge(heap, 1);
		return 0;
	}
	bw_heap_uncharge(heap, bw_frame_drop(old));
	put_page(old);
	return 0;
}

/* Before a write to a page that has no entry: is its frame ours alone? */
int bw_frame_unshare(struct bw_view *view, u32 frame, gfp_t gfp)
{
	struct bw_heap *heap = view->arena->heap;
	struct page **slot, *page = NULL;
	int err = 0;

	spin_lock(&heap->lock);
	slot = bw_slot_locked(view, frame);
	if (slot && *slot && !bw_frame_claim(*slot, 0)) {
		page = *slot;
		get_page(page);
	}
	spin_unlock(&heap->lock);
	if (page) {
		err = frame_copy(view, frame, page, gfp);
		put_page(page);
	}
	return err;
}

/* A write met a read-only entry of a view that has shared frames, or had. */
vm_fault_t bw_view_mkwrite(struct vm_fault *vmf)
{
	struct bw_view *view = vmf->vma->vm_private_data;
	struct bw_heap *heap;
	struct page **slot;
	bool is_current;
	u32 frame;

	if (!view)
		return VM_FAULT_SIGBUS;
	heap = view->arena->heap;
	frame = vmf->pgoff - bw_view_pgoff(view);
	spin_lock(&heap->lock);
	slot = bw_slot_locked(view, frame);
	is_current = slot && *slot == vmf->page;
	spin_unlock(&heap->lock);
	if (!is_current)
		/* the entry is on its way out: try again */
		return VM_FAULT_NOPAGE;
	/* one more: the fault handler took it before it called us */
	if (bw_frame_claim(vmf->page, 1)) {
		lock_page(vmf->page);
		return VM_FAULT_LOCKED;
	}
	/* after the copy there is no entry: the next try maps it */
	return bw_fault_answer(heap, frame_copy(view, frame, vmf->page,
						BW_GFP_FAULT));
}
