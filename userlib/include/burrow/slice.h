/* SPDX-License-Identifier: MIT */
/*
 * burrow/slice.h: pointer, length, capacity: arrays that grow, and parts of them.
 *
 *	BW_SLICE(long) n = { 0 };		nothing yet
 *	BW_SLICE(struct node *, nodes);		declares struct nodes
 *
 *	bw_append(&n, 7);			0, or -ENOMEM
 *	bw_at(n, 0) += 1;			fatal beyond the length
 *	bw_each(p, n)				long *p
 *		sum += *p;
 *	half = bw_slice(n, 0, n.len / 2);	shares the memory
 *
 * What is appended goes behind the length: into memory that other slices may share,
 * while there is capacity; then all of it moves to a new object, of twice the size up
 * to 256 elements, and of a quarter more, and some, beyond. bw_slice3() gives a part
 * without capacity for others to be overwritten. What is behind the length is zeros,
 * or what other slices have there.
 *
 * Elements have no pointers to objects; where they do the calls are those that end in
 * _ptr, of pointers, or in _of, of a BW_TYPE() that comes first.
 *
 * A slice is a value, of who has it: two Gs may not append to one at a time.
 */
#ifndef BURROW_SLICE_H
#define BURROW_SLICE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "barrier.h"
#include "type.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BW_SLICE(ctype, ...) \
	struct __VA_ARGS__ { \
		__typeof__(ctype) *ptr; \
		size_t len; \
		size_t cap; \
	}

/* As all of them are. */
struct bw_slice_any {
	void *ptr;
	size_t len;
	size_t cap;
};

/* Elements that are pointers: in place of a BW_TYPE()'s. */
#define BW_SLICE_PTR	((const struct bw_type *)8)

/* What is asked for does not fit: room for @more. 0, or -ENOMEM and it is as it was. */
int bw_slice_grow(void *slice, size_t size, const struct bw_type *t, size_t more);
/* @len elements of zeros, and room up to @cap. 0, -ENOMEM */
int bw_slice_init(void *slice, size_t size, const struct bw_type *t, size_t len,
		  size_t cap);
int bw_slice_add(void *slice, size_t size, const struct bw_type *t,
		 const void *from, size_t n);
size_t bw_slice_move(void *to, size_t nr_to, const void *from, size_t nr_from,
		     size_t size, const struct bw_type *t);
void bw_slice_zero(void *p, size_t bytes, const struct bw_type *t);

__attribute__((noreturn, cold)) void bw_slice_die(size_t i, size_t len);
__attribute__((noreturn, cold))
void bw_slice_die_part(size_t from, size_t to, size_t max, size_t cap);

#define BW_SLICE_SIZE(s)	sizeof(*(s)->ptr)

/* The element: to be read, assigned, or have its address taken. */
#define bw_at(s, i) (*__extension__({ \
	__typeof__(s) *bw_s = &(s); \
	size_t bw_i = (size_t)(i); \
	if (__builtin_expect(bw_i >= bw_s->len, 0)) \
		bw_slice_die(bw_i, bw_s->len); \
	&bw_s->ptr[bw_i]; \
}))

#define bw_each(p, s) \
	for (__typeof__((s).ptr) p = (s).ptr, bw_end = p + (s).len; \
	     p < bw_end; p++)

/* From @from up to @to, with capacity up to @max. */
#define bw_slice3(s, from, to, max) __extension__({ \
	__typeof__(s) bw_s = (s); \
	size_t bw_from = (size_t)(from), bw_to = (size_t)(to); \
	size_t bw_max = (size_t)(max); \
	if (__builtin_expect(bw_from > bw_to || bw_to > bw_max || \
			     bw_max > bw_s.cap, 0)) \
		bw_slice_die_part(bw_from, bw_to, bw_max, bw_s.cap); \
	/* the end of an object is the next one's begin */ \
	bw_s.ptr += bw_max > bw_from ? bw_from : 0; \
	bw_s.len = bw_to - bw_from; \
	bw_s.cap = bw_max - bw_from; \
	bw_s; \
})

#define bw_slice(s, from, to)	bw_slice3(s, from, to, (s).cap)

#define BW_APPEND(s, type, store) __extension__({ \
	int bw_err = 0; \
	if (__builtin_expect((s)->len == (s)->cap, 0)) \
		bw_err = bw_slice_grow((s), BW_SLICE_SIZE(s), (type), 1); \
	if (__builtin_expect(!bw_err, 1)) { \
		store; \
		(s)->len++; \
	} \
	bw_err; \
})

/* @s is evaluated more than once. */
#define bw_append(s, value) \
	BW_APPEND(s, NULL, (s)->ptr[(s)->len] = (value))
#define bw_append_ptr(s, value) \
	BW_APPEND(s, BW_SLICE_PTR, bw_set(&(s)->ptr[(s)->len], (value)))
/* *@from */
#define bw_append_of(name, s, from) \
	bw_slice_add((s), BW_SLICE_SIZE(s), &bw_type_##name, (from), 1)

/* @n elements, which may be the slice's own. */
#define bw_append_many(s, from, n) \
	bw_slice_add((s), BW_SLICE_SIZE(s), NULL, BW_SLICE_SAME(s, from), (n))
#define bw_append_many_ptr(s, from, n) \
	bw_slice_add((s), BW_SLICE_SIZE(s), BW_SLICE_PTR, \
		     BW_SLICE_SAME(s, from), (n))
#define bw_append_many_of(name, s, from, n) \
	bw_slice_add((s), BW_SLICE_SIZE(s), &bw_type_##name, \
		     BW_SLICE_SAME(s, from), (n))

/* The compiler sees that both are of the same type. */
#define BW_SLICE_SAME(s, from)	(1 ? (from) : (s)->ptr)

#define bw_slice_make(s, len, cap) \
	bw_slice_init((s), BW_SLICE_SIZE(s), NULL, (len), (cap))
#define bw_slice_make_ptr(s, len, cap) \
	bw_slice_init((s), BW_SLICE_SIZE(s), BW_SLICE_PTR, (len), (cap))
#define bw_slice_make_of(name, s, len, cap) \
	bw_slice_init((s), BW_SLICE_SIZE(s), &bw_type_##name, (len), (cap))

/* As many as both have, which may overlap; how many. */
#define BW_SLICE_COPY(to, from, type) \
	bw_slice_move((to).ptr, (to).len, BW_SLICE_SAME(&(to), (from).ptr), \
		      (from).len, sizeof(*(to).ptr), (type))
#define bw_slice_copy(to, from)		BW_SLICE_COPY(to, from, NULL)
#define bw_slice_copy_ptr(to, from)	BW_SLICE_COPY(to, from, BW_SLICE_PTR)
#define bw_slice_copy_of(name, to, from) \
	BW_SLICE_COPY(to, from, &bw_type_##name)

/* All elements become zeros. */
#define bw_slice_clear(s) \
	bw_slice_zero((s).ptr, (s).len * sizeof(*(s).ptr), NULL)
#define bw_slice_clear_ptr(s) \
	bw_slice_zero((s).ptr, (s).len * sizeof(*(s).ptr), BW_SLICE_PTR)
#define bw_slice_clear_of(name, s) \
	bw_slice_zero((s).ptr, (s).len * sizeof(*(s).ptr), &bw_type_##name)

#ifdef __cplusplus
}
#endif

#endif
