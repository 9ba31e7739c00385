/* SPDX-License-Identifier: MIT */
/*
 * model: the page heap as a child would write it, to compare the real one with.
 *
 *	differential_test.c	random moves over windows of all sizes
 *	coreheap_fuzz.c		moves that a fuzzer thinks of
 *	  pair.h		one move on both, and every difference
 *	    model.h		<- here
 *
 * A byte per page for its state, another for its frames, and a table of runs;
 * a search looks at one page after the other. No summaries, no hint, no words,
 * and one table for arenas of all kinds.
 */
#ifndef BW_SELFTESTS_MODEL_H
#define BW_SELFTESTS_MODEL_H

#include "core/coreheap.h"

enum model_state {
	MODEL_FREE,
	MODEL_LIVE,
	MODEL_DISCARDING,
	MODEL_RECLAIMING,
};

/* Memory of an arena comes and goes in so many pages. */
static inline u32 model_unit(u32 arena_kind)
{
	return arena_kind == BURROW_ARENA_HUGE ? BURROW_HUGE_PAGES : 1;
}

struct model_arena {
	u8 state[BURROW_ARENA_PAGES];
	u8 resident[BURROW_ARENA_PAGES];
	u32 owner[BURROW_ARENA_PAGES];		/* index in run, if not free */
	u32 nr_free;
	u32 kind;
};

/* A span or a run under reclaim. @npages is 0 while the entry is unused. */
struct model_run {
	u32 page;
	u32 npages;
	u32 gen;
	u32 cls;
	u32 kind;
	u32 place;				/* index in used */
	bool needzero;
	u64 flags;				/* of the request */
	enum model_state state;
	u64 serial;				/* never the same twice */
};

/**
 * struct model - a naive page heap
 * @arena:	per index in the window, NULL while not mapped
 * @run:	all runs, with holes
 * @used:	indices of the runs that are there
 * @unused:	indices that may be used again
 * @nr_of:	arenas of each kind
 * @nr_free_of:	free pages in them
 */
struct model {
	u32 nr_arenas;
	struct model_arena **arena;
	struct model_run *run;
	u32 *used;
	u32 *unused;
	u32 nr_used;
	u32 nr_unused;
	u32 room;
	u64 serial;
	u64 nr_spans;
	u64 nr_live;
	u64 nr_free;
	u64 nr_lazy;
	u64 nr_of[BURROW_NR_ARENA_KINDS];
	u64 nr_free_of[BURROW_NR_ARENA_KINDS];
};

void model_init(struct model *m, u32 nr_arenas);
void model_exit(struct model *m);
/* A copy that shares nothing with @from. */
void model_clone(struct model *m, const struct model *from);

void model_map(struct model *m, u32 index, u32 kind);
/* Ends every run with a page in the arena. */
void model_unmap(struct model *m, u32 index);

bool model_is_mapped(const struct model *m, u32 page);
bool model_is_free(const struct model *m, u32 page);
bool model_is_resident(const struct model *m, u32 page);
bool model_is_lazy(const struct model *m, u32 page);
/* Is the page's arena there, and of this kind. */
bool model_is_of(const struct model *m, u32 page, u32 kind);
/* Is there a kind of arena that has no free page left. */
bool model_is_full(const struct model *m);

/*
 * The lowest aligned page at which a free run begins in arenas of one kind, or
 * BW_NO_PAGE.
 */
u32 model_find(const struct model *m, u32 npages, u32 align, u32 kind);

/*
 * How many lazy pages from @page on may go at once: in arenas of one kind, below
 * @end, in whole units, and @most of them but at least one unit. 0: none.
 */
u32 model_reclaimable(const struct model *m, u32 page, u32 end, u32 most);

/* The run that covers the page, or NULL. */
struct model_run *model_run_at(const struct model *m, u32 page);

struct model_run *model_run_add(struct model *m, u32 page, u32 npages,
				enum model_state state);
void model_run_del(struct model *m, struct model_run *run);
void model_run_move(struct model *m, struct model_run *run,
		    enum model_state state);

/* The run gets longer or shorter, at its end. */
void model_run_resize(struct model *m, struct model_run *run, u32 npages);

void model_set_resident(struct model *m, u32 page, u32 npages, bool resident);

#endif
