// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * coreheap: the moves between the states drawn in coreheap.h.
 *
 *	bw_ioctl_span_alloc()	kmod/ioctl.c	or user_span_alloc()
 *	  bw_core_span_alloc()	<- here
 *	    bw_pagemap_find()	core/pagemap.c
 *	    bw_span_write()	core/span.c
 */
#include "coreheap.h"

size_t bw_core_bytes(u32 nr_arenas)
{
	return nr_arenas * sizeof(struct bw_core_arena *) +
	       BURROW_NR_ARENA_KINDS * bw_pagemap_bytes(nr_arenas);
}

void bw_core_init(struct bw_core *core, void *zeroed, u32 nr_arenas)
{
	char *tables = (char *)zeroed + nr_arenas * sizeof(*core->arena);
	u32 kind;

	memset(core, 0, sizeof(*core));
	core->nr_arenas = nr_arenas;
	core->arena = zeroed;
	for (kind = 0; kind < BURROW_NR_ARENA_KINDS; kind++)
		bw_pagemap_init(&core->map[kind],
				tables + kind * bw_pagemap_bytes(nr_arenas),
				nr_arenas);
}

/* Where it is written down whether a page of a mapped arena is free. */
static struct bw_pagemap *map_of(struct bw_core *core, u32 page)
{
	return &core->map[bw_core_arena_of(core, page)->kind];
}

void bw_core_arena_add(struct bw_core *core, u32 index,
		       struct bw_core_arena *arena, u64 *kwords)
{
	arena->kwords = kwords;
	arena->nr_free = BURROW_ARENA_PAGES;
	core->nr_free += BURROW_ARENA_PAGES;
	core->arena[index] = arena;
	bw_pagemap_arena_add(&core->map[arena->kind], index, &arena->leaf);
}

void bw_core_arena_clone(struct bw_core *core, u32 index,
			 const struct bw_core_arena *from,
			 struct bw_core_arena *arena, u64 *kwords)
{
	memcpy(kwords, from->kwords, BURROW_KMETA_SIZE);
	*arena = *from;
	arena->kwords = kwords;
	core->arena[index] = arena;
	bw_pagemap_arena_clone(&core->map[arena->kind], index, &arena->leaf);
}

void bw_core_clone_end(struct bw_core *core, const struct bw_core *from)
{
	core->gen = from->gen;
	core->nr_spans = from->nr_spans;
	core->nr_live = from->nr_live;
	core->nr_free = from->nr_free;
	core->nr_lazy = from->nr_lazy;
}

/*
 * Calls fn(arena, word index, mask, pages) for each word of bits that
 * [page, page + npages) touches.
 */
#define for_each_word(core, page, npages, a, w, mask)			\
	for (u32 __at = (page), __end = (page) + (npages), __n;		\
	     __at < __end &&						\
	     ((a) = (core)->arena[__at >> BURROW_ARENA_PAGE_SHIFT],	\
	      (w) = __at % BURROW_ARENA_PAGES / 64,			\
	      __n = min(64 - __at % 64, __end - __at),			\
	      (mask) = (__n == 64 ? ~0ULL : (1ULL << __n) - 1)		\
		       << (__at % 64),					\
	      true);							\
	     __at += __n)

/* Pages leave the free state, or enter it; counts lazy ones on the way. */
static u32 move_pages(struct bw_core *core, u32 page, u32 npages, bool free)
{
	struct bw_core_arena *a;
	u32 w, lazy = 0;
	u64 mask;

	for_each_word(core, page, npages, a, w, mask) {
		u32 all = env_popcount(mask);
		u32 res = env_popcount(a->resident[w] & mask);

		lazy += res;
		a->nr_free += free ? all : -all;
		a->nr_lazy += free ? res : -res;
	}
	if (free) {
		bw_pagemap_give(map_of(core, page), page, npages);
		core->nr_free += npages;
		core->nr_lazy += lazy;
	} else {
		bw_pagemap_take(map_of(core, page), page, npages);
		core->nr_free -= npages;
		core->nr_lazy -= lazy;
	}
	return lazy;
}

static u32 next_gen(struct bw_core *core)
{
	core->gen = (core->gen + 1) & BURROW_GEN_MASK;
	return core->gen;
}

bool bw_core_is_resident(const struct bw_core *core, u32 page, u32 npages)
{
	struct bw_core_arena *a;
	u64 mask;
	u32 w;

	for_each_word(core, page, npages, a, w, mask)
		if (a->resident[w] & mask)
			return true;
	return false;
}

/* Where the span is to be, see struct bw_span_req. */
static u32 find_place(struct bw_core *core, struct bw_span_req *req, u32 align)
{
	struct bw_pagemap *map = &core->map[req->arena_kind];
	bool first = !req->from;
	u32 page;

	page = bw_pagemap_find_some(map, req->npages, align, &req->from,
				    req->steps ? req->steps : BW_NO_PAGE);
	if (page == BW_NO_PAGE && first && req->from != BW_NO_PAGE) {
		page = bw_pagemap_find(map, req->npages + align - 1, 1);
		if (page != BW_NO_PAGE)
			page = (page + align - 1) & ~(align - 1);
	}
	/* the next one: not through all that again */
	if (page != BW_NO_PAGE)
		req->from = first ? 0 : page;
	return page;
}

u32 bw_core_spans_alloc(struct bw_core *core, struct bw_span_req *req,
			struct bw_run *out, u32 nr)
{
	struct bw_pagemap *map = &core->map[req->arena_kind];
	u32 align = max(req->align, 1U), n = req->npages;
	u32 got = 1, page, lazy, i;

	/* The window may have more pages than a head word can say. */
	page = BW_NO_PAGE;
	if (n >> BURROW_W_NPAGES_BITS)
		req->from = BW_NO_PAGE;
	else
		page = find_place(core, req, align);
	if (page == BW_NO_PAGE)
		return 0;
	/* Neighbours that are free too cost no search and no mending. */
	if (nr > 1 && n % align == 0 && nr <= BURROW_MAX_PAGES / n)
		got = bw_pagemap_run(map, page, nr * n) / n;
	lazy = move_pages(core, page, got * n, false);
	core->nr_live += got * n;
	core->nr_spans += got;
	for (i = 0; i < got; i++, page += n) {
		u64 flags = lazy && bw_core_is_resident(core, page, n) ?
			    BURROW_W_NEEDZERO : 0;

		out[i] = (struct bw_run){ page, n, next_gen(core) };
		bw_span_write(core, page,
			      burrow_word_head(n, req->cls, req->kind,
					       BURROW_SPAN_LIVE, out[i].gen,
					       req->flags | flags));
	}
	return got;
}

int bw_core_span_alloc(struct bw_core *core, struct bw_span_req *req,
		       struct bw_run *out)
{
	if (bw_core_spans_alloc(core, req, out, 1))
		return 0;
	return req->from == BW_NO_PAGE ? -ENOSPC : -EAGAIN;
}

/* The run with this head page and gen, or false (C4). */
static bool find_run(const struct bw_core *core, u32 page, u32 gen, u64 *word)
{
	if (!bw_core_page_is_mapped(core, page))
		return false;
	*word = *bw_span_word(core, page);
	return burrow_word_tag(*word) == BURROW_TAG_HEAD &&
	       burrow_word_gen(*word) == gen;
}

/*
 * The claimed run, still in the state its _begin left it in. Generations wrap,
 * so after an arena went what bears the name may be something else.
 */
static bool run_is_in(const struct bw_core *core, const struct bw_run *run,
		      u32 state)
{
	u64 word;

	return find_run(core, run->page, run->gen, &word) &&
	       burrow_word_state(word) == state &&
	       burrow_word_low(word) == run->npages;
}

/* A live span ends: its pages are free, the resident ones lazy. */
static void span_end(struct bw_core *core, u32 page, u32 npages)
{
	bw_span_erase(core, page);
	core->nr_live -= npages;
	core->nr_spans--;
	move_pages(core, page, npages, true);
}

int bw_core_span_find(const struct bw_core *core, u32 page, u32 gen, u64 *word)
{
	if (!find_run(core, page, gen, word))
		return -ESTALE;
	switch (burrow_word_state(*word)) {
	case BURROW_SPAN_LIVE:
		return 0;
	case BURROW_SPAN_DISCARDING:
		return -EBUSY;
	default:
		return -ESTALE;
	}
}

int bw_core_span_free(struct bw_core *core, u32 page, u32 gen,
		      struct bw_run *out)
{
	u64 word;
	int err = bw_core_span_find(core, page, gen, &word);

	if (err)
		return err;
	*out = (struct bw_run){ page, burrow_word_low(word), gen };
	span_end(core, page, out->npages);
	return 0;
}

int bw_core_span_extend(struct bw_core *core, u32 page, u32 gen, u32 npages,
			struct bw_run *tail)
{
	u32 had, more, lazy;
	u64 word;
	int err = bw_core_span_find(core, page, gen, &word);

	if (err)
		return err;
	had = burrow_word_low(word);
	if (npages <= had)
		return -EINVAL;
	more = npages - had;
	if (npages >> BURROW_W_NPAGES_BITS ||
	    bw_pagemap_run(map_of(core, page), page + had, more) < more)
		return -ENOSPC;
	*tail = (struct bw_run){ page + had, more, gen };
	lazy = move_pages(core, tail->page, more, false);
	core->nr_live += more;
	bw_span_extend(core, page, npages, lazy ? BURROW_W_NEEDZERO : 0);
	return 0;
}

int bw_core_span_trim(struct bw_core *core, u32 page, u32 gen, u32 npages,
		      struct bw_run *tail)
{
	u64 word;
	int err = bw_core_span_find(core, page, gen, &word);

	if (err)
		return err;
	if (!npages || npages >= burrow_word_low(word))
		return -EINVAL;
	*tail = (struct bw_run){ page + npages, burrow_word_low(word) - npages,
				 gen };
	bw_span_trim(core, page, npages);
	core->nr_live -= tail->npages;
	move_pages(core, tail->page, tail->npages, true);
	return 0;
}

int bw_core_discard_begin(struct bw_core *core, u32 page, u32 npages,
			  struct bw_run *out)
{
	u32 head;
	u64 word;

	if (!bw_core_page_is_mapped(core, page))
		return -ESTALE;
	head = bw_span_head_of(core, page);
	if (head == BW_NO_PAGE)
		return -ESTALE;
	word = *bw_span_word(core, head);
	if (burrow_word_state(word) == BURROW_SPAN_RECLAIMING ||
	    npages > burrow_word_low(word) - (page - head))
		return -ESTALE;
	if (burrow_word_state(word) == BURROW_SPAN_DISCARDING)
		return -EBUSY;
	*out = (struct bw_run){ head, burrow_word_low(word),
				burrow_word_gen(word) };
	bw_span_set_state(core, head, BURROW_SPAN_DISCARDING);
	return 0;
}

void bw_core_discard_end(struct bw_core *core, const struct bw_run *run)
{
	if (run_is_in(core, run, BURROW_SPAN_DISCARDING))
		bw_span_set_state(core, run->page, BURROW_SPAN_LIVE);
}

/* The first lazy page in [page, end), or @end. */
static u32 next_lazy(const struct bw_core *core, u32 page, u32 end)
{
	while (page < end) {
		struct bw_core_arena *a;
		u32 off = page % BURROW_ARENA_PAGES;
		u64 x;

		a = bw_core_arena_of(core, page);
		if (!a || !a->nr_lazy) {
			page += BURROW_ARENA_PAGES - off;
			continue;
		}
		x = (a->leaf.free[off / 64] & a->resident[off / 64]) >>
		    (off % 64);
		if (x)
			return min(page + env_ctz(x), end);
		page += 64 - off % 64;
	}
	return end;
}

/*
 * How many of the pages from @page on are lazy, in arenas of one kind, at most
 * @most.
 */
static u32 lazy_run(const struct bw_core *core, u32 page, u32 most)
{
	u32 kind = bw_core_arena_of(core, page)->kind, n = 0;

	while (n < most) {
		u32 at = page + n, off = at % BURROW_ARENA_PAGES;
		struct bw_core_arena *a;
		u64 x;
		u32 ones;

		a = at >> BURROW_ARENA_PAGE_SHIFT < core->nr_arenas ?
		    core->arena[at >> BURROW_ARENA_PAGE_SHIFT] : NULL;
		if (!a || a->kind != kind)
			break;
		x = (a->leaf.free[off / 64] & a->resident[off / 64]) >>
		    (off % 64);
		ones = x == ~0ULL ? 64 : env_ctz(~x);
		n += ones;
		if (ones < 64 - off % 64)
			break;
	}
	return min(n, most);
}

/*
 * The first lazy run of [page, end) that may go, not much longer than @most, or
 * 0 pages. Huge arenas lose frames in whole units.
 */
static u32 find_lazy(const struct bw_core *core, u32 page, u32 end, u32 most,
		     u32 *npages)
{
	u32 at;

	*npages = 0;
	while ((at = next_lazy(core, page, end)) < end) {
		u32 unit = bw_core_arena_of(core, at)->kind == BURROW_ARENA_HUGE ?
			   BURROW_HUGE_PAGES : 1;
		u32 n = min(max(most, unit), end - at);

		page = at + unit - at % unit;
		if (at % unit)
			continue;
		*npages = lazy_run(core, at, n) & ~(unit - 1);
		if (*npages)
			break;
	}
	return at;
}

bool bw_core_reclaim_begin(struct bw_core *core, u32 page, u32 end, u32 most,
			   struct bw_run *out)
{
	u32 npages, at = find_lazy(core, page, end, most, &npages);

	if (!npages)
		return false;
	*out = (struct bw_run){ at, npages, next_gen(core) };
	move_pages(core, at, out->npages, false);
	bw_span_write(core, at,
		      burrow_word_head(out->npages, 0, 0,
				       BURROW_SPAN_RECLAIMING, out->gen, 0));
	return true;
}

static void run_end(struct bw_core *core, u32 page, u32 npages)
{
	bw_span_erase(core, page);
	bw_core_clear_resident(core, page, npages);
	move_pages(core, page, npages, true);
}

void bw_core_reclaim_end(struct bw_core *core, const struct bw_run *run)
{
	if (run_is_in(core, run, BURROW_SPAN_RECLAIMING))
		run_end(core, run->page, run->npages);
}

/*
 * Resident bits change under pages that are not free (a claimed run, a span),
 * so the lazy counts need no mending.
 */
void bw_core_set_resident(struct bw_core *core, u32 page, u32 npages)
{
	struct bw_core_arena *a;
	u64 mask;
	u32 w;

	for_each_word(core, page, npages, a, w, mask)
		a->resident[w] |= mask;
}

void bw_core_clear_resident(struct bw_core *core, u32 page, u32 npages)
{
	struct bw_core_arena *a;
	u64 mask;
	u32 w;

	for_each_word(core, page, npages, a, w, mask)
		a->resident[w] &= ~mask;
}

void bw_core_arena_del(struct bw_core *core, u32 index)
{
	struct bw_core_arena *a = core->arena[index];
	u32 page = index << BURROW_ARENA_PAGE_SHIFT;
	u32 end = page + BURROW_ARENA_PAGES;

	while (page < end) {
		u32 head = bw_span_head_of(core, page);
		u32 npages;
		u64 word;

		if (head == BW_NO_PAGE) {
			page++;
			continue;
		}
		word = *bw_span_word(core, head);
		npages = burrow_word_low(word);
		if (burrow_word_state(word) == BURROW_SPAN_RECLAIMING)
			run_end(core, head, npages);
		else
			span_end(core, head, npages);
		page = head + npages;
	}
	core->nr_free -= a->nr_free;
	core->nr_lazy -= a->nr_lazy;
	bw_pagemap_arena_del(&core->map[a->kind], index);
	core->arena[index] = NULL;
}

bool bw_core_run_is_there(const struct bw_core *core, const struct bw_run *run)
{
	u64 word;

	return find_run(core, run->page, run->gen, &word);
}

bool bw_core_is_lazy(const struct bw_core *core, u32 page, u32 npages)
{
	return next_lazy(core, page, page + npages) < page + npages;
}

bool bw_core_page_is_mapped(const struct bw_core *core, u32 page)
{
	u32 index = page >> BURROW_ARENA_PAGE_SHIFT;

	return index < core->nr_arenas && core->arena[index];
}

bool bw_core_page_is_fillable(const struct bw_core *core, u32 page)
{
	u32 head = bw_span_head_of(core, page);
	u64 word;

	if (head == BW_NO_PAGE)
		return false;
	word = *bw_span_word(core, head);
	return burrow_word_state(word) != BURROW_SPAN_RECLAIMING &&
	       !(word & BURROW_W_GUARD && page - head < BURROW_GUARD_PAGES);
}

bool bw_core_page_is_usable(const struct bw_core *core, u32 page)
{
	struct bw_core_arena *a;
	u32 off = page % BURROW_ARENA_PAGES;

	if (!bw_core_page_is_mapped(core, page))
		return false;
	if (bw_core_page_is_fillable(core, page))
		return true;
	a = bw_core_arena_of(core, page);
	return burrow_word_tag(a->kwords[off]) == BURROW_TAG_NONE &&
	       a->resident[off / 64] >> (off % 64) & 1;
}

bool bw_core_range_is_unused(const struct bw_core *core, u32 page, u32 npages)
{
	u32 end = page + npages, head;

	while (page < end) {
		if (!bw_core_page_is_mapped(core, page))
			return false;
		head = bw_span_head_of(core, page);
		if (head == BW_NO_PAGE) {
			const struct bw_core_arena *a = bw_core_arena_of(core, page);

			page += a->nr_free == BURROW_ARENA_PAGES ?
				BURROW_ARENA_PAGES - page % BURROW_ARENA_PAGES :
				bw_pagemap_run(&core->map[a->kind], page,
					       end - page);
			continue;
		}
		if (burrow_word_state(*bw_span_word(core, head)) !=
		    BURROW_SPAN_RECLAIMING)
			return false;
		page = head + burrow_word_low(*bw_span_word(core, head));
	}
	return true;
}
