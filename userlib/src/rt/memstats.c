// SPDX-License-Identifier: MIT
/*
 * memstats: how much there is, counted when it is asked for, so that no
 * allocation pays for it.
 *
 *	bw_memstats()			<- here
 *	  bw_mheap_each_span()		heap/pageheap_desc.c
 */
#include "alloc.h"
#include "memstats.h"

static bool count_span(struct bw_mspan *s, void *arg)
{
	struct bw_memstats *m = arg;
	u64 bytes, n;
	u32 cls;

	bw_lock(&s->lock);
	cls = s->cls;
	bytes = (u64)s->npages << BURROW_PAGE_SHIFT;
	n = bw_mspan_count_locked(s);
	if (s->state == BW_MSPAN_SPARE || s->state == BW_MSPAN_FREE) {
		bw_unlock(&s->lock);
		return true;
	}
	m->in_use += n * s->elem_size;
	bw_unlock(&s->lock);
	m->spans += bytes;
	m->nr_objects += n;
	m->by_class[cls].spans++;
	m->by_class[cls].bytes += bytes;
	m->by_class[cls].objects += n;
	return true;
}

/* Spans first: one that comes between is idle at worst, never twice. */
int bw_memstats_of(struct bw_mheap *h, struct bw_memstats *out)
{
	struct burrow_heap_stats st;
	u64 free, lazy;
	u32 i;
	int err;

	*out = (struct bw_memstats){ .heap = 0 };
	for (i = 1; i < BURROW_NR_CLASSES; i++)
		out->by_class[i].size = bw_sizeclass[i].size;
	bw_mheap_each_span(h, count_span, out);
	err = h->be->ops->stats(h->be, &st);
	if (err)
		return err;
	free = st.out_pages_free << BURROW_PAGE_SHIFT;
	lazy = st.out_pages_lazy << BURROW_PAGE_SHIFT;
	out->heap = free + (st.out_pages_live << BURROW_PAGE_SHIFT);
	out->spans = min(out->spans, out->heap);
	out->idle = out->heap - out->spans;
	out->released = min(free - min(lazy, free), out->idle);
	out->lazy = out->idle - out->released;
	return 0;
}

int bw_memstats(struct bw_memstats *out)
{
	struct bw_mheap *h = bw_mheap_peek();
	struct bw_mcache *c;

	if (h && bw_mheap_is_ours(h)) {
		bw_heap_mend(h);
		bw_section_begin();
		c = bw_mcache_current();
		if (c != &bw_mcache_none)
			bw_mcache_flush_frees(c);
		bw_section_end();
		return bw_memstats_of(h, out);
	}
	*out = (struct bw_memstats){ .heap = 0 };
	return 0;
}
