// SPDX-License-Identifier: MIT
/*
 * pageheap_resize: a span that its holder has gets longer or shorter.
 *
 *	realloc()			malloc/entry.c
 *	  bw_mspan_resize()		<- here: owner words, the descriptor
 *	    be->ops->span_resize()	backend/backend.h
 *
 * An owner word is gone before the backend may give its page to another span,
 * whose owner words are set by another thread; so it is for a place that a span
 * moves away from, and they come back if it stays.
 */
#include "mcache_hook.h"
#include "pageheap_inside.h"

static void owners_set(struct bw_mheap *h, u32 page, u32 npages, u64 word)
{
	size_t off = (size_t)page << BURROW_PAGE_SHIFT;
	u32 i;

	for (i = 0; i < npages; i++, off += BURROW_PAGE_SIZE)
		/* pairs with bw_map_find() */
		smp_store_release(bw_owner_word(&h->map, off), word);
}

/* The span has its new name and length; H2 and O5 are seen to. */
static void refill(struct bw_mheap *h, struct bw_mspan *s,
		   struct burrow_span_ref ref, u32 npages)
{
	u64 taken = npages;

	bw_lock(&h->lock);
	bw_pages_sub(&h->used_pages, s->npages);
	bw_pages_add(&h->lazy_pages, s->npages);
	bw_pages_sub(&h->lazy_pages, min(h->lazy_pages, taken));
	bw_used_add_locked(h, npages);
	bw_lock(&s->lock);
	s->ref = ref;
	s->npages = npages;
	s->base = bw_window_page_addr(&h->be->window, ref.page);
	s->alloc = bw_mspan_alloc_bits(h, ref.page);
	s->elem_size = (u64)npages << BURROW_PAGE_SHIFT;
	bw_unlock(&s->lock);
	bw_unlock(&h->lock);
}

static int shrink(struct bw_mheap *h, struct bw_mspan *s, u32 npages)
{
	struct burrow_span_ref ref = s->ref;
	u32 tail = ref.page + npages, n = s->npages - npages;
	int err;

	owners_set(h, tail, n, 0);
	err = h->be->ops->span_resize(h->be, 0, &ref, npages);
	if (err)
		owners_set(h, tail, n, (uintptr_t)s);
	else
		refill(h, s, ref, npages);
	return err;
}

static int grow_here(struct bw_mheap *h, struct bw_mspan *s, u32 npages,
		     u32 flags)
{
	struct burrow_span_ref ref = s->ref;
	u32 had = s->npages;
	int err = h->be->ops->span_resize(h->be, flags, &ref, npages);

	if (err)
		return err;
	bw_arenas_await(h, ref.page + npages);
	refill(h, s, ref, npages);
	owners_set(h, ref.page + had, npages - had, (uintptr_t)s);
	return 0;
}

/* With room made as for a new span. */
static int grow_elsewhere(struct bw_mheap *h, struct bw_mspan *s, u32 npages,
			  u32 flags)
{
	struct burrow_span_ref ref = s->ref;
	u64 bits = s->alloc[0];
	int err;

	bw_owners_set(h, s, false);
	WRITE_ONCE(s->alloc[0], 0);
	do {
		err = h->be->ops->span_resize(h->be, flags | BW_RESIZE_MOVE,
					      &ref, npages);
	} while (err == -ENOSPC && !bw_mheap_arena_add(h, BURROW_ARENA_HEAP));
	if (!err) {
		bw_arenas_await(h, ref.page + npages);
		refill(h, s, ref, npages);
	}
	WRITE_ONCE(s->alloc[0], bits);
	bw_owners_set(h, s, true);
	return err;
}

bool bw_mspan_resize(struct bw_mheap *h, struct bw_mspan *s, u32 npages,
		     bool may_move)
{
	u32 flags = npages > BW_LAZY_PAGES ? BW_RESIZE_LAZY : 0;
	int err;

	if (npages == s->npages)
		return true;
	if (h->efence)
		return false;
	if (npages < s->npages)
		return !shrink(h, s, npages);
	err = grow_here(h, s, npages, flags);
	if (err == -ENOSPC && may_move)
		err = grow_elsewhere(h, s, npages, flags);
	if (!err && unlikely(h->hooks))
		bw_hook_span_begin(s);
	return !err;
}
