// SPDX-License-Identifier: MIT
/*
 * mcache_fork: the heap in a child of fork(), before its first object.
 *
 *	bw_mcache_attach()		heap/mcache_thread.c
 *	bw_after_fork()			sched/fork.c
 *	  bw_heap_mend()		<- here, once in a child
 *
 * The locks of lists and page heap are held over fork() (pageheap_process.c), not
 * those of spans: there are as many as spans, and taking them would make memory
 * of all descriptors the child's. So the child may find a span that another
 * thread was freeing slots in: its lock taken, and counts that are not those of
 * its bits, for the two lie in pages which fork() copies at different times. It
 * is mended when the child first asks for an object, if it ever does.
 *
 * Y1. What the parent's other threads had in their mcaches is in use, all of it, and
 *     of spans on mcentral's lists. Free slots among it are objects that nobody has:
 *     they come back when the child collects, and not before.
 * Y2. Of the mcaches only that of the child's first thread is there. The others'
 *     memory, some KiB each, is lost.
 * Y3. What was being marked in the parent is not: no mark is left, nothing is in
 *     limbo, and nothing is noted. A sweep that was under way goes on.
 * Y4. A span that was AWAY with a thread that swept it may be half done: each word
 *     of its bits is as it was before or after. What has a bit stays until the child
 *     collects, and it has no marks.
 *
 * Rejected: a gate that slow paths pass, as calls of a backend do. It would cost
 * each of them, for children that mostly exec. Windows as they were (Y1): a slot that
 * a thread took while fork() was at work could seem free, and be known.
 */
#include "mcache.h"
#include "sweep.h"

/* Spans that are to go to another list, a few at a time. */
struct torn {
	struct bw_mheap *h;
	bool marking;
	struct bw_mspan *span[64];
	u32 nr;
};

static u32 count_bits(const u64 *words, u32 nr)
{
	u32 w, n = 0;

	for (w = 0; w < nr; w++)
		n += (u32)__builtin_popcountll(words[w]);
	return n;
}

/* Of the child's own thread: others may have been freeing in it. */
static void mend_cached(struct bw_mspan *s)
{
	u32 n = count_bits(s->freed, bw_mspan_words(s));

	if (s->nr_freed != n)
		WRITE_ONCE(s->nr_freed, (u16)n);
}

/* Y4 */
static void mend_away(struct bw_mheap *h, struct bw_mspan *s)
{
	bw_marks_clear_locked(h, s);
	s->sweepgen = (u16)READ_ONCE(h->sweepgen);
	s->needzero = true;
}

/* True: it is on the wrong list, or on none. */
static bool mend_state(struct bw_mspan *s)
{
	u32 state = READ_ONCE(s->state), n;

	if (state == BW_MSPAN_CACHED) {
		if (s->cache != bw_mcache_survivor)
			return true;
		mend_cached(s);
	}
	if (state != BW_MSPAN_PARTIAL && state != BW_MSPAN_FULL &&
	    state != BW_MSPAN_AWAY)
		return false;
	n = count_bits(s->alloc, bw_mspan_words(s));
	if (s->nalloc != n)
		s->nalloc = (u16)n;
	return state == BW_MSPAN_AWAY || bw_mspan_bucket(s) != s->bucket;
}

/* Those of malloc and regions have no bits of ours, and no lock that is taken. */
static bool mend_span(struct bw_mspan *s, void *arg)
{
	struct torn *torn = arg;

	if (s->kind == BURROW_KIND_MANUAL)
		return true;
	/* who had it is not in this process */
	if (READ_ONCE(s->lock.word) != BW_LOCK_FREE)
		WRITE_ONCE(s->lock.word, BW_LOCK_FREE);
	if (torn->marking && bw_kind_is_collected(s->kind))
		bw_marks_clear_locked(torn->h, s);
	if (READ_ONCE(s->state) == BW_MSPAN_AWAY)
		mend_away(torn->h, s);
	if (mend_state(s))
		torn->span[torn->nr++] = s;
	return torn->nr < ARRAY_SIZE(torn->span);
}

static void settle(struct bw_mheap *h, struct bw_mspan *s)
{
	u32 state = READ_ONCE(s->state);

	if (state == BW_MSPAN_CACHED)
		bw_mcentral_adopt(h, s);
	else if (state == BW_MSPAN_AWAY)
		bw_mcentral_take_back(h, s);
	else
		bw_mcentral_settle(h, s->spanclass, s);
}

static void mend_spans(struct bw_mheap *h)
{
	struct torn torn = { .h = h, .marking = READ_ONCE(h->gc.marking) };
	u32 i;

	do {
		torn.nr = 0;
		bw_mheap_each_span(h, mend_span, &torn);
		for (i = 0; i < torn.nr; i++)
			settle(h, torn.span[i]);
	} while (torn.nr == ARRAY_SIZE(torn.span));
}

/* Y2, Y3 */
static void mend_caches(struct bw_mheap *h)
{
	struct bw_mcache *c = bw_mcache_survivor;

	bw_lock(&h->gc.caches_lock);
	h->gc.caches = c;
	WRITE_ONCE(h->gc.nr_caches, !!c);
	if (c) {
		c->next = NULL;
		c->nr_shades = 0;
	}
	bw_unlock(&h->gc.caches_lock);
}

static void mend(struct bw_mheap *h)
{
	mend_caches(h);
	mend_spans(h);
	WRITE_ONCE(h->gc.marking, 0);
	bw_sweep_limbo(h);
}

void bw_heap_mend(struct bw_mheap *h)
{
	u32 epoch = READ_ONCE(h->be->epoch);

	/* pairs with the store below */
	if (likely(smp_load_acquire(&h->mended) == epoch))
		return;
	bw_lock(&h->mending);
	if (h->mended != epoch)
		mend(h);
	/* pairs with the load above */
	smp_store_release(&h->mended, epoch);
	bw_unlock(&h->mending);
}
