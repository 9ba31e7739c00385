/* SPDX-License-Identifier: MIT */
/*
 * markword: from a word to its object, for the two ways to mark.
 *
 *	mark.c		words that are far from each other
 *	walk.c		words that are near
 *	  bw_slot_at()	<- here
 *	  bw_mark_set()	<- here
 */
#ifndef BW_GC_MARKWORD_H
#define BW_GC_MARKWORD_H

#include "mark.h"

#define BW_PART_BIT	(1ULL << 63)
#define BW_NEAR		4096U		/* bytes */

static inline void bw_marker_buf(struct bw_marker *m, struct bw_workbuf *b)
{
	m->buf = b;
	m->low = b->word;
	m->top = b->word + b->nr;
	m->end = b->word + BW_WORK_ENTRIES;
}

/*
 * The span that @v points into, if any, whatever it is of. @map has the limit
 * that the marker saw.
 */
static __always_inline struct bw_mspan *
bw_span_at(const struct bw_mspan_map *map, u64 v)
{
	size_t off = v - (uintptr_t)map->base;
	u64 word;

	if (unlikely(off >= map->limit))
		return NULL;
	/* pairs with bw_owners_set() */
	word = smp_load_acquire(bw_owner_word(map, off));
	return (struct bw_mspan *)(uintptr_t)word;
}

/* The slot of @s that @v points into; -1: none of the collector's. */
static __always_inline s64 bw_slot_in(const struct bw_mspan *s, u64 v)
{
	u32 i;

	if (unlikely(bw_mspan_scan(s) == BW_SCAN_NEVER))
		return -1;
	i = bw_class_div((u32)(v - (uintptr_t)READ_ONCE(s->base)),
			 READ_ONCE(s->divmul));
	return likely(i < READ_ONCE(s->nelems)) ? (s64)i : -1;
}

static __always_inline s64 bw_slot_at(const struct bw_mspan_map *map, u64 v,
				      struct bw_mspan **span)
{
	*span = bw_span_at(map, v);
	return likely(*span) ? bw_slot_in(*span, v) : -1;
}

/* True: the caller set the bit, so the object is its (A2). */
static __always_inline bool bw_mark_set(const struct bw_mspan_map *map,
					struct bw_mspan *s, u64 i, bool shared)
{
	u64 *word = bw_marks_of(map, s) + i / 64;
	u64 old = READ_ONCE(*word), bit = 1ULL << (i % 64);

	if (old & bit)
		return false;
	if (shared)
		return !(fetch_or(word, bit) & bit);
	WRITE_ONCE(*word, old | bit);
	return true;
}

/* mark.c: one word, of any kind. */
void bw_mark_word(struct bw_marker *m, u64 v);

/* walk.c: up to @nr words; how many. Fewer: there are no more. */
u32 bw_mark_walk(struct bw_marker *m, u32 nr);

#endif
