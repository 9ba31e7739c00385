// SPDX-License-Identifier: MIT
/*
 * large: objects of more than 32 KiB, each with a span of its own.
 *
 *	bw_alloc()			rt/alloc.c
 *	  bw_large_alloc()		<- here
 *	    bw_mspan_get()		heap/pageheap.c
 *
 * With BURROW=guard=1 the object ends where a page begins that nobody may touch
 * (less what its alignment to 16 leaves). The seam has no such thing, so it is
 * mprotect(): in kernel mode the device's mappings refuse that, and large objects
 * are as without.
 */
#include <sys/mman.h>

#include "base/throw.h"
#include "mcache.h"
#include "mcache_hook.h"

static size_t span_bytes(const struct bw_mspan *s)
{
	return (size_t)s->npages << BURROW_PAGE_SHIFT;
}

static char *guard_page(const struct bw_mheap *h, const struct bw_mspan *s)
{
	return h->map.base + ((size_t)s->ref.page << BURROW_PAGE_SHIFT) +
	       span_bytes(s) - BURROW_PAGE_SIZE;
}

static void guard_set(struct bw_mheap *h, struct bw_mspan *s, size_t n)
{
	size_t size = (n + 15) & ~(size_t)15;
	char *page = guard_page(h, s);

	if (mprotect(page, BURROW_PAGE_SIZE, PROT_NONE)) {
		if (h->verify)
			bw_note("no guard page for %zu bytes at %p", n,
				s->base);
		return;
	}
	s->base = page - size;
	s->elem_size = size;
}

static void guard_unset(struct bw_mheap *h, struct bw_mspan *s)
{
	char *page = guard_page(h, s);

	if (s->base + s->elem_size != page)
		return;
	if (mprotect(page, BURROW_PAGE_SIZE, PROT_READ | PROT_WRITE))
		bw_throw("the system does not take a guard page away");
	/* the span may be a spare's next, whole */
	s->base = page + BURROW_PAGE_SIZE - span_bytes(s);
	s->elem_size = span_bytes(s);
}

void bw_large_lock(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_gate_enter(&h->large);
	bw_lock(&s->lock);
}

void bw_large_unlock(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_unlock(&s->lock);
	bw_gate_leave(&h->large);
}

void *bw_large_alloc(struct bw_mheap *h, size_t n, u32 kind, bool zero)
{
	struct bw_mspan *s;
	size_t npages;

	if (n > (size_t)bw_window_pages(&h->be->window) << BURROW_PAGE_SHIFT)
		return NULL;
	npages = (n + BURROW_PAGE_SIZE - 1) >> BURROW_PAGE_SHIFT;
	s = bw_mspan_get(h, (u32)npages + h->guard, 0, kind, 0);
	if (!s)
		return NULL;
	bw_large_lock(h, s);
	if (h->guard)
		guard_set(h, s, n);
	s->nalloc = 1;
	bw_mspan_set_state(s, BW_MSPAN_LARGE);
	bw_large_unlock(h, s);
	if (h->hooks)
		bw_hook_large(h, s, n);
	if (zero && s->needzero)
		bw_hook_zero(s->base, n, s->elem_size);
	bw_publish(&s->alloc[0], 1);
	return s->base;
}

void bw_large_free(struct bw_mheap *h, struct bw_mspan *s, void *p)
{
	if (p != s->base)
		bw_mspan_bad_free(s, p, "no object begins there");
	bw_large_lock(h, s);
	if (s->state != BW_MSPAN_LARGE || p != s->base)
		bw_mspan_bad_free(s, p, "another thread freed it");
	WRITE_ONCE(s->alloc[0], 0);
	s->nalloc = 0;
	bw_mspan_set_state(s, BW_MSPAN_OWNED);
	bw_large_unlock(h, s);
	if (h->guard)
		guard_unset(h, s);
	if (h->hooks)
		bw_hook_span_end(s);
	bw_mspan_put(h, s);
}
