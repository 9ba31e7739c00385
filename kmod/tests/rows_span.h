/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * rows_span: what a span leaves in the span table, and what it takes with it.
 *
 * The window of every row is four arenas, the third of them not mapped. A row
 * writes one span between two neighbours and looks at every word.
 */
#ifndef BW_TESTS_ROWS_SPAN_H
#define BW_TESTS_ROWS_SPAN_H

#include "scene.h"

#define SPAN_FLAGS	(BURROW_W_NEEDZERO | BURROW_W_HUGE | BURROW_W_GUARD)

struct span_row {
	const char *name;
	u32 page;
	u32 npages;
	u32 cls;
	u32 kind;
	u32 state;
	u32 gen;
	u64 flags;
};

static const struct span_row span_rows[] = {
	{ "a span of one page is a head alone",
	  77, 1, 0, 0, BURROW_SPAN_LIVE, 1, 0 },
	{ "a span of two pages is a head and a body",
	  77, 2, 67, BURROW_KIND_STACK, BURROW_SPAN_LIVE, 2, 0 },
	{ "a span at the window's first page",
	  0, 5, 1, BURROW_KIND_SCAN, BURROW_SPAN_LIVE, 3, 0 },
	{ "a span that ends with its arena",
	  ARENA - 3, 3, 9, BURROW_KIND_MANUAL, BURROW_SPAN_DISCARDING, 4, 0 },
	{ "a span with its head alone in an arena",
	  ARENA - 1, 2, 9, BURROW_KIND_MANUAL, BURROW_SPAN_LIVE, 5, 0 },
	{ "a span over most of two arenas",
	  1, 2 * ARENA - 2, 0, BURROW_KIND_NOSCAN, BURROW_SPAN_LIVE, 6, 0 },
	{ "generation 0 is one like any other",
	  500, 20, 3, BURROW_KIND_SCAN, BURROW_SPAN_LIVE, 0, 0 },
	{ "all bits of all fields stay apart",
	  500, 20, (1U << BURROW_W_CLASS_BITS) - 1,
	  (1U << BURROW_W_KIND_BITS) - 1, (1U << BURROW_W_STATE_BITS) - 1,
	  BURROW_GEN_MASK, SPAN_FLAGS },
	{ "needzero alone",
	  500, 3, 0, 0, BURROW_SPAN_LIVE, 0x15555, BURROW_W_NEEDZERO },
	{ "huge alone",
	  500, 3, 0, 0, BURROW_SPAN_LIVE, 0x2aaaa, BURROW_W_HUGE },
	{ "guard alone",
	  500, 3, 0, BURROW_KIND_STACK, BURROW_SPAN_LIVE, 0x15555,
	  BURROW_W_GUARD },
	{ "a reclaiming run has no class and no kind",
	  600, 90, 0, 0, BURROW_SPAN_RECLAIMING, 7, 0 },
};

static inline struct verdict span_row_fields(const struct span_row *row,
					     u64 w)
{
	if (burrow_word_tag(w) != BURROW_TAG_HEAD)
		return VERDICT("tag", burrow_word_tag(w), BURROW_TAG_HEAD);
	if (burrow_word_low(w) != row->npages)
		return VERDICT("npages", burrow_word_low(w), row->npages);
	if (burrow_word_class(w) != row->cls)
		return VERDICT("class", burrow_word_class(w), row->cls);
	if (burrow_word_kind(w) != row->kind)
		return VERDICT("kind", burrow_word_kind(w), row->kind);
	if (burrow_word_state(w) != row->state)
		return VERDICT("state", burrow_word_state(w), row->state);
	if (burrow_word_gen(w) != row->gen)
		return VERDICT("gen", burrow_word_gen(w), row->gen);
	if ((w & SPAN_FLAGS) != row->flags)
		return VERDICT("flags", w, row->flags);
	return VERDICT_OK;
}

/* Every page of the mapped arenas has the head it should have. */
static inline struct verdict span_row_heads(const struct span_row *row,
					    struct scene *sc, bool there,
					    u32 below, u32 above)
{
	u32 page, end = row->page + row->npages;

	for (page = 0; page < 2 * ARENA; page++) {
		u32 got = bw_span_head_of(&sc->core, page), want = BW_NO_PAGE;

		if (there && page >= row->page && page < end)
			want = row->page;
		else if (page == below || page == above)
			want = page;
		if (got != want)
			return VERDICT("head of a page", got, want);
		if (want == BW_NO_PAGE && *bw_span_word(&sc->core, page))
			return VERDICT("word of a free page", page, 0);
	}
	return VERDICT_OK;
}

static inline struct verdict span_row_play(const struct span_row *row,
					   struct scene *sc)
{
	struct bw_core *core = &sc->core;
	u32 below = row->page ? row->page - 1 : BW_NO_PAGE;
	u32 above = row->page + row->npages, i;
	u64 head = burrow_word_head(row->npages, row->cls, row->kind,
				    row->state, row->gen, row->flags);
	struct verdict v = span_row_fields(row, head);

	if (v.why)
		return v;
	if (below != BW_NO_PAGE)
		bw_span_write(core, below,
			      burrow_word_head(1, 1, 1, 1, row->gen, 0));
	bw_span_write(core, above, burrow_word_head(1, 1, 1, 1, row->gen, 0));
	bw_span_write(core, row->page, head);
	if (*bw_span_word(core, row->page) != head)
		return VERDICT("head word", *bw_span_word(core, row->page),
			       head);
	for (i = 1; i < row->npages; i++)
		if (*bw_span_word(core, row->page + i) !=
		    burrow_word_body(row->page, row->gen))
			return VERDICT("body word",
				       *bw_span_word(core, row->page + i),
				       burrow_word_body(row->page, row->gen));
	v = span_row_heads(row, sc, true, below, above);
	if (v.why)
		return v;
	for (i = 0; i < 1U << BURROW_W_STATE_BITS; i++) {
		u64 want = burrow_word_head(row->npages, row->cls, row->kind, i,
					    row->gen, row->flags);

		bw_span_set_state(core, row->page, i);
		if (*bw_span_word(core, row->page) != want)
			return VERDICT("word after a change of state",
				       *bw_span_word(core, row->page), want);
	}
	bw_span_erase(core, row->page);
	return span_row_heads(row, sc, false, below, above);
}

static inline struct verdict span_row_run(const struct span_row *row)
{
	struct verdict v = VERDICT("no memory", 0, 0);
	struct scene sc;

	if (!scene_make(&sc, 4))
		return v;
	if (scene_map(&sc, 0) && scene_map(&sc, 1) && scene_map(&sc, 3))
		v = span_row_play(row, &sc);
	scene_free(&sc);
	return v;
}

#endif
