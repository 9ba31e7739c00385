// SPDX-License-Identifier: MIT
/*
 * mcache: windows and refills, the slow half of allocation.
 *
 *	mcache_alloc()			heap/mcache.h
 *	  bw_mcache_alloc_slow()	<- here: next window, else next span
 *	    bw_shelf_get()		heap/shelf.c, first of all
 *	    bw_mcentral_swap()		heap/mcentral.c
 *
 * Rejected: keeping several spans a class, or full ones. Others could not have
 * what is freed in them while the thread sleeps.
 */
#include "base/hooks.h"
#include "base/sysmem.h"
#include "base/throw.h"
#include "mcache.h"
#include "mcache_hook.h"
#include "sweep.h"

#define FAR		4096U		/* bytes between two slots */
#define FETCH_MOST	1024U

static const struct bw_mspan_map map_none;

struct bw_mcache bw_mcache_none = {
	.stash = {
		[0 ... BW_NR_SPANCLASSES - 1] = {
			bw_stash_none, bw_stash_none, bw_stash_none, 0, 0,
		},
	},
	.span = { [0 ... BW_NR_SPANCLASSES - 1] = &bw_mspan_none },
	.map = &map_none,
	.tiny_used = BW_TINY_BLOCK,
};

/* The stores are in the order that bw_mspan_is_allocated() asks for. */
static void unload(struct bw_mspan *s)
{
	u32 w = s->window & BW_NO_WINDOW;

	if (w == BW_NO_WINDOW)
		return;
	bw_publish(&s->alloc[w], ~s->free_bits & bw_mspan_mask(s, w));
	bw_publish(&s->window, (s->window + BW_WINDOW_STEP) | BW_NO_WINDOW);
	bw_publish(&s->free_bits, 0);
}

/* M5 */
static void blacken(const struct bw_mheap *h, const struct bw_mspan *s, u32 w,
		    u64 bits)
{
	if (!(h->gc.broken & BW_BROKEN_BLACK))
		fetch_or_relaxed(&bw_marks_of(&h->map, s)[w], bits);
}

static void load(const struct bw_mheap *h, struct bw_mspan *s, u32 w, u64 bits)
{
	s->wbase = s->base + w * 64 * s->elem_size;
	if (unlikely(READ_ONCE(h->gc.marking)) && bw_kind_is_collected(s->kind))
		blacken(h, s, w, bits);
	bw_publish(&s->free_bits, bits);
	bw_publish(&s->window, (s->window & ~BW_NO_WINDOW) | w);
}

static bool load_from(const struct bw_mheap *h, struct bw_mspan *s, u32 w)
{
	for (; w < bw_mspan_words(s); w++) {
		u64 bits = ~s->alloc[w] & bw_mspan_mask(s, w);

		if (bits) {
			load(h, s, w, bits);
			return true;
		}
	}
	return false;
}

/* The next window with a free slot; once round where frees came behind us. */
static bool next_window(const struct bw_mheap *h, struct bw_mspan *s)
{
	u32 w = (s->window + 1) & BW_NO_WINDOW;

	unload(s);
	if (load_from(h, s, w))
		return true;
	if (!s->again && !READ_ONCE(s->nr_freed))
		return false;
	s->again = false;
	bw_lock(&s->lock);
	bw_mspan_fold_freed_locked(s);
	bw_unlock(&s->lock);
	return load_from(h, s, 0);
}

static bool refill(struct bw_mcache *c, u32 spanclass)
{
	struct bw_mspan *s = c->span[spanclass];

	if (s == &bw_mspan_none)
		s = NULL;
	else if (next_window(c->heap, s))
		return true;
	bw_mcache_flush_freeing(c);
	s = bw_mcentral_swap(c->heap, spanclass, s, c);
	/* what stashes keep may be in the way */
	if (unlikely(!s) && bw_mcache_flush_frees(c))
		s = bw_mcentral_swap(c->heap, spanclass, NULL, c);
	c->span[spanclass] = s ? s : &bw_mspan_none;
	if (!s)
		return false;
	if (!load_from(c->heap, s, 0))
		bw_throw("mcentral gave a span that is full");
	/* a new one, for on no list is one that is empty (E3) */
	if (c->shelved && !s->nalloc)
		bw_shelves_trim(c, (size_t)s->npages << BURROW_PAGE_SHIFT);
	if (c->heap->verify && bw_mcache_check(c))
		bw_throw("verify: an mcache is not as it should be");
	return true;
}

/* There are slots in the stash, or in the window. */
static bool more(struct bw_mcache *c, u32 spanclass)
{
	if (c->span[spanclass]->free_bits)
		return true;
	if (!bw_shelf_get(c, spanclass) && !refill(c, spanclass))
		return false;
	if (unlikely(bw_gc_is_due(&c->heap->gc)))
		BW_UP(gc_due, c->heap);
	return true;
}

static void *take_zeroed(struct bw_mspan *s)
{
	u64 bits = s->free_bits;
	char *p = s->wbase + (u32)__builtin_ctzll(bits) * s->elem_size;

	if (s->needzero)
		memset(p, 0, s->elem_size);
	bw_publish(&s->free_bits, bits & (bits - 1));
	return p;
}

/* The end of a section: the stash is blank. */
static __attribute__((noinline)) void *zeroed_slow(struct bw_mcache *c,
						   u32 spanclass, size_t n)
{
	void *p = NULL;

	/* M6: it may have been flushed since */
	if (likely(c->span[spanclass]->free_bits))
		p = take_zeroed(c->span[spanclass]);
	bw_section_end();
	return likely(p) ? p : bw_mcache_alloc_slow(c, spanclass, n, true);
}

/*
 * What was freed in no order lies all over the heap: the first lines of the next slot
 * but one come while this one is zeroed, and the next. Nearby they come by themselves.
 */
static __always_inline void fetch_lines(const struct bw_stash *st)
{
	const char *p;
	u32 i;

	if (st->top - st->low <= 2)
		return;
	p = st->top[-2];
	if ((uintptr_t)p - (uintptr_t)*st->top + FAR < 2 * FAR)
		return;
	for (i = 0; i < min(st->size, FETCH_MOST); i += 64)
		__builtin_prefetch(p + i, 1);
}

void *bw_mcache_take_zeroed(struct bw_mcache *c, u32 spanclass, size_t n)
{
	struct bw_stash *st = &c->stash[spanclass];
	void *p;

	bw_section_begin();
	if (unlikely(st->top == st->low))
		return zeroed_slow(c, spanclass, n);
	fetch_lines(st);
	p = *st->top--;
	/* nothing but @p is of use after it */
	p = memset(p, 0, st->size);
	bw_section_end();
	return p;
}

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static void *alloc_slow(struct bw_mcache *c, u32 spanclass, size_t n, bool zero)
{
	struct bw_mspan *s;
	char *p;

	if (c == &bw_mcache_none) {
		c = bw_mcache_attach();
		if (!c)
			return no_memory();
	}
	if (!more(c, spanclass))
		return no_memory();
	if (likely(!c->heap->hooks))
		return mcache_alloc(c, spanclass, n, zero);
	p = mcache_alloc(c, spanclass, n, false);
	s = c->span[spanclass];
	bw_hook_alloc(c->heap, s, p, n);
	if (zero && s->needzero)
		bw_hook_zero(p, n, s->elem_size);
	return p;
}

void *bw_mcache_alloc_slow(struct bw_mcache *c, u32 spanclass, size_t n,
			   bool zero)
{
	void *p;

	bw_section_begin();
	p = alloc_slow(c, spanclass, n, zero);
	bw_section_end();
	return p;
}

struct bw_mcache *bw_mcache_make(struct bw_mheap *h)
{
	struct bw_mcache *c = bw_sys_alloc(sizeof(*c));

	if (!c)
		return NULL;
	*c = bw_mcache_none;
	c->map = &h->map;
	c->heap = h;
	bw_stashes_init(c);
	c->epoch = READ_ONCE(h->be->epoch);
	bw_lock(&h->gc.caches_lock);
	c->next = h->gc.caches;
	h->gc.caches = c;
	WRITE_ONCE(h->gc.nr_caches, h->gc.nr_caches + 1);
	bw_unlock(&h->gc.caches_lock);
	return c;
}

s64 bw_mcache_blacken(struct bw_mcache *c)
{
	s64 bytes = 0;
	u32 i;

	c->tiny_used = BW_TINY_BLOCK;
	bw_stashes_drop(c);
	c->nr_pages = 0;
	for (i = 0; i < BURROW_KIND_MANUAL * BURROW_NR_CLASSES; i++) {
		const struct bw_mspan *s = c->span[i];
		u32 w = s->window & BW_NO_WINDOW;
		u64 bits = s->free_bits;

		if (w == BW_NO_WINDOW)
			continue;
		blacken(c->heap, s, w, bits);
		bytes += (s64)((u32)__builtin_popcountll(bits) * s->elem_size);
	}
	return bytes;
}

void bw_mcache_flush(struct bw_mcache *c)
{
	u32 i;

	bw_mcache_flush_frees(c);
	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		struct bw_mspan *s = c->span[i];

		if (s == &bw_mspan_none)
			continue;
		c->span[i] = &bw_mspan_none;
		unload(s);
		s->again = false;
		bw_mcentral_swap(c->heap, i, s, NULL);
	}
	c->tiny_used = BW_TINY_BLOCK;
}

static void unlist(struct bw_mcache *c)
{
	struct bw_gcstate *gc = &c->heap->gc;
	struct bw_mcache **at;

	bw_lock(&gc->caches_lock);
	for (at = &gc->caches; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	WRITE_ONCE(gc->nr_caches, gc->nr_caches - 1);
	bw_unlock(&gc->caches_lock);
}

void bw_mcache_release(struct bw_mcache *c)
{
	bw_mcache_flush(c);
	if (c->nr_shades)
		BW_UP(shades_full, c);
	unlist(c);
	bw_words_free(c);
	bw_sys_free(c, sizeof(*c));
}

static bool window_is_good(const struct bw_mspan *s)
{
	u32 w = s->window & BW_NO_WINDOW;

	if (w == BW_NO_WINDOW)
		return !s->free_bits;
	if (w >= bw_mspan_words(s) || s->free_bits & ~bw_mspan_mask(s, w))
		return false;
	return s->wbase == s->base + w * 64 * s->elem_size;
}

int bw_mcache_check(const struct bw_mcache *c)
{
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		const struct bw_mspan *s = c->span[i];

		if (s == &bw_mspan_none)
			continue;
		if (s->state != BW_MSPAN_CACHED || s->cache != c ||
		    s->spanclass != i)
			return 1;
		if (!window_is_good(s))
			return 2;
	}
	for (i = 0; i < BW_NR_FREEING; i++) {
		const struct bw_freeing *f = &c->freeing[i];

		if (f->span && (!f->mask || f->word >= bw_mspan_words(f->span)))
			return 4;
	}
	if (!bw_stashes_are_good(c))
		return 7;
	return bw_shelves_are_good(c) ? 0 : 8;
}
