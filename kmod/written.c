// SPDX-License-Identifier: GPL-2.0-only
/*
 * written: which frames were written since the last look, at no cost to writers.
 *
 *	HEAP_HARVEST
 *	  bw_written_harvest()		<- here
 *	    entries_harvest()		page tables: dirty bits, cleaned
 *	    tlb_flush()			nobody writes by an entry it has cached
 *	    frames_harvest()		struct pages: what was written otherwise
 *
 * The processor notes the first write by each entry. An entry may be gone by
 * now: then the kernel has passed the note on to the frame (PG_dirty), as it does
 * for writes of its own. I/O that has pinned a frame tells nobody what it does:
 * such a frame counts as written now and once more after it is let go.
 *
 * V1. Whoever cleans an entry (fork, a harvest) or gives a page another frame
 *     (COW) notes the frame here first; a child starts with a copy of the notes.
 * V2. PG_dirty of a frame that several slots hold is looked at, not taken: it is
 *     each holder's.
 * V3. Notes are handed out only after the flush that makes them good, one harvest
 *     at a time. Another's could otherwise hand out those of ours before it.
 * V4. Entries first, frames second: an entry that goes meanwhile leaves its note
 *     where we have yet to look.
 *
 * Rejected: an index that is never populated, to be unmapped for its flush. Any
 * index will do: one without a frame if there is one, and if not, a frame's entry
 * comes back by the next touch.
 */
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/sched.h>

#include "heap.h"

#define NOTE_WORDS	(BURROW_HARVEST_FRAMES / BITS_PER_LONG)
#define CHUNK_WORDS	(BW_SLOT_CHUNK / BITS_PER_LONG)

/**
 * struct bw_written - the notes of one arena, one bit a frame
 * @frame:	written since the last harvest		[atomic]
 * @pinned:	pinned at the last harvest		[heap->harvest]
 */
struct bw_written {
	unsigned long frame[NOTE_WORDS];
	unsigned long pinned[NOTE_WORDS];
};

static struct bw_written *written_make(struct bw_heap *heap)
{
	struct bw_written *w;

	BUILD_BUG_ON(sizeof(*w) > PAGE_SIZE);
	if (bw_heap_charge(heap, 1))
		return NULL;
	w = (struct bw_written *)get_zeroed_page(BW_GFP_CALL);
	if (!w) {
		bw_heap_uncharge(heap, 1);
		return NULL;
	}
	spin_lock(&heap->lock);
	heap->meta_frames++;
	spin_unlock(&heap->lock);
	return w;
}

/* The arena's data goes, and with it what was known of it. */
void bw_written_forget(struct bw_arena *arena)
{
	struct bw_heap *heap = arena->heap;

	if (!arena->written)
		return;
	free_page((unsigned long)arena->written);
	arena->written = NULL;
	arena->is_harvested = false;
	spin_lock(&heap->lock);
	heap->meta_frames--;
	spin_unlock(&heap->lock);
	bw_heap_uncharge(heap, 1);
}

/* V1. For nothing before the first harvest: that says "all". */
void bw_written_note(struct bw_view *view, u32 frame)
{
	struct bw_written *w = READ_ONCE(view->arena->written);

	if (w && view->kind == BURROW_MMAP_DATA)
		set_bit(frame, w->frame);
}

/*
 * fork, after the entries were cleaned: a frame's note that is not in an entry.
 * Several slots are about to hold it, so this is the last time to take it.
 */
void bw_written_note_frame(struct bw_view *view, u32 frame, struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!view->arena->written || folio_test_large(folio))
		return;
	if (folio_test_clear_dirty(folio) || folio_maybe_dma_pinned(folio))
		bw_written_note(view, frame);
}

/* Without memory for it the child's first harvest says "all". */
void bw_written_clone(struct bw_arena *to, const struct bw_arena *from)
{
	if (!from->is_harvested)
		return;
	to->written = written_make(to->heap);
	if (!to->written)
		return;
	*to->written = *from->written;
	to->is_harvested = true;
}

struct look {
	struct bw_view *view;
	struct vm_area_struct *vma;
	bool any;
};

/* Under the page table's lock. */
static int entry_harvest(pte_t *pte, unsigned long addr, void *data)
{
	struct look *l = data;
	pte_t entry = *pte;

	if (!pte_present(entry) || !pte_dirty(entry))
		return 0;
	entry = ptep_get_and_clear(l->vma->vm_mm, addr, pte);
	set_pte_at(l->vma->vm_mm, addr, pte, pte_mkclean(entry));
	bw_written_note(l->view, (addr - l->vma->vm_start) >> PAGE_SHIFT);
	l->any = true;
	return 0;
}

/*
 * Runs of filled slots: elsewhere the walk would allocate page tables. A slot
 * that fills meanwhile has an entry without a note, so it is not missed.
 */
int bw_view_walk(struct bw_view *view, struct vm_area_struct *vma, pte_fn_t fn,
		 void *data)
{
	u32 c, i, n;

	for (c = 0; c < BW_DATA_CHUNKS; c++) {
		struct page **chunk = READ_ONCE(view->chunk[c]);

		for (i = 0; chunk && i < BW_SLOT_CHUNK; i += n + 1) {
			unsigned long at = c * BW_SLOT_CHUNK + i;
			int err;

			n = 0;
			while (i + n < BW_SLOT_CHUNK && READ_ONCE(chunk[i + n]))
				n++;
			if (!n)
				continue;
			err = apply_to_page_range(vma->vm_mm, vma->vm_start +
						  at * PAGE_SIZE,
						  n * PAGE_SIZE, fn, data);
			if (err)
				return err;
		}
		cond_resched();
	}
	return 0;
}

/* The highest frame without memory, or simply the last. */
static u32 frame_to_unmap(struct bw_view *view)
{
	u32 frame = BURROW_HARVEST_FRAMES;

	while (frame--) {
		struct page **chunk;

		chunk = READ_ONCE(view->chunk[frame / BW_SLOT_CHUNK]);
		if (!chunk || !READ_ONCE(chunk[frame % BW_SLOT_CHUNK]))
			return frame;
	}
	return BURROW_HARVEST_FRAMES - 1;
}

/*
 * An unmapping that finds another pending in the same address space flushes all
 * of it: that is what a module can get.
 */
static void tlb_flush(struct bw_view *view)
{
	unmap_mapping_pages(&view->arena->heap->file->mapping,
			    bw_view_pgoff(view) + frame_to_unmap(view), 1,
			    false);
}

static int entries_harvest(struct bw_view *view, struct vm_area_struct *vma)
{
	struct look l = { .view = view, .vma = vma };
	int err;

	inc_tlb_flush_pending(vma->vm_mm);
	err = bw_view_walk(view, vma, entry_harvest, &l);
	if (l.any)
		tlb_flush(view);
	dec_tlb_flush_pending(vma->vm_mm);
	return err;
}

static void chunk_harvest_locked(struct page **chunk, unsigned long *frame,
				 unsigned long *pinned)
{
	unsigned long was[CHUNK_WORDS];
	u32 i;

	memcpy(was, pinned, sizeof(was));
	memset(pinned, 0, sizeof(was));
	for (i = 0; chunk && i < BW_SLOT_CHUNK; i++) {
		struct page *page = chunk[i];
		struct folio *folio;

		if (test_bit(i, was))
			set_bit(i, frame);
		if (!page)
			continue;
		folio = page_folio(page);
		if (folio_maybe_dma_pinned(folio)) {
			__set_bit(i, pinned);
			set_bit(i, frame);
		}
		if (folio_test_dirty(folio)) {
			set_bit(i, frame);
			if (!bw_frame_is_shared(page))
				folio_clear_dirty(folio);
		}
	}
}

static void frames_harvest(struct bw_view *view)
{
	struct bw_heap *heap = view->arena->heap;
	struct bw_written *w = view->arena->written;
	u32 c;

	for (c = 0; c < BW_DATA_CHUNKS; c++) {
		spin_lock(&heap->lock);
		chunk_harvest_locked(view->chunk[c],
				     w->frame + c * CHUNK_WORDS,
				     w->pinned + c * CHUNK_WORDS);
		spin_unlock(&heap->lock);
		cond_resched();
	}
}

/* Moves the notes into @bits; how many. */
static u32 notes_take(struct bw_written *w, unsigned long *bits)
{
	u32 i, nr = 0;

	for (i = 0; i < NOTE_WORDS; i++) {
		bits[i] = READ_ONCE(w->frame[i]) ? xchg(&w->frame[i], 0) : 0;
		nr += hweight_long(bits[i]);
	}
	return nr;
}

/* With the notes made good, or an errno and no note lost. */
static int view_harvest(struct bw_view *view, struct vm_area_struct *vma,
			unsigned long *bits, u32 *nr, bool *all)
{
	struct bw_arena *arena = view->arena;
	int err;

	*all = !arena->is_harvested;
	if (!arena->written)
		WRITE_ONCE(arena->written, written_make(arena->heap));
	if (!arena->written)
		return -ENOMEM;
	err = entries_harvest(view, vma);
	if (err)
		return err;
	frames_harvest(view);
	*nr = notes_take(arena->written, bits);
	arena->is_harvested = true;
	return 0;
}

/*
 * Under the mmap lock, which keeps the arena and its mapping. @nr is how many bits
 * are set if not @all are.
 */
int bw_written_harvest(struct bw_heap *heap, u32 index, unsigned long *bits,
		       u32 *nr, bool *all)
{
	struct vm_area_struct *vma;
	struct bw_arena *arena;
	struct bw_view *view;
	int err = 0;

	spin_lock(&heap->lock);
	arena = bw_arena_find_locked(heap, index);
	spin_unlock(&heap->lock);
	if (!arena)
		return -ENXIO;
	view = &arena->view[BURROW_MMAP_DATA];
	vma = bw_vma_find(view);
	*all = !vma || arena->kind == BURROW_ARENA_HUGE;
	if (*all)
		return 0;
	mutex_lock(&heap->harvest);
	err = view_harvest(view, vma, bits, nr, all);
	mutex_unlock(&heap->harvest);
	return err;
}

/* A harvest that could not be told: its notes are notes again. */
void bw_written_return(struct bw_heap *heap, u32 index,
		       const unsigned long *bits)
{
	struct bw_arena *arena;
	u32 i;

	mmap_read_lock(current->mm);
	spin_lock(&heap->lock);
	arena = bw_arena_find_locked(heap, index);
	spin_unlock(&heap->lock);
	for (i = 0; arena && arena->written && i < BURROW_HARVEST_FRAMES; i++)
		if (test_bit(i, bits))
			set_bit(i, arena->written->frame);
	mmap_read_unlock(current->mm);
}
