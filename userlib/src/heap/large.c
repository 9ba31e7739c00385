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
 *
 * What holds no pointers and fills units of 2 MiB but for an eighth lies in a
 * huge arena: one entry of page tables for each unit. Not what holds pointers:
 * which pages were written since a moment is known of 4 KiB pages alone. Not
 * malloc's blocks: they change their length by pages (pageheap_resize.c), and ask
 * for more than they touch.
 */
#include <sys/mman.h>

#include "base/throw.h"
#include "mcache.h"
#include "mcache_hook.h"
#include "sweep.h"
#include "base/hooks.h"

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

/* The same, and the list that sweeps go through. */
static void large_lock(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_gate_enter(&h->large);
	bw_lock(&h->gc.large.lock);
	bw_lock(&s->lock);
}

static void large_unlock(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_unlock(&s->lock);
	bw_unlock(&h->gc.large.lock);
	bw_gate_leave(&h->large);
}

/* For sweeps. While marking the object is black before it is there. */
static void list_add_locked(struct bw_mheap *h, struct bw_mspan *s)
{
	if (!bw_kind_is_collected(s->kind))
		return;
	bw_list_add(&h->gc.large.list[s->sweepgen / 2 % 2][0], &s->link);
	if (READ_ONCE(h->gc.marking))
		fetch_or_relaxed(bw_marks_of(&h->map, s), 1ULL);
}

/*
 * While it was zeroed a cycle may have begun, or marked all but this: a sweep is
 * not to find an object without a mark.
 */
static void publish(struct bw_mheap *h, struct bw_mspan *s)
{
	large_lock(h, s);
	if (bw_kind_is_collected(s->kind)) {
		bw_list_del(&s->link);
		s->sweepgen = (u16)READ_ONCE(h->sweepgen);
		bw_marks_clear_locked(h, s);
		list_add_locked(h, s);
	}
	bw_publish(&s->alloc[0], 1);
	large_unlock(h, s);
}

/* A whole number of units, where it may be one; else 0. */
static u32 units_for(const struct bw_mheap *h, size_t npages, u32 kind)
{
	size_t mask = BURROW_HUGE_PAGES - 1, whole = (npages + mask) & ~mask;

	if (kind != BURROW_KIND_NOSCAN || h->guard ||
	    npages < BURROW_HUGE_PAGES || (whole - npages) * 8 > whole)
		return 0;
	return (u32)whole;
}

static struct bw_mspan *span_for(struct bw_mheap *h, size_t npages, u32 kind)
{
	u32 units = units_for(h, npages, kind);
	struct bw_mspan *s = NULL;

	if (units)
		s = bw_mspan_get_huge(h, units, kind);
	if (!s)
		s = bw_mspan_get(h, (u32)npages + h->guard, 0, kind, 0);
	return s;
}

static struct bw_mspan *span_make(struct bw_mheap *h, size_t n, u32 npages,
				  u32 kind)
{
	struct bw_mspan *s = span_for(h, npages, kind);

	if (!s)
		return NULL;
	large_lock(h, s);
	if (h->guard)
		guard_set(h, s, n);
	s->nalloc = 1;
	s->sweepgen = (u16)READ_ONCE(h->sweepgen);
	bw_mspan_set_state(s, BW_MSPAN_LARGE);
	list_add_locked(h, s);
	if (bw_kind_is_collected(kind))
		bw_live_add(&h->gc, (s64)s->elem_size);
	large_unlock(h, s);
	return s;
}

void *bw_large_alloc(struct bw_mheap *h, size_t n, u32 kind, bool zero)
{
	struct bw_mspan *s;
	size_t npages;
	char *p;

	if (n > (size_t)bw_window_pages(&h->be->window) << BURROW_PAGE_SHIFT)
		return NULL;
	npages = (n + BURROW_PAGE_SIZE - 1) >> BURROW_PAGE_SHIFT;
	bw_section_begin();
	s = span_make(h, n, (u32)npages, kind);
	bw_section_end();
	if (!s)
		return NULL;
	/* nobody sees the object yet, and no sweep takes it (sweep_large()) */
	if (h->hooks)
		bw_hook_large(h, s, n);
	p = s->base;
	if (zero && s->needzero)
		bw_hook_zero(p, n, s->elem_size);
	bw_section_begin();
	publish(h, s);
	if (unlikely(bw_gc_is_due(&h->gc)))
		BW_UP(gc_due, h);
	bw_section_end();
	/* where the section ends the collector may look for who has it */
	__asm__ volatile("" : "+r" (p));
	return p;
}

void bw_large_end(struct bw_mheap *h, struct bw_mspan *s)
{
	if (h->guard)
		guard_unset(h, s);
	if (h->hooks)
		bw_hook_span_end(s);
}

void bw_large_put(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_large_end(h, s);
	bw_mspan_put(h, s);
}

void bw_large_free(struct bw_mheap *h, struct bw_mspan *s, void *p)
{
	if (p != s->base)
		bw_mspan_bad_free(s, p, "no object begins there");
	large_lock(h, s);
	if (s->state != BW_MSPAN_LARGE || p != s->base)
		bw_mspan_bad_free(s, p, "another thread freed it");
	WRITE_ONCE(s->alloc[0], 0);
	s->nalloc = 0;
	bw_mspan_set_state(s, BW_MSPAN_OWNED);
	bw_list_del(&s->link);
	large_unlock(h, s);
	if (bw_kind_is_collected(s->kind))
		bw_live_add(&h->gc, -(s64)s->elem_size);
	bw_large_put(h, s);
}
