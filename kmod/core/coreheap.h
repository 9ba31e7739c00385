/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * coreheap: the page heap of one address space, whoever the host is.
 *
 * Pages of a mapped arena move through these states; each arrow is one
 * function here, and the caller holds the heap lock around it:
 *
 *	          span_alloc                 discard_begin
 *	  FREE  --------------->  LIVE  ---------------------> DISCARDING
 *	 (lazy or not)  <-------       <---------------------
 *	   |  ^         span_free            discard_end
 *	   |  | reclaim_end
 *	   v  |
 *	RECLAIMING     reclaim_begin: lazy pages only
 *
 * A live span grows by free pages behind it (span_extend) and gives its last
 * ones back (span_trim); its name stays.
 *
 * DISCARDING and RECLAIMING span the time in which the host takes frames away
 * without the lock: nothing else may allocate, free or reclaim those pages.
 *
 * *Resident* is one bit per page: the process may have seen frames there since
 * they were last taken away. A free page that is resident is *lazy*; a span
 * that gets a resident page is born with needzero set.
 *
 * C1. A page of a mapped arena is free, or in exactly one span (LIVE or
 *     DISCARDING), or in one RECLAIMING run; K-words say which.
 * C2. nr_free, nr_lazy, nr_live and nr_spans are what a count would give.
 * C3. A lazy page stays resident until reclaim_end, after its frames went.
 * C4. A run in the hands of a caller (between _begin and _end) is found again
 *     by page and gen, so that an arena may go away meanwhile.
 * C5. The pages of a span or run lie in arenas of one kind; in huge arenas they
 *     are whole units, and so are the resident ones.
 */
#ifndef BW_CORE_COREHEAP_H
#define BW_CORE_COREHEAP_H

#include "pagemap.h"
#include "span.h"

/**
 * struct bw_core_arena - what the core keeps of one arena		[lock]
 * @kind:	enum burrow_arena_kind, set before arena_add		[const]
 * @leaf:	its free bits
 * @resident:	see above
 * @kwords:	its part of the span table, shared with the process
 * @nr_free:	free pages
 * @nr_lazy:	free and resident pages
 */
struct bw_core_arena {
	u32 kind;
	struct bw_pagemap_leaf leaf;
	u64 resident[BW_ARENA_WORDS];
	u64 *kwords;
	u32 nr_free;
	u32 nr_lazy;
};

/**
 * struct bw_core - the page heap					[lock]
 * @map:	where free pages are, for each kind of arena: so a span lies in
 *		arenas of one kind
 * @arena:	per index in the window, NULL while not mapped
 * @gen:	the generation given out last
 */
struct bw_core {
	struct bw_pagemap map[BURROW_NR_ARENA_KINDS];
	struct bw_core_arena **arena;
	u32 nr_arenas;
	u32 gen;
	u64 nr_spans;
	u64 nr_live;
	u64 nr_free;
	u64 nr_lazy;
};

/**
 * struct bw_span_req - what is wanted
 * @align:	pages, power of two; 0 is 1
 * @flags:	for the head word
 * @steps:	0: the lowest place there is, however long that takes. Else
 *		(BW_SEARCH_STEPS) the lock need not be held for long: the search
 *		looks at so many nodes for the lowest place, then takes one
 *		where any alignment fits, then goes on in the next call
 * @from:	0 at first. After a call that found nothing: BW_NO_PAGE if there
 *		is nothing, else drop the lock and call again
 */
struct bw_span_req {
	u32 npages;
	u32 align;
	u32 cls;
	u32 kind;
	u32 arena_kind;
	u64 flags;
	u32 steps;
	u32 from;
};

#define BW_SEARCH_STEPS		64U

/* A span or a claimed run, by value. */
struct bw_run {
	u32 page;
	u32 npages;
	u32 gen;
};

/* The arena of a page; NULL: none is mapped there. */
static inline struct bw_core_arena *bw_core_arena_of(const struct bw_core *core,
						     u32 page)
{
	return core->arena[page >> BURROW_ARENA_PAGE_SHIFT];
}

/*
 * A copy of a heap is made of an init, a bw_core_arena_clone() of each arena, and
 * bw_core_clone_end(), which brings the counts over; no run may be claimed in
 * the original. An arena that is to be left out is cloned and then deleted.
 */
void bw_core_clone_end(struct bw_core *core, const struct bw_core *from);

/* Zeroed memory for init, and init. */
size_t bw_core_bytes(u32 nr_arenas);
void bw_core_init(struct bw_core *core, void *zeroed, u32 nr_arenas);

/* @arena (but its kind) and @kwords are zeroed; the core's until arena_del. */
void bw_core_arena_add(struct bw_core *core, u32 index,
		       struct bw_core_arena *arena, u64 *kwords);
/* The same with the contents of another heap's arena at the same index. */
void bw_core_arena_clone(struct bw_core *core, u32 index,
			 const struct bw_core_arena *from,
			 struct bw_core_arena *arena, u64 *kwords);
/* Ends every span and run with a page in the arena, then forgets it. */
void bw_core_arena_del(struct bw_core *core, u32 index);

/*
 * Up to @nr spans that lie side by side, at least one unless it says 0: call
 * again for the rest.
 */
u32 bw_core_spans_alloc(struct bw_core *core, struct bw_span_req *req,
			struct bw_run *out, u32 nr);
/* One. -ENOSPC: no such run; -EAGAIN: call again. */
int bw_core_span_alloc(struct bw_core *core, struct bw_span_req *req,
		       struct bw_run *out);
/* Its head word. -ESTALE: no such span; -EBUSY: it is being discarded. */
int bw_core_span_find(const struct bw_core *core, u32 page, u32 gen, u64 *word);
/* The same errnos. */
int bw_core_span_free(struct bw_core *core, u32 page, u32 gen,
		      struct bw_run *out);

/*
 * A live span becomes @npages long, where it is: longer, or shorter but not
 * empty. @tail is what came or went; what came has frames if it was lazy, and
 * then the head says needzero. In huge arenas the caller gives whole units.
 * -EINVAL: it would not; -ENOSPC: what is behind it is not free, or no arena of
 * its kind; and the errnos of find.
 */
int bw_core_span_extend(struct bw_core *core, u32 page, u32 gen, u32 npages,
			struct bw_run *tail);
int bw_core_span_trim(struct bw_core *core, u32 page, u32 gen, u32 npages,
		      struct bw_run *tail);

/*
 * Claims pages [page, page + npages) of one live span. -ESTALE: not inside one
 * live span; -EBUSY: that span is claimed already. @out is the whole span.
 */
int bw_core_discard_begin(struct bw_core *core, u32 page, u32 npages,
			  struct bw_run *out);
void bw_core_discard_end(struct bw_core *core, const struct bw_run *run);

/*
 * Claims the first lazy run in [page, end), at most @most pages (not 0), but in
 * huge arenas whole units, at least one. False when there is none.
 */
bool bw_core_reclaim_begin(struct bw_core *core, u32 page, u32 end, u32 most,
			   struct bw_run *out);
void bw_core_reclaim_end(struct bw_core *core, const struct bw_run *run);

/* The host gave frames to pages, or took them from pages that are not free. */
void bw_core_set_resident(struct bw_core *core, u32 page, u32 npages);
void bw_core_clear_resident(struct bw_core *core, u32 page, u32 npages);

/*
 * May this page of a mapped arena get frames: it is in a span, not in a
 * RECLAIMING run, and not its guard.
 */
bool bw_core_page_is_fillable(const struct bw_core *core, u32 page);
/* May the process touch this page: fillable, or lazy. */
bool bw_core_page_is_usable(const struct bw_core *core, u32 page);
/*
 * Is no page of the range in a live span (and every arena of it mapped). The
 * range lies inside the window.
 */
bool bw_core_range_is_unused(const struct bw_core *core, u32 page, u32 npages);
/* Does the run or span still stand (C4). */
bool bw_core_run_is_there(const struct bw_core *core, const struct bw_run *run);
/* Is any page of the range resident. */
bool bw_core_is_resident(const struct bw_core *core, u32 page, u32 npages);
/* Is any page of the range lazy. */
bool bw_core_is_lazy(const struct bw_core *core, u32 page, u32 npages);
bool bw_core_page_is_mapped(const struct bw_core *core, u32 page);

/* coreheap_check.c: 0, or a number that names the invariant which does not hold. */
int bw_core_check(struct bw_core *core);

#endif
