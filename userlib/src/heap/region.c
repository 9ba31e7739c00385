// SPDX-License-Identifier: MIT
/*
 * region: linear allocation, freed in bulk.
 *
 *	bw_region_alloc()		rt/region.c
 *	  bw_region_take()		<- here: up to the end of a piece
 *	    bw_mspan_get()		heap/pageheap.c, a larger piece
 *
 * Pieces are spans of kind manual, twice as long each time, from FIRST_PAGES to
 * MOST_PAGES. What is larger than a quarter of the next piece has a span of its
 * own and does not end the piece. The region itself is at the start of the first
 * piece, which a reset keeps.
 *
 * R1. at <= end, and both lie in the first span of @pieces.
 * R2. Between @clean and the end all is zero.
 * R3. The last span of @pieces is @home.
 */
#include <assert.h>

#include "base/types.h"
#include "region.h"

#define FIRST_PAGES	2U
#define MOST_PAGES	128U

/**
 * struct bw_region - a region						[owner]
 * @heap:	where pieces come from
 * @home:	the piece that this is in
 * @pieces:	all spans, the one in use first, but for @large ones
 * @large:	spans with one object each
 * @at:		the next object
 * @end:	of the piece
 * @clean:	nobody wrote from here on
 * @npages:	of the next piece
 */
struct bw_region {
	struct bw_mheap *heap;
	struct bw_mspan *home;
	struct bw_list pieces;
	struct bw_list large;
	char *at;
	char *end;
	char *clean;
	u32 npages;
};

static size_t bytes_of(const struct bw_mspan *s)
{
	return (size_t)s->npages << BURROW_PAGE_SHIFT;
}

static struct bw_mspan *piece_get(struct bw_mheap *h, u32 npages)
{
	return bw_mspan_get(h, npages, 0, BURROW_KIND_MANUAL, 0);
}

static void piece_use(struct bw_region *r, struct bw_mspan *s)
{
	bw_list_add(&r->pieces, &s->link);
	r->at = s->base;
	r->end = s->base + bytes_of(s);
	r->clean = s->needzero ? r->end : r->at;
}

struct bw_region *bw_region_make_on(struct bw_mheap *h)
{
	struct bw_mspan *s = piece_get(h, FIRST_PAGES);
	struct bw_region *r;

	if (!s)
		return NULL;
	r = (struct bw_region *)(void *)s->base;
	r->heap = h;
	r->home = s;
	bw_list_init(&r->pieces);
	bw_list_init(&r->large);
	piece_use(r, s);
	r->at += (sizeof(*r) + 15) & ~(size_t)15;
	r->clean = max(r->clean, r->at);
	r->npages = 2 * FIRST_PAGES;
	return r;
}

static void *large_take(struct bw_region *r, size_t n)
{
	size_t npages = n / BURROW_PAGE_SIZE + !!(n % BURROW_PAGE_SIZE);
	struct bw_mspan *s;

	if (npages >= bw_window_pages(&r->heap->be->window))
		return NULL;
	s = piece_get(r->heap, (u32)npages);
	if (!s)
		return NULL;
	bw_list_add(&r->large, &s->link);
	if (s->needzero)
		memset(s->base, 0, n);
	return s->base;
}

static bool piece_add(struct bw_region *r)
{
	struct bw_mspan *s = piece_get(r->heap, r->npages);

	if (!s)
		return false;
	r->npages = min(2 * r->npages, MOST_PAGES);
	piece_use(r, s);
	return true;
}

void *bw_region_take(struct bw_region *r, size_t n)
{
	size_t size = (n + 15) & ~(size_t)15, dirty;
	char *p;

	if (unlikely(size < n))
		return NULL;
	if (!size)
		size = 16;
	if (unlikely(size > (size_t)(r->end - r->at))) {
		if (size > r->npages * BURROW_PAGE_SIZE / 4)
			return large_take(r, size);
		if (!piece_add(r))
			return NULL;
	}
	p = r->at;
	r->at += size;
	if (p < r->clean) {
		dirty = (size_t)(r->clean - p);
		memset(p, 0, min(size, dirty));
	}
	r->clean = max(r->clean, r->at);
	return p;
}

static void put_all(struct bw_mheap *h, struct bw_list *head,
		    const struct bw_mspan *but)
{
	while (!bw_list_is_empty(head)) {
		struct bw_mspan *s = bw_mspan_of_link(head->next);

		if (s == but)
			return;
		bw_list_del(&s->link);
		bw_mspan_put(h, s);
	}
}

void bw_region_empty(struct bw_region *r)
{
	bool only = bw_mspan_of_link(r->pieces.next) == r->home;
	char *start = r->home->base + ((sizeof(*r) + 15) & ~(size_t)15);

	put_all(r->heap, &r->large, NULL);
	put_all(r->heap, &r->pieces, r->home);
	r->at = start;
	r->end = r->home->base + bytes_of(r->home);
	if (!only)
		r->clean = r->end;
	r->npages = 2 * FIRST_PAGES;
}

void bw_region_end(struct bw_region *r)
{
	struct bw_mheap *h = r->heap;
	struct bw_mspan *home = r->home;

	bw_region_empty(r);
	bw_list_del(&home->link);
	bw_mspan_put(h, home);
}

int bw_region_check(const struct bw_region *r)
{
	const struct bw_mspan *s = bw_mspan_of_link(r->pieces.next);
	const char *p;

	if (r->at > r->end || r->at < s->base ||
	    r->end != s->base + bytes_of(s))
		return 1;
	for (p = max(r->clean, r->at); p < r->end; p++)
		if (*p)
			return 2;
	return bw_mspan_of_link(r->pieces.prev) == r->home ? 0 : 3;
}
