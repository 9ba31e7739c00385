// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim: how memory leaves a heap.
 *
 *	claim (lock) -> unmap (no lock) -> empty the slots (lock, a few at a
 *	time) -> put the frames (no lock) -> end the claim (lock)
 *
 * A claimed page is not free, in no span, and refused by fault(), so nothing
 * can map it again before its frames are gone (H3). Free pages are claimed as
 * RECLAIMING without heap->insert; a page that an inserter has in hand is
 * passed over (H2). Part of a live span is DISCARDING and its faults wait for
 * heap->insert, which is held from claim to end.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "burrow_trace.h"
#include "heap.h"

#define DROP_BATCH	32U
#define CLAIM_PAGES	512U
#define DISCARD_BATCH	16U

static unsigned int reclaim_delay_us;
module_param(reclaim_delay_us, uint, 0600);
MODULE_PARM_DESC(reclaim_delay_us,
		 "for tests: wait between claiming pages and unmapping them");

static void delay_for_tests(void)
{
	unsigned int us = READ_ONCE(reclaim_delay_us);

	if (us)
		usleep_range(us, us + us / 4 + 1);
}

/*
 * Empties a slot, and where it is the first of a block's all of those (Y1 in
 * huge.c). How many had a frame.
 */
static u32 slot_take_locked(struct bw_heap *heap, struct page **slot,
			    struct page **page)
{
	u32 i, n = 1;

	if (!slot || !*slot)
		return 0;
	*page = *slot;
	if (PageHead(*page)) {
		n = BW_UNIT_FRAMES;
		heap->nr_units--;
	}
	for (i = 0; i < n; i++)
		WRITE_ONCE(slot[i], NULL);
	return n;
}

/*
 * Empties the slots of pages nobody can map, as long as the claim on them
 * stands: without the mmap lock an arena may go away. Returns frames put.
 */
static u64 drop_pages(struct bw_heap *heap, u32 page, u32 npages,
		      const struct bw_run *claim)
{
	u32 frame = page * BW_FRAMES_PER_PAGE;
	u32 end = (page + npages) * BW_FRAMES_PER_PAGE;
	const u32 per_arena = BURROW_ARENA_PAGES * BW_FRAMES_PER_PAGE;
	u64 dropped = 0;

	while (frame < end) {
		struct page *batch[DROP_BATCH];
		u32 nr = 0, gone = 0, i, freed;

		spin_lock(&heap->lock);
		if (!bw_core_run_is_there(&heap->core, claim))
			end = 0;
		while (frame < end && nr < DROP_BATCH) {
			struct bw_arena *arena;
			struct page **slot;
			u32 n;

			arena = bw_arena_find_locked(heap, frame / per_arena);
			slot = bw_slot_locked(&arena->view[BURROW_MMAP_DATA],
					      frame % per_arena);
			n = slot_take_locked(heap, slot, &batch[nr]);
			nr += !!n;
			gone += n;
			frame += max(n, 1U);
		}
		bw_heap_count_locked(heap, BURROW_MMAP_DATA, -(s64)gone);
		heap->nr_reclaimed += gone;
		spin_unlock(&heap->lock);
		for (i = 0, freed = 0; i < nr; i++)
			freed += bw_frame_drop(batch[i]);
		bw_heap_uncharge(heap, freed);
		dropped += gone;
	}
	return dropped;
}

void bw_pages_unmap(struct bw_heap *heap, u32 page, u32 npages)
{
	delay_for_tests();
	unmap_mapping_pages(&heap->file->mapping,
			    (pgoff_t)page * BW_FRAMES_PER_PAGE,
			    (pgoff_t)npages * BW_FRAMES_PER_PAGE, false);
}

/*
 * Pages of a span that is DISCARDING, under heap->insert: no entry, no frame. An
 * entry without a frame is not looked for elsewhere.
 */
void bw_pages_empty(struct bw_heap *heap, u32 page, u32 npages,
		    const struct bw_run *claim)
{
	bool resident;

	bw_pages_unmap(heap, page, npages);
	spin_lock(&heap->lock);
	resident = bw_core_is_resident(&heap->core, page, npages);
	spin_unlock(&heap->lock);
	if (!resident)
		return;
	drop_pages(heap, page, npages, claim);
	spin_lock(&heap->lock);
	bw_core_clear_resident(&heap->core, page, npages);
	spin_unlock(&heap->lock);
}

/* Claims the next lazy run of [page, end) that no inserter has in hand. */
static bool claim_locked(struct bw_heap *heap, u32 page, u32 end, u32 most,
			 struct bw_run *run)
{
	u32 busy = heap->busy, busy_end = busy + heap->nr_busy;

	most = min(most, CLAIM_PAGES);
	if (heap->is_forking)
		return false;
	if (!heap->nr_busy || busy_end <= page || busy >= end)
		return bw_core_reclaim_begin(&heap->core, page, end, most, run);
	return bw_core_reclaim_begin(&heap->core, page, busy, most, run) ||
	       bw_core_reclaim_begin(&heap->core, busy_end, end, most, run);
}

/*
 * Gives back what is lazy in [page, page + npages), at most @most pages. Needs
 * no lock and no memory: the shrinker calls it for any heap.
 */
u64 bw_reclaim_free(struct bw_heap *heap, u32 page, u32 npages, u32 most)
{
	u32 end = page + npages;
	u64 frames = 0;

	while (most) {
		struct bw_run run;
		bool found;

		spin_lock(&heap->lock);
		found = claim_locked(heap, page, end, most, &run);
		heap->nr_claims += found;
		spin_unlock(&heap->lock);
		if (!found)
			break;
		most -= min(most, run.npages);
		trace_burrow_reclaim(heap->id, run.page, run.npages);
		bw_pages_unmap(heap, run.page, run.npages);
		frames += drop_pages(heap, run.page, run.npages, &run);
		spin_lock(&heap->lock);
		bw_core_reclaim_end(&heap->core, &run);
		if (!--heap->nr_claims)
			wake_up_all(&heap->claims_wait);
		spin_unlock(&heap->lock);
		page = run.page + run.npages;
		cond_resched();
	}
	return frames;
}

/* What a discard takes: neighbouring ranges, each inside one live span. */
struct discard {
	const struct burrow_range *range;
	u32 nr;
	struct bw_run span[DISCARD_BATCH];
};

/*
 * Claims ranges from @d->range on while they are neighbours. An errno only if
 * the first is refused: another's turn comes with the next call.
 */
static int discard_claim_locked(struct bw_heap *heap, struct discard *d, u32 nr)
{
	for (d->nr = 0; d->nr < min(nr, DISCARD_BATCH); d->nr++) {
		const struct burrow_range *r = &d->range[d->nr];
		int err;

		if (d->nr && r->page != r[-1].page + r[-1].npages)
			break;
		err = bw_core_discard_begin(&heap->core, r->page, r->npages,
					    &d->span[d->nr]);
		if (err)
			return d->nr ? 0 : err;
	}
	return 0;
}

static void discard_end_locked(struct bw_heap *heap, const struct discard *d)
{
	u32 i;

	for (i = 0; i < d->nr; i++) {
		bw_core_clear_resident(&heap->core, d->range[i].page,
				       d->range[i].npages);
		bw_core_discard_end(&heap->core, &d->span[i]);
	}
}

static int discard(struct bw_heap *heap, const struct burrow_range *range,
		   u32 nr, u32 *done, u64 *frames)
{
	struct discard d = { .range = range };
	const struct burrow_range *last;
	u32 npages;
	int err;

	mutex_lock(&heap->insert);
	spin_lock(&heap->lock);
	err = discard_claim_locked(heap, &d, nr);
	spin_unlock(&heap->lock);
	if (err)
		goto out_unlock;
	last = &range[d.nr - 1];
	npages = last->page + last->npages - range->page;
	trace_burrow_discard(heap->id, range->page, npages);
	bw_pages_unmap(heap, range->page, npages);
	*frames += drop_pages(heap, range->page, npages, &d.span[0]);
	*done += d.nr;
	spin_lock(&heap->lock);
	discard_end_locked(heap, &d);
	spin_unlock(&heap->lock);
out_unlock:
	mutex_unlock(&heap->insert);
	return err;
}

static int check_range(const struct bw_heap *heap, const struct burrow_range *r)
{
	u32 limit = heap->nr_arenas << BURROW_ARENA_PAGE_SHIFT;

	return r->npages && r->page < limit && r->npages <= limit - r->page ?
	       0 : -EINVAL;
}

/* Of what is live in a huge arena only whole units go. */
static bool range_is_whole_locked(struct bw_heap *heap,
				  const struct burrow_range *r)
{
	struct bw_arena *arena;

	arena = bw_arena_find_locked(heap, r->page >> BURROW_ARENA_PAGE_SHIFT);
	return !arena || arena->kind != BURROW_ARENA_HUGE ||
	       (r->page | r->npages) % BURROW_HUGE_PAGES == 0;
}

/*
 * Ranges in order until one fails; each lies inside one live span, or is
 * wholly free. @done and @frames tell how far it came.
 */
int bw_reclaim_ranges(struct bw_heap *heap, const struct burrow_range *range,
		      u32 nr, u32 *done, u64 *frames)
{
	u32 good = 0;
	int err = 0;

	*done = 0;
	*frames = 0;
	while (good < nr && !check_range(heap, &range[good]))
		good++;
	while (*done < good && !err) {
		const struct burrow_range *r = &range[*done];
		bool unused, whole;

		spin_lock(&heap->lock);
		unused = bw_core_range_is_unused(&heap->core, r->page,
						 r->npages);
		whole = range_is_whole_locked(heap, r);
		spin_unlock(&heap->lock);
		if (!unused && !whole) {
			err = -EINVAL;
		} else if (unused) {
			*frames += bw_reclaim_free(heap, r->page, r->npages,
						   r->npages);
			(*done)++;
		} else {
			err = discard(heap, r, good - *done, done, frames);
		}
		cond_resched();
	}
	return err || good == nr ? err : -EINVAL;
}

/* The view was unmapped for good: all its frames and slots go. */
void bw_frames_drop(struct bw_view *view)
{
	struct bw_heap *heap = view->arena->heap;
	u32 c;

	WRITE_ONCE(view->tables, 0);
	for (c = 0; c < BW_DATA_CHUNKS; c++) {
		struct page **chunk;
		u32 i, nr = 0, freed = 0, units = 0;

		spin_lock(&heap->lock);
		chunk = view->chunk[c];
		view->chunk[c] = NULL;
		spin_unlock(&heap->lock);
		if (!chunk)
			continue;
		for (i = 0; i < BW_SLOT_CHUNK; i++) {
			if (!chunk[i])
				continue;
			units = PageHead(chunk[i]);
			nr += units ? BW_UNIT_FRAMES : 1;
			freed += bw_frame_drop(chunk[i]);
			/* a block is all that a chunk holds (Y1 in huge.c) */
			if (units)
				break;
		}
		free_page((unsigned long)chunk);
		spin_lock(&heap->lock);
		bw_heap_count_locked(heap, view->kind, -(s64)nr);
		heap->nr_units -= units;
		heap->meta_frames--;
		spin_unlock(&heap->lock);
		bw_heap_uncharge(heap, freed + 1);
		cond_resched();
	}
}
