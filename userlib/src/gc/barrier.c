// SPDX-License-Identifier: MIT
/* barrier: see barrier.h */
#include "barrier.h"
#include "base/throw.h"
#include "burrow/barrier.h"
#include "collector.h"

#define COPY_WORDS	4096U		/* in one section */

uint32_t bw_barrier_on;

void bw_shades_flush(struct bw_mcache *c)
{
	u32 n = c->nr_shades;

	c->nr_shades = 0;
	bw_mark_words(c->heap, &bw_collector.pool, c->shade, n);
}

static inline void add(struct bw_mcache *c, const void *p)
{
	size_t off = (uintptr_t)p - (uintptr_t)c->heap->map.base;

	if (off >= READ_ONCE(c->heap->map.limit))
		return;
	c->shade[c->nr_shades++] = (u64)(uintptr_t)p;
	if (unlikely(c->nr_shades == BW_NR_SHADES))
		bw_shades_flush(c);
}

/* In a section. Marking may be over by now: then nothing is noted. */
static struct bw_mcache *buffer(void)
{
	struct bw_mcache *c;

	if (!READ_ONCE(bw_barrier_on))
		return NULL;
	c = bw_mcache_attach();
	if (!c)
		bw_throw("no memory for a thread's barrier buffer");
	return READ_ONCE(bw_collector.h->gc.broken) & BW_BROKEN_BARRIER ?
	       NULL : c;
}

static __attribute__((noinline)) void note_slow(const void *was,
						  const void *is)
{
	struct bw_mcache *c;

	bw_section_begin();
	c = buffer();
	if (c) {
		add(c, was);
		add(c, is);
	}
	bw_section_end();
}

static __always_inline void add_fast(struct bw_mcache *c, const void *p)
{
	size_t off = (uintptr_t)p - (uintptr_t)c->map->base;

	/* a word that is none is overwritten by the next */
	c->shade[c->nr_shades] = (u64)(uintptr_t)p;
	c->nr_shades += off < READ_ONCE(c->map->limit);
}

/* With a buffer that has room, a leaf. */
BW_LEAF void bw_barrier_slow(const void *was, const void *is)
{
	struct bw_mcache *c = bw_mcache_current();

	if (unlikely(c == &bw_mcache_none ||
		     c->nr_shades > BW_NR_SHADES - 3 || c->heap->gc.broken)) {
		note_slow(was, is);
		return;
	}
	bw_leaf_begin();
	if (READ_ONCE(bw_barrier_on)) {
		add_fast(c, was);
		add_fast(c, is);
	}
	bw_leaf_end();
}

void bw_shade(const void *p)
{
	bw_barrier_slow(p, NULL);
}

/* Words that are stored, and those that are there. */
static void note_all(void **dst, void *const *src, size_t n)
{
	struct bw_mcache *c = buffer();
	size_t i;

	for (i = 0; c && i < n; i++) {
		add(c, READ_ONCE(dst[i]));
		add(c, src[i]);
	}
}

static void copy_some(void **dst, void *const *src, size_t n)
{
	bw_section_begin();
	note_all(dst, src, n);
	memmove(dst, src, n * sizeof(*dst));
	bw_section_end();
}

/* In pieces, of which none is overwritten before it was read. */
void bw_copy_slots(void *dst, const void *src, size_t n)
{
	void **to = dst;
	void *const *from = src;
	size_t some, at;

	if (to <= from || to >= from + n) {
		for (at = 0; at < n; at += some) {
			some = n - at < COPY_WORDS ? n - at : COPY_WORDS;
			copy_some(to + at, from + at, some);
		}
		return;
	}
	for (at = n; at; at -= some) {
		some = at < COPY_WORDS ? at : COPY_WORDS;
		copy_some(to + at - some, from + at - some, some);
	}
}
