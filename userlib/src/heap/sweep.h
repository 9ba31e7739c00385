/* SPDX-License-Identifier: MIT */
/*
 * sweep: what has no mark is free.
 *
 *	gc/cycle.c
 *	  bw_sweep_begin()		with the world stopped
 *	  bw_sweep_some()		<- here: in the background, to the end
 *	bw_mcentral_swap()		heap/mcentral.c: a refill sweeps what it takes
 *	  span_new()			and some more before it asks for new pages
 *
 * Sweeping a span is @alloc &= its mark bits, and mark bits = 0. Slots that were
 * freed while marking stay free so, and so do slots that became black with their
 * window and were not used.
 *
 * S1. While marking nothing is unswept: a cycle sweeps to the end before it
 *     begins, and its first stop waits for who has spans AWAY, as they are in
 *     sections. So mark bits are those of one cycle.
 * S2. bw_sweep_begin() runs with the world stopped outside the allocator, and
 *     with every mcache flushed: no span is CACHED, no free waits for company.
 *     What was in stashes (mcache.h) has no mark, and is swept: to drop it is a
 *     store, where looking for the span of each slot would make the stop longer.
 *     So two values are enough for @sweepgen, h - 2 and h, where a runtime whose
 *     caches are flushed by their owners needs five.
 *     (selftests/model/gcsweep.pml)
 * S3. A small span is swept by the one that took it off its list (E4 in mcentral.h),
 *     under its own lock, with its sweepgen set in the same hold; a large one under
 *     its list's lock, too: once a cycle, whoever comes first.
 * S4. A span with objects of the collector's that ends while marking goes to
 *     limbo: markers may be looking into it.
 * S5. Mark bits of a span that ends are cleared before it does: those of a new
 *     one are clear.
 */
#ifndef BW_HEAP_SWEEP_H
#define BW_HEAP_SWEEP_H

#include "pageheap.h"

/* The bits of a span's slots, by index, where its first slot has its place. */
static inline u64 *bw_marks_of(const struct bw_mspan_map *map,
			       const struct bw_mspan *s)
{
	size_t off = (size_t)(READ_ONCE(s->base) - map->base);

	return (u64 *)(void *)(map->umeta +
			       ((off >> BURROW_ARENA_SHIFT) <<
				BURROW_UMETA_SHIFT) + BURROW_U_MARK +
			       (off >> BURROW_PAGE_SHIFT) % BURROW_ARENA_PAGES *
			       BURROW_U_PAGE_BYTES);
}

/* Marking begins, the world is stopped: what mcaches have to give is black. */
s64 bw_sweep_blacken(struct bw_mheap *h);

/* The world is stopped: all mcaches are flushed. */
void bw_sweep_flush(struct bw_mheap *h);

/* The world is stopped, and all is marked: everything is unswept. */
void bw_sweep_begin(struct bw_mheap *h);

/* Sweeps about @nr spans; false: nothing is left. Any thread, no locks. */
bool bw_sweep_some(struct bw_mheap *h, u32 nr);

/* Spans that ended while marking go. After bw_sweep_begin(). */
void bw_sweep_limbo(struct bw_mheap *h);

/* A span that its holder puts: true, it was marking, and it is in limbo. */
bool bw_sweep_defer(struct bw_mheap *h, struct bw_mspan *s);

/* With the span's lock, AWAY or large: the number of objects it lost. */
u32 bw_sweep_span_locked(struct bw_mheap *h, struct bw_mspan *s);

/* With the span's lock: S5. */
void bw_marks_clear_locked(struct bw_mheap *h, struct bw_mspan *s);

#endif
