// SPDX-License-Identifier: MIT
/* depot_span: the lower floor of the depot (depot.h). */
#include "base/sysmem.h"
#include "base/throw.h"
#include "depot_span.h"
#include "heap/mcache_hook.h"

#define TWICE	"it was freed before"

static size_t span_page(const struct bw_mspan *s)
{
	return ((uintptr_t)s->base - bw_pages.base) >> BURROW_PAGE_SHIFT;
}

/*
 * A frame of bw_pages is the classes of 32 MiB. It is asked for before it is touched,
 * as all such memory (pageheap_desc.c); who asks twice does no harm.
 */
static bool classes_are_there(const struct bw_mspan *s)
{
	static u64 there[BURROW_MAX_PAGES / BW_SYS_PAGE / 64] __aligned(4096);
	size_t at = span_page(s) / BW_SYS_PAGE;
	size_t last = (span_page(s) + s->npages - 1) / BW_SYS_PAGE;

	for (; at <= last; at++) {
		u64 bit = 1ULL << at % 64;

		if (likely(READ_ONCE(there[at / 64]) & bit))
			continue;
		if (!bw_mheap_touch(bw_depots_heap(),
				    bw_pages.cls + at * BW_SYS_PAGE, 1))
			return false;
		fetch_or_relaxed(&there[at / 64], bit);
	}
	return true;
}

/* D4 */
static void span_set_class(const struct bw_mspan *s, u32 cls)
{
	size_t page = span_page(s);
	u32 i;

	for (i = 0; i < s->npages; i++)
		WRITE_ONCE(bw_pages.cls[page + i], (u8)cls);
}

struct bw_mspan *bw_depot_span_get(struct bw_depot *d)
{
	const struct bw_mclass *mc = &bw_mclass[d->cls];
	u32 cls = d->cls < BURROW_NR_CLASSES ? d->cls : 0;
	struct bw_mspan *s;

	bw_depots_make_room();
	s = bw_mspan_get(bw_depots_heap(), mc->npages, cls,
			 BURROW_KIND_MANUAL, 0);
	if (!s)
		return NULL;
	if (!classes_are_there(s)) {
		bw_mspan_put(bw_depots_heap(), s);
		return NULL;
	}
	bw_lock(&s->lock);
	bw_mspan_format(s, mc->nelems, mc->size, mc->divmul);
	s->first = 0;
	bw_unlock(&s->lock);
	if (unlikely(bw_depots_heap()->clobberfree))
		memset(s->base, BW_CLOBBER, (size_t)mc->nelems * mc->size);
	span_set_class(s, d->cls);
	return s;
}

static void add_empty_locked(struct bw_depot *d, struct bw_mspan *s)
{
	bw_list_add(&d->empty, &s->link);
	WRITE_ONCE(d->nr_empty, d->nr_empty + 1);
}

static void del_empty_locked(struct bw_depot *d, struct bw_mspan *s)
{
	bw_list_del(&s->link);
	WRITE_ONCE(d->nr_empty, d->nr_empty - 1);
	d->low_empty = min(d->low_empty, d->nr_empty);
}

void bw_depot_span_add_locked(struct bw_depot *d, struct bw_mspan *s)
{
	add_empty_locked(d, s);
	d->nr_spans++;
	d->nr_free += s->nelems;
}

/* Slots of one word, the highest first: the lowest is taken next. */
static u32 cut_word(struct bw_mspan *s, u32 w, void **slot, u32 want)
{
	u64 bits = ~s->alloc[w] & bw_mspan_mask(s, w), took = bits;
	char *base = s->base + w * 64 * s->elem_size;
	u32 n;

	for (n = 0; bits && n < want; n++, bits &= bits - 1)
		slot[-(s32)n] = base + (u32)__builtin_ctzll(bits) *
				s->elem_size;
	WRITE_ONCE(s->alloc[w], s->alloc[w] | (took ^ bits));
	return n;
}

static u32 cut_span(struct bw_mspan *s, void **slot, u32 want)
{
	u32 w = s->first, words = bw_mspan_words(s), n = 0;

	for (;;) {
		n += cut_word(s, w, slot - n, want - n);
		if (n == want || w + 1 == words)
			break;
		w++;
	}
	s->first = w;
	s->nalloc = (u16)(s->nalloc + n);
	return n;
}

static void clobber_check(const char *p, u32 size)
{
	u32 i;

	for (i = 0; i < size; i++)
		if ((u8)p[i] != BW_CLOBBER)
			bw_fatal("clobberfree: byte %u of the block of %u "
				 "bytes at %p was written to after it was "
				 "freed: 0x%x", i, size, p, (u8)p[i]);
}

/* From the end of @slot downwards: what comes first is to be taken first. */
u32 bw_depot_cut_locked(struct bw_depot *d, void **slot, u32 want)
{
	u32 n = 0, i;

	while (n < want) {
		struct bw_mspan *s;

		if (!bw_list_is_empty(&d->partial)) {
			s = bw_mspan_of_link(d->partial.next);
		} else if (!bw_list_is_empty(&d->empty)) {
			s = bw_mspan_of_link(d->empty.next);
			del_empty_locked(d, s);
			bw_list_add(&d->partial, &s->link);
		} else {
			break;
		}
		n += cut_span(s, slot + want - 1 - n, want - n);
		if (s->nalloc == s->nelems)
			bw_list_del(&s->link);
	}
	d->nr_free -= n;
	if (unlikely(n < want))
		memmove(slot, slot + want - n, n * sizeof(*slot));
	if (unlikely(bw_depots_heap()->clobberfree))
		for (i = 0; i < n; i++)
			clobber_check(slot[i], bw_mclass[d->cls].size);
	return n;
}

static void slot_back(struct bw_depot *d, struct bw_mspan *s, void *p)
{
	s32 i = bw_mspan_index(s, p);
	u32 w = (u32)i / 64;
	u64 bit;

	if (unlikely(i < 0))
		bw_depot_bad(p, "no block begins there");
	bit = 1ULL << (i % 64);
	if (unlikely(!(s->alloc[w] & bit)))
		bw_depot_bad(p, TWICE);
	WRITE_ONCE(s->alloc[w], s->alloc[w] & ~bit);
	s->first = min(s->first, w);
	if (s->nalloc-- == s->nelems)
		bw_list_add(d->partial.prev, &s->link);
	if (!s->nalloc) {
		bw_list_del(&s->link);
		add_empty_locked(d, s);
	}
}

static struct bw_mspan *span_of(const struct bw_depot *d, const void *p)
{
	struct bw_mspan *s = bw_mspan_of(bw_depots_heap(), p);

	if (unlikely(!s || bw_pages_class(p) != d->cls))
		bw_depot_bad(p, TWICE);
	return s;
}

/* Neighbours are often of one span. */
void bw_depot_sort_locked(struct bw_depot *d, void *const *slot, u32 nr)
{
	bool clobber = bw_depots_heap()->clobberfree;
	struct bw_mspan *s = NULL;
	size_t bytes = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		char *p = slot[i];

		if (!s || (uintptr_t)p - (uintptr_t)s->base >= bytes) {
			s = span_of(d, p);
			bytes = s->elem_size * s->nelems;
		}
		slot_back(d, s, p);
		if (unlikely(clobber))
			memset(p, BW_CLOBBER, s->elem_size);
	}
	d->nr_free += nr;
}

/* The oldest first. */
void bw_depot_empty_locked(struct bw_depot *d, u32 keep, struct bw_list *out)
{
	while (d->nr_empty > keep) {
		struct bw_mspan *s = bw_mspan_of_link(d->empty.prev);

		del_empty_locked(d, s);
		bw_list_add(out, &s->link);
		d->nr_spans--;
		d->nr_free -= s->nelems;
	}
}

void bw_depot_spans_put(struct bw_list *out)
{
	struct bw_mheap *h = bw_depots_heap();

	while (!bw_list_is_empty(out)) {
		struct bw_mspan *s = bw_mspan_of_link(out->next);

		bw_list_del(&s->link);
		span_set_class(s, 0);
		s->first = 0;
		bw_mspan_put(h, s);
	}
}

static u32 count_bits(const struct bw_mspan *s)
{
	u32 w, n = 0;

	for (w = 0; w < bw_mspan_words(s); w++)
		n += (u32)__builtin_popcountll(s->alloc[w]);
	return n;
}

static int list_check(const struct bw_depot *d, const struct bw_list *head)
{
	bool empty = head == &d->empty;
	struct bw_list *at;

	for (at = head->next; at != head; at = at->next) {
		struct bw_mspan *s = bw_mspan_of_link(at);

		if (s->nalloc == s->nelems || !s->nalloc != empty)
			return 2;
		if (s->nalloc != count_bits(s))
			return 3;
		if (bw_pages_class(s->base) != d->cls)
			return 4;
	}
	return 0;
}

int bw_depot_spans_check_locked(struct bw_depot *d)
{
	int bad = list_check(d, &d->partial);

	return bad ? bad : list_check(d, &d->empty);
}

void bw_depot_bad(const void *p, const char *why)
{
	struct bw_mspan *s = bw_mspan_of(bw_depots_heap(), p);
	size_t off;

	if (!s)
		bw_fatal("free(%p): %s", p, why);
	off = (size_t)((const char *)p - s->base);
	bw_fatal("free(%p): %s: byte %zu of slot %zu, class %u (%llu bytes), "
		 "in the span of %u pages at %p", p, why, off % s->elem_size,
		 off / s->elem_size, bw_pages_class(p),
		 (unsigned long long)s->elem_size, s->npages, s->base);
}
