// SPDX-License-Identifier: MIT
/* block: see block.h */
#include "base/throw.h"
#include "block.h"
#include "boot.h"
#include "depot.h"
#include "heap/mcache.h"

#define GROW_FROM	((size_t)BW_LAZY_PAGES << BURROW_PAGE_SHIFT)

static bool is_too_much(const struct bw_mheap *h, size_t n)
{
	return n > (size_t)bw_window_pages(&h->be->window) <<
		   BURROW_PAGE_SHIFT;
}

static void *alloc_aligned(struct bw_mheap *h, size_t n, size_t align,
			   bool zero)
{
	u32 pages = (u32)((n + BURROW_PAGE_SIZE - 1) >> BURROW_PAGE_SHIFT);
	struct bw_mspan *s;

	s = bw_mspan_get(h, max(pages, 1U), 0, BURROW_KIND_MANUAL,
			 (u32)(align >> BURROW_PAGE_SHIFT));
	if (!s)
		return NULL;
	bw_large_lock(h, s);
	s->nalloc = 1;
	bw_mspan_set_state(s, BW_MSPAN_LARGE);
	bw_large_unlock(h, s);
	if (zero && s->needzero)
		memset(s->base, 0, n);
	/* pairs with bw_mspan_is_allocated() */
	smp_store_release(&s->alloc[0], 1);
	return s->base;
}

/*
 * A guard page (large.c) is behind what asks for no more than malloc(). All that
 * bw_block_size() promises is asked for: hooks watch the rest.
 */
static void *block_try(struct bw_mheap *h, size_t n, size_t align, bool zero)
{
	size_t unit = h->guard ? BW_MALLOC_ALIGN : BURROW_PAGE_SIZE;

	n = (n + unit - 1) & ~(unit - 1);
	if (align <= BW_MALLOC_ALIGN)
		return bw_large_alloc(h, n, BURROW_KIND_MANUAL, zero);
	return alloc_aligned(h, n, align, zero);
}

void *bw_block_alloc(size_t n, size_t align, bool zero)
{
	struct bw_mheap *h;
	int saved = errno;
	void *p;

	if (!bw_boot_thread())
		return bw_boot_alloc(n, align);
	h = bw_boot_heap();
	if (is_too_much(h, n) || is_too_much(h, align))
		return NULL;
	bw_depots_make_room();
	p = block_try(h, n, align, zero);
	if (unlikely(!p)) {
		bw_front_relieve();
		p = block_try(h, n, align, zero);
	}
	errno = saved;
	return p;
}

void *bw_block_alloc_grown(size_t n)
{
	void *p = NULL;

	if (n > GROW_FROM)
		p = bw_block_alloc(n + n / 2, BW_MALLOC_ALIGN, false);
	return p ? p : bw_block_alloc(n, BW_MALLOC_ALIGN, false);
}

/* Or the end of the process. */
static struct bw_mspan *span_of(const void *p)
{
	struct bw_mspan *s = bw_mspan_of(bw_boot_heap(), p);

	if (!s)
		bw_depot_bad(p, "it was freed before, or no block begins "
			     "there");
	if (READ_ONCE(s->state) != BW_MSPAN_LARGE ||
	    s->kind != BURROW_KIND_MANUAL || p != s->base)
		bw_depot_bad(p, "no block begins there");
	return s;
}

/* Room for as much as that again, where it costs nothing until it is touched. */
static u32 pages_with(size_t n, size_t more)
{
	if (n <= GROW_FROM)
		more = 0;
	return (u32)((n + more + BURROW_PAGE_SIZE - 1) >> BURROW_PAGE_SHIFT);
}

static bool grow(struct bw_mheap *h, struct bw_mspan *s, size_t n)
{
	return bw_mspan_resize(h, s, pages_with(n, n / 8), false) ||
	       bw_mspan_resize(h, s, pages_with(n, 0), false) ||
	       bw_mspan_resize(h, s, pages_with(n, n / 2), true);
}

void *bw_block_resize(void *p, size_t n)
{
	struct bw_mspan *s = span_of(p);
	struct bw_mheap *h = bw_boot_heap();
	int saved = errno;
	bool done;

	/* a guard page or somebody who watches knows the old length */
	if (h->guard || h->hooks || is_too_much(h, n))
		return NULL;
	done = n > s->elem_size ? grow(h, s, n) :
	       bw_mspan_resize(h, s, pages_with(n, 0), false);
	errno = saved;
	return done ? s->base : NULL;
}

void bw_block_free(void *p)
{
	bw_large_free(bw_boot_heap(), span_of(p), p);
}

size_t bw_block_size(const void *p)
{
	return span_of(p)->elem_size;
}
