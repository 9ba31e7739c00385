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
				run->flags |
				(run->needzero ? BURROW_W_NEEDZERO : 0));
}

static bool is_resident(const struct bw_core *core, u32 page)
{
	const struct bw_core_arena *a = core->arena[page / BURROW_ARENA_PAGES];
	u32 off = page % BURROW_ARENA_PAGES;

	return a->resident[off / 64] >> off % 64 & 1;
}

static bool page_is_same(struct pair *p, const char *what, u32 page)
{
	const struct bw_core_arena *a;
	u64 want = word_of(&p->model, page), got;

	a = p->core.arena[page / BURROW_ARENA_PAGES];
	got = a->kwords[page % BURROW_ARENA_PAGES];

	if (got != want)
		return pair_differs(p, "%s: word of %u is %#llx, not %#llx",
				    what, page, (unsigned long long)got,
				    (unsigned long long)want);
	if (bw_pagemap_is_free(&p->core.map[a->kind], page) !=
	    model_is_free(&p->model, page))
		return pair_differs(p, "%s: free bit of %u", what, page);
	if (is_resident(&p->core, page) != model_is_resident(&p->model, page))
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

static bool is_fillable(const struct model *m, u32 page)
{
	const struct model_run *run = model_run_at(m, page);

	if (!run || run->state == MODEL_RECLAIMING)
		return false;
	return !(run->flags & BURROW_W_GUARD) ||
	       page >= run->page + BURROW_GUARD_PAGES;
}

static bool is_usable(const struct model *m, u32 page)
{
	return is_fillable(m, page) || model_is_lazy(m, page);
}

/* How many of the pages from @page on are in arenas that are there. */
static u32 nr_mapped(const struct model *m, u32 page, u32 npages)
{
	u32 n = 0;

	while (n < npages && model_is_mapped(m, page + n))
		n++;
	return n;
}

static bool any_resident(const struct model *m, u32 page, u32 npages)
{
	u32 i;

	for (i = page; i < page + npages; i++)
		if (model_is_resident(m, i))
			return true;
	return false;
}

int pair_name_is_good(const struct pair *p, u32 page, u32 gen)
{
	const struct model_run *run = model_run_at(&p->model, page);

	if (!run || run->page != page || run->gen != gen)
		return -ESTALE;
	if (run->state == MODEL_DISCARDING)
		return -EBUSY;
	return run->state == MODEL_LIVE ? 0 : -ESTALE;
}

bool pair_find(struct pair *p, u32 page, u32 gen)
{
	int want = pair_name_is_good(p, page, gen), got;
	u64 word = 0;

	if (p->why[0])
		return false;
	got = bw_core_span_find(&p->core, page, gen, &word);
	if (got != want)
		return pair_differs(p, "find of %u gen %u is %d, not %d", page,
				    gen, got, want);
	if (!got && word != word_of(&p->model, page))
		return pair_differs(p, "find of %u gen %u: word %#llx", page,
				    gen, (unsigned long long)word);
	return pair_counts(p, "find");
}

bool pair_ask(struct pair *p, u32 page, u32 npages)
{
	const struct model_run *run = model_run_at(&p->model, page);
	u32 all = p->model.nr_arenas * BURROW_ARENA_PAGES, there;

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
	    is_fillable(&p->model, page))
		return pair_differs(p, "is %u fillable", page);
	there = nr_mapped(&p->model, page, npages);
	if (bw_core_is_resident(&p->core, page, there) !=
	    any_resident(&p->model, page, there))
		return pair_differs(p, "is %u+%u resident", page, there);
	return true;
}

/*
 * The summary of pages [first, first + size) as arenas of one kind have it, one
 * page after the other.
 */
static struct bw_sum sum_of(const struct model *m, u32 kind, u64 first,
			    u64 size)
{
	u64 end = min(first + size, (u64)m->nr_arenas * BURROW_ARENA_PAGES);
	struct bw_sum s = { 0, 0, 0 };
	bool at_start = true;
	u32 run = 0;
	u64 page;

	for (page = first; page < end; page++) {
		bool ours = model_is_of(m, (u32)page, kind);

		if (ours && model_is_free(m, (u32)page)) {
			run++;
			s.max = max(s.max, run);
			s.start += at_start;
			continue;
		}
		at_start = false;
		run = 0;
		if (!ours)
			page |= BURROW_ARENA_PAGES - 1;
	}
	s.end = end < first + size ? 0 : run;
	return s;
}

static bool sum_is_same(struct pair *p, u32 kind, u32 level, u32 i,
			const struct bw_sum *got)
{
	u64 size = (u64)BW_CHUNK_PAGES << level * BW_RADIX_SHIFT;
	struct bw_sum want = sum_of(&p->model, kind, i * size, size);

	if (got->start == want.start && got->max == want.max &&
	    got->end == want.end)
		return true;
	return pair_differs(p, "summary %u of level %u, kind %u, is %u %u %u, "
			    "not %u %u %u", i, level, kind, got->start,
			    got->max, got->end, want.start, want.max, want.end);
}

static bool sums_are_same(struct pair *p, u32 kind)
{
	const struct bw_pagemap *pm = &p->core.map[kind];
	u32 nodes = pm->nr_arenas, level, i;

	for (i = 0; i < pm->nr_arenas * BW_ARENA_CHUNKS; i++) {
		const struct bw_pagemap_leaf *leaf;

		leaf = pm->leaf[i / BW_ARENA_CHUNKS];
		if (leaf && !sum_is_same(p, kind, 0, i,
					 &leaf->chunk[i % BW_ARENA_CHUNKS]))
			return false;
	}
	for (level = 1; level < pm->nr_levels; level++) {
		for (i = 0; i < nodes; i++)
			if (!sum_is_same(p, kind, level, i, &pm->sum[level][i]))
				return false;
		nodes = (nodes + BW_RADIX - 1) / BW_RADIX;
	}
	return true;
}

/* An arena is in the map of its kind and in no other. */
static bool arena_is_mapped_right(struct pair *p, u32 index)
{
	const struct model_arena *a = p->model.arena[index];
	u32 kind;

	if (!p->core.arena[index] != !a)
		return pair_differs(p, "arena %u", index);
	if (a && p->core.arena[index]->kind != a->kind)
		return pair_differs(p, "kind of arena %u", index);
	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++)
		if (!p->core.map[kind].leaf[index] != !(a && a->kind == kind))
			return pair_differs(p, "arena %u in the map of kind %u",
					    index, kind);
	return true;
}

bool pair_check(struct pair *p)
{
	u32 index, kind, i;
	int bad;

	if (p->why[0])
		return false;
	bad = bw_core_check(&p->core);
	if (bad)
		return pair_differs(p, "check says %d", bad);
	for (index = 0; index < p->core.nr_arenas; index++) {
		u32 page = index * BURROW_ARENA_PAGES;

		if (!arena_is_mapped_right(p, index))
			return false;
		for (i = 0; p->core.arena[index] && i < BURROW_ARENA_PAGES; i++)
			if (!page_is_same(p, "check", page + i))
				return false;
	}
	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++)
		if (!sums_are_same(p, kind))
			return false;
	return true;
}

static bool arena_is_same(struct pair *p, const struct bw_core *a,
			  const struct bw_core *b, u32 index)
{
	u32 page = index * BURROW_ARENA_PAGES, i;

	if (a->arena[index]->kind != b->arena[index]->kind)
		return pair_differs(p, "other: kind of arena %u", index);
	for (i = 0; i < BURROW_ARENA_PAGES; i++) {
		u32 kind = a->arena[index]->kind;

		if (*bw_span_word(a, page + i) != *bw_span_word(b, page + i) ||
		    is_resident(a, page + i) != is_resident(b, page + i) ||
		    bw_pagemap_is_free(&a->map[kind], page + i) !=
		    bw_pagemap_is_free(&b->map[kind], page + i))
			return pair_differs(p, "other: page %u", page + i);
	}
	return true;
}

bool pair_is_same(struct pair *p, const struct pair *other)
{
	const struct bw_core *a = &p->core, *b = &other->core;
	u32 i;

	if (p->why[0])
		return false;
	if (a->nr_arenas != b->nr_arenas || a->gen != b->gen ||
	    a->nr_spans != b->nr_spans || a->nr_live != b->nr_live ||
	    a->nr_free != b->nr_free || a->nr_lazy != b->nr_lazy ||
	    p->nr_claims != other->nr_claims)
		return pair_differs(p, "other: counters");
	for (i = 0; i < a->nr_arenas; i++) {
		if (!a->arena[i] != !b->arena[i])
			return pair_differs(p, "other: arena %u", i);
		if (a->arena[i] && a->arena[i] == b->arena[i])
			return pair_differs(p, "arena %u is shared", i);
		if (a->arena[i] && !arena_is_same(p, a, b, i))
			return false;
	}
	return true;
}
