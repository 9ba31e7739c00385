// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * coreheap_check: C1, C2 and C5 of coreheap.h, page by page: for tests and debug
 * builds.
 */
#include "coreheap.h"

/* What check() counts by looking at every page. */
struct tally {
	u64 spans;
	u64 live;
	u64 free;
	u64 lazy;
	u64 covered;		/* pages with a word, and what the heads say */
	u64 claimed;
};

/* One page whose word is @word: 0 or the invariant it breaks. */
static int check_page(const struct bw_core *core, u32 page, struct tally *t)
{
	const struct bw_core_arena *a = bw_core_arena_of(core, page);
	u32 off = page % BURROW_ARENA_PAGES;
	bool free = bw_pagemap_is_free(&core->map[a->kind], page);
	u64 word = *bw_span_word(core, page), head = word;
	u32 start = page;

	if (burrow_word_tag(word) == BURROW_TAG_NONE) {
		if (!free || word)
			return 11;
		t->free++;
		t->lazy += a->resident[off / 64] >> (off % 64) & 1;
		return 0;
	}
	if (free)
		return 12;
	if (burrow_word_tag(word) == BURROW_TAG_BODY) {
		start = burrow_word_low(word);
		if (start >= page || !bw_core_page_is_mapped(core, start))
			return 13;
		head = *bw_span_word(core, start);
	}
	if (bw_core_arena_of(core, start)->kind != a->kind)
		return 17;
	if (burrow_word_tag(head) != BURROW_TAG_HEAD ||
	    burrow_word_gen(head) != burrow_word_gen(word) ||
	    page - start >= burrow_word_low(head))
		return 14;
	t->covered++;
	if (page == start)
		t->claimed += burrow_word_low(head);
	switch (burrow_word_state(head)) {
	case BURROW_SPAN_LIVE:
	case BURROW_SPAN_DISCARDING:
		t->live++;
		t->spans += page == start;
		return 0;
	case BURROW_SPAN_RECLAIMING:
		return 0;
	default:
		return 15;
	}
}

int bw_core_check(struct bw_core *core)
{
	struct tally all = { 0 };
	u32 index, i, kind;
	int bad;

	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++) {
		bad = bw_pagemap_check(&core->map[kind]);
		if (bad)
			return bad;
	}
	for (index = 0; index < core->nr_arenas; index++) {
		struct tally one = { 0 };

		if (!core->arena[index])
			continue;
		for (i = 0; i < BURROW_ARENA_PAGES; i++) {
			u32 page = (index << BURROW_ARENA_PAGE_SHIFT) + i;

			bad = check_page(core, page, &one);
			if (bad)
				return bad;
		}
		if (one.free != core->arena[index]->nr_free ||
		    one.lazy != core->arena[index]->nr_lazy)
			return 21;
		all.spans += one.spans;
		all.live += one.live;
		all.free += one.free;
		all.lazy += one.lazy;
		all.covered += one.covered;
		all.claimed += one.claimed;
	}
	if (all.covered != all.claimed)
		return 16;
	if (all.spans != core->nr_spans || all.live != core->nr_live ||
	    all.free != core->nr_free || all.lazy != core->nr_lazy)
		return 22;
	return 0;
}
