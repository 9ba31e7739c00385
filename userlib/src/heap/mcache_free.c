// SPDX-License-Identifier: MIT
/*
 * mcache_free: frees that a stash has no room for, and those that go to spans.
 *
 *	mcache_free()			heap/mcache.h
 *	  bw_mcache_free_slow()		<- here
 *	    bw_stash_put()		heap/stash.c: half of it goes to spans
 *	  bw_mcache_give()		<- here: to its span
 *	    our span			the window, or a bit in @alloc (O2)
 *	    a span that is not ours	an entry of @freeing, 64 slots to a lock
 *	      bw_mcentral_settle()	heap/mcentral.c, where its bucket changes
 *	    a large object		heap/large.c
 *
 * Whatever is no object, or no longer one, ends the process with a message; two
 * threads that free the same object are found out when their entries go back.
 */
#include "base/hooks.h"
#include "base/throw.h"
#include "mcache.h"
#include "mcache_hook.h"
#include "sweep.h"

#define TWICE	"it was freed before"

static __noreturn __cold void freed_twice(const struct bw_mspan *s, u32 w,
					  u64 twice)
{
	u32 i = w * 64 + (u32)__builtin_ctzll(twice);

	bw_mspan_bad_free(s, s->base + i * s->elem_size, TWICE);
}

void bw_mspan_fold_freed_locked(struct bw_mspan *s)
{
	u32 w;

	for (w = 0; s->nr_freed && w < bw_mspan_words(s); w++) {
		u64 twice = s->freed[w] & ~s->alloc[w];

		if (!s->freed[w])
			continue;
		if (unlikely(twice))
			freed_twice(s, w, twice);
		s->needzero = true;
		/* the slots' memory was their owners' until here */
		WRITE_ONCE(s->alloc[w], s->alloc[w] & ~s->freed[w]);
		s->freed[w] = 0;
	}
	WRITE_ONCE(s->nr_freed, 0);
}

static void own_free(const struct bw_mheap *h, struct bw_mspan *s, u32 i,
		     const void *p)
{
	u64 bit = 1ULL << (i % 64), bits;
	u32 w = i / 64;

	if ((s->window & BW_NO_WINDOW) == w) {
		bits = s->free_bits;
		if (bits & bit)
			bw_mspan_bad_free(s, p, TWICE);
		s->needzero = true;
		/* M5 in mcache.h */
		if (unlikely(READ_ONCE(h->gc.marking)))
			fetch_or_relaxed(&bw_marks_of(&h->map, s)[w], bit);
		bw_publish(&s->free_bits, bits | bit);
		return;
	}
	if (!(s->alloc[w] & bit))
		bw_mspan_bad_free(s, p, TWICE);
	s->needzero = true;
	s->again = true;
	WRITE_ONCE(s->alloc[w], s->alloc[w] & ~bit);
}

/* True: the span is no longer in the bucket it should be in. */
static bool give_locked(struct bw_mspan *s, u32 w, u64 mask, u64 *twice)
{
	u32 n = (u32)__builtin_popcountll(mask);

	if (s->state == BW_MSPAN_CACHED) {
		*twice = s->freed[w] & mask;
		s->freed[w] |= mask;
		WRITE_ONCE(s->nr_freed, (u16)(s->nr_freed + n));
		return false;
	}
	*twice = ~s->alloc[w] & mask;
	if (*twice)
		return false;
	s->needzero = true;
	WRITE_ONCE(s->alloc[w], s->alloc[w] & ~mask);
	s->nalloc = (u16)(s->nalloc - n);
	return bw_mspan_bucket(s) != s->bucket;
}

static void give(struct bw_mheap *h, struct bw_freeing *f)
{
	struct bw_mspan *s = f->span;
	u64 mask = f->mask, twice, size;
	bool settle, cached;
	u32 spanclass;

	f->span = NULL;
	bw_lock(&s->lock);
	cached = s->state == BW_MSPAN_CACHED;
	settle = give_locked(s, f->word, mask, &twice);
	spanclass = s->spanclass;
	size = s->elem_size;
	bw_unlock(&s->lock);
	if (unlikely(twice))
		freed_twice(s, f->word, twice);
	if (bw_kind_is_collected(spanclass / BURROW_NR_CLASSES) && !cached)
		bw_live_add(&h->gc, -(s64)((u32)__builtin_popcountll(mask) *
					   size));
	if (settle)
		bw_mcentral_settle(h, spanclass, s);
}

void bw_mcache_flush_freeing(struct bw_mcache *c)
{
	u32 i;

	for (i = 0; i < BW_NR_FREEING; i++)
		if (c->freeing[i].span)
			give(c->heap, &c->freeing[i]);
}

bool bw_mcache_flush_frees(struct bw_mcache *c)
{
	bool some = bw_stashes_flush(c);

	bw_mcache_flush_freeing(c);
	return some;
}

static struct bw_freeing *entry_of(struct bw_mcache *c,
				   const struct bw_mspan *s, u32 w)
{
	u64 key = (u64)(uintptr_t)s / sizeof(*s) + w;

	return &c->freeing[(key ^ key >> 4) % BW_NR_FREEING];
}

static void others_free(struct bw_mcache *c, struct bw_mspan *s, u32 i,
			const void *p)
{
	struct bw_freeing *f = entry_of(c, s, i / 64);
	u64 bit = 1ULL << (i % 64);

	if (f->span != s || f->word != i / 64) {
		if (f->span)
			give(c->heap, f);
		*f = (struct bw_freeing){ s, i / 64, 0 };
	}
	if (f->mask & bit || !bw_mspan_is_allocated(s, i))
		bw_mspan_bad_free(s, p, TWICE);
	f->mask |= bit;
}

/* The slot that begins at @p in the span of small objects, or the end. */
static u32 slot_of(const struct bw_mspan *s, const void *p)
{
	u32 state = READ_ONCE(s->state);
	s32 i;

	if (state < BW_MSPAN_CACHED || state == BW_MSPAN_LARGE)
		bw_mspan_bad_free(s, p, "it is not bw_alloc()'s");
	i = bw_mspan_index(s, p);
	if (i < 0)
		bw_mspan_bad_free(s, p, "no object begins there");
	return (u32)i;
}

static struct bw_mspan *span_of(const struct bw_mheap *h, const void *p)
{
	struct bw_mspan *s = bw_mspan_of(h, p);

	if (!s)
		bw_fatal("bw_free(%p): there is no span: it was freed before, "
			 "or never allocated", p);
	return s;
}

static void to_span(struct bw_mcache *c, struct bw_mspan *s, u32 i, void *p)
{
	if (READ_ONCE(s->cache) == c)
		own_free(c->heap, s, i, p);
	else
		others_free(c, s, i, p);
}

void bw_mcache_give(struct bw_mcache *c, void *p)
{
	struct bw_mspan *s = span_of(c->heap, p);

	to_span(c, s, slot_of(s, p), p);
}

static void free_slow(struct bw_mcache *c, void *p)
{
	struct bw_mspan *s;
	u32 i;

	if (!p)
		return;
	if (c == &bw_mcache_none) {
		c = bw_mcache_attach();
		if (!c)
			bw_throw("bw_free(): no memory for the thread's cache");
	}
	s = span_of(c->heap, p);
	if (unlikely(READ_ONCE(s->special)))
		BW_UP(object_freed, c->heap, p);
	if (READ_ONCE(s->state) == BW_MSPAN_LARGE) {
		bw_large_free(c->heap, s, p);
		return;
	}
	if (s->spanclass == BW_SC_TINY)
		return;
	i = slot_of(s, p);
	if (c->heap->hooks && bw_mspan_is_allocated(s, i))
		bw_hook_free(c->heap, s, p);
	if (!bw_stash_put(c, s, i, p))
		to_span(c, s, i, p);
}

void bw_mcache_free_slow(struct bw_mcache *c, void *p)
{
	bw_section_begin();
	free_slow(c, p);
	bw_section_end();
}

size_t bw_mcache_slot_size(const struct bw_mheap *h, const void *p)
{
	struct bw_mspan *s = span_of(h, p);

	if (READ_ONCE(s->state) == BW_MSPAN_LARGE) {
		if (p != s->base)
			bw_mspan_bad_free(s, p, "no object begins there");
		return s->elem_size;
	}
	if (s->spanclass == BW_SC_TINY)
		return 0;
	slot_of(s, p);
	return s->elem_size;
}
