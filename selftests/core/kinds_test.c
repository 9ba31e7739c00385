// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * kinds_test: every arrangement of kinds in a small window (C5).
 *
 *	bw_core_*()	core/coreheap.c
 *	  kinds_test.c	<- here: what follows from the segments
 *
 * An arena is not there or of some kind; neighbours of one kind are a segment.
 * From one arrangement to the next arenas go with all that is in them and come
 * back as the next kind. In each arrangement every segment is searched, filled
 * page by page and at once, made lazy and reclaimed.
 */
#include "tap.h"
#include "tests/scene.h"

#define NR		4		/* arenas in the window */
#define ABSENT		BURROW_NR_ARENA_KINDS
#define ALL		(NR * ARENA)

struct segment {
	u32 page;
	u32 npages;
	u32 kind;
};

/**
 * struct window - an arrangement, and a heap that has it
 * @kind:	of each arena, or ABSENT
 * @seg:	its segments, from the left
 * @run:	for each segment a span or a claimed run
 */
struct window {
	struct scene sc;
	u32 kind[NR];
	struct segment seg[NR];
	struct bw_run run[NR];
	u32 nr_seg;
};

enum claim { SEARCH, SPANS, LAZY, LONGEST, REPLACE, NR_CLAIMS };

static const char *const sentence[NR_CLAIMS] = {
	[SEARCH] = "a search ends in a segment of its kind, or nowhere",
	[SPANS] = "spans of a kind fill its segments from the left and no others",
	[LAZY] = "a reclaim takes one segment at a time",
	[LONGEST] = "a span is as long as a segment at most",
	[REPLACE] = "an arena that changes its kind ends its own spans alone",
};

static u32 nr_bad[NR_CLAIMS];
static struct window w;

static void claim(enum claim what, bool good)
{
	u32 i;

	good = good && !bw_core_check(&w.sc.core);
	if (good || nr_bad[what]++)
		return;
	tap_note("%s: not with these kinds of arenas:", sentence[what]);
	for (i = 0; i < NR; i++)
		tap_note("  %u: %u of %u", i, w.kind[i], ABSENT);
}

static void segments_find(void)
{
	u32 i;

	w.nr_seg = 0;
	for (i = 0; i < NR; i++) {
		struct segment *last = &w.seg[w.nr_seg - !!w.nr_seg];

		if (w.kind[i] == ABSENT)
			continue;
		if (i && w.kind[i] == w.kind[i - 1])
			last->npages += ARENA;
		else
			w.seg[w.nr_seg++] = (struct segment){ AT(i, 0), ARENA,
							      w.kind[i] };
	}
}

/* Where a search has to end while all is free. */
static u32 look(u32 npages, u32 align, u32 kind)
{
	u32 i;

	for (i = 0; i < w.nr_seg; i++) {
		const struct segment *s = &w.seg[i];
		u32 page = (s->page + align - 1) / align * align;

		if (s->kind == kind && page + npages <= s->page + s->npages)
			return page;
	}
	return BW_NO_PAGE;
}

static bool search_ends_well(u32 npages, u32 kind)
{
	static const u32 align[] = { 1, 512, ARENA, 2 * ARENA };
	struct bw_pagemap *pm = &w.sc.core.map[kind];
	u32 i;

	for (i = 0; i < 4; i++)
		if (bw_pagemap_find(pm, npages, align[i]) !=
		    look(npages, align[i], kind))
			return false;
	return true;
}

static bool every_search_ends_well(void)
{
	u32 kind, page;

	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++)
		for (page = 0; page <= ALL; page += ARENA)
			if ((page && !search_ends_well(page, kind)) ||
			    !search_ends_well(page + 1, kind))
				return false;
	return true;
}

static int alloc(u32 npages, u32 kind, struct bw_run *run)
{
	struct bw_span_req req = {
		.npages = npages,
		.align = npages % BURROW_HUGE_PAGES ? 1 : BURROW_HUGE_PAGES,
		.arena_kind = kind,
	};

	return bw_core_span_alloc(&w.sc.core, &req, run);
}

/* The segments of one kind, in spans of a quarter of an arena. */
static bool kind_fills(u32 kind)
{
	const u32 n = ARENA / 4;
	struct bw_run run;
	u32 i, page;

	for (i = 0; i < w.nr_seg; i++) {
		const struct segment *s = &w.seg[i];

		if (s->kind != kind)
			continue;
		for (page = s->page; page < s->page + s->npages; page += n) {
			if (alloc(n, kind, &run) || run.page != page)
				return false;
			bw_core_set_resident(&w.sc.core, page, n);
		}
	}
	return alloc(n, kind, &run) == -ENOSPC;
}

static bool all_kinds_fill(void)
{
	u32 kind;

	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++)
		if (!kind_fills(kind))
			return false;
	return !w.sc.core.nr_free;
}

static bool all_spans_go(void)
{
	struct bw_core *core = &w.sc.core;
	struct bw_run out;
	u32 page;

	for (page = 0; page < ALL; page += ARENA / 4)
		if (core->arena[page / ARENA] &&
		    bw_core_span_free(core, page,
				      burrow_word_gen(*bw_span_word(core, page)),
				      &out))
			return false;
	return core->nr_free == core->nr_lazy;
}

static bool all_segments_are_reclaimed(void)
{
	struct bw_core *core = &w.sc.core;
	u32 i;

	for (i = 0; i < w.nr_seg; i++)
		if (!bw_core_reclaim_begin(core, 0, ALL, ALL, &w.run[i]) ||
		    w.run[i].page != w.seg[i].page ||
		    w.run[i].npages != w.seg[i].npages)
			return false;
	if (bw_core_reclaim_begin(core, 0, ALL, ALL, &w.run[0]) ||
	    bw_core_check(core))
		return false;
	while (i--)
		bw_core_reclaim_end(core, &w.run[i]);
	return !core->nr_lazy;
}

/* From the longest on, so that the first fit is the only fit. */
static bool all_segments_are_spans(void)
{
	u32 npages, i;

	for (npages = ALL; npages; npages -= ARENA) {
		for (i = 0; i < w.nr_seg; i++)
			if (w.seg[i].npages == npages &&
			    (alloc(npages, w.seg[i].kind, &w.run[i]) ||
			     w.run[i].page != w.seg[i].page))
				return false;
	}
	return w.sc.core.nr_spans == w.nr_seg && !w.sc.core.nr_free;
}

/* The arenas that differ go, and come back; then the rest of the spans goes. */
static bool replace(const u32 *kind)
{
	struct bw_core *core = &w.sc.core;
	bool good = true;
	u32 i, at;

	for (i = 0; i < NR; i++)
		if (kind[i] != w.kind[i] && w.kind[i] != ABSENT)
			scene_unmap(&w.sc, i);
	for (i = 0; i < NR; i++)
		if (kind[i] != w.kind[i] && kind[i] != ABSENT)
			good &= scene_map_of(&w.sc, i, kind[i]);
	for (i = 0; i < w.nr_seg; i++) {
		u32 end = w.seg[i].page + w.seg[i].npages;
		int want = 0;
		u64 word;

		for (at = w.seg[i].page; at < end; at += ARENA)
			if (kind[at / ARENA] != w.kind[at / ARENA])
				want = -ESTALE;
		good &= bw_core_span_find(core, w.run[i].page, w.run[i].gen,
					  &word) == want;
		good &= bw_core_span_free(core, w.run[i].page, w.run[i].gen,
					  &w.run[i]) == want;
	}
	memcpy(w.kind, kind, sizeof(w.kind));
	segments_find();
	return good && !core->nr_spans;
}

int main(void)
{
	u32 nr = 0, kind[NR], i, rest;

	if (!scene_make(&w.sc, NR))
		return 1;
	for (i = 0; i < NR; i++)
		w.kind[i] = ABSENT;
	for (;; nr++) {
		for (i = 0, rest = nr; i < NR; i++, rest /= ABSENT + 1)
			kind[i] = rest % (ABSENT + 1);
		if (rest)
			break;
		claim(REPLACE, replace(kind));
		claim(SEARCH, every_search_ends_well());
		claim(SPANS, all_kinds_fill());
		claim(SPANS, all_spans_go());
		claim(LAZY, all_segments_are_reclaimed());
		claim(LONGEST, all_segments_are_spans());
	}
	tap_note("%u arrangements", nr);
	for (i = 0; i < NR_CLAIMS; i++)
		tap_ok(!nr_bad[i], "%s", sentence[i]);
	scene_free(&w.sc);
	return tap_end();
}
