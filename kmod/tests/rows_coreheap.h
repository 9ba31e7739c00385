/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * rows_coreheap: short stories of a page heap, and how they have to go.
 *
 * A row is a script. Each step does one thing or asks one question and says
 * what comes of it; bw_core_check() is asked after every step. Spans and
 * claimed runs are kept in numbered slots. The window has six arenas, none of
 * them mapped at first. A story may go on in a clone of its heap, and back.
 */
#ifndef BW_TESTS_ROWS_COREHEAP_H
#define BW_TESTS_ROWS_COREHEAP_H

#include "scene.h"

#define STORY_SLOTS	6
#define STORY_STEPS	24
#define STORY_ARENAS	6
#define STORY_BATCH_MOST 8U

enum story_op {
	STORY_END,
	STORY_MAP,		/* a: arena, b: its kind */
	STORY_UNMAP,		/* a: arena */
	STORY_ALLOC,		/* a: pages, b: align, c: kind of arena */
				/* want: page or -E */
	STORY_GUARDED,		/* the same, with a guard */
	STORY_BATCH,		/* a: pages, b: spans, c: kind; want: how many */
	STORY_FREE,		/* the slot; want: 0 or -E */
	STORY_FIND,		/* the slot; want: 0 or -E */
	STORY_EXTEND,		/* the slot, a: pages; want: first new page or -E */
	STORY_TRIM,		/* the slot, a: pages; want: first one gone or -E */
	STORY_TOUCH,		/* a: page, b: pages become resident */
	STORY_UNTOUCH,		/* a: page, b: pages lose their frames */
	STORY_DISCARD,		/* a: page, b: pages; want: head page or -E */
	STORY_DISCARD_END,
	STORY_RECLAIM,		/* a: page, b: end, c: most; want: page or -1 */
	STORY_RECLAIM_END,
	STORY_SET_GEN,		/* a: the generation given out last */
	STORY_CLONE,		/* the other heap is now this one's clone */
	STORY_OTHER,		/* on with the other heap */
	STORY_GEN,		/* of the slot's run */
	STORY_LENGTH,		/* of the slot's run, in pages */
	STORY_NEEDZERO,		/* of the slot's head word */
	STORY_STATE,		/* of the slot's head word */
	STORY_FLAGS,		/* of the slot's head word but needzero */
	STORY_USABLE,		/* a: page */
	STORY_FILLABLE,		/* a: page of an arena that is there */
	STORY_RESIDENT,		/* a: page, b: pages, all of them mapped */
	STORY_UNUSED,		/* a: page, b: pages */
	STORY_SPANS,		/* what the counters say */
	STORY_LIVE,
	STORY_NR_FREE,
	STORY_LAZY,
};

struct story_step {
	enum story_op op;
	u32 slot;
	u32 a;
	u32 b;
	u32 c;
	s64 want;
};

struct coreheap_row {
	const char *name;
	struct story_step step[STORY_STEPS];
};

#define MAP(i)			{ STORY_MAP, 0, (i), 0, 0, 0 }
#define MAP_OF(k, i)		{ STORY_MAP, 0, (i), (k), 0, 0 }
#define UNMAP(i)		{ STORY_UNMAP, 0, (i), 0, 0, 0 }
#define ALLOC(s, n, al, w)	{ STORY_ALLOC, (s), (n), (al), 0, (w) }
#define ALLOC_OF(k, s, n, al, w) { STORY_ALLOC, (s), (n), (al), (k), (w) }
#define GUARDED(k, s, n, w)	{ STORY_GUARDED, (s), (n), 0, (k), (w) }
#define BATCH(k, s, n, nr, w)	{ STORY_BATCH, (s), (n), (nr), (k), (w) }
#define FIND(s, w)		{ STORY_FIND, (s), 0, 0, 0, (w) }
#define FREE(s, w)		{ STORY_FREE, (s), 0, 0, 0, (w) }
#define EXTEND(s, n, w)		{ STORY_EXTEND, (s), (n), 0, 0, (w) }
#define TRIM(s, n, w)		{ STORY_TRIM, (s), (n), 0, 0, (w) }
#define TOUCH(p, n)		{ STORY_TOUCH, 0, (p), (n), 0, 0 }
#define UNTOUCH(p, n)		{ STORY_UNTOUCH, 0, (p), (n), 0, 0 }
#define DISCARD(s, p, n, w)	{ STORY_DISCARD, (s), (p), (n), 0, (w) }
#define DISCARD_END(s)		{ STORY_DISCARD_END, (s), 0, 0, 0, 0 }
#define RECLAIM(s, p, e, m, w)	{ STORY_RECLAIM, (s), (p), (e), (m), (w) }
#define RECLAIM_END(s)		{ STORY_RECLAIM_END, (s), 0, 0, 0, 0 }
#define SET_GEN(g)		{ STORY_SET_GEN, 0, (g), 0, 0, 0 }
#define CLONE			{ STORY_CLONE, 0, 0, 0, 0, 0 }
#define OTHER			{ STORY_OTHER, 0, 0, 0, 0, 0 }
#define GEN(s, w)		{ STORY_GEN, (s), 0, 0, 0, (w) }
#define LENGTH(s, w)		{ STORY_LENGTH, (s), 0, 0, 0, (w) }
#define NEEDZERO(s, w)		{ STORY_NEEDZERO, (s), 0, 0, 0, (w) }
#define STATE(s, w)		{ STORY_STATE, (s), 0, 0, 0, (w) }
#define FLAGS(s, w)		{ STORY_FLAGS, (s), 0, 0, 0, (w) }
#define USABLE(p, w)		{ STORY_USABLE, 0, (p), 0, 0, (w) }
#define FILLABLE(p, w)		{ STORY_FILLABLE, 0, (p), 0, 0, (w) }
#define RESIDENT(p, n, w)	{ STORY_RESIDENT, 0, (p), (n), 0, (w) }
#define UNUSED(p, n, w)		{ STORY_UNUSED, 0, (p), (n), 0, (w) }
#define SPANS(w)		{ STORY_SPANS, 0, 0, 0, 0, (w) }
#define LIVE(w)			{ STORY_LIVE, 0, 0, 0, 0, (w) }
#define NR_FREE(w)		{ STORY_NR_FREE, 0, 0, 0, 0, (w) }
#define LAZY(w)			{ STORY_LAZY, 0, 0, 0, 0, (w) }

#define HEAP			BURROW_ARENA_HEAP
#define STACK			BURROW_ARENA_STACK
#define HUGE			BURROW_ARENA_HUGE
#define UNIT			BURROW_HUGE_PAGES

static const struct coreheap_row coreheap_rows[] = {
	{ "a heap without arenas has no room",
	  { ALLOC(0, 1, 0, -ENOSPC), NR_FREE(0) } },
	{ "a span is taken at the lowest place and freed once",
	  { MAP(1), NR_FREE(ARENA), ALLOC(0, 3, 0, ARENA), STATE(0, 1),
	    SPANS(1), LIVE(3), NR_FREE(ARENA - 3), FREE(0, 0), SPANS(0),
	    LIVE(0), NR_FREE(ARENA), FREE(0, -ESTALE) } },
	{ "align 0 is align 1",
	  { MAP(0), ALLOC(0, 3, 0, 0), ALLOC(1, 3, 0, 3), ALLOC(2, 4, 1, 6),
	    ALLOC(3, 4, 4, 12), ALLOC(4, 2, 0, 10) } },
	{ "the next span at the same place has another generation",
	  { MAP(0), SET_GEN(41), ALLOC(0, 1, 0, 0), GEN(0, 42), FREE(0, 0),
	    ALLOC(1, 1, 0, 0), GEN(1, 43), FREE(0, -ESTALE), SPANS(1),
	    FREE(1, 0) } },
	{ "generations wrap to 0",
	  { MAP(0), SET_GEN(BURROW_GEN_MASK), ALLOC(0, 2, 0, 0), GEN(0, 0),
	    DISCARD(1, 1, 1, 0), GEN(1, 0), DISCARD_END(1), FREE(0, 0) } },
	{ "fresh pages need no zeroing",
	  { MAP(0), ALLOC(0, 4, 0, 0), NEEDZERO(0, 0), FREE(0, 0), LAZY(0),
	    ALLOC(1, 4, 0, 0), NEEDZERO(1, 0) } },
	{ "pages somebody saw are lazy when free and need zeroing when taken",
	  { MAP(0), ALLOC(0, 4, 0, 0), TOUCH(2, 1), FREE(0, 0), LAZY(1),
	    ALLOC(1, 2, 0, 0), NEEDZERO(1, 0), LAZY(1), ALLOC(2, 2, 0, 2),
	    NEEDZERO(2, 1), LAZY(0), FREE(2, 0), LAZY(1) } },
	{ "pages whose frames went while live are not lazy later",
	  { MAP(0), ALLOC(0, 200, 0, 0), TOUCH(0, 200), UNTOUCH(63, 66),
	    FREE(0, 0), LAZY(134) } },
	{ "a lazy page is usable, a free one is not",
	  { MAP(0), ALLOC(0, 2, 0, 0), USABLE(0, 1), USABLE(2, 0), TOUCH(1, 1),
	    FREE(0, 0), USABLE(0, 0), USABLE(1, 1), USABLE(AT(1, 0), 0),
	    USABLE(AT(6, 0), 0), USABLE(~0U, 0) } },
	{ "a span grows into the free pages behind it and keeps its name",
	  { MAP(0), ALLOC(0, 3, 0, 0), ALLOC(1, 2, 0, 3), FREE(1, 0),
	    EXTEND(0, 10, 3), FIND(0, 0), SPANS(1), LIVE(10),
	    NR_FREE(ARENA - 10), NEEDZERO(0, 0), UNUSED(9, 1, 0),
	    UNUSED(10, 1, 1), ALLOC(1, 1, 0, 10), FREE(0, 0), LIVE(1),
	    NR_FREE(ARENA - 1) } },
	{ "a span does not grow over what is not free",
	  { MAP(0), ALLOC(0, 3, 0, 0), ALLOC(1, 2, 0, 3), ALLOC(2, 1, 0, 5),
	    FREE(1, 0), EXTEND(0, 6, -ENOSPC), LIVE(4), EXTEND(0, 5, 3),
	    EXTEND(0, 6, -ENOSPC), FREE(2, 0), TOUCH(4, 1), FREE(0, 0),
	    ALLOC(0, 4, 0, 0), RECLAIM(1, 0, ARENA, 9, 4),
	    EXTEND(0, 5, -ENOSPC), RECLAIM_END(1), EXTEND(0, 5, 4),
	    NEEDZERO(0, 0) } },
	{ "growing over lazy pages says needzero",
	  { MAP(0), ALLOC(0, 1, 0, 0), ALLOC(1, 4, 0, 1), TOUCH(3, 1),
	    FREE(1, 0), LAZY(1), EXTEND(0, 3, 1), NEEDZERO(0, 0), LAZY(1),
	    EXTEND(0, 4, 3), NEEDZERO(0, 1), LAZY(0), FREE(0, 0), LAZY(1) } },
	{ "a span grows from arena to arena of its kind and no further",
	  { MAP(0), MAP(1), MAP_OF(STACK, 2), ALLOC(0, ARENA - 1, 0, 0),
	    EXTEND(0, 2 * ARENA, ARENA - 1), LIVE(2 * ARENA), NR_FREE(ARENA),
	    EXTEND(0, 2 * ARENA + 1, -ENOSPC), FREE(0, 0), UNMAP(1),
	    ALLOC(0, ARENA, 0, 0), EXTEND(0, ARENA + 1, -ENOSPC) } },
	{ "at the end of the window there is nothing to grow into",
	  { MAP(5), ALLOC(0, ARENA, 0, AT(5, 0)), EXTEND(0, ARENA + 1, -ENOSPC),
	    EXTEND(0, 1U << 27, -ENOSPC), EXTEND(0, ~0U, -ENOSPC) } },
	{ "a span that ended or is being discarded does not change its length",
	  { MAP(0), ALLOC(0, 4, 0, 0), DISCARD(1, 1, 1, 0), EXTEND(0, 5, -EBUSY),
	    TRIM(0, 3, -EBUSY), DISCARD_END(1), EXTEND(0, 5, 4), TRIM(0, 3, 3),
	    FREE(0, 0), EXTEND(0, 6, -ESTALE), TRIM(0, 2, -ESTALE) } },
	{ "longer is not as long, and shorter is neither as long nor nothing",
	  { MAP(0), ALLOC(0, 4, 0, 0), EXTEND(0, 4, -EINVAL),
	    EXTEND(0, 3, -EINVAL), TRIM(0, 4, -EINVAL), TRIM(0, 5, -EINVAL),
	    TRIM(0, 0, -EINVAL), LIVE(4), TRIM(0, 1, 1), LIVE(1) } },
	{ "what a span gives back is free, and lazy where somebody saw it",
	  { MAP(0), ALLOC(0, 10, 0, 0), TOUCH(7, 2), TRIM(0, 6, 6), LAZY(2),
	    LIVE(6), SPANS(1), NR_FREE(ARENA - 6), FIND(0, 0),
	    UNUSED(6, ARENA - 6, 1), USABLE(6, 0), USABLE(7, 1),
	    ALLOC(1, 1, 0, 6), NEEDZERO(1, 0), ALLOC(2, 1, 0, 7),
	    NEEDZERO(2, 1), FREE(0, 0), LIVE(2) } },
	{ "reclaim takes the first lazy run and no more than asked",
	  { MAP(0), ALLOC(0, 100, 0, 0), TOUCH(10, 80), FREE(0, 0),
	    RECLAIM(1, 0, ARENA, 70, 10), LENGTH(1, 70), STATE(1, 3), LAZY(10),
	    NR_FREE(ARENA - 70), USABLE(10, 0), LIVE(0), SPANS(0),
	    RECLAIM_END(1), LAZY(10), NR_FREE(ARENA),
	    RECLAIM(2, 0, ARENA, 70, 80), LENGTH(2, 10), RECLAIM_END(2),
	    LAZY(0), RECLAIM(3, 0, ARENA, 70, -1) } },
	{ "reclaim looks only where it is told",
	  { MAP(0), ALLOC(0, 100, 0, 0), TOUCH(10, 80), FREE(0, 0),
	    RECLAIM(1, 0, 10, 99, -1), RECLAIM(1, 90, ARENA, 99, -1),
	    RECLAIM(1, 20, 85, 99, 20), LENGTH(1, 65), RECLAIM_END(1),
	    LAZY(15) } },
	{ "reclaimed pages come back zero",
	  { MAP(0), ALLOC(0, 8, 0, 0), TOUCH(0, 8), FREE(0, 0),
	    RECLAIM(1, 0, ARENA, 8, 0), ALLOC(2, 8, 0, 8), RECLAIM_END(1),
	    ALLOC(3, 8, 0, 0), NEEDZERO(3, 0), USABLE(0, 1) } },
	{ "a run under reclaim can be neither freed nor discarded",
	  { MAP(0), ALLOC(0, 8, 0, 0), TOUCH(0, 8), FREE(0, 0),
	    RECLAIM(1, 0, ARENA, 8, 0), FREE(1, -ESTALE),
	    DISCARD(2, 0, 8, -ESTALE), DISCARD(2, 3, 1, -ESTALE),
	    RECLAIM(2, 0, ARENA, 8, -1), RECLAIM_END(1), LAZY(0) } },
	{ "a reclaim that crosses arenas is one run",
	  { MAP(0), MAP(1), ALLOC(0, 2 * ARENA, 0, 0), TOUCH(ARENA - 70, 140),
	    FREE(0, 0), RECLAIM(1, 0, 6 * ARENA, 8192, ARENA - 70),
	    LENGTH(1, 140), RECLAIM_END(1), LAZY(0), NR_FREE(2 * ARENA) } },
	{ "a reclaim passes over arenas that are not there",
	  { MAP(0), MAP(3), ALLOC(0, ARENA, 0, 0), ALLOC(1, 9, 0, AT(3, 0)),
	    TOUCH(AT(3, 4), 2), FREE(1, 0),
	    RECLAIM(2, 0, 6 * ARENA, 64, AT(3, 4)), LENGTH(2, 2),
	    RECLAIM_END(2), LAZY(0) } },
	{ "a discard claims the whole span and only once",
	  { MAP(0), ALLOC(0, 20, 0, 0), TOUCH(0, 20), DISCARD(1, 5, 3, 0),
	    LENGTH(1, 20), STATE(0, 2), DISCARD(2, 5, 3, -EBUSY),
	    DISCARD(2, 5, 16, -ESTALE), FREE(0, -EBUSY), USABLE(5, 1),
	    SPANS(1), LIVE(20), UNTOUCH(5, 3), DISCARD_END(1), STATE(0, 1),
	    FREE(0, 0), LAZY(17) } },
	{ "a discard is inside one span or nowhere",
	  { MAP(0), ALLOC(0, 4, 0, 0), ALLOC(1, 4, 0, 4),
	    DISCARD(2, 3, 2, -ESTALE), DISCARD(2, 8, 1, -ESTALE),
	    DISCARD(2, AT(1, 0), 1, -ESTALE), DISCARD(2, ~0U, 1, -ESTALE),
	    DISCARD(2, 7, 2, -ESTALE), DISCARD(2, 0, ~0U, -ESTALE),
	    DISCARD(2, 4, 4, 4), DISCARD_END(2) } },
	{ "a range is unused when no span is in it",
	  { MAP(0), MAP(1), UNUSED(0, 2 * ARENA, 1), UNUSED(0, 2 * ARENA + 1, 0),
	    ALLOC(0, 4, 4, 0), ALLOC(1, 4, 0, 4), FREE(0, 0), UNUSED(0, 4, 1),
	    UNUSED(0, 5, 0), UNUSED(8, 100, 1), UNUSED(7, 1, 0), TOUCH(4, 4),
	    FREE(1, 0), RECLAIM(2, 0, ARENA, 9, 4), UNUSED(0, 100, 1),
	    UNUSED(AT(2, 0), 1, 0), RECLAIM_END(2) } },
	{ "a stale name frees nothing",
	  { MAP(0), ALLOC(0, 4, 0, 0), FREE(0, 0), ALLOC(1, 1, 0, 0),
	    ALLOC(2, 3, 0, 1), FREE(0, -ESTALE), SPANS(2), LIVE(4), UNMAP(0),
	    FREE(1, -ESTALE), FREE(2, -ESTALE) } },
	{ "an arena that goes takes its spans along",
	  { MAP(0), MAP(1), ALLOC(0, ARENA - 4, 0, 0),
	    ALLOC(1, 8, 0, ARENA - 4), ALLOC(2, 8, 0, ARENA + 4), TOUCH(0, 3),
	    TOUCH(ARENA - 2, 4), UNMAP(1), SPANS(1), LIVE(ARENA - 4),
	    NR_FREE(4), LAZY(2), FREE(1, -ESTALE), FREE(2, -ESTALE),
	    FREE(0, 0), LAZY(5), NR_FREE(ARENA), UNMAP(0), LAZY(0),
	    NR_FREE(0) } },
	{ "a span from the arena below goes with the arena it enters last",
	  { MAP(0), MAP(1), MAP(2), ALLOC(0, ARENA - 1, 0, 0),
	    ALLOC(1, ARENA + 2, 0, ARENA - 1), UNMAP(1), SPANS(1),
	    NR_FREE(ARENA + 1), FREE(1, -ESTALE), MAP(1),
	    ALLOC(2, ARENA + 2, 0, ARENA - 1) } },
	{ "a span over three arenas goes with the last",
	  { MAP(0), MAP(1), MAP(2), ALLOC(0, ARENA - 1, 0, 0),
	    ALLOC(1, ARENA + 2, 0, ARENA - 1), UNMAP(2), SPANS(1),
	    NR_FREE(ARENA + 1), FREE(1, -ESTALE), FREE(0, 0) } },
	{ "a reclaim whose arena went ends as nothing",
	  { MAP(0), MAP(1), ALLOC(0, 2 * ARENA, 0, 0), TOUCH(ARENA - 3, 6),
	    FREE(0, 0), RECLAIM(1, 0, 2 * ARENA, 9, ARENA - 3), UNMAP(1),
	    LAZY(0), NR_FREE(ARENA), RECLAIM_END(1), NR_FREE(ARENA),
	    UNMAP(0), RECLAIM_END(1), NR_FREE(0) } },
	{ "a discard whose arena went ends as nothing",
	  { MAP(0), ALLOC(0, 9, 0, 0), DISCARD(1, 0, 9, 0), UNMAP(0), SPANS(0),
	    DISCARD_END(1), MAP(0), ALLOC(2, 9, 0, 0), DISCARD_END(1),
	    STATE(2, 1), FREE(2, 0) } },
	{ "a reclaim does not end a live span that bears its name by chance",
	  { MAP(0), ALLOC(0, 9, 0, 0), TOUCH(0, 9), FREE(0, 0), SET_GEN(6),
	    RECLAIM(1, 0, 9, 9, 0), GEN(1, 7), UNMAP(0), MAP(0), SET_GEN(6),
	    ALLOC(2, 4, 0, 0), GEN(2, 7), RECLAIM_END(1), STATE(2, 1),
	    SPANS(1), LIVE(4), FREE(2, 0) } },
	{ "a discard does not revive a run that bears its name by chance",
	  { MAP(0), SET_GEN(6), ALLOC(0, 9, 0, 0), DISCARD(1, 0, 9, 0),
	    GEN(1, 7), UNMAP(0), MAP(0), ALLOC(2, 9, 0, 0), TOUCH(0, 9),
	    FREE(2, 0), SET_GEN(6), RECLAIM(3, 0, 9, 9, 0), GEN(3, 7),
	    DISCARD_END(1), STATE(3, 3), RECLAIM_END(3) } },
	{ "a full heap has room again after one free",
	  { MAP(0), ALLOC(0, 1, 0, 0), ALLOC(1, ARENA - 2, 0, 1),
	    ALLOC(2, 1, 0, ARENA - 1), ALLOC(3, 1, 0, -ENOSPC), NR_FREE(0),
	    FREE(2, 0), ALLOC(3, 1, 0, ARENA - 1), FREE(0, 0),
	    ALLOC(0, 2, 0, -ENOSPC), ALLOC(0, 1, 0, 0) } },
	{ "more pages than the heap has are no span",
	  { MAP(0), ALLOC(0, BURROW_MAX_PAGES, 0, -ENOSPC),
	    ALLOC(0, ~0U, 0, -ENOSPC), ALLOC(0, ARENA + 1, 0, -ENOSPC),
	    ALLOC(0, ARENA, 0, 0) } },
	{ "a name is good while its span lives, and busy while it is discarded",
	  { MAP(0), FIND(0, -ESTALE), ALLOC(0, 9, 0, 0), FIND(0, 0),
	    DISCARD(1, 3, 2, 0), FIND(0, -EBUSY), DISCARD_END(1), FIND(0, 0),
	    TOUCH(0, 9), FREE(0, 0), FIND(0, -ESTALE),
	    RECLAIM(1, 0, 9, 9, 0), FIND(1, -ESTALE), RECLAIM_END(1),
	    FIND(1, -ESTALE), ALLOC(2, 9, 0, 0), FIND(0, -ESTALE),
	    FIND(2, 0), UNMAP(0), FIND(2, -ESTALE) } },
	{ "a range is resident when one of its pages is",
	  { MAP(0), MAP(1), ALLOC(0, 2 * ARENA, 0, 0), RESIDENT(0, 2 * ARENA, 0),
	    TOUCH(ARENA + 65, 1), RESIDENT(0, 2 * ARENA, 1),
	    RESIDENT(ARENA + 65, 1, 1), RESIDENT(ARENA + 1, 65, 1),
	    RESIDENT(0, ARENA + 65, 0), RESIDENT(ARENA + 66, 300, 0),
	    FREE(0, 0), RESIDENT(ARENA + 1, 70, 1),
	    RECLAIM(1, 0, 2 * ARENA, 9, ARENA + 65),
	    RESIDENT(ARENA + 65, 1, 1), RECLAIM_END(1),
	    RESIDENT(0, 2 * ARENA, 0) } },
	{ "arenas of each kind have spans of their own",
	  { MAP(0), ALLOC_OF(STACK, 0, 1, 0, -ENOSPC), MAP_OF(STACK, 1),
	    MAP_OF(HUGE, 2), ALLOC_OF(STACK, 0, 3, 0, ARENA),
	    ALLOC_OF(HUGE, 3, UNIT, UNIT, AT(2, 0)),
	    ALLOC_OF(HEAP, 1, 3, 0, 0), ALLOC_OF(STACK, 2, 3, 0, ARENA + 3),
	    NR_FREE(3 * ARENA - 9 - UNIT), FREE(0, 0), FREE(1, 0), FREE(3, 0),
	    ALLOC_OF(STACK, 0, 4, 0, ARENA + 6), ALLOC_OF(HEAP, 1, 4, 0, 0),
	    ALLOC_OF(HUGE, 3, ARENA, UNIT, AT(2, 0)), SPANS(4) } },
	{ "no span crosses a border of kinds, however much lies free there",
	  { MAP(0), MAP_OF(STACK, 1), MAP_OF(STACK, 2), MAP(3),
	    ALLOC_OF(HEAP, 0, ARENA + 1, 0, -ENOSPC),
	    ALLOC_OF(STACK, 0, 2 * ARENA + 1, 0, -ENOSPC),
	    ALLOC_OF(HEAP, 0, ARENA - 1, 0, 0),
	    ALLOC_OF(HEAP, 1, 2, 0, AT(3, 0)),
	    ALLOC_OF(STACK, 2, 2 * ARENA - 1, 0, ARENA),
	    ALLOC_OF(STACK, 3, 2, 0, -ENOSPC),
	    ALLOC_OF(STACK, 3, 1, 0, AT(2, ARENA - 1)),
	    ALLOC_OF(HEAP, 4, 1, 0, ARENA - 1) } },
	{ "a batch of spans stops at a border of kinds",
	  { MAP(0), MAP_OF(STACK, 1), MAP(2),
	    ALLOC_OF(HEAP, 0, ARENA - 7, 0, 0), BATCH(HEAP, 1, 3, 8, 2),
	    ALLOC_OF(STACK, 2, 5, 0, ARENA), BATCH(HEAP, 3, 3, 8, 8),
	    STATE(3, 1), ALLOC_OF(HEAP, 4, 1, 0, ARENA - 1), SPANS(13) } },
	{ "a reclaim stops at a border of kinds",
	  { MAP(0), MAP_OF(STACK, 1), MAP_OF(STACK, 2), MAP(3),
	    ALLOC_OF(HEAP, 0, ARENA, 0, 0),
	    ALLOC_OF(STACK, 1, 2 * ARENA, 0, ARENA),
	    ALLOC_OF(HEAP, 2, ARENA, 0, AT(3, 0)),
	    TOUCH(ARENA - 3, 2 * ARENA + 6), FREE(0, 0), FREE(1, 0), FREE(2, 0),
	    RECLAIM(3, 0, 4 * ARENA, ~0U, ARENA - 3), LENGTH(3, 3),
	    RECLAIM(4, 0, 4 * ARENA, ~0U, ARENA), LENGTH(4, 2 * ARENA),
	    RECLAIM(5, 0, 4 * ARENA, ~0U, AT(3, 0)), LENGTH(5, 3),
	    RECLAIM_END(4), RECLAIM_END(3), RECLAIM_END(5), LAZY(0),
	    ALLOC_OF(STACK, 1, 2 * ARENA, 0, ARENA) } },
	{ "huge arenas lose whole units",
	  { MAP_OF(HUGE, 1), ALLOC_OF(HUGE, 0, 4 * UNIT, UNIT, ARENA),
	    TOUCH(ARENA + UNIT, 3 * UNIT), FREE(0, 0),
	    RECLAIM(1, 0, ARENA + 2 * UNIT - 1, 99, -1),
	    RECLAIM(1, ARENA + UNIT + 1, ARENA + 3 * UNIT - 1, 99, -1),
	    RECLAIM(1, ARENA + UNIT + 1, 2 * ARENA, 1, ARENA + 2 * UNIT),
	    LENGTH(1, UNIT), RECLAIM_END(1), LAZY(2 * UNIT),
	    RECLAIM(1, 0, 2 * ARENA, 2 * UNIT - 1, ARENA + UNIT),
	    LENGTH(1, UNIT), RECLAIM_END(1), LAZY(UNIT),
	    ALLOC_OF(HUGE, 0, 3 * UNIT, UNIT, ARENA), NEEDZERO(0, 0),
	    RECLAIM(1, 0, 2 * ARENA, ~0U, ARENA + 3 * UNIT), LENGTH(1, UNIT),
	    RECLAIM_END(1), LAZY(0) } },
	{ "a unit that a range cuts through hides none behind it",
	  { MAP_OF(HUGE, 0), MAP(1), ALLOC_OF(HUGE, 0, ARENA, UNIT, 0),
	    ALLOC_OF(HEAP, 1, 9, 0, ARENA), TOUCH(ARENA - UNIT, UNIT + 9),
	    FREE(0, 0), FREE(1, 0),
	    RECLAIM(2, ARENA - 1, 2 * ARENA, 99, ARENA), LENGTH(2, 9),
	    RECLAIM_END(2), LAZY(UNIT),
	    RECLAIM(2, 0, 2 * ARENA, 99, ARENA - UNIT), LENGTH(2, UNIT),
	    RECLAIM_END(2), LAZY(0) } },
	{ "an arena may come back as one of another kind",
	  { MAP(0), MAP(1), MAP(2), ALLOC_OF(HEAP, 0, 2 * ARENA + 5, 0, 0),
	    UNMAP(1), SPANS(0), MAP_OF(STACK, 1),
	    ALLOC_OF(HEAP, 0, ARENA + 1, 0, -ENOSPC),
	    ALLOC_OF(STACK, 1, ARENA, 0, ARENA),
	    ALLOC_OF(HEAP, 2, ARENA, 0, 0),
	    ALLOC_OF(HEAP, 3, ARENA, 0, AT(2, 0)), FIND(1, 0), UNMAP(1),
	    FIND(1, -ESTALE), MAP(1), ALLOC_OF(STACK, 1, 1, 0, -ENOSPC),
	    FREE(2, 0), FREE(3, 0), ALLOC_OF(HEAP, 2, 3 * ARENA, 0, 0) } },
	{ "an arena that goes takes nothing of the next kind along",
	  { MAP(0), MAP_OF(STACK, 1), ALLOC_OF(HEAP, 0, ARENA, 0, 0),
	    ALLOC_OF(STACK, 1, ARENA, 0, ARENA), TOUCH(0, 2 * ARENA),
	    UNMAP(0), SPANS(1), LIVE(ARENA), LAZY(0), NR_FREE(0), FIND(1, 0),
	    FREE(1, 0), LAZY(ARENA), UNUSED(ARENA, ARENA, 1),
	    UNUSED(ARENA - 1, 2, 0) } },
	{ "a range of several kinds is unused when no span is in it",
	  { MAP(0), MAP_OF(STACK, 1), MAP(2), ALLOC_OF(HEAP, 0, 8, 0, 0),
	    ALLOC_OF(STACK, 1, 8, 0, ARENA), UNUSED(8, 2 * ARENA, 0),
	    FREE(1, 0), UNUSED(8, 3 * ARENA - 8, 1), UNUSED(7, ARENA, 0),
	    ALLOC_OF(STACK, 1, 1, 0, ARENA), UNUSED(8, ARENA - 8, 1),
	    UNUSED(8, ARENA - 7, 0), UNUSED(ARENA + 1, 2 * ARENA - 1, 1) } },
	{ "a guard is the lowest pages of its span, and nobody fills it",
	  { MAP_OF(STACK, 0), GUARDED(STACK, 0, 9, 0),
	    FLAGS(0, BURROW_W_GUARD), FILLABLE(0, 0),
	    FILLABLE(BURROW_GUARD_PAGES - 1, 0),
	    FILLABLE(BURROW_GUARD_PAGES, 1), FILLABLE(8, 1), FILLABLE(9, 0),
	    USABLE(0, 0), USABLE(BURROW_GUARD_PAGES - 1, 0),
	    USABLE(BURROW_GUARD_PAGES, 1), ALLOC_OF(STACK, 1, 2, 0, 9),
	    FLAGS(1, 0), FILLABLE(9, 1), FILLABLE(10, 1), DISCARD(2, 4, 1, 0),
	    FILLABLE(0, 0), FILLABLE(4, 1), FLAGS(0, BURROW_W_GUARD) } },
	{ "a guard that was seen is usable again only when it is free",
	  { MAP_OF(STACK, 0), ALLOC_OF(STACK, 0, 4, 0, 0), TOUCH(0, 4),
	    FREE(0, 0), USABLE(0, 1), GUARDED(STACK, 1, 4, 0), NEEDZERO(1, 1),
	    RESIDENT(0, 1, 1), USABLE(0, 0), FILLABLE(1, 0), UNTOUCH(0, 2),
	    FREE(1, 0), LAZY(2), USABLE(0, 0), USABLE(2, 1), FILLABLE(2, 0),
	    RECLAIM(2, 0, 9, 9, 2), FILLABLE(2, 0), RECLAIM_END(2) } },
	{ "a span of guard pages alone is all guard",
	  { MAP_OF(STACK, 0), GUARDED(STACK, 0, BURROW_GUARD_PAGES, 0),
	    GUARDED(STACK, 1, 1, BURROW_GUARD_PAGES), FILLABLE(0, 0),
	    FILLABLE(BURROW_GUARD_PAGES - 1, 0),
	    FILLABLE(BURROW_GUARD_PAGES, 0), FREE(0, 0), FREE(1, 0) } },
	{ "a clone has what the original has",
	  { MAP(0), MAP_OF(STACK, 2), ALLOC_OF(HEAP, 0, 9, 0, 0),
	    ALLOC_OF(HEAP, 1, 600, 0, 9), GUARDED(STACK, 2, 5, AT(2, 0)),
	    TOUCH(5, 100), FREE(1, 0), SET_GEN(77), CLONE, SPANS(2), LIVE(14),
	    LAZY(96), NR_FREE(2 * ARENA - 14), FIND(0, 0), FIND(2, 0),
	    FIND(1, -ESTALE), FILLABLE(AT(2, 1), 0), FREE(0, 0), FREE(2, 0),
	    ALLOC_OF(HEAP, 3, 100, 0, 0), GEN(3, 78), NEEDZERO(3, 1),
	    LAZY(5) } },
	{ "a clone finds room where the original does",
	  { MAP(0), MAP(1), MAP_OF(STACK, 2), ALLOC_OF(HEAP, 0, 600, 0, 0),
	    ALLOC_OF(HEAP, 1, 1000, 0, 600), FREE(0, 0), CLONE,
	    ALLOC_OF(HEAP, 2, 601, 0, 1600), ALLOC_OF(HEAP, 3, ARENA, 0, 2201),
	    ALLOC_OF(STACK, 4, ARENA, 0, AT(2, 0)), OTHER,
	    ALLOC_OF(HEAP, 2, 601, 0, 1600), ALLOC_OF(HEAP, 3, ARENA, 0, 2201),
	    ALLOC_OF(STACK, 4, ARENA, 0, AT(2, 0)) } },
	{ "what happens in a clone does not happen in the original",
	  { MAP(0), ALLOC_OF(HEAP, 0, 9, 0, 0), TOUCH(0, 9), CLONE,
	    FREE(0, 0), RECLAIM(1, 0, 9, 9, 0), RECLAIM_END(1), UNMAP(0),
	    MAP_OF(STACK, 0), OTHER, FIND(0, 0), SPANS(1), LAZY(0),
	    RESIDENT(0, 9, 1), ALLOC_OF(STACK, 2, 1, 0, -ENOSPC), FREE(0, 0),
	    LAZY(9), OTHER, LAZY(0), NR_FREE(ARENA),
	    ALLOC_OF(STACK, 2, 1, 0, 0) } },
	{ "an arena left out of a clone is deleted there alone",
	  { MAP(0), MAP(1), MAP_OF(STACK, 2),
	    ALLOC_OF(HEAP, 0, ARENA + 9, 0, 0),
	    ALLOC_OF(STACK, 1, 9, 0, AT(2, 0)), TOUCH(0, ARENA), CLONE,
	    UNMAP(1), SPANS(1), LIVE(9), LAZY(ARENA), FIND(0, -ESTALE),
	    UNMAP(2), SPANS(0), NR_FREE(ARENA), OTHER, SPANS(2), FIND(0, 0),
	    FIND(1, 0), LAZY(0), OTHER, RECLAIM(2, 0, ARENA, ARENA, 0) } },
	{ "a clone of a clone is one",
	  { MAP(3), ALLOC_OF(HEAP, 0, 9, 0, AT(3, 0)), CLONE,
	    ALLOC_OF(HEAP, 1, 700, 0, AT(3, 9)), CLONE, FREE(0, 0),
	    ALLOC_OF(HEAP, 2, 10, 0, AT(3, 709)), SPANS(2), OTHER, SPANS(2),
	    FIND(0, 0), FIND(1, 0), FIND(2, -ESTALE) } },
};

#undef MAP
#undef UNMAP
#undef ALLOC
#undef FREE
#undef TOUCH
#undef UNTOUCH
#undef DISCARD
#undef DISCARD_END
#undef RECLAIM
#undef RECLAIM_END
#undef SET_GEN
#undef GEN
#undef LENGTH
#undef NEEDZERO
#undef STATE
#undef USABLE
#undef UNUSED
#undef SPANS
#undef LIVE
#undef NR_FREE
#undef LAZY
#undef MAP_OF
#undef ALLOC_OF
#undef GUARDED
#undef BATCH
#undef FIND
#undef CLONE
#undef OTHER
#undef FLAGS
#undef FILLABLE
#undef RESIDENT
#undef HEAP
#undef STACK
#undef HUGE
#undef UNIT

#endif
