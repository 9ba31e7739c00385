// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap: the three mappings of an arena, and their faults.
 *
 *	data	frames; SIGSEGV outside live spans and what is left of freed ones
 *	U-words	frames, by touch
 *	K-words	the kernel's own pages, read-only
 *
 * Each mapping is whole, shared, at the one place the heap has for it, never
 * executable; it cannot be split, moved or grown; fork gives the child a clone
 * of what is behind it (fork.c). So a VMA that still looks as it did here is the
 * one that was made here, and bw_vma_find() can trust it.
 */
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "burrow_trace.h"
#include "core/span.h"
#include "heap.h"

#define AHEAD		BW_MAP_BATCH
#define AHEAD_SPAN	128U	/* pages: the library has longer ones by touch */

vm_fault_t bw_fault_answer(struct bw_heap *heap, int err)
{
	struct bw_file *file = heap->file;

	switch (err) {
	case 0:
		return VM_FAULT_NOPAGE;
	case -ESTALE:
		return VM_FAULT_SIGSEGV;
	case -ENOMEM:
		/* no OOM killer for a total of ours: it would retry for ever */
		if (file->limited &&
		    atomic_long_read(&file->user->frames) >= bw_user_limit())
			return VM_FAULT_SIGBUS;
		return VM_FAULT_OOM;
	default:
		return VM_FAULT_SIGBUS;
	}
}

/* A core dump shows what is there; it must not make more of it. */
static bool is_hole_in_a_dump(struct bw_view *view, u32 frame)
{
	struct bw_heap *heap = view->arena->heap;
	struct page **slot;
	bool hole;

	if (!(current->flags & PF_DUMPCORE))
		return false;
	spin_lock(&heap->lock);
	slot = bw_slot_locked(view, frame);
	hole = !slot || !*slot;
	spin_unlock(&heap->lock);
	return hole;
}

/*
 * How many frames to bring from @frame on. A span of more than AHEAD_SPAN pages of
 * which the AHEAD frames before this one have come is written in order, and those
 * behind it are next: together they cost less than half of as many faults. At most
 * 124 KiB come too many, for a span of 1 MiB. Shorter ones come whole, or are
 * touched here and there.
 */
static u32 frames_ahead_locked(struct bw_view *view, u32 frame, u32 page)
{
	const struct bw_core *core = &view->arena->heap->core;
	u32 head = bw_span_head_of(core, page), npages, nr, i;
	struct page **slot;

	if (head == BW_NO_PAGE)
		return 1;
	npages = burrow_word_low(*bw_span_word(core, head));
	if (npages <= AHEAD_SPAN || frame < AHEAD ||
	    page - head < AHEAD / BW_FRAMES_PER_PAGE)
		return 1;
	for (i = 1; i <= AHEAD; i++) {
		slot = bw_slot_locked(view, frame - i);
		if (!slot || !*slot)
			return 1;
	}
	nr = min((head + npages - page) * BW_FRAMES_PER_PAGE -
		 frame % BW_FRAMES_PER_PAGE, AHEAD);
	nr = min_t(u32, nr, BW_SLOT_CHUNK - frame % BW_SLOT_CHUNK);
	slot = bw_slot_locked(view, frame);
	for (i = 0; slot && i < nr; i++)
		if (slot[i])
			break;
	return slot ? max(i, 1U) : nr;
}

/* How many frames the touch brings; 0: none, it may not have one at all. */
static u32 frames_due(struct vm_fault *vmf, struct bw_view *view, u32 frame)
{
	struct bw_heap *heap = view->arena->heap;
	u32 page = view->arena->index * BURROW_ARENA_PAGES +
		   frame / BW_FRAMES_PER_PAGE;
	u32 nr = 1;

	if (view->kind != BURROW_MMAP_DATA)
		return 1;
	spin_lock(&heap->lock);
	if (!bw_core_page_is_usable(&heap->core, page))
		nr = 0;
	else if (vmf->flags & FAULT_FLAG_WRITE && !bw_view_is_huge(view))
		nr = frames_ahead_locked(view, frame, page);
	spin_unlock(&heap->lock);
	return nr;
}

/* Should another thread bring the first one meanwhile, it is met by its next touch. */
static int frames_bring(struct vm_fault *vmf, struct bw_view *view, u32 frame,
			u32 nr)
{
	if (nr > 1 && !bw_frames_map(view, vmf->vma, frame, nr, BW_GFP_AHEAD))
		return 0;
	return bw_frames_map(view, vmf->vma, frame, 1, BW_GFP_FAULT);
}

static int frame_fault_in(struct vm_fault *vmf, struct bw_view *view)
{
	struct bw_heap *heap = view->arena->heap;
	u32 frame = vmf->pgoff - bw_view_pgoff(view), nr;
	int err = 0;

	if (READ_ONCE(heap->dead) || is_hole_in_a_dump(view, frame))
		return -EFAULT;
	nr = frames_due(vmf, view, frame);
	if (!nr)
		return -ESTALE;
	if (vmf->flags & FAULT_FLAG_WRITE && READ_ONCE(heap->cow))
		err = bw_frame_unshare(view, frame, BW_GFP_FAULT);
	if (!err)
		err = frames_bring(vmf, view, frame, nr);
	if (!err) {
		spin_lock(&heap->lock);
		heap->nr_faults++;
		spin_unlock(&heap->lock);
	}
	return err;
}

static vm_fault_t frame_fault(struct vm_fault *vmf)
{
	struct bw_view *view = vmf->vma->vm_private_data;
	int err;

	if (!view)
		return VM_FAULT_SIGBUS;
	err = frame_fault_in(vmf, view);
	trace_burrow_fault(view->arena->heap->id, vmf->address, view->kind,
			   vmf->flags & FAULT_FLAG_WRITE, err);
	return bw_fault_answer(view->arena->heap, err);
}

static vm_fault_t kmeta_fault(struct vm_fault *vmf)
{
	struct bw_view *view = vmf->vma->vm_private_data;
	unsigned long off;

	if (!view)
		return VM_FAULT_SIGBUS;
	off = (vmf->pgoff - bw_view_pgoff(view)) << PAGE_SHIFT;
	vmf->page = vmalloc_to_page((char *)view->arena->kwords + off);
	get_page(vmf->page);
	return 0;
}

/* mremap() copies the mapping and then is refused; fork() clones the heap. */
static void view_open(struct vm_area_struct *vma)
{
	struct bw_view *view = vma->vm_private_data;

	if (!view)
		return;
	if (vma->vm_mm == view->arena->heap->mm)
		bw_view_dup(view);
	else
		bw_view_fork(vma);
}

static void view_close(struct vm_area_struct *vma)
{
	struct bw_view *view = vma->vm_private_data;
	struct bw_heap *heap;

	if (!view)
		return;
	heap = view->arena->heap;
	refcount_inc(&heap->refs);
	bw_view_unmap(view);
	/* the address space is exiting: with its last mapping the heap goes */
	if (!atomic_read(&vma->vm_mm->mm_users) && !READ_ONCE(heap->nr_views) &&
	    bw_file_del(heap))
		bw_heap_end(heap);
	bw_heap_put(heap);
}

static int view_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static int view_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const char *view_name(struct vm_area_struct *vma)
{
	static const char * const name[BURROW_NR_MMAP_KINDS] = {
		[BURROW_MMAP_DATA]	= "[burrow:data]",
		[BURROW_MMAP_KMETA]	= "[burrow:kwords]",
		[BURROW_MMAP_UMETA]	= "[burrow:uwords]",
	};
	struct bw_view *view = vma->vm_private_data;

	return view ? name[view->kind] : "[burrow:dead]";
}

/* Having a name is also what puts the data into core dumps. */
#define VIEW_OPS			\
	.open		= view_open,	\
	.close		= view_close,	\
	.may_split	= view_may_split, \
	.mremap		= view_mremap,	\
	.name		= view_name

static const struct vm_operations_struct kmeta_ops = {
	VIEW_OPS,
	.fault		= kmeta_fault,
};

static const struct vm_operations_struct frame_ops = {
	VIEW_OPS,
	.fault		= frame_fault,
};

/* While frames may be shared with a parent or child. */
static const struct vm_operations_struct cow_ops = {
	VIEW_OPS,
	.fault		= frame_fault,
	.page_mkwrite	= bw_view_mkwrite,
};

#if BW_CAN_HUGE
static const struct vm_operations_struct huge_ops = {
	VIEW_OPS,
	.fault		= frame_fault,
	.huge_fault	= bw_huge_fault,
};

static const struct vm_operations_struct huge_cow_ops = {
	VIEW_OPS,
	.fault		= frame_fault,
	.huge_fault	= bw_huge_fault,
	.page_mkwrite	= bw_view_mkwrite,
};
#else
#define huge_ops	frame_ops
#define huge_cow_ops	cow_ops
#endif

const struct vm_operations_struct *bw_view_ops(const struct bw_view *view,
					       bool cow)
{
	if (view->kind == BURROW_MMAP_KMETA)
		return &kmeta_ops;
	if (bw_view_is_huge(view))
		return cow ? &huge_cow_ops : &huge_ops;
	return cow ? &cow_ops : &frame_ops;
}

bool bw_ops_are_cow(const struct vm_operations_struct *ops)
{
	return ops == &cow_ops || ops == &huge_cow_ops;
}

/*
 * vm_page_prot is what the next entry will get: without VM_SHARED it is
 * read-only, and the first write comes to page_mkwrite() or huge_fault().
 */
void bw_vma_protect(struct vm_area_struct *vma, bool readonly)
{
	vm_flags_t flags = vma->vm_flags;

	WRITE_ONCE(vma->vm_page_prot,
		   vm_get_page_prot(readonly ? flags & ~VM_SHARED : flags));
}

static bool vma_fits(struct vm_area_struct *vma, struct bw_heap *heap,
		     enum burrow_mmap_kind kind, u64 index)
{
	unsigned long size = bw_view_size(kind);

	return index < heap->nr_arenas &&
	       vma->vm_start == heap->base[kind] + index * size &&
	       vma->vm_end - vma->vm_start == size;
}

int bw_mmap(struct file *file, struct vm_area_struct *vma)
{
	const unsigned int kind_shift = BURROW_MMAP_KIND_SHIFT - PAGE_SHIFT;
	u64 kind = vma->vm_pgoff >> kind_shift;
	u64 off = vma->vm_pgoff & ((1ULL << kind_shift) - 1);
	struct bw_heap *heap = bw_file_heap(file->private_data, current->mm);
	struct bw_view *view;
	u64 index;
	int err;

	if (IS_ERR(heap))
		return PTR_ERR(heap);
	if (kind >= BURROW_NR_MMAP_KINDS || !(vma->vm_flags & VM_SHARED) ||
	    vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (kind == BURROW_MMAP_KMETA && vma->vm_flags & VM_WRITE)
		return -EINVAL;
	index = off / (BURROW_ARENA_SIZE >> PAGE_SHIFT);
	if (off % (BURROW_ARENA_SIZE >> PAGE_SHIFT) ||
	    !vma_fits(vma, heap, kind, index))
		return -EINVAL;
	err = bw_view_map(heap, index, kind, &view);
	if (err)
		return err;

	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND);
	if (kind == BURROW_MMAP_KMETA)
		vm_flags_clear(vma, VM_MAYWRITE);
	else if (bw_view_is_huge(view))
		vm_flags_set(vma, BW_HUGE_VM_FLAGS);
	else
		vm_flags_set(vma, VM_MIXEDMAP);
	vma->vm_private_data = view;
	vma->vm_ops = bw_view_ops(view, heap->cow);
	return 0;
}

/* The VMA of a view in the caller's mm, if it is the one made above. */
struct vm_area_struct *bw_vma_find(struct bw_view *view)
{
	struct bw_heap *heap = view->arena->heap;
	struct vm_area_struct *vma;
	unsigned long start;

	mmap_assert_locked(current->mm);
	start = heap->base[view->kind] +
		view->arena->index * bw_view_size(view->kind);
	vma = vma_lookup(current->mm, start);
	if (!vma ||
	    (vma->vm_ops != bw_view_ops(view, false) &&
	     vma->vm_ops != bw_view_ops(view, true)) ||
	    vma->vm_private_data != view || !vma->vm_file ||
	    vma->vm_file->private_data != heap->file ||
	    vma->vm_pgoff != bw_view_pgoff(view) ||
	    !vma_fits(vma, heap, view->kind, view->arena->index))
		return NULL;
	return vma;
}
