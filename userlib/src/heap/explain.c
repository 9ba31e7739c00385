// SPDX-License-Identifier: MIT
/*
 * explain: what an address is to the heap of the process, in words, for who has
 * just died of touching it.
 *
 *	on_segv()		sched/segv.c
 *	  bw_mheap_explain()	<- here
 *
 * Async-signal-safe: it reads the span table, which is the kernel's or mapped
 * with its arena, and takes no lock. What it says is of now, not of the touch.
 */
#include "base/fmt.h"
#include "pageheap.h"

static const char *kind_name(u32 kind)
{
	static const char *const name[BURROW_NR_KINDS] = {
		[BURROW_KIND_NOSCAN]		= "noscan",
		[BURROW_KIND_SCAN]		= "scan",
		[BURROW_KIND_CONSERVATIVE]	= "conservative",
		[BURROW_KIND_MANUAL]		= "manual",
		[BURROW_KIND_STACK]		= "stack",
	};

	return kind < BURROW_NR_KINDS && name[kind] ? name[kind] : "unknown";
}

static size_t explain_span(const struct bw_span *s, u32 page, const char *start,
			   char *buf, size_t size)
{
	if (s->guarded && page - s->page < BURROW_GUARD_PAGES)
		return bw_fmt(buf, size, "the guard of the stack at %p, %u pages "
			      "long", start, s->npages);
	return bw_fmt(buf, size, "page %u of a live %s span at %p, %u pages, "
		      "class %u", page - s->page, kind_name(s->kind), start,
		      s->npages, (u32)s->cls);
}

size_t bw_mheap_explain(const void *addr, char *buf, size_t size)
{
	struct bw_mheap *h = bw_mheap_peek();
	const struct bw_window *w;
	struct bw_span span;
	size_t off;
	u32 page;

	buf[0] = '\0';
	if (!h)
		return 0;
	w = &h->be->window;
	off = (uintptr_t)addr - (uintptr_t)w->data;
	if (off >= (size_t)w->nr_arenas << BURROW_ARENA_SHIFT)
		return 0;
	page = (u32)(off >> BURROW_PAGE_SHIFT);
	if (!bw_window_has_arena(w, page >> BURROW_ARENA_PAGE_SHIFT))
		return bw_fmt(buf, size, "in no arena: nothing was ever there");
	if (bw_heap_span_of(&h->pub, addr, &span))
		return explain_span(&span, page,
				    bw_window_page_addr(w, span.page), buf,
				    size);
	return bw_fmt(buf, size, "in a page that is free: what was there was freed "
		      "and its memory given back");
}
