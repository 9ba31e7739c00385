// SPDX-License-Identifier: MIT
/*
 * mcache_fork: the heap in a child of fork(), before its first object.
 *
 *	bw_mcache_attach()		heap/mcache_thread.c
 *	  bw_heap_mend()		<- here, once in a child
 *
 * The locks of lists and page heap are held over fork() (pageheap_process.c), not
 * those of spans: there are as many as spans, and taking them would make memory
 * of all descriptors the child's. So the child may find a span that another
 * thread was freeing slots in: its lock taken, and counts that are not those of
 * its bits, for the two lie in pages which fork() copies at different times. It
 * is mended when the child first asks for an object, if it ever does.
 *
 * What the parent's other threads had in their mcaches stays in use: nobody takes
 * from there, and what is freed into it is as good as free (bw_mspan_is_lost()).
 *
 * Rejected: a gate that slow paths pass, as calls of a backend do. It would cost
 * each of them, for children that mostly exec.
 */
#include "mcache.h"

/* Spans that are to move to another list, a few at a time. */
struct torn {
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

/* Those of malloc and regions have no bits of ours, and no lock that is taken. */
static bool mend_span(struct bw_mspan *s, void *arg)
{
	u32 state = READ_ONCE(s->state), words = bw_mspan_words(s);
	struct torn *torn = arg;

	if (s->kind == BURROW_KIND_MANUAL)
		return true;
	/* who had it is not in this process */
	if (READ_ONCE(s->lock.word) != BW_LOCK_FREE)
		WRITE_ONCE(s->lock.word, BW_LOCK_FREE);
	if (state == BW_MSPAN_CACHED) {
		if (s->nr_freed != count_bits(s->freed, words))
			WRITE_ONCE(s->nr_freed, (u16)count_bits(s->freed, words));
		return true;
	}
	if (state != BW_MSPAN_PARTIAL && state != BW_MSPAN_FULL)
		return true;
	if (s->nalloc != count_bits(s->alloc, words))
		s->nalloc = (u16)count_bits(s->alloc, words);
	if (bw_mspan_bucket(s) != s->bucket)
		torn->span[torn->nr++] = s;
	return torn->nr < ARRAY_SIZE(torn->span);
}

static void mend(struct bw_mheap *h)
{
	struct torn torn;
	u32 i;

	do {
		torn.nr = 0;
		bw_mheap_each_span(h, mend_span, &torn);
		for (i = 0; i < torn.nr; i++)
			bw_mcentral_settle(h, torn.span[i]->spanclass,
					   torn.span[i]);
	} while (torn.nr == ARRAY_SIZE(torn.span));
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

bool bw_mspan_is_lost(const struct bw_mheap *h, struct bw_mspan *s)
{
	bool lost;

	/* with its lock: the mcache is there as long as the span is its */
	bw_lock(&s->lock);
	lost = s->state == BW_MSPAN_CACHED &&
	       (!s->cache || s->cache->epoch != READ_ONCE(h->be->epoch));
	bw_unlock(&s->lock);
	return lost;
}
