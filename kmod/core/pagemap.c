// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pagemap: the search and the upkeep of the summaries.
 *
 *	bw_core_span_alloc()	core/coreheap.c
 *	  bw_pagemap_find()	<- here: address-ordered first fit, O(log window)
 *	  bw_pagemap_take()	<- here: clear bits, mend summaries upwards
 *
 * Rejected: free lists by size (coalescing needs neighbours' headers, and
 * address order needs a tree); a tree of runs (a node to allocate per run,
 * under a lock that must not allocate).
 */
#include "pagemap.h"

static u32 level_pages(u32 level)
{
	return BW_CHUNK_PAGES << (level * BW_RADIX_SHIFT);
}

/* Nodes of a level that cover arenas, levels 1 and up. */
static u32 level_nodes(u32 nr_arenas, u32 level)
{
	u32 shift = (level - 1) * BW_RADIX_SHIFT;

	return (nr_arenas + (1U << shift) - 1) >> shift;
}

/* The same, filled up to whole groups of children. */
static u32 level_room(u32 nr_arenas, u32 level)
{
	u32 nodes = level_nodes(nr_arenas, level);

	return nodes > 1 ? (nodes + BW_RADIX - 1) & ~(BW_RADIX - 1) : nodes;
}

static u32 levels_for(u32 nr_arenas)
{
	u32 level = 1;

	while (level_nodes(nr_arenas, level) > 1)
		level++;
	return level + 1;
}

size_t bw_pagemap_bytes(u32 nr_arenas)
{
	size_t bytes = nr_arenas * sizeof(struct bw_pagemap_leaf *);
	u32 level;

	for (level = 1; level < levels_for(nr_arenas); level++)
		bytes += level_room(nr_arenas, level) * sizeof(struct bw_sum);
	/* another map may lie behind it */
	return (bytes + 7) & ~(size_t)7;
}

void bw_pagemap_init(struct bw_pagemap *pm, void *zeroed, u32 nr_arenas)
{
	struct bw_sum *sum;
	u32 level;

	memset(pm, 0, sizeof(*pm));
	pm->nr_arenas = nr_arenas;
	pm->nr_levels = levels_for(nr_arenas);
	pm->leaf = zeroed;
	sum = (struct bw_sum *)(pm->leaf + nr_arenas);
	for (level = 1; level < pm->nr_levels; level++) {
		pm->sum[level] = sum;
		sum += level_room(nr_arenas, level);
	}
	pm->hint = nr_arenas << BURROW_ARENA_PAGE_SHIFT;
	pm->stale_lo = 1;
}

/* Longest run of ones in @x. */
static u32 longest_run(u64 x)
{
	u32 n;

	for (n = 0; x; n++)
		x &= x >> 1;
	return n;
}

static struct bw_sum sum_of_bits(const u64 *word)
{
	struct bw_sum s = { 0, 0, 0 };
	bool at_start = true;
	u32 run = 0, i;

	for (i = 0; i < BW_CHUNK_WORDS; i++) {
		u64 x = word[i];

		if (x == ~0ULL) {
			run += 64;
			continue;
		}
		run += env_ctz(~x);
		if (at_start)
			s.start = run;
		at_start = false;
		s.max = max(s.max, run);
		if (s.max < env_popcount(x))
			s.max = max(s.max, longest_run(x));
		run = env_clz(~x);
	}
	if (at_start)
		s.start = run;
	s.max = max(s.max, run);
	s.end = run;
	return s;
}

/* The sixteen children of a node, or NULL where there is no arena. */
static const struct bw_sum *children(const struct bw_pagemap *pm, u32 level,
				     u32 i)
{
	if (level > 1)
		return &pm->sum[level - 1][i << BW_RADIX_SHIFT];
	return i < pm->nr_arenas && pm->leaf[i] ? pm->leaf[i]->chunk : NULL;
}

static struct bw_sum sum_of_children(const struct bw_pagemap *pm, u32 level,
				     u32 i)
{
	const struct bw_sum *kid = children(pm, level, i);
	u32 size = level_pages(level - 1);
	struct bw_sum s = { 0, 0, 0 };
	u32 run = 0, c;

	if (!kid)
		return s;
	for (c = 0; c < BW_RADIX && kid[c].start == size; c++)
		run += size;
	s.start = run + (c < BW_RADIX ? kid[c].start : 0);
	for (; c < BW_RADIX; c++) {
		if (kid[c].start == size) {
			run += size;
			continue;
		}
		run += kid[c].start;
		s.max = max(s.max, max(run, kid[c].max));
		run = kid[c].end;
	}
	s.max = max(s.max, run);
	s.end = run;
	return s;
}

static bool sum_set(struct bw_sum *to, struct bw_sum s)
{
	if (to->start == s.start && to->max == s.max && to->end == s.end)
		return false;
	*to = s;
	return true;
}

/* Mends the summaries above the chunks whose bits have changed (P2). */
static void settle(struct bw_pagemap *pm)
{
	u32 lo = pm->stale_lo, hi = pm->stale_hi;
	bool changed = false;
	u32 level, i;

	if (lo > hi)
		return;
	for (i = lo; i <= hi; i++) {
		struct bw_pagemap_leaf *leaf = pm->leaf[i / BW_ARENA_CHUNKS];
		u32 c = i % BW_ARENA_CHUNKS;

		if (leaf)
			changed |= sum_set(&leaf->chunk[c],
				sum_of_bits(&leaf->free[c * BW_CHUNK_WORDS]));
		else
			changed = true;
	}
	for (level = 1; changed && level < pm->nr_levels; level++) {
		lo >>= BW_RADIX_SHIFT;
		hi >>= BW_RADIX_SHIFT;
		changed = false;
		for (i = lo; i <= hi; i++)
			changed |= sum_set(&pm->sum[level][i],
					   sum_of_children(pm, level, i));
	}
	pm->stale_lo = 1;
	pm->stale_hi = 0;
}

/* The bits of [page, page + npages) have changed. */
static void stale(struct bw_pagemap *pm, u32 page, u32 npages)
{
	u32 lo = page >> BW_CHUNK_SHIFT;
	u32 hi = (page + npages - 1) >> BW_CHUNK_SHIFT;

	/* Only neighbours wait together: what lies between is not mended. */
	if (pm->stale_lo <= pm->stale_hi &&
	    (lo > pm->stale_hi + 1 || hi + 1 < pm->stale_lo))
		settle(pm);
	if (pm->stale_lo > pm->stale_hi) {
		pm->stale_lo = lo;
		pm->stale_hi = hi;
	} else {
		pm->stale_lo = min(pm->stale_lo, lo);
		pm->stale_hi = max(pm->stale_hi, hi);
	}
}

void bw_pagemap_arena_add(struct bw_pagemap *pm, u32 arena,
			  struct bw_pagemap_leaf *leaf)
{
	memset(leaf->free, 0xff, sizeof(leaf->free));
	bw_pagemap_arena_clone(pm, arena, leaf);
}

void bw_pagemap_arena_clone(struct bw_pagemap *pm, u32 arena,
			    struct bw_pagemap_leaf *leaf)
{
	u32 page = arena << BURROW_ARENA_PAGE_SHIFT;

	/* the summaries above know nothing of these yet */
	memset(leaf->chunk, 0xff, sizeof(leaf->chunk));
	pm->leaf[arena] = leaf;
	stale(pm, page, BURROW_ARENA_PAGES);
	pm->hint = min(pm->hint, page);
}

void bw_pagemap_arena_del(struct bw_pagemap *pm, u32 arena)
{
	pm->leaf[arena] = NULL;
	stale(pm, arena << BURROW_ARENA_PAGE_SHIFT, BURROW_ARENA_PAGES);
}

/**
 * struct search - a walk from left to right
 * @need:	pages wanted in a row
 * @mask:	alignment wanted, less one
 * @from:	pages below do not count
 * @run:	free pages found directly before where the walk is
 * @page:	where that run begins
 * @steps:	nodes it may still look into
 * @cut:	there were more
 */
struct search {
	u32 need;
	u32 mask;
	u32 from;
	u32 run;
	u32 page;
	u32 steps;
	bool cut;
};

/* The walk meets @n more free pages, at @page. */
static bool run_grow(struct search *s, u32 page, u32 n)
{
	if (!s->run)
		s->page = page;
	s->run += n;
	return s->run >= s->need + (u64)(-s->page & s->mask);
}

/* Where in the complete run the wanted pages begin. */
static u32 run_begin(const struct search *s)
{
	return (s->page + s->mask) & ~s->mask;
}

static bool search_bits(struct search *s, const u64 *word, u32 page)
{
	u32 end = page + BW_CHUNK_PAGES;

	while (page < end) {
		u32 off = page % BW_CHUNK_PAGES;
		u64 x = word[off / 64] >> (off % 64);
		u32 left = 64 - off % 64;
		u32 ones;

		if (page < s->from) {
			page += min(left, s->from - page);
			continue;
		}
		ones = x == ~0ULL ? 64 : env_ctz(~x);
		if (ones && run_grow(s, page, min(ones, left)))
			return true;
		if (ones >= left) {
			page += left;
			continue;
		}
		s->run = 0;
		x >>= ones;
		page += x ? ones + env_ctz(x) : left;
	}
	return false;
}

/*
 * Passes over a piece if its summary says that the wanted run neither lies in
 * it nor ends in it: what is left of it is the run at its end.
 */
static __always_inline bool
search_skip(struct search *s, const struct bw_sum *sum, u32 first, u32 size)
{
	if (sum->max >= s->need)
		return false;
	if (s->from > first) {
		/* the walk begins inside: there is no run before it */
		s->run = min(sum->end, first + size - s->from);
		s->page = first + size - s->run;
		return true;
	}
	if (s->run + sum->start >= s->need)
		return false;
	if (sum->start == size) {
		run_grow(s, first, size);
		return true;
	}
	s->run = sum->end;
	s->page = first + size - sum->end;
	return true;
}

/* No more steps: where the walk is to go on, the run before it included. */
static bool search_cut(struct search *s, u32 first)
{
	s->cut = true;
	if (!s->run)
		s->page = max(first, s->from);
	return true;
}

/*
 * Looks into one node, whose summary is @sum. True when the wanted run is
 * complete: it begins at s->page.
 */
static bool search_node(const struct bw_pagemap *pm, struct search *s,
			const struct bw_sum *sum, u32 level, u32 i)
{
	u32 size = level_pages(level);
	u32 first = i * size;
	const struct bw_sum *kid;
	u32 c;

	if (!s->steps--)
		return search_cut(s, first);
	if (s->from <= first) {
		if (sum->start && run_grow(s, first, sum->start))
			return true;
		if (sum->start == size)
			return false;
		s->run = 0;
	}
	if (s->from > first && search_skip(s, sum, first, size))
		return false;
	if (!level) {
		c = i % BW_ARENA_CHUNKS;
		return search_bits(s, &pm->leaf[i / BW_ARENA_CHUNKS]->free[c *
							BW_CHUNK_WORDS], first);
	}
	kid = children(pm, level, i);
	size >>= BW_RADIX_SHIFT;
	for (c = 0; kid && c < BW_RADIX; c++, first += size)
		if (s->from < first + size &&
		    !search_skip(s, &kid[c], first, size) &&
		    search_node(pm, s, &kid[c], level - 1,
				(i << BW_RADIX_SHIFT) + c))
			return true;
	return false;
}

/* From *@from on; that is then BW_NO_PAGE, or where the next call goes on. */
static u32 find_from(const struct bw_pagemap *pm, u32 npages, u32 mask,
		     u32 *from, u32 steps)
{
	struct search s = { .need = npages, .mask = mask, .from = *from,
			    .steps = steps };
	u32 root = pm->nr_levels - 1;

	*from = BW_NO_PAGE;
	if (!search_node(pm, &s, pm->sum[root], root, 0))
		return BW_NO_PAGE;
	if (!s.cut)
		return run_begin(&s);
	*from = s.page;
	return BW_NO_PAGE;
}

static bool is_stale(const struct bw_pagemap *pm, u32 chunk)
{
	return pm->stale_lo <= chunk && chunk <= pm->stale_hi;
}

/*
 * The lowest free pages lie in the chunk of the hint as a rule, and then its
 * bits alone answer: what begins there begins below all else (P3). If its
 * summary is good, it is asked first.
 */
static u32 find_at_hint(const struct bw_pagemap *pm, u32 npages, u32 mask)
{
	struct search s = { .need = npages, .mask = mask, .from = pm->hint };
	u32 chunk = pm->hint >> BW_CHUNK_SHIFT;
	const struct bw_pagemap_leaf *leaf;
	u32 c = chunk % BW_ARENA_CHUNKS;

	if (chunk / BW_ARENA_CHUNKS >= pm->nr_arenas)
		return BW_NO_PAGE;
	leaf = pm->leaf[chunk / BW_ARENA_CHUNKS];
	if (leaf && !is_stale(pm, chunk) && leaf->chunk[c].max < npages)
		return BW_NO_PAGE;
	if (!leaf || !search_bits(&s, &leaf->free[c * BW_CHUNK_WORDS],
				  chunk << BW_CHUNK_SHIFT))
		return BW_NO_PAGE;
	return run_begin(&s);
}

u32 bw_pagemap_find_some(struct bw_pagemap *pm, u32 npages, u32 align,
			 u32 *from, u32 steps)
{
	u32 page = BW_NO_PAGE;

	if (*from <= pm->hint) {
		*from = pm->hint;
		page = find_at_hint(pm, npages, align - 1);
	}
	if (page == BW_NO_PAGE) {
		settle(pm);
		page = find_from(pm, npages, align - 1, from, steps);
	}
	if (npages == 1 && align == 1 && page != BW_NO_PAGE)
		pm->hint = page;
	return page;
}

u32 bw_pagemap_find(struct bw_pagemap *pm, u32 npages, u32 align)
{
	u32 from = 0;

	return bw_pagemap_find_some(pm, npages, align, &from, BW_NO_PAGE);
}

static void flip(struct bw_pagemap *pm, u32 page, u32 npages, bool give)
{
	u32 left = npages, at = page;

	while (left) {
		struct bw_pagemap_leaf *leaf;
		u32 off = at % BURROW_ARENA_PAGES;
		u32 n = min(64 - off % 64, left);
		u64 mask = (n == 64 ? ~0ULL : (1ULL << n) - 1) << (off % 64);

		leaf = pm->leaf[at >> BURROW_ARENA_PAGE_SHIFT];
		if (give)
			leaf->free[off / 64] |= mask;
		else
			leaf->free[off / 64] &= ~mask;
		at += n;
		left -= n;
	}
	stale(pm, page, npages);
}

void bw_pagemap_take(struct bw_pagemap *pm, u32 page, u32 npages)
{
	flip(pm, page, npages, false);
	if (page == pm->hint)
		pm->hint = page + npages;
}

void bw_pagemap_give(struct bw_pagemap *pm, u32 page, u32 npages)
{
	flip(pm, page, npages, true);
	pm->hint = min(pm->hint, page);
}

bool bw_pagemap_is_free(const struct bw_pagemap *pm, u32 page)
{
	const struct bw_pagemap_leaf *leaf;
	u32 off = page % BURROW_ARENA_PAGES;

	leaf = pm->leaf[page >> BURROW_ARENA_PAGE_SHIFT];
	return leaf && leaf->free[off / 64] >> (off % 64) & 1;
}

u32 bw_pagemap_run(const struct bw_pagemap *pm, u32 page, u32 most)
{
	u32 n = 0;

	while (n < most) {
		const struct bw_pagemap_leaf *leaf;
		u32 off = (page + n) % BURROW_ARENA_PAGES;
		u32 ones;
		u64 x;

		if ((page + n) >> BURROW_ARENA_PAGE_SHIFT >= pm->nr_arenas)
			break;
		leaf = pm->leaf[(page + n) >> BURROW_ARENA_PAGE_SHIFT];
		if (!leaf)
			break;
		x = leaf->free[off / 64] >> (off % 64);
		ones = x == ~0ULL ? 64 : env_ctz(~x);
		n += ones;
		if (ones < 64 - off % 64)
			break;
	}
	return min(n, most);
}

int bw_pagemap_check(struct bw_pagemap *pm)
{
	u32 level, i, c, nr = pm->nr_arenas, from = 0;

	settle(pm);
	for (i = 0; i < nr; i++) {
		const struct bw_pagemap_leaf *leaf = pm->leaf[i];

		if (!leaf) {
			if (pm->sum[1][i].max)
				return 1;
			continue;
		}
		for (c = 0; c < BW_ARENA_CHUNKS; c++) {
			struct bw_sum s = leaf->chunk[c];

			if (sum_set(&s, sum_of_bits(&leaf->free[c *
							BW_CHUNK_WORDS])))
				return 2;
		}
	}
	for (level = 1; level < pm->nr_levels; level++) {
		for (i = 0; i < level_nodes(nr, level); i++) {
			struct bw_sum s = pm->sum[level][i];

			if (sum_set(&s, sum_of_children(pm, level, i)))
				return 2;
		}
	}
	/* An unaligned search from 0 must not find what the hint hides. */
	if (find_from(pm, 1, 0, &from, BW_NO_PAGE) < pm->hint)
		return 3;
	return 0;
}
