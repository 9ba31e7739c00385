/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * rows_damage: what bw_core_check() must notice, one kind of damage a row.
 *
 * The heap that is damaged has three arenas of four mapped, the third of them
 * for stacks:
 *
 *	page 0		a live span of 8 pages, all of them resident
 *	page 8		a live span of 1 page
 *	page 9		8 lazy pages, then free ones
 *	page 600	a run of 4 pages under reclaim
 *	ARENA - 3	a live span of 6 pages
 */
#ifndef BW_TESTS_ROWS_DAMAGE_H
#define BW_TESTS_ROWS_DAMAGE_H

#include "scene.h"

struct damage_row {
	const char *name;
	void (*damage)(struct bw_core *core);
	int want;
};

static inline bool damage_build(struct scene *sc)
{
	static const u32 npages[] = { 8, 1, 8, 583, 4, ARENA - 607, 6 };
	struct bw_core *core = &sc->core;
	struct bw_run run[7], out;
	u32 i;

	if (!scene_map(sc, 0) || !scene_map(sc, 1) ||
	    !scene_map_of(sc, 2, BURROW_ARENA_STACK))
		return false;
	for (i = 0; i < 7; i++) {
		struct bw_span_req req = { .npages = npages[i] };

		if (bw_core_span_alloc(core, &req, &run[i]))
			return false;
	}
	bw_core_set_resident(core, 0, 8);
	bw_core_set_resident(core, 9, 8);
	bw_core_set_resident(core, 600, 4);
	for (i = 2; i < 6; i++)
		if (bw_core_span_free(core, run[i].page, run[i].gen, &out))
			return false;
	return bw_core_reclaim_begin(core, 600, ARENA, 4, &out) &&
	       run[4].page == 600 && run[6].page == ARENA - 3;
}

static inline void damage_word(struct bw_core *core, u32 page, u64 word)
{
	*bw_span_word(core, page) = word;
}

static inline void damage_unmapped_summary(struct bw_core *core)
{
	core->map[0].sum[1][3].max = 1;
}

static inline void damage_chunk_summary(struct bw_core *core)
{
	core->arena[1]->leaf.chunk[7].start--;
}

static inline void damage_arena_summary(struct bw_core *core)
{
	core->map[0].sum[1][1].end--;
}

static inline void damage_root_summary(struct bw_core *core)
{
	core->map[0].sum[core->map[0].nr_levels - 1][0].max++;
}

static inline void damage_free_bit(struct bw_core *core)
{
	core->arena[1]->leaf.free[100] ^= 1;
}

static inline void damage_hint(struct bw_core *core)
{
	core->map[0].hint = 10;
}

static inline void damage_taken_without_word(struct bw_core *core)
{
	bw_pagemap_take(&core->map[0], 20, 1);
}

static inline void damage_word_without_tag(struct bw_core *core)
{
	damage_word(core, 20, 1);
}

static inline void damage_free_in_span(struct bw_core *core)
{
	bw_pagemap_give(&core->map[0], 3, 1);
}

static inline void damage_word_on_free(struct bw_core *core)
{
	damage_word(core, 20, burrow_word_head(1, 0, 0, 1, 1, 0));
}

static inline void damage_body_of_itself(struct bw_core *core)
{
	damage_word(core, 3, burrow_word_body(3, 1));
}

static inline void damage_body_of_nowhere(struct bw_core *core)
{
	/* as if arena 0 had gone and forgotten the span that enters arena 1 */
	core->arena[0] = NULL;
	core->map[0].leaf[0] = NULL;
	core->map[0].sum[1][0] = (struct bw_sum){ 0, 0, 0 };
}

static inline void damage_body_of_body(struct bw_core *core)
{
	damage_word(core, 3, burrow_word_body(2, 1));
}

static inline void damage_body_gen(struct bw_core *core)
{
	damage_word(core, 3, *bw_span_word(core, 3) ^
			     1ULL << BURROW_W_GEN_SHIFT);
}

static inline void damage_head_gen(struct bw_core *core)
{
	damage_word(core, 0, *bw_span_word(core, 0) ^
			     1ULL << BURROW_W_GEN_SHIFT);
}

static inline void damage_short_head(struct bw_core *core)
{
	damage_word(core, 0, *bw_span_word(core, 0) - 1);
}

static inline void damage_empty_head(struct bw_core *core)
{
	damage_word(core, 8, *bw_span_word(core, 8) - 1);
}

static inline void damage_long_head(struct bw_core *core)
{
	damage_word(core, ARENA - 3, *bw_span_word(core, ARENA - 3) + 1);
}

static inline void damage_long_run(struct bw_core *core)
{
	damage_word(core, 600, *bw_span_word(core, 600) + 1);
}

static inline void damage_no_state(struct bw_core *core)
{
	bw_span_set_state(core, 0, BURROW_SPAN_NONE);
}

static inline void damage_odd_state(struct bw_core *core)
{
	bw_span_set_state(core, 8, BURROW_NR_SPAN_STATES);
}

static inline void damage_arena_free(struct bw_core *core)
{
	core->arena[1]->nr_free--;
}

static inline void damage_arena_lazy(struct bw_core *core)
{
	core->arena[0]->nr_lazy++;
}

static inline void damage_resident(struct bw_core *core)
{
	bw_core_clear_resident(core, 12, 1);
}

static inline void damage_spans(struct bw_core *core)
{
	core->nr_spans++;
}

static inline void damage_live(struct bw_core *core)
{
	core->nr_live--;
}

static inline void damage_free(struct bw_core *core)
{
	core->nr_free++;
}

static inline void damage_lazy(struct bw_core *core)
{
	core->nr_lazy--;
}

static inline void damage_state_swap(struct bw_core *core)
{
	bw_span_set_state(core, 0, BURROW_SPAN_RECLAIMING);
}

static inline void damage_stack_summary(struct bw_core *core)
{
	core->map[BURROW_ARENA_STACK].sum[1][2].start--;
}

static inline void damage_stack_hint(struct bw_core *core)
{
	core->map[BURROW_ARENA_STACK].hint = AT(2, 1);
}

static inline void damage_last_map(struct bw_core *core)
{
	core->map[BURROW_NR_ARENA_KINDS - 1].sum[1][0].max = 1;
}

/* The last page of arena 1 and the first of arena 2, in one. */
static inline void damage_over_kinds(struct bw_core *core, u32 state)
{
	u32 page = AT(2, 0) - 1;

	bw_pagemap_take(&core->map[BURROW_ARENA_HEAP], page, 1);
	bw_pagemap_take(&core->map[BURROW_ARENA_STACK], page + 1, 1);
	core->arena[1]->nr_free--;
	bw_span_write(core, page, burrow_word_head(2, 0, 0, state, 9, 0));
}

static inline void damage_span_over_kinds(struct bw_core *core)
{
	damage_over_kinds(core, BURROW_SPAN_LIVE);
}

static inline void damage_run_over_kinds(struct bw_core *core)
{
	damage_over_kinds(core, BURROW_SPAN_RECLAIMING);
}

static inline void damage_kind_under_span(struct bw_core *core)
{
	core->arena[1]->kind = BURROW_ARENA_STACK;
}

static inline void damage_kind_of_free(struct bw_core *core)
{
	core->arena[2]->kind = BURROW_ARENA_HEAP;
}

static const struct damage_row damage_rows[] = {
	{ "free pages where no arena is", damage_unmapped_summary, 1 },
	{ "a chunk's summary is not its bits'", damage_chunk_summary, 2 },
	{ "an arena's summary is not its chunks'", damage_arena_summary, 2 },
	{ "the root is not what is below", damage_root_summary, 2 },
	{ "a free bit flips and no summary knows", damage_free_bit, 2 },
	{ "the hint hides a free page", damage_hint, 3 },
	{ "a summary of another kind is not what is below",
	  damage_stack_summary, 2 },
	{ "the hint of another kind hides a free page", damage_stack_hint, 3 },
	{ "free pages of a kind that no arena is of", damage_last_map, 1 },
	{ "a page is taken by nobody", damage_taken_without_word, 11 },
	{ "a free page's word is not zero", damage_word_without_tag, 11 },
	{ "a page of a span is free", damage_free_in_span, 12 },
	{ "a span lies on a free page", damage_word_on_free, 12 },
	{ "a body is its own head", damage_body_of_itself, 13 },
	{ "a body's head is in no arena", damage_body_of_nowhere, 13 },
	{ "a body's head is a body", damage_body_of_body, 14 },
	{ "a body has another generation", damage_body_gen, 14 },
	{ "a head has another generation", damage_head_gen, 14 },
	{ "a head is too short for its bodies", damage_short_head, 14 },
	{ "a head covers nothing, not itself", damage_empty_head, 14 },
	{ "a span reaches into an arena of another kind",
	  damage_span_over_kinds, 17 },
	{ "a run reaches into an arena of another kind",
	  damage_run_over_kinds, 17 },
	{ "an arena changes its kind under a span", damage_kind_under_span, 17 },
	{ "an arena's free pages are in the map of another kind",
	  damage_kind_of_free, 11 },
	{ "a span's head covers a free page", damage_long_head, 16 },
	{ "a run's head covers a free page", damage_long_run, 16 },
	{ "a span has no state", damage_no_state, 15 },
	{ "a span has a state nobody knows", damage_odd_state, 15 },
	{ "an arena miscounts its free pages", damage_arena_free, 21 },
	{ "an arena miscounts its lazy pages", damage_arena_lazy, 21 },
	{ "a lazy page lost its resident bit", damage_resident, 21 },
	{ "the heap miscounts its spans", damage_spans, 22 },
	{ "the heap miscounts its live pages", damage_live, 22 },
	{ "the heap miscounts its free pages", damage_free, 22 },
	{ "the heap miscounts its lazy pages", damage_lazy, 22 },
	{ "a live span turns into a run", damage_state_swap, 22 },
};

/* Both: the sound heap passes, and the damaged one does not. */
static inline struct verdict damage_row_run(const struct damage_row *row)
{
	struct verdict v = VERDICT("no memory", 0, 0);
	struct bw_core_arena *first;
	struct scene sc;
	int got;

	if (!scene_make(&sc, 4))
		return v;
	if (damage_build(&sc)) {
		first = sc.core.arena[0];
		got = bw_core_check(&sc.core);
		v = VERDICT_OK;
		if (got) {
			v = VERDICT("check of a sound heap", got, 0);
		} else {
			row->damage(&sc.core);
			got = bw_core_check(&sc.core);
			if (got != row->want)
				v = VERDICT("check of the damage", got,
					    row->want);
		}
		sc.core.arena[0] = first;
	}
	scene_free(&sc);
	return v;
}

#endif
