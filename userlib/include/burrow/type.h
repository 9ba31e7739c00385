/* SPDX-License-Identifier: MIT */
/*
 * burrow/type.h: where the pointers of a struct are.
 *
 *	struct node {
 *		struct node *left, *right;
 *		long key;
 *	};
 *
 *	BW_TYPE(node, struct node, left, right);
 *
 *	struct node *n = bw_new(node);
 *	struct node *many = bw_new_array(node, 1000);
 *
 * BW_TYPE() makes bw_type_node, with a bit for each word of the struct, at
 * compile time. The collector looks at the words that were named and at no
 * others: a field that may hold a pointer to an object and is not named is a
 * bug. Named fields may be pointers, arrays of them, structs and unions; each
 * word of these may be a pointer. Fields beyond the first 4 KiB cannot be named.
 *
 * A flexible array member:
 *
 *	struct row {
 *		struct table *of;
 *		size_t nr;
 *		struct cell *cell[];
 *	};
 *	BW_TYPE_TAIL(row, struct row, cell, of);	it holds pointers
 *	BW_TYPE_BYTES(text, struct text, bytes, next);	it holds none
 *
 *	struct row *r = bw_new_tail(row, nr);
 *
 * Objects without a type are conservative: every word of them may be a pointer.
 */
#ifndef BURROW_TYPE_H
#define BURROW_TYPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BW_TYPE_WORDS		8	/* of 64 bits: 4 KiB of struct */

/* struct bw_type, @flags */
#define BW_TYPE_HAS_POINTERS	1U
#define BW_TYPE_TAIL_POINTERS	2U

/**
 * struct bw_type - what BW_TYPE() makes				[const]
 * @name:	for messages
 * @size:	bytes of the struct
 * @tail:	where its flexible array member begins, or @size
 * @unit:	bytes of an element of that, or 0
 * @flags:	BW_TYPE_*
 * @pad:	0
 * @bits:	bit i % 64 of word i / 64: word i of the struct may be a pointer
 */
struct bw_type {
	const char *name;
	uint64_t size;
	uint64_t tail;
	uint64_t unit;
	uint32_t flags;
	uint32_t pad;
	uint64_t bits[BW_TYPE_WORDS];
};

/*
 * Zeroed objects, by types; NULL and ENOMEM as bw_alloc() (burrow/alloc.h). An
 * array may be of any length; a type with a tail is not an array's.
 */
void *bw_alloc_type(const struct bw_type *t);
void *bw_alloc_type_array(const struct bw_type *t, size_t n);
void *bw_alloc_type_tail(const struct bw_type *t, size_t n);

#define bw_new(name) \
	((bw_type_##name##_is *)bw_alloc_type(&bw_type_##name))
#define bw_new_array(name, n) \
	((bw_type_##name##_is *)bw_alloc_type_array(&bw_type_##name, (n)))
#define bw_new_tail(name, n) \
	((bw_type_##name##_is *)bw_alloc_type_tail(&bw_type_##name, (n)))

#define BW_TYPE(name, ctype, ...) \
	BW_TYPE_MAKE(name, ctype, sizeof(ctype), 0, \
		     BW_TYPE_HAS_POINTERS, __VA_ARGS__)
#define BW_TYPE_TAIL(name, ctype, member, ...) \
	BW_TYPE_MAKE(name, ctype, offsetof(ctype, member), \
		     sizeof(((ctype *)0)->member[0]), \
		     BW_TYPE_HAS_POINTERS | BW_TYPE_TAIL_POINTERS, __VA_ARGS__)
#define BW_TYPE_BYTES(name, ctype, member, ...) \
	BW_TYPE_MAKE(name, ctype, offsetof(ctype, member), \
		     sizeof(((ctype *)0)->member[0]), \
		     BW_TYPE_HAS_POINTERS, __VA_ARGS__)
/* No pointers at all. */
#define BW_TYPE_NOSCAN(name, ctype) \
	typedef ctype bw_type_##name##_is; \
	static const struct bw_type bw_type_##name BW_TYPE_UNUSED = { \
		#name, sizeof(ctype), sizeof(ctype), 0, 0, 0, { 0 } \
	}

/* What follows is how it is done. */

#define BW_TYPE_UNUSED	__attribute__((unused))

#ifdef __cplusplus
#define BW_TYPE_ASSERT(cond, text)	static_assert(cond, text)
#else
#define BW_TYPE_ASSERT(cond, text)	_Static_assert(cond, text)
#endif

/* The lowest @n bits; how many of the first @n lie in the 64 from @from on. */
#define BW_TYPE_ONES(n) \
	((n) >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << ((n) & 63)) - 1)
#define BW_TYPE_CUT(n, from) \
	((n) <= (from) ? 0 : (n) - (from) > 64 ? 64 : (n) - (from))

/* Words that begin before the field, before its end. */
#define BW_TYPE_LOW(ctype, f)	(offsetof(ctype, f) / 8)
#define BW_TYPE_END(ctype, f) \
	((offsetof(ctype, f) + sizeof(((ctype *)0)->f) + 7) / 8)

#define BW_TYPE_FIELD(ctype, k, f) \
	(BW_TYPE_ONES(BW_TYPE_CUT(BW_TYPE_END(ctype, f), 64 * (k))) & \
	 ~BW_TYPE_ONES(BW_TYPE_CUT(BW_TYPE_LOW(ctype, f), 64 * (k))))
#define BW_TYPE_BAD(ctype, k, f) \
	(offsetof(ctype, f) % 8 != 0 || \
	 BW_TYPE_END(ctype, f) > 64 * BW_TYPE_WORDS)

#define BW_TYPE_OR1(m, t, k, f)		m(t, k, f)
#define BW_TYPE_OR2(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR1(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR3(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR2(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR4(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR3(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR5(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR4(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR6(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR5(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR7(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR6(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR8(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR7(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR9(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR8(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR10(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR9(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR11(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR10(m, t, k, __VA_ARGS__))
#define BW_TYPE_OR12(m, t, k, f, ...) \
	(m(t, k, f) | BW_TYPE_OR11(m, t, k, __VA_ARGS__))

#define BW_TYPE_NTH(a, b, c, d, e, f, g, h, i, j, k, l, m, ...)	m
#define BW_TYPE_PICK(...) \
	BW_TYPE_NTH(__VA_ARGS__, BW_TYPE_OR12, BW_TYPE_OR11, BW_TYPE_OR10, \
		    BW_TYPE_OR9, BW_TYPE_OR8, BW_TYPE_OR7, BW_TYPE_OR6, \
		    BW_TYPE_OR5, BW_TYPE_OR4, BW_TYPE_OR3, BW_TYPE_OR2, \
		    BW_TYPE_OR1, 0)
#define BW_TYPE_ALL(m, t, k, ...) \
	BW_TYPE_PICK(__VA_ARGS__)(m, t, k, __VA_ARGS__)

#define BW_TYPE_WORD(t, k, ...)	BW_TYPE_ALL(BW_TYPE_FIELD, t, k, __VA_ARGS__)

#define BW_TYPE_MAKE(name, ctype, tail, unit, flags, ...) \
	typedef ctype bw_type_##name##_is; \
	BW_TYPE_ASSERT(!BW_TYPE_ALL(BW_TYPE_BAD, ctype, 0, __VA_ARGS__), \
		       "a named field is not aligned to 8, or beyond 4 KiB"); \
	BW_TYPE_ASSERT((sizeof(ctype) | (tail)) % 8 == 0 || !((flags) & 2), \
		       "a type with pointers has a multiple of 8 bytes"); \
	static const struct bw_type bw_type_##name BW_TYPE_UNUSED = { \
		#name, sizeof(ctype), (tail), (unit), (flags), 0, { \
			BW_TYPE_WORD(ctype, 0, __VA_ARGS__), \
			BW_TYPE_WORD(ctype, 1, __VA_ARGS__), \
			BW_TYPE_WORD(ctype, 2, __VA_ARGS__), \
			BW_TYPE_WORD(ctype, 3, __VA_ARGS__), \
			BW_TYPE_WORD(ctype, 4, __VA_ARGS__), \
			BW_TYPE_WORD(ctype, 5, __VA_ARGS__), \
			BW_TYPE_WORD(ctype, 6, __VA_ARGS__), \
			BW_TYPE_WORD(ctype, 7, __VA_ARGS__), \
		} \
	}

#ifdef __cplusplus
}
#endif

#endif
