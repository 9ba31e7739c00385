// SPDX-License-Identifier: MIT
/* pair_check: all that can be seen of a page heap, against the model. */
#include "pair_check.h"

#include <stdarg.h>
#include <stdio.h>

bool pair_differs(struct pair *p, const char *fmt, ...)
{
	va_list ap;

	if (p->why[0])
		return false;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return false;
}

bool pair_counts(struct pair *p, const char *what)
{
	const struct bw_core *c = &p->core;
	const struct model *m = &p->model;

	p->moves++;
	if (c->nr_spans == m->nr_spans && c->nr_live == m->nr_live &&
	    c->nr_free == m->nr_free && c->nr_lazy == m->nr_lazy)
		return true;
	return pair_differs(p, "%s: spans %llu live %llu free %llu lazy %llu, "
			    "not %llu %llu %llu %llu", what,
			    (unsigned long long)c->nr_spans,
			    (unsigned long long)c->nr_live,
			    (unsigned long long)c->nr_free,
			    (unsigned long long)c->nr_lazy,
			    (unsigned long long)m->nr_spans,
			    (unsigned long long)m->nr_live,
			    (unsigned long long)m->nr_free,
			    (unsigned long long)m->nr_lazy);
}

static u64 word_of(const struct model *m, u32 page)
{
	static const u32 state[] = {
		[MODEL_LIVE] = BURROW_SPAN_LIVE,
		[MODEL_DISCARDING] = BURROW_SPAN_DISCARDING,
		[MODEL_RECLAIMING] = BURROW_SPAN_RECLAIMING,
	};
	const struct model_run *run = model_run_at(m, page);

	if (!run)
		return 0;
	if (run->page != page)
		return burrow_word_body(run->page, run->gen);
	return burrow_word_head(run->npages, run->cls, run->kind,
				state[run->state], run->gen,
				run->needzero ? BURROW_W_NEEDZERO : 0);
}

static bool page_is_same(struct pair *p, const char *what, u32 page)
{
	const struct bw_core_arena *a;
	u32 off = page % BURROW_ARENA_PAGES;
	u64 want = word_of(&p->model, page);
	u64 got = *bw_span_word(&p->core, page);

	a = p->core.arena[page / BURROW_ARENA_PAGES];
	if (got != want)
		return pair_differs(p, "%s: word of %u is %#llx, not %#llx",
				    what, page, (unsigned long long)got,
				    (unsigned long long)want);
	if (bw_pagemap_is_free(&p->core.map[0], page) !=
	    model_is_free(&p->model, page))
		return pair_differs(p, "%s: free bit of %u", what, page);
	if ((a->resident[off / 64] >> off % 64 & 1) !=
	    model_is_resident(&p->model, page))
		return pair_differs(p, "%s: resident bit of %u", what, page);
	return true;
}

bool pair_words(struct pair *p, const char *what, u32 page, u32 npages)
{
	u32 i;

	for (i = page; i < page + npages; i++)
		if (!page_is_same(p, what, i))
			return false;
	return pair_counts(p, what);
}

static bool is_unused(const struct model *m, u32 page, u32 npages)
{
	u32 i;

	for (i = page; i < page + npages; i++) {
		const struct model_run *run = model_run_at(m, i);

		if (!model_is_mapped(m, i) ||
		    (run && run->state != MODEL_RECLAIMING))
			return false;
	}
	return true;
}

static bool is_lazy(const struct model *m, u32 page, u32 npages)
{
	u32 i;

	for (i = page; i < page + npages; i++)
		if (model_is_lazy(m, i))
			return true;
	return false;
}

static bool is_usable(const struct model *m, u32 page)
{
	const struct model_run *run = model_run_at(m, page);

	return run ? run->state != MODEL_RECLAIMING : model_is_lazy(m, page);
}

bool pair_ask(struct pair *p, u32 page, u32 npages)
{
	const struct model_run *run = model_run_at(&p->model, page);
	u32 all = p->model.nr_arenas * BURROW_ARENA_PAGES;

	if (p->why[0])
		return false;
	if (bw_core_page_is_mapped(&p->core, page) !=
	    model_is_mapped(&p->model, page))
		return pair_differs(p, "is %u mapped", page);
	if (bw_core_page_is_usable(&p->core, page) !=
	    is_usable(&p->model, page))
		return pair_differs(p, "is %u usable", page);
	if (bw_core_range_is_unused(&p->core, page, npages) !=
	    is_unused(&p->model, page, npages))
		return pair_differs(p, "is %u+%u unused", page, npages);
	if (!model_is_mapped(&p->model, page))
		return true;
	npages = min(npages, all - page);
	if (bw_core_is_lazy(&p->core, page, npages) !=
	    is_lazy(&p->model, page, npages))
		return pair_differs(p, "is %u+%u lazy", page, npages);
	if (bw_span_head_of(&p->core, page) != (run ? run->page : BW_NO_PAGE))
		return pair_differs(p, "head of %u", page);
	if (bw_core_page_is_fillable(&p->core, page) !=
	    (run && run->state != MODEL_RECLAIMING))
		return pair_differs(p, "is %u in a span", page);
	return true;
}

/* The summary of pages [first, first + size), one page after the other. */
static struct bw_sum sum_of(const struct model *m, u64 first, u64 size)
{
	u64 end = min(first + size, (u64)m->nr_arenas * BURROW_ARENA_PAGES);
	struct bw_sum s = { 0, 0, 0 };
	bool at_start = true;
	u32 run = 0;
	u64 page;

	for (page = first; page < end; page++) {
		if (model_is_free(m, (u32)page)) {
			run++;
			s.max = max(s.max, run);
			s.start += at_start;
			continue;
		}
		at_start = false;
		run = 0;
		if (!model_is_mapped(m, (u32)page))
			page |= BURROW_ARENA_PAGES - 1;
	}
	s.end = end < first + size ? 0 : run;
	return s;
}

static bool sum_is_same(struct pair *p, u32 level, u32 i,
			const struct bw_sum *got)
{
	u64 size = (u64)BW_CHUNK_PAGES << level * BW_RADIX_SHIFT;
	struct bw_sum want = sum_of(&p->model, i * size, size);

	if (got->start == want.start && got->max == want.max &&
	    got->end == want.end)
		return true;
	return pair_differs(p, "summary %u of level %u is %u %u %u, not "
			    "%u %u %u", i, level, got->start, got->max,
			    got->end, want.start, want.max, want.end);
}

static bool sums_are_same(struct pair *p)
{
	const struct bw_pagemap *pm = &p->core.map[0];
	u32 nodes = pm->nr_arenas, level, i;

	for (i = 0; i < pm->nr_arenas * BW_ARENA_CHUNKS; i++) {
		const struct bw_pagemap_leaf *leaf;

		leaf = pm->leaf[i / BW_ARENA_CHUNKS];
		if (leaf && !sum_is_same(p, 0, i,
					 &leaf->chunk[i % BW_ARENA_CHUNKS]))
			return false;
	}
	for (level = 1; level < pm->nr_levels; level++) {
		for (i = 0; i < nodes; i++)
			if (!sum_is_same(p, level, i, &pm->sum[level][i]))
				return false;
		nodes = (nodes + BW_RADIX - 1) / BW_RADIX;
	}
	return true;
}

bool pair_check(struct pair *p)
{
	u32 index, i;
	int bad;

	if (p->why[0])
		return false;
	bad = bw_core_check(&p->core);
	if (bad)
		return pair_differs(p, "check says %d", bad);
	for (index = 0; index < p->core.nr_arenas; index++) {
		u32 page = index * BURROW_ARENA_PAGES;

		if (!p->core.arena[index] != !p->model.arena[index])
			return pair_differs(p, "arena %u", index);
		for (i = 0; p->core.arena[index] && i < BURROW_ARENA_PAGES; i++)
			if (!page_is_same(p, "check", page + i))
				return false;
	}
	return sums_are_same(p);
}
