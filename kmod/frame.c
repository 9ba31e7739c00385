// SPDX-License-Identifier: GPL-2.0-only
/*
 * frame: how memory gets into a heap, 4 KiB at a time.
 *
 *	SPAN_ALLOC	bw_populate()		a span's frames, in batches
 *	fault		frame_fault()		one frame, or a batch of those
 *						that are next, kmod/mmap.c
 *	    \_____________ bw_frames_map()	<- here
 *
 * Frames are allocated before any lock of ours is taken, then entered into
 * slots and page tables in one go under heap->insert (H2 in heap.h). Whoever
 * comes second finds the slot filled and maps the same frame.
 *
 * Rejected: filling the slot in fault() without insert and checking again
 * after the insertion. Between the insertion and the check a stale frame is
 * mapped; a span allocated meanwhile would be told that it is zero.
 */
#include <linux/gfp.h>
#include <linux/sched/signal.h>

#include "heap.h"

#define ROOM_ORDER	1U	/* a page table, and one that holds it */

struct page **bw_slot_locked(struct bw_view *view, u32 frame)
{
	struct page **chunk = view->chunk[frame / BW_SLOT_CHUNK];

	lockdep_assert_held(&view->arena->heap->lock);
	return chunk ? &chunk[frame % BW_SLOT_CHUNK] : NULL;
}

/* Makes sure that the slots around @frame exist. */
int bw_chunk_get(struct bw_view *view, u32 frame, gfp_t gfp)
{
	struct page ***to = &view->chunk[frame / BW_SLOT_CHUNK];
	struct bw_heap *heap = view->arena->heap;
	struct page **chunk;
	int err;

	if (READ_ONCE(*to))
		return 0;
	err = bw_heap_charge(heap, 1);
	if (err)
		return err;
	chunk = (struct page **)get_zeroed_page(gfp);
	if (!chunk) {
		bw_heap_uncharge(heap, 1);
		return -ENOMEM;
	}
	spin_lock(&heap->lock);
	if (!*to) {
		WRITE_ONCE(*to, chunk);
		heap->meta_frames++;
		chunk = NULL;
	}
	spin_unlock(&heap->lock);
	if (chunk) {
		free_page((unsigned long)chunk);
		bw_heap_uncharge(heap, 1);
	}
	return 0;
}

/**
 * struct batch - frames on their way into slots and page tables
 * @view:	where to
 * @slot:	its slots from @frame on; they stay while the mmap lock is held
 * @frame:	the first one's index in the view
 * @nr:		how many, BW_MAP_BATCH at most, all in one chunk of slots
 * @nr_fresh:	how many are in @fresh
 * @new:	bit i: page[i] was fresh until it filled the slot
 * @fresh:	frames allocated and charged, not yet in a slot
 * @page:	what the slots hold, with a reference of our own
 * @room:	given back before page tables are asked for, or NULL
 */
struct batch {
	struct bw_view *view;
	struct page **slot;
	u32 frame;
	u32 nr;
	u32 nr_fresh;
	u32 new;
	struct page *fresh[BW_MAP_BATCH];
	struct page *page[BW_MAP_BATCH];
	struct page *room;
};

/* The heap page that frame @i of the batch is part of. */
static u32 batch_page(const struct batch *b, u32 i)
{
	return b->view->arena->index * BURROW_ARENA_PAGES +
	       (b->frame + i) / BW_FRAMES_PER_PAGE;
}

/* A guess without the lock: batch_fill_locked() looks again. */
static u32 batch_count_missing(const struct batch *b)
{
	u32 i, missing = 0;

	for (i = 0; i < b->nr; i++)
		missing += !READ_ONCE(b->slot[i]);
	return missing;
}

static void batch_free_fresh(struct batch *b)
{
	bw_heap_uncharge(b->view->arena->heap, b->nr_fresh);
	while (b->nr_fresh)
		__free_page(b->fresh[--b->nr_fresh]);
}

static int batch_alloc(struct batch *b, u32 missing, gfp_t gfp)
{
	struct bw_heap *heap = b->view->arena->heap;
	u32 had = b->nr_fresh;
	int err;

	if (missing <= had)
		return 0;
	err = bw_heap_charge(heap, missing - had);
	if (err)
		return err;
	while (b->nr_fresh < missing) {
		struct page *page = alloc_page(gfp | __GFP_ZERO);

		if (!page) {
			bw_heap_uncharge(heap, missing - b->nr_fresh);
			return -ENOMEM;
		}
		b->fresh[b->nr_fresh++] = page;
	}
	return 0;
}

/*
 * A page table that the memory cgroup has no room for calls the OOM killer: the
 * kernel asks for it in its own way. Each chunk of slots has one page table. Where
 * it may not be there yet, room is found first, in our way, which may fail, and is
 * given up at the last moment. The cgroup keeps what is uncharged on a CPU for the
 * next charge there, so that is where it goes but for a migration or a thief.
 */
static int batch_find_room(struct batch *b, gfp_t gfp)
{
	u32 chunk = b->frame / BW_SLOT_CHUNK;

	BUILD_BUG_ON(BW_SLOT_CHUNK != PTRS_PER_PTE);
	BUILD_BUG_ON(BW_DATA_CHUNKS > BITS_PER_TYPE(b->view->tables));
	if (b->room || gfp != BW_GFP_CALL ||
	    READ_ONCE(b->view->tables) & 1U << chunk)
		return 0;
	b->room = alloc_pages(gfp, ROOM_ORDER);
	return b->room ? 0 : -ENOMEM;
}

static void batch_give_room(struct batch *b)
{
	if (b->room)
		__free_pages(b->room, ROOM_ORDER);
	b->room = NULL;
}

/*
 * May these frames be mapped, and where a slot is empty, may it be filled?
 * Pages of live spans may; of free pages only what is still there (lazy).
 */
static bool batch_may_map_locked(const struct batch *b)
{
	const struct bw_core *core = &b->view->arena->heap->core;
	u32 i;

	if (b->view->kind != BURROW_MMAP_DATA)
		return true;
	for (i = 0; i < b->nr; i++) {
		u32 page = batch_page(b, i);

		if (bw_core_page_is_fillable(core, page)) {
			/* on to the next page's first frame */
			i |= BW_FRAMES_PER_PAGE - 1;
			continue;
		}
		if (!b->slot[i] || !bw_core_page_is_usable(core, page))
			return false;
	}
	return true;
}

/*
 * Enters fresh frames into the empty slots and announces the pages as busy.
 * -ESTALE: a page is in no span. -EAGAIN: more slots are empty than were.
 */
static int batch_fill_locked(struct batch *b)
{
	struct bw_heap *heap = b->view->arena->heap;
	u32 i;

	if (!batch_may_map_locked(b))
		return -ESTALE;
	if (batch_count_missing(b) > b->nr_fresh)
		return -EAGAIN;
	b->new = 0;
	for (i = 0; i < b->nr; i++) {
		if (!b->slot[i]) {
			WRITE_ONCE(b->slot[i], b->fresh[--b->nr_fresh]);
			b->new |= 1U << i;
		}
		b->page[i] = b->slot[i];
		get_page(b->page[i]);
	}
	bw_heap_count_locked(heap, b->view->kind, hweight32(b->new));
	if (b->view->kind == BURROW_MMAP_DATA) {
		heap->busy = batch_page(b, 0);
		heap->nr_busy = batch_page(b, b->nr - 1) - heap->busy + 1;
		if (b->view->arena->kind == BURROW_ARENA_HUGE) {
			/* a single frame, or some of one unit (Y3) */
			heap->busy = ALIGN_DOWN(heap->busy, BURROW_HUGE_PAGES);
			heap->nr_busy = BURROW_HUGE_PAGES;
		}
		bw_core_set_resident(&heap->core, heap->busy, heap->nr_busy);
	}
	return 0;
}

static void batch_done(struct batch *b)
{
	struct bw_heap *heap = b->view->arena->heap;
	u32 i;

	spin_lock(&heap->lock);
	heap->nr_busy = 0;
	spin_unlock(&heap->lock);
	for (i = 0; i < b->nr; i++)
		put_page(b->page[i]);
}

/*
 * An entry is there already. If the slot was filled before us, the entry maps
 * what the slot holds (H3). If we filled it, the entry is left over from a
 * frame that is gone: take it out and insert ours.
 */
static int batch_insert_over(struct batch *b, struct vm_area_struct *vma,
			     unsigned long addr, u32 i)
{
	struct bw_heap *heap = b->view->arena->heap;

	if (!(b->new & 1U << i))
		return 0;
	unmap_mapping_pages(&heap->file->mapping,
			    bw_view_pgoff(b->view) + b->frame + i, 1, false);
	return bw_insert_page(vma, addr, b->page[i]);
}

/* Inserts frames [i, i + nr), all to be writable or all read-only. */
static int batch_insert_run(struct batch *b, struct vm_area_struct *vma, u32 i,
			    u32 nr, bool readonly)
{
	u32 end = i + nr;

	if (bw_ops_are_cow(vma->vm_ops))
		bw_vma_protect(vma, readonly);
	while (i < end) {
		unsigned long addr, left = end - i;
		int err;

		addr = vma->vm_start + (unsigned long)(b->frame + i) * PAGE_SIZE;
		if (left > 1) {
			err = vm_insert_pages(vma, addr, &b->page[i], &left);
		} else {
			err = bw_insert_page(vma, addr, b->page[i]);
			left = !!err;
		}
		i = end - left;
		if (!err)
			continue;
		if (err == -EBUSY) {
			addr = vma->vm_start +
			       (unsigned long)(b->frame + i) * PAGE_SIZE;
			err = batch_insert_over(b, vma, addr, i);
			i++;
		}
		if (err)
			/* -EFAULT here is a page table that was not to be had */
			return err == -EFAULT ? -ENOMEM : err;
	}
	return 0;
}

/*
 * Frames that were there are somebody's business already: they were mapped when
 * they came, and if their entries are gone the next touch brings them back. A
 * fault is that touch, for one frame, which may be shared: then its entry is
 * read-only, and so it is when it cannot be told (F3 in share.c).
 */
static int batch_insert(struct batch *b, struct vm_area_struct *vma)
{
	u32 i, n;
	int err;

	batch_give_room(b);
	/* one more than the slot's and the entries': batch_fill_locked()'s */
	if (b->nr == 1)
		return batch_insert_run(b, vma, 0, 1,
				!bw_frame_claim(b->page[0], 1));
	for (i = 0; i < b->nr; i += n) {
		bool new = b->new >> i & 1;

		for (n = 1; i + n < b->nr; n++)
			if ((b->new >> (i + n) & 1) != new)
				break;
		if (!new)
			continue;
		err = batch_insert_run(b, vma, i, n, false);
		if (err)
			return err;
	}
	return 0;
}

static void batch_note_table(struct batch *b)
{
	u32 bit = 1U << b->frame / BW_SLOT_CHUNK;

	lockdep_assert_held(&b->view->arena->heap->insert);
	if (!(b->view->tables & bit))
		WRITE_ONCE(b->view->tables, b->view->tables | bit);
}

/*
 * Frames [frame, frame + nr) of the view, BW_MAP_BATCH at most and all in one chunk
 * of slots, are there and mapped when this returns 0. The mmap lock is held. A fault brings its
 * @vma; without one it is looked up, and only if a frame is missing: frames
 * that are there were mapped when they came. -ESTALE: a page is in no span;
 * -EFAULT: the view is not mapped as it was; -ENOMEM.
 */
int bw_frames_map(struct bw_view *view, struct vm_area_struct *vma, u32 frame,
		  u32 nr, gfp_t gfp)
{
	struct bw_heap *heap = view->arena->heap;
	struct batch b;
	u32 missing;
	int err;

	err = bw_chunk_get(view, frame, gfp);
	if (err)
		return err;
	b.view = view;
	b.slot = &view->chunk[frame / BW_SLOT_CHUNK][frame % BW_SLOT_CHUNK];
	b.frame = frame;
	b.nr = nr;
	b.nr_fresh = 0;
	b.room = NULL;
	do {
		missing = batch_count_missing(&b);
		if (!vma) {
			if (!missing)
				break;
			err = -EFAULT;
			vma = bw_vma_find(view);
			if (!vma)
				break;
		}
		err = batch_find_room(&b, gfp);
		if (!err)
			err = batch_alloc(&b, missing, gfp);
		if (err)
			break;
		mutex_lock(&heap->insert);
		spin_lock(&heap->lock);
		err = batch_fill_locked(&b);
		spin_unlock(&heap->lock);
		if (!err) {
			err = batch_insert(&b, vma);
			if (!err)
				batch_note_table(&b);
			batch_done(&b);
		}
		mutex_unlock(&heap->insert);
	} while (err == -EAGAIN);
	batch_give_room(&b);
	if (b.nr_fresh)
		batch_free_fresh(&b);
	return err;
}

/*
 * Populates pages of spans that were just allocated. @done says how many pages
 * from the front are there when an error ends it.
 */
int bw_populate(struct bw_heap *heap, u32 page, u32 npages, u32 *done)
{
	for (*done = 0; *done < npages;) {
		u32 at = page + *done, frame, nr;
		struct bw_arena *arena;
		int err;

		/* the span was here under this mmap lock: its arenas stay */
		arena = heap->arena[at >> BURROW_ARENA_PAGE_SHIFT];
		frame = at % BURROW_ARENA_PAGES * BW_FRAMES_PER_PAGE;
		nr = min_t(u32, (npages - *done) * BW_FRAMES_PER_PAGE,
			   BW_SLOT_CHUNK - frame % BW_SLOT_CHUNK);
		nr = min(nr, BW_MAP_BATCH);
		err = bw_frames_map(&arena->view[BURROW_MMAP_DATA], NULL,
				    frame, nr, BW_GFP_CALL);
		if (err)
			return err;
		*done += nr / BW_FRAMES_PER_PAGE;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
