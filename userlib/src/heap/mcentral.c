// SPDX-License-Identifier: MIT
/* mcentral: see mcentral.h */
#include "base/throw.h"
#include "mcache.h"
#include "mcache_hook.h"
#include "sweep.h"

/* Middling, emptier, nearly full. */
static const u8 refill_order[] = {
	BW_BUCKET_MID, BW_BUCKET_LOW, BW_BUCKET_HIGH,
};

#define SWEEP_TRIES	32U	/* full spans that a refill sweeps */
#define SWEEP_AT_ONCE	4U	/* of these */
#define SWEEP_FIRST	16U	/* spans to be swept for a new one */

void bw_mcentral_init(struct bw_mcentral *mc)
{
	u32 i;

	bw_lock_init(&mc->lock, BW_RANK_MCENTRAL);
	for (i = 0; i < 2 * BW_NR_BUCKETS; i++)
		bw_list_init(&mc->list[i / BW_NR_BUCKETS][i % BW_NR_BUCKETS]);
}

static struct bw_list *swept(struct bw_mheap *h, struct bw_mcentral *mc)
{
	return mc->list[READ_ONCE(h->sweepgen) / 2 % 2];
}

/* By the span's own sweepgen: one that waits for the sweep stays unswept. */
static void list_add_locked(struct bw_mcentral *mc, struct bw_mspan *s)
{
	s->bucket = (u8)bw_mspan_bucket(s);
	bw_list_add(&mc->list[s->sweepgen / 2 % 2][s->bucket], &s->link);
	bw_mspan_set_state(s, s->bucket == BW_BUCKET_FULL ? BW_MSPAN_FULL :
							    BW_MSPAN_PARTIAL);
}

/* Free slots of a span in an mcache count as taken. */
static void count_live(struct bw_mheap *h, const struct bw_mspan *s, bool taken)
{
	s64 bytes = (s64)((u64)(s->nelems - s->nalloc) * s->elem_size);

	if (bw_kind_is_collected(s->kind))
		bw_live_add(&h->gc, taken ? bytes : -bytes);
}

/* The owner has unloaded its window. True: nothing is taken, it is OWNED. */
static bool uncache_locked(struct bw_mheap *h, struct bw_mcentral *mc,
			   struct bw_mspan *s)
{
	u32 w, n = 0;
	bool empty;

	bw_lock(&s->lock);
	bw_mspan_fold_freed_locked(s);
	for (w = 0; w < bw_mspan_words(s); w++)
		n += (u32)__builtin_popcountll(s->alloc[w]);
	s->nalloc = (u16)n;
	count_live(h, s, false);
	WRITE_ONCE(s->cache, NULL);
	empty = !n;
	if (empty)
		bw_mspan_set_state(s, BW_MSPAN_OWNED);
	else
		list_add_locked(mc, s);
	bw_unlock(&s->lock);
	return empty;
}

/* Its pages will be another's: frees look at the span from here on. */
static void span_end(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_classes_set(h, s, false);
	if (h->hooks)
		bw_hook_span_end(s);
}

static void span_done(struct bw_mheap *h, struct bw_mspan *s)
{
	span_end(h, s);
	bw_mspan_put(h, s);
}

static void cache_locked(struct bw_mheap *h, struct bw_mspan *s,
			 struct bw_mcache *cache)
{
	count_live(h, s, true);
	bw_mspan_set_state(s, BW_MSPAN_CACHED);
	WRITE_ONCE(s->cache, cache);
}

static struct bw_mspan *take_swept_locked(struct bw_mheap *h,
					  struct bw_mcentral *mc,
					  struct bw_mcache *cache)
{
	struct bw_list *set = swept(h, mc);
	struct bw_mspan *s;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(refill_order); i++) {
		struct bw_list *head = &set[refill_order[i]];

		if (bw_list_is_empty(head))
			continue;
		s = bw_mspan_of_link(head->next);
		bw_lock(&s->lock);
		bw_list_del(&s->link);
		cache_locked(h, s, cache);
		bw_unlock(&s->lock);
		return s;
	}
	return NULL;
}

static struct bw_list *unswept(struct bw_mheap *h, struct bw_mcentral *mc)
{
	struct bw_list *set = mc->list[!(READ_ONCE(h->sweepgen) / 2 % 2)];
	u32 i;

	for (i = 0; i < BW_NR_BUCKETS; i++)
		if (!bw_list_is_empty(&set[i]))
			return &set[i];
	return NULL;
}

/* Up to @nr that wait for the sweep become AWAY, and the caller's. */
static u32 take_away(struct bw_mheap *h, struct bw_mcentral *mc, u32 nr,
		     struct bw_list *away)
{
	struct bw_list *head;
	u32 n;

	bw_lock(&mc->lock);
	for (n = 0; n < nr && (head = unswept(h, mc)); n++) {
		struct bw_mspan *s = bw_mspan_of_link(head->next);

		bw_lock(&s->lock);
		bw_list_del(&s->link);
		bw_mspan_set_state(s, BW_MSPAN_AWAY);
		bw_unlock(&s->lock);
		bw_list_add(away, &s->link);
	}
	bw_unlock(&mc->lock);
	return n;
}

/* They are where they belong; those of which nothing is taken go to @empty. */
static void bring_back(struct bw_mcentral *mc, struct bw_list *away,
		       struct bw_list *empty)
{
	bw_lock(&mc->lock);
	while (!bw_list_is_empty(away)) {
		struct bw_mspan *s = bw_mspan_of_link(away->next);

		bw_list_del(&s->link);
		bw_lock(&s->lock);
		if (s->nalloc) {
			list_add_locked(mc, s);
		} else {
			bw_mspan_set_state(s, BW_MSPAN_OWNED);
			bw_list_add(empty, &s->link);
		}
		bw_unlock(&s->lock);
	}
	bw_unlock(&mc->lock);
}

/* True: it has room, and is @cache's. */
static bool sweep_away(struct bw_mheap *h, struct bw_mspan *s,
		       struct bw_mcache *cache)
{
	bool take;

	bw_lock(&s->lock);
	bw_sweep_span_locked(h, s);
	take = cache && s->nalloc < s->nelems;
	if (take)
		cache_locked(h, s, cache);
	bw_unlock(&s->lock);
	return take;
}

static void spans_done(struct bw_mheap *h, struct bw_list *list)
{
	struct bw_list *at;

	for (at = list->next; at != list; at = at->next)
		span_end(h, bw_mspan_of_link(at));
	if (!bw_list_is_empty(list))
		bw_mspans_put(h, list);
}

/*
 * Up to @nr, and how many it were; the first that has room is *@out, and @cache's,
 * where there is a @cache. All that are taken are swept: a list that was once empty
 * is not looked at again (bw_sweep_some()).
 */
static u32 sweep(struct bw_mheap *h, struct bw_mcentral *mc, u32 nr,
		 struct bw_mcache *cache, struct bw_mspan **out)
{
	struct bw_list away, done, empty;

	bw_list_init(&away);
	bw_list_init(&done);
	bw_list_init(&empty);
	nr = take_away(h, mc, nr, &away);
	if (!nr)
		return 0;
	while (!bw_list_is_empty(&away)) {
		struct bw_mspan *s = bw_mspan_of_link(away.next);

		bw_list_del(&s->link);
		if (sweep_away(h, s, cache)) {
			*out = s;
			cache = NULL;
		} else {
			bw_list_add(&done, &s->link);
		}
	}
	bring_back(mc, &done, &empty);
	spans_done(h, &empty);
	return nr;
}

/* One that has room once it is swept; not for ever, as many may be full. */
static struct bw_mspan *take_unswept(struct bw_mheap *h, struct bw_mcentral *mc,
				     struct bw_mcache *cache)
{
	struct bw_mspan *s = NULL;
	u32 i, n;

	if (!READ_ONCE(h->gc.unswept))
		return NULL;
	for (i = 0; !s && i < SWEEP_TRIES; i += n) {
		n = sweep(h, mc, SWEEP_AT_ONCE, cache, &s);
		if (!n)
			break;
	}
	return s;
}

u32 bw_mcentral_sweep(struct bw_mheap *h, u32 spanclass, u32 nr)
{
	return sweep(h, &h->central[spanclass], nr, NULL, NULL);
}

void bw_mcentral_take_back(struct bw_mheap *h, struct bw_mspan *s)
{
	struct bw_list one, empty;

	bw_list_init(&one);
	bw_list_init(&empty);
	bw_list_add(&one, &s->link);
	bring_back(&h->central[s->spanclass], &one, &empty);
	spans_done(h, &empty);
}

/* What is behind the last slot looks as if it were freed (M7 in mcache.h). */
static void tail_close(const struct bw_mspan *s)
{
	char *tail = s->base + s->nelems * s->elem_size;

	if (tail < s->base + ((size_t)s->npages << BURROW_PAGE_SHIFT))
		*(u64 *)(void *)tail = bw_freed_word(tail);
}

static struct bw_mspan *span_new(struct bw_mheap *h, u32 spanclass,
				 struct bw_mcache *cache)
{
	u32 kind = spanclass / BURROW_NR_CLASSES;
	u32 cls = spanclass == BW_SC_TINY ? BW_TINY_CLASS :
					    spanclass % BURROW_NR_CLASSES;
	const struct bw_sizeclass *sc = &bw_sizeclass[cls];
	struct bw_mspan *s;

	/* before there are new pages some old ones may become free */
	if (READ_ONCE(h->gc.unswept))
		bw_sweep_some(h, SWEEP_FIRST);
	s = bw_mspan_get(h, sc->npages, cls, kind, 0);
	if (!s)
		return NULL;
	bw_lock(&s->lock);
	s->spanclass = (u16)spanclass;
	s->sweepgen = (u16)READ_ONCE(h->sweepgen);
	bw_mspan_format(s, sc->nelems, sc->size, sc->divmul);
	cache_locked(h, s, cache);
	bw_unlock(&s->lock);
	if (h->hooks) {
		bw_hook_span(h, s);
		return s;
	}
	tail_close(s);
	if (spanclass != BW_SC_TINY && bw_kind_is_collected(kind))
		bw_classes_set(h, s, true);
	return s;
}

struct bw_mspan *bw_mcentral_swap(struct bw_mheap *h, u32 spanclass,
				  struct bw_mspan *old,
				  struct bw_mcache *cache)
{
	struct bw_mcentral *mc = &h->central[spanclass];
	struct bw_mspan *s = NULL;
	bool empty = false;

	bw_lock(&mc->lock);
	if (old)
		empty = uncache_locked(h, mc, old);
	if (cache)
		s = take_swept_locked(h, mc, cache);
	bw_unlock(&mc->lock);
	if (empty)
		span_done(h, old);
	if (cache && !s)
		s = take_unswept(h, mc, cache);
	return s || !cache ? s : span_new(h, spanclass, cache);
}

/*
 * The span may have gone, and be anything by now: then it is no member of this
 * class, or a member that is where it belongs.
 */
static bool settle_locked(struct bw_mcentral *mc, struct bw_mspan *s)
{
	if (s->state != BW_MSPAN_PARTIAL && s->state != BW_MSPAN_FULL)
		return false;
	if (bw_mspan_bucket(s) == s->bucket)
		return false;
	bw_list_del(&s->link);
	if (s->nalloc) {
		list_add_locked(mc, s);
		return false;
	}
	bw_mspan_set_state(s, BW_MSPAN_OWNED);
	return true;
}

void bw_mcentral_settle(struct bw_mheap *h, u32 spanclass, struct bw_mspan *s)
{
	struct bw_mcentral *mc = &h->central[spanclass];
	bool empty = false;

	bw_lock(&mc->lock);
	bw_lock(&s->lock);
	if (s->spanclass == spanclass)
		empty = settle_locked(mc, s);
	bw_unlock(&s->lock);
	bw_unlock(&mc->lock);
	if (empty)
		span_done(h, s);
}

/*
 * What its owner was doing is in several pages, of which fork() copied one after the
 * other: a slot that seems free may be an object that somebody knows.
 */
void bw_mcentral_adopt(struct bw_mheap *h, struct bw_mspan *s)
{
	struct bw_mcentral *mc = &h->central[s->spanclass];
	u32 w;

	bw_lock(&mc->lock);
	bw_lock(&s->lock);
	for (w = 0; w < bw_mspan_words(s); w++) {
		WRITE_ONCE(s->alloc[w], bw_mspan_mask(s, w));
		s->freed[w] = 0;
	}
	WRITE_ONCE(s->nr_freed, 0);
	s->window |= BW_NO_WINDOW;
	s->free_bits = 0;
	s->again = false;
	s->needzero = true;
	s->nalloc = s->nelems;
	WRITE_ONCE(s->cache, NULL);
	list_add_locked(mc, s);
	bw_unlock(&s->lock);
	bw_unlock(&mc->lock);
}

static int check_list(const struct bw_mspan *s, u32 spanclass, u32 set, u32 b)
{
	bool full = b == BW_BUCKET_FULL;

	if (s->spanclass != spanclass || s->bucket != b ||
	    s->state != (full ? BW_MSPAN_FULL : BW_MSPAN_PARTIAL) ||
	    s->sweepgen / 2 % 2 != set)
		return 1;
	if (bw_mspan_bucket(s) != b)
		return 2;
	return b == BW_BUCKET_EMPTY ? 3 : 0;
}

int bw_mcentral_check(struct bw_mheap *h, u32 spanclass)
{
	struct bw_mcentral *mc = &h->central[spanclass];
	struct bw_list *at;
	int bad = 0;
	u32 i;

	bw_lock(&mc->lock);
	for (i = 0; i < 2 * BW_NR_BUCKETS; i++) {
		u32 set = i / BW_NR_BUCKETS, b = i % BW_NR_BUCKETS;
		struct bw_list *head = &mc->list[set][b];

		for (at = head->next; !bad && at != head; at = at->next)
			bad = check_list(bw_mspan_of_link(at), spanclass, set,
					 b);
	}
	bw_unlock(&mc->lock);
	return bad;
}
