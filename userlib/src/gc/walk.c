// SPDX-License-Identifier: MIT
/*
 * walk: marking depth first, where objects point to what is near them.
 *
 *	bw_mark_drain()			mark.c
 *	  bw_mark_walk()		<- here: words out, objects marked, words in
 *	    enter_span()		   what the next words' span is like
 *	    bw_mark_word()		mark.c: what is rare
 *
 * Nothing is asked for ahead, as it is there. What counts is how many
 * instructions an object takes, and how long it takes to get from a pointer to the
 * next one:
 *
 * - what is to be known of a span is kept until a word leads elsewhere. A span
 *   that has objects stays what it is until marking is over (S4 in sweep.h);
 * - so are 64 mark bits, and those that were set are stored together. Others may
 *   look into these objects, too, meanwhile: into fewer than 64, for they find the
 *   bits of all that came before, and each is counted once (A2 in mark.h);
 * - an object is read at the address that the word has while its slot is still
 *   being found, for the compiler is not to know that both are the same.
 *
 * Rejected: words put in without a branch. The place of the next one then waits
 * for what was read before it: 2.4 MB/ms where it was 3.1. Asking for the next
 * span when one is entered: no difference.
 */
#include "heap/ptrbits.h"
#include "markword.h"
#include "nosan.h"

#define WORDS	64U		/* of the longest object */

/**
 * struct walk - a walk							[owner]
 * @base:	of the heap
 * @limit:	bytes of it that are arenas
 * @top:	as the marker's
 * @low:	the same
 * @room:	while @top is not beyond there is room for an object's words
 * @start:	where the span begins that the last word led to
 * @bytes:	of its slots; 0: there is none
 * @size:	of a slot
 * @divmul:	see sizeclass.h
 * @scan:	enum bw_scan
 * @marks:	its mark bits
 * @bits:	its pointer bits
 * @objects:	that were marked in it
 * @word:	64 of its mark bits
 * @was:	what that had when it was read
 * @seen:	and what it is to have
 * @near:	as the marker's
 */
struct walk {
	uintptr_t base;
	size_t limit;
	u64 *top;
	u64 *low;
	u64 *room;
	uintptr_t start;
	size_t bytes;
	u64 size;
	u32 divmul;
	u32 scan;
	u64 *marks;
	const u64 *bits;
	u64 objects;
	u64 *word;
	u64 was;
	u64 seen;
	u32 near;
};

static __always_inline void walk_begin(struct walk *w,
				       const struct bw_marker *m)
{
	*w = (struct walk){
		.base = (uintptr_t)m->map.base,
		.limit = m->map.limit,
		.top = m->top,
		.low = m->low,
		.room = m->end - WORDS,
	};
}

/* What was set goes where all see it. */
static __always_inline void leave_word(struct walk *w, bool shared)
{
	u64 old;

	if (w->seen == w->was)
		return;
	old = w->was;
	if (shared)
		old = fetch_or(w->word, w->seen);
	else
		WRITE_ONCE(*w->word, w->seen);
	w->objects += (u32)__builtin_popcountll(w->seen & ~old);
	w->was = w->seen;
}

/* What was done in the span is added up. */
static __always_inline void leave_span(struct walk *w, struct bw_marker *m,
				       bool shared)
{
	leave_word(w, shared);
	m->objects += w->objects;
	m->bytes += w->objects * w->size;
	if (w->scan > BW_SCAN_NONE)
		m->scanned += w->objects * w->size;
	w->objects = 0;
}

static __always_inline void walk_end(struct walk *w, struct bw_marker *m,
				     bool shared)
{
	leave_span(w, m, shared);
	m->top = w->top;
	m->near += w->near;
}

/* False: @v leads to no span of small objects. */
static __always_inline bool enter_span(struct walk *w, struct bw_marker *m,
				       u64 v, bool shared)
{
	struct bw_mspan *s = bw_span_at(&m->map, v);

	leave_span(w, m, shared);
	w->word = NULL;
	if (!s)
		return false;
	w->scan = bw_mspan_scan(s);
	if (w->scan == BW_SCAN_NEVER || s->elem_size > WORDS * 8)
		return false;
	w->start = (uintptr_t)s->base;
	w->size = s->elem_size;
	w->bytes = w->size * s->nelems;
	w->divmul = s->divmul;
	w->marks = bw_marks_of(&m->map, s);
	w->bits = bw_ptrbits_word(&m->map, w->start - w->base);
	return v - w->start < w->bytes;
}

static __always_inline bool mark_slot(struct walk *w, u32 i, bool shared)
{
	u64 *word = w->marks + i / 64, bit = 1ULL << (i % 64);

	if (unlikely(word != w->word)) {
		leave_word(w, shared);
		w->word = word;
		w->was = READ_ONCE(*word);
		w->seen = w->was;
	}
	if (w->seen & bit)
		return false;
	w->seen |= bit;
	return true;
}

/* bw_ptrbits_get(), for a slot of which the place in its span is known. */
static __always_inline u64 slot_bits(const struct walk *w, u32 off)
{
	const u64 *word = w->bits + off / 512;
	u32 at = off / 8 % 64, n = (u32)w->size / 8;
	u64 bits;

	if (w->scan != BW_SCAN_BITS)
		return bw_ptrbits_ones(n);
	bits = READ_ONCE(*word) >> at;
	if (at + n > 64)
		bits |= READ_ONCE(word[1]) << (64 - at);
	return bits & bw_ptrbits_ones(n);
}

/* The last word first: the first is the next to be taken out. */
static __always_inline BW_NO_SANITIZE
void put_words(struct walk *w, const u64 *word, u64 bits)
{
	while (bits) {
		u32 k = 63 - (u32)__builtin_clzll(bits);
		u64 v = BW_PEEK(word[k]);

		bits ^= 1ULL << k;
		if (v - w->base < w->limit)
			*w->top++ = v;
	}
}

/* @v points into the span. */
static __always_inline void walk_into(struct walk *w, u64 v, bool shared)
{
	u32 i = bw_class_div((u32)(v - w->start), w->divmul);
	u32 off = i * (u32)w->size;
	u64 p = w->start + off;

	if (!mark_slot(w, i, shared))
		return;
	if (w->scan <= BW_SCAN_NONE)
		return;
	if (likely(p == v)) {
		p = v;
		__asm__("" : "+r" (p));
	}
	put_words(w, (const u64 *)p, slot_bits(w, off));
	w->near += w->top[-1] - p + BW_NEAR < 2 * BW_NEAR;
}

static __always_inline u32 walk(struct bw_marker *m, u32 nr, bool shared)
{
	struct walk w;
	u32 n;

	walk_begin(&w, m);
	for (n = 0; n < nr && w.top != w.low; n++) {
		u64 v = *--w.top;

		if (likely(w.top <= w.room) &&
		    (likely(v - w.start < w.bytes) || enter_span(&w, m, v, shared))) {
			walk_into(&w, v, shared);
			continue;
		}
		walk_end(&w, m, shared);
		bw_mark_word(m, v);
		walk_begin(&w, m);
	}
	walk_end(&w, m, shared);
	return n;
}

BW_NO_SANITIZE u32 bw_mark_walk(struct bw_marker *m, u32 nr)
{
	return m->shared ? walk(m, nr, true) : walk(m, nr, false);
}
