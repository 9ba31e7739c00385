// SPDX-License-Identifier: MIT
/* sweep: see sweep.h */
#include "mcache.h"
#include "mcache_hook.h"
#include "sweep.h"

/* Of the lists a sweep goes through: span classes of collected kinds, large. */
#define NR_LISTS	(BURROW_KIND_MANUAL * BURROW_NR_CLASSES + 1)
#define AT_ONCE		16U		/* spans in one hold of a lock */

void bw_marks_clear_locked(struct bw_mheap *h, struct bw_mspan *s)
{
	u64 *marks = bw_marks_of(&h->map, s);
	u32 w;

	for (w = 0; w < bw_mspan_words(s); w++)
		if (READ_ONCE(marks[w]))
			WRITE_ONCE(marks[w], 0);
}

/* Somebody wants to hear of each object that ends. */
static void tell_dead(struct bw_mheap *h, struct bw_mspan *s, u32 w, u64 dead)
{
	for (; dead; dead &= dead - 1) {
		u32 i = w * 64 + (u32)__builtin_ctzll(dead);

		bw_hook_free(h, s, s->base + i * s->elem_size);
	}
}

u32 bw_sweep_span_locked(struct bw_mheap *h, struct bw_mspan *s)
{
	u64 *marks = bw_marks_of(&h->map, s);
	u32 w, gone = 0, left = 0;

	for (w = 0; w < bw_mspan_words(s); w++) {
		u64 old = READ_ONCE(s->alloc[w]);
		u64 mark = READ_ONCE(marks[w]), dead = old & ~mark;

		if (mark)
			WRITE_ONCE(marks[w], 0);
		left += (u32)__builtin_popcountll(old & mark);
		if (!dead)
			continue;
		gone += (u32)__builtin_popcountll(dead);
		if (h->hooks)
			tell_dead(h, s, w, dead);
		WRITE_ONCE(s->alloc[w], old & mark);
	}
	if (gone)
		s->needzero = true;
	s->nalloc = (u16)left;
	s->sweepgen = (u16)READ_ONCE(h->sweepgen);
	fetch_add_relaxed(&h->gc.swept, gone * s->elem_size);
	fetch_add_relaxed(&h->gc.nr_swept, 1);
	return gone;
}

/* Up to @nr large objects; those that have no mark go. */
static u32 sweep_large(struct bw_mheap *h, u32 nr)
{
	struct bw_mcentral *mc = &h->gc.large;
	u32 set = READ_ONCE(h->sweepgen) / 2 % 2, n = 0;
	struct bw_list *unswept = &mc->list[!set][0], *at, dead;

	bw_list_init(&dead);
	bw_gate_enter(&h->large);
	bw_lock(&mc->lock);
	for (; n < nr && !bw_list_is_empty(unswept); n++) {
		struct bw_mspan *s = bw_mspan_of_link(unswept->next);
		bool gone;

		bw_list_del(&s->link);
		bw_lock(&s->lock);
		gone = READ_ONCE(s->alloc[0]);
		if (gone)
			gone = bw_sweep_span_locked(h, s);
		else
			/* its memory is being zeroed: it is as good as new */
			s->sweepgen = (u16)READ_ONCE(h->sweepgen);
		if (gone)
			bw_mspan_set_state(s, BW_MSPAN_OWNED);
		bw_unlock(&s->lock);
		bw_list_add(gone ? &dead : &mc->list[set][0], &s->link);
	}
	bw_unlock(&mc->lock);
	bw_gate_leave(&h->large);
	for (at = dead.next; at != &dead; at = at->next)
		bw_large_end(h, bw_mspan_of_link(at));
	if (!bw_list_is_empty(&dead))
		bw_mspans_put(h, &dead);
	return n;
}

bool bw_sweep_some(struct bw_mheap *h, u32 nr)
{
	while (nr && READ_ONCE(h->gc.unswept)) {
		u32 at = READ_ONCE(h->gc.cursor), want = min(nr, AT_ONCE), n;

		if (at >= NR_LISTS) {
			WRITE_ONCE(h->gc.unswept, 0);
			break;
		}
		n = at < NR_LISTS - 1 ? bw_mcentral_sweep(h, at, want) :
					sweep_large(h, want);
		nr -= min(nr, max(n, 1U));
		/* lists only get shorter: once empty is for ever */
		if (n < want)
			try_cmpxchg(&h->gc.cursor, &at, at + 1);
	}
	return READ_ONCE(h->gc.unswept);
}

s64 bw_sweep_blacken(struct bw_mheap *h)
{
	struct bw_mcache *c;
	s64 bytes = 0;

	for (c = h->gc.caches; c; c = c->next)
		bytes += bw_mcache_blacken(c);
	return bytes;
}

void bw_sweep_flush(struct bw_mheap *h)
{
	struct bw_mcache *c;

	for (c = h->gc.caches; c; c = c->next) {
		bw_stashes_drop(c);
		bw_mcache_flush(c);
	}
}

void bw_sweep_begin(struct bw_mheap *h)
{
	WRITE_ONCE(h->sweepgen, h->sweepgen + 2);
	WRITE_ONCE(h->gc.cursor, 0);
	WRITE_ONCE(h->gc.unswept, 1);
}

bool bw_sweep_defer(struct bw_mheap *h, struct bw_mspan *s)
{
	bool defer;

	if (!bw_kind_is_collected(s->kind))
		return false;
	bw_lock(&h->gc.limbo_lock);
	/* it goes off in a stop, and nobody is stopped who holds a lock */
	defer = READ_ONCE(h->gc.marking);
	if (defer)
		bw_list_add(&h->gc.limbo, &s->link);
	bw_unlock(&h->gc.limbo_lock);
	return defer;
}

void bw_sweep_limbo(struct bw_mheap *h)
{
	struct bw_mspan *s;
	struct bw_list some;
	u32 n;

	do {
		bw_list_init(&some);
		bw_lock(&h->gc.limbo_lock);
		for (n = 0; n < AT_ONCE && !bw_list_is_empty(&h->gc.limbo);
		     n++) {
			s = bw_mspan_of_link(h->gc.limbo.next);
			bw_list_del(&s->link);
			bw_list_add(&some, &s->link);
		}
		bw_unlock(&h->gc.limbo_lock);
		if (n)
			bw_mspans_put(h, &some);
	} while (n);
}
