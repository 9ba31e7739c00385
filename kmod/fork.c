// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork: a child's copy-on-write clone of its parent's heap.
 *
 * fork() copies the parent's mappings one by one, with both address spaces
 * locked for writing, and calls open() for each copy before it copies entries:
 *
 *	dup_mmap()
 *	  view_open()			mmap.c
 *	    bw_view_fork()		<- here, for each view
 *	      heap_clone()		first call: core, K-words, arenas
 *	      view_withdraw()		the parent's entries: read-only, clean
 *	      view_share()		the child's slots hold the same frames
 *	  copy_page_range()		the kernel copies what is now read-only
 *	flush_tlb_mm()			and makes the parent see it
 *
 * So the child reads without a fault, and whoever writes first gets a copy
 * (share.c). No ioctl and no fault of the parent can be under way; scans of the
 * shrinker can, so claims are waited for and held off (is_forking).
 *
 * If memory runs out the child has no heap: mappings are dead (SIGBUS), calls
 * say EXDEV, and the parent is as it was. Frames that somebody has pinned are
 * copied at once.
 *
 * Rejected: plain VM_DONTCOPY (the child has no heap and, on a stack of ours,
 * no stack); sharing without COW (two collectors on one heap).
 */
#include <linux/highmem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "heap.h"

/* The parent's mapping of a view, if fork copies it. */
static struct vm_area_struct *inherited_vma(struct bw_view *view)
{
	struct vm_area_struct *vma = bw_vma_find(view);

	return vma && !(vma->vm_flags & VM_DONTCOPY) ? vma : NULL;
}

/* No claim of a scan is under way, and none begins, until forking_end(). */
static void forking_begin(struct bw_heap *heap)
{
	spin_lock(&heap->lock);
	heap->is_forking = true;
	spin_unlock(&heap->lock);
	wait_event(heap->claims_wait, !READ_ONCE(heap->nr_claims));
}

static void forking_end(struct bw_heap *heap)
{
	spin_lock(&heap->lock);
	heap->is_forking = false;
	spin_unlock(&heap->lock);
}

static int clone_arenas(struct bw_heap *child, struct bw_heap *parent)
{
	u32 index;
	int err;

	for (index = 0; index < parent->nr_arenas; index++) {
		struct bw_arena *arena = parent->arena[index];

		if (!arena)
			continue;
		err = bw_arena_clone(child, arena,
				     arena->view[BURROW_MMAP_DATA].nr_vmas);
		if (err)
			return err;
		cond_resched();
	}
	bw_core_clone_end(&child->core, &parent->core);
	return 0;
}

/* What the child does not inherit: the arena's spans are gone there. */
static void forget_uninherited(struct bw_heap *child, struct bw_heap *parent)
{
	u32 index;

	for (index = 0; index < parent->nr_arenas; index++) {
		struct bw_arena *arena = parent->arena[index];

		if (!child->core.arena[index] ||
		    inherited_vma(&arena->view[BURROW_MMAP_DATA]))
			continue;
		spin_lock(&child->lock);
		bw_core_arena_del(&child->core, index);
		child->nr_mapped--;
		spin_unlock(&child->lock);
	}
}

static struct bw_heap *heap_clone(struct bw_heap *parent, struct mm_struct *mm)
{
	struct bw_heap *child;
	int err;

	bw_file_collect(parent->file);
	child = bw_heap_make(parent->file, mm, parent->nr_arenas);
	if (IS_ERR(child))
		return child;
	memcpy(child->base, parent->base, sizeof(child->base));
	child->nr_alloc = parent->nr_alloc;
	child->nr_free = parent->nr_free;
	child->limit = parent->limit;
	child->cow = true;
	forking_begin(parent);
	err = clone_arenas(child, parent);
	if (!err)
		forget_uninherited(child, parent);
	forking_end(parent);
	if (!err) {
		bw_debugfs_add(child, parent);
		err = bw_file_add(parent->file, child, true);
	}
	if (err) {
		bw_heap_end(child);
		return ERR_PTR(err);
	}
	return child;
}

/*
 * Under the page table's lock. Clean: F1, and fork copies it as it is; that it
 * was not is noted first (V1 in written.c).
 */
static int entry_protect(pte_t *pte, unsigned long addr, void *data)
{
	struct vm_area_struct *vma = data;
	pte_t entry = *pte;

	if (!pte_present(entry))
		return 0;
	entry = ptep_get_and_clear(vma->vm_mm, addr, pte);
	if (pte_dirty(entry))
		bw_written_note(vma->vm_private_data,
				(addr - vma->vm_start) >> PAGE_SHIFT);
	set_pte_at(vma->vm_mm, addr, pte, pte_mkclean(pte_wrprotect(entry)));
	return 0;
}

/*
 * Nobody writes to the parent's frames without a fault. Entries of 2 MiB cannot
 * be made read-only by us, so those of huge arenas go, and come back one by one
 * on both sides.
 */
static int view_withdraw(struct bw_view *view, struct vm_area_struct *vma,
			 bool *lazy)
{
	if (!bw_view_is_huge(view))
		return bw_view_walk(view, vma, entry_protect, vma);
	unmap_mapping_pages(vma->vm_file->f_mapping, bw_view_pgoff(view),
			    BURROW_ARENA_SIZE / PAGE_SIZE, false);
	*lazy = true;
	return 0;
}

/* A frame for the child's slot: the parent's own, or a copy of a pinned one. */
static struct page *frame_for_child(struct bw_heap *child, struct page *page)
{
	struct page *copy;

	if (bw_frame_share(page))
		return page;
	if (bw_heap_charge(child, 1))
		return NULL;
	copy = alloc_page(BW_GFP_CALL);
	if (copy)
		copy_highpage(copy, page);
	else
		bw_heap_uncharge(child, 1);
	return copy;
}

/* The same for the slots of a unit that has a block. */
static int unit_for_child(struct bw_heap *child, struct page **to,
			  struct page **from)
{
	int err = 0;

	if (bw_frame_share(from[0]))
		memcpy(to, from, BW_UNIT_FRAMES * sizeof(*to));
	else
		err = bw_unit_clone(child, to, from[0]);
	if (err)
		return err;
	spin_lock(&child->lock);
	child->nr_units += PageHead(to[0]);
	spin_unlock(&child->lock);
	return 0;
}

/*
 * The parent's entries cannot be written any more, but a scan of the shrinker
 * may empty slots: claims are held off while we look at them. The child's slot
 * of a copied frame differs from what copy_page_range() would map, so such a
 * mapping must come by faults: *lazy.
 */
static int view_share(struct bw_view *to, struct bw_view *from, bool *lazy)
{
	struct bw_heap *child = to->arena->heap;
	u32 c, i, nr;

	for (c = 0; c < BW_DATA_CHUNKS; c++) {
		struct page **chunk = from->chunk[c];
		int err = 0;

		if (!chunk)
			continue;
		if (bw_chunk_get(to, c * BW_SLOT_CHUNK, BW_GFP_CALL))
			return -ENOMEM;
		for (i = 0, nr = 0; i < BW_SLOT_CHUNK; i++) {
			struct page *page;

			if (!chunk[i])
				continue;
			if (PageHead(chunk[i])) {
				err = unit_for_child(child, to->chunk[c],
						     chunk);
				nr = err ? 0 : BW_UNIT_FRAMES;
				break;
			}
			bw_written_note_frame(from, c * BW_SLOT_CHUNK + i,
					      chunk[i]);
			page = frame_for_child(child, chunk[i]);
			if (!page) {
				err = -ENOMEM;
				break;
			}
			*lazy |= page != chunk[i];
			to->chunk[c][i] = page;
			nr++;
		}
		/* a scan may be at the child's other arenas already */
		spin_lock(&child->lock);
		bw_heap_count_locked(child, to->kind, nr);
		spin_unlock(&child->lock);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static int view_clone(struct bw_view *to, struct bw_view *from,
		      struct vm_area_struct *vma)
{
	struct vm_area_struct *parent_vma = bw_vma_find(from);
	struct bw_heap *parent = from->arena->heap;
	struct bw_heap *child = to->arena->heap;
	u32 first = to->arena->index * BURROW_ARENA_PAGES;
	bool lazy = false;
	int err;

	if (!parent_vma)
		return -EFAULT;
	forking_begin(parent);
	WRITE_ONCE(parent->cow, true);
	parent->cow_until = jiffies;
	parent_vma->vm_ops = bw_view_ops(from, true);
	vma->vm_ops = bw_view_ops(to, true);
	err = view_withdraw(from, parent_vma, &lazy);
	if (!err)
		err = view_share(to, from, &lazy);
	if (!err && to->kind == BURROW_MMAP_DATA)
		bw_written_clone(to->arena, from->arena);
	forking_end(parent);
	if (lazy)
		vm_flags_set(vma, VM_WIPEONFORK);
	if (!err && to->kind == BURROW_MMAP_DATA) {
		spin_lock(&child->lock);
		bw_lazy_note_locked(child, first, BURROW_ARENA_PAGES);
		spin_unlock(&child->lock);
	}
	return err;
}

/* The child has no part in this. Its entries must not be copied either. */
static void vma_kill(struct vm_area_struct *vma, struct bw_heap *parent)
{
	if (parent->dead_child != vma->vm_mm) {
		if (parent->dead_child)
			mmdrop(parent->dead_child);
		parent->dead_child = vma->vm_mm;
		mmgrab(vma->vm_mm);
	}
	vm_flags_set(vma, VM_WIPEONFORK);
	vma->vm_private_data = NULL;
}

/* open() of a copy that fork makes; current is the parent. */
void bw_view_fork(struct vm_area_struct *vma)
{
	struct bw_view *from = vma->vm_private_data, *to;
	struct bw_heap *parent = from->arena->heap, *child;

	/* a heap that is dead has no living children */
	if (current->mm != parent->mm || parent->dead ||
	    parent->dead_child == vma->vm_mm) {
		vma_kill(vma, parent);
		return;
	}
	child = bw_file_heap(parent->file, vma->vm_mm);
	if (IS_ERR(child))
		child = heap_clone(parent, vma->vm_mm);
	if (IS_ERR(child)) {
		vma_kill(vma, parent);
		return;
	}
	/* what the parent's own fork set there is not for this child */
	vm_flags_clear(vma, VM_WIPEONFORK);
	to = &child->arena[from->arena->index]->view[from->kind];
	spin_lock(&child->lock);
	to->nr_vmas = 1;
	child->nr_views++;
	spin_unlock(&child->lock);
	vma->vm_private_data = to;
	if (from->kind == BURROW_MMAP_KMETA || !view_clone(to, from, vma))
		return;

	spin_lock(&parent->file->lock);
	child->dead = true;
	spin_unlock(&parent->file->lock);
	bw_view_unmap(to);
	vma_kill(vma, parent);
}

static bool is_alone(struct bw_heap *heap)
{
	bool alone;

	spin_lock(&heap->file->lock);
	alone = list_is_singular(&heap->file->heaps);
	spin_unlock(&heap->file->lock);
	return alone;
}

/* Does anybody we cannot name hold a frame of this view (F3 in share.c)? */
static bool view_is_ours_alone(struct bw_view *view)
{
	struct bw_heap *heap = view->arena->heap;
	bool ours = true;
	u32 c, i;

	for (c = 0; ours && c < BW_DATA_CHUNKS; c++) {
		struct page **chunk;

		spin_lock(&heap->lock);
		chunk = view->chunk[c];
		for (i = 0; chunk && ours && i < BW_SLOT_CHUNK; i++)
			ours = !chunk[i] || bw_frame_claim(chunk[i], 0);
		spin_unlock(&heap->lock);
		cond_resched();
	}
	return ours;
}

/* True when the view is as if there had been no fork. */
static bool view_settle(struct bw_view *view)
{
	struct vm_area_struct *vma = bw_vma_find(view);

	if (!vma)
		return true;
	if (!view_is_ours_alone(view))
		return false;
	vma->vm_ops = bw_view_ops(view, false);
	WRITE_ONCE(vma->vm_page_prot, vm_get_page_prot(vma->vm_flags));
	return true;
}

/*
 * An ioctl of a heap that has been part of a fork: once it is alone on its file
 * no frame is shared, and long-term pins, which page_mkwrite() forbids, are
 * allowed again. Entries that are read-only become writable by their next
 * fault. Frames that somebody else still refers to put it off by a second.
 */
void bw_heap_settle_cow(struct bw_heap *heap)
{
	bool settled = true;
	u32 index;

	if (time_before(jiffies, READ_ONCE(heap->cow_until)) ||
	    !is_alone(heap) || mmap_write_lock_killable(current->mm))
		return;
	/* only a fork of ours could add a heap now, and it wants the mmap lock */
	for (index = 0; settled && index < heap->nr_arenas; index++) {
		struct bw_arena *arena = heap->arena[index];

		if (arena)
			settled = view_settle(&arena->view[BURROW_MMAP_DATA]) &&
				  view_settle(&arena->view[BURROW_MMAP_UMETA]);
	}
	if (settled)
		heap->cow = false;
	else
		WRITE_ONCE(heap->cow_until, jiffies + HZ);
	mmap_write_unlock(current->mm);
}
