// SPDX-License-Identifier: MIT
/*
 * type: objects whose type says where their pointers are.
 *
 *	bw_new(node)			burrow/type.h
 *	  bw_alloc_type()		<- here: a slot of kind scan
 *	    bw_object_alloc()		rt/alloc.h
 *	    bw_ptrbits_put()		heap/ptrbits.h
 *
 * An object without pointers goes to kind noscan.
 */
#include "alloc.h"
#include "base/throw.h"
#include "burrow/type.h"
#include "heap/ptrbits.h"

/**
 * struct bits_out - pointer bits, written from front to back		[caller]
 * @map:	of the heap
 * @at:		granule of the next bit
 * @acc:	bits that were not stored yet
 * @n:		how many
 */
struct bits_out {
	const struct bw_mspan_map *map;
	const char *at;
	u64 acc;
	u32 n;
};

static void bits_flush(struct bits_out *o)
{
	if (!o->n)
		return;
	bw_ptrbits_put(o->map, o->at, o->acc, o->n);
	o->at += o->n * 8;
	o->acc = 0;
	o->n = 0;
}

/* @n bits, up to 64. Each store is of one word: the next may be elsewhere. */
static void bits_add(struct bits_out *o, u64 bits, u32 n)
{
	while (n) {
		u32 room = 64 - (u32)((uintptr_t)o->at / 8 % 64) - o->n;
		u32 some = min(n, room);

		o->acc |= (bits & bw_ptrbits_ones(some)) << o->n;
		o->n += some;
		if (some == room)
			bits_flush(o);
		bits = some == 64 ? 0 : bits >> some;
		n -= some;
	}
}

/* So many equal bits. */
static void bits_run(struct bits_out *o, bool set, size_t n)
{
	while (n) {
		u32 some = n < 64 ? (u32)n : 64;

		bits_add(o, set ? bw_ptrbits_ones(some) : 0, some);
		n -= some;
	}
}

/* The bits of one struct of @words words. */
static void bits_struct(struct bits_out *o, const struct bw_type *t,
			size_t words)
{
	u32 k, n;

	for (k = 0; k < BW_TYPE_WORDS && words; k++) {
		n = words < 64 ? (u32)words : 64;
		bits_add(o, t->bits[k], n);
		words -= n;
	}
	bits_run(o, false, words);
}

/* Those of @nr structs: of short ones as many at a time as a word has room for. */
static void bits_structs(struct bits_out *o, const struct bw_type *t,
			 size_t words, size_t nr)
{
	u32 each = words && words <= 32 ? 64 / (u32)words : 0, k;
	u64 bits = 0;

	for (k = 0; k < each; k++)
		bits = bits << words | (t->bits[0] & bw_ptrbits_ones((u32)words));
	for (; each && nr >= each; nr -= each)
		bits_add(o, bits, each * (u32)words);
	for (; nr; nr--)
		bits_struct(o, t, words);
}

static size_t slot_bytes(const struct bw_mheap *h, const void *p)
{
	return bw_mspan_of(h, p)->elem_size;
}

/* None in @head bytes, then @nr structs, and none to the end. */
static void bits_write_headed(void *p, const struct bw_type *t, size_t head,
			      size_t nr)
{
	const struct bw_mheap *h = bw_mheap_peek();
	struct bits_out o = { .map = &h->map, .at = p };
	size_t words = slot_bytes(h, p) / 8;

	bits_run(&o, false, head / 8);
	bits_structs(&o, t, t->size / 8, nr);
	bits_run(&o, false, words - head / 8 - nr * (t->size / 8));
	bits_flush(&o);
}

/* @nr structs (their first @bytes), @tail words more, and none to the end. */
static void bits_write(void *p, const struct bw_type *t, size_t nr,
		       size_t bytes, size_t tail)
{
	const struct bw_mheap *h = bw_mheap_peek();
	struct bits_out o = { .map = &h->map, .at = p };
	size_t words = slot_bytes(h, p) / 8;

	bits_structs(&o, t, bytes / 8, nr);
	bits_run(&o, t->flags & BW_TYPE_TAIL_POINTERS, tail);
	bits_run(&o, false, words - nr * (bytes / 8) - tail);
	bits_flush(&o);
}

/* @bytes for @nr structs, the first @each bytes of each, and @tail words. */
static void *alloc_with_bits(const struct bw_type *t, size_t bytes, size_t nr,
			     size_t each, size_t tail)
{
	void *p;

	bw_section_begin();
	p = bw_object_alloc(bw_mcache_current(), bytes, BURROW_KIND_SCAN, true);
	if (p)
		bits_write(p, t, nr, each, tail);
	bw_section_end();
	return p;
}

static __attribute__((noinline)) void *type_slow(const struct bw_type *t)
{
	return alloc_with_bits(t, t->size, 1, t->size, 0);
}

/* mcache_alloc() of a slot that needs no call; NULL: one would be needed. */
static __always_inline void *take(struct bw_mcache *c, u32 spanclass,
				  size_t size)
{
	struct bw_stash *st = &c->stash[spanclass];
	char *p = *st->top;
	struct bw_mspan *s;
	u64 bits;

	if (likely(p)) {
		mcache_zero(p, size);
		st->top--;
		return p;
	}
	s = c->span[spanclass];
	bits = READ_ONCE(s->free_bits);
	if (unlikely(!bits))
		return NULL;
	p = s->wbase + (u32)__builtin_ctzll(bits) * size;
	if (s->needzero)
		mcache_zero(p, size);
	bw_publish(&s->free_bits, bits & (bits - 1));
	return p;
}

/*
 * From the slot to its bits it is one section: the span must not become another
 * thread's in between (B1). A leaf may not call a section in the middle, so all
 * that needs a call goes to type_slow().
 */
BW_LEAF void *bw_alloc_type(const struct bw_type *t)
{
	struct bw_mcache *c = bw_mcache_current();
	size_t n = t->size, size;
	void *p;
	u32 cls;

	if (unlikely(!(t->flags & BW_TYPE_HAS_POINTERS)))
		return bw_alloc_noscan(n);
	if (unlikely(n > BW_ZERO_INLINE))
		return type_slow(t);
	cls = bw_class_by8[(n + 7) / 8];
	size = bw_sizeclass[cls].size;
	bw_leaf_begin();
	p = take(c, bw_spanclass(cls, BURROW_KIND_SCAN), size);
	if (likely(p))
		bw_ptrbits_put(c->map, p, t->bits[0], (u32)size / 8);
	bw_leaf_end();
	return likely(p) ? p : type_slow(t);
}

static void *too_much(void)
{
	errno = ENOMEM;
	return NULL;
}

void *bw_alloc_type_array(const struct bw_type *t, size_t n)
{
	size_t bytes;

	if (unlikely(t->tail != t->size || t->unit))
		bw_fatal("bw_new_array(): type %s has a tail", t->name);
	if (__builtin_mul_overflow(n, t->size, &bytes))
		return too_much();
	if (!(t->flags & BW_TYPE_HAS_POINTERS))
		return bw_alloc_noscan(bytes);
	return alloc_with_bits(t, bytes, n, t->size, 0);
}

void *bw_alloc_type_tail(const struct bw_type *t, size_t n)
{
	size_t bytes, all;

	if (unlikely(!t->unit))
		bw_fatal("bw_new_tail(): type %s has no tail", t->name);
	if (__builtin_mul_overflow(n, t->unit, &bytes) ||
	    __builtin_add_overflow(t->tail, bytes, &all))
		return too_much();
	return alloc_with_bits(t, max(all, t->size), 1, t->tail & ~(size_t)7,
			       t->flags & BW_TYPE_TAIL_POINTERS ? bytes / 8 :
								  0);
}

void *bw_alloc_type_headed(const struct bw_type *t, size_t head, size_t n)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, t->size, &bytes) ||
	    __builtin_add_overflow(bytes, head, &bytes))
		return too_much();
	bw_section_begin();
	p = bw_object_alloc(bw_mcache_current(), bytes, BURROW_KIND_SCAN, true);
	if (p)
		bits_write_headed(p, t, head, n);
	bw_section_end();
	return p;
}
