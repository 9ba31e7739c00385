/* SPDX-License-Identifier: MIT */
/*
 * burrow/string.h: bytes with a length that nobody changes.
 *
 *	struct bw_string s = BW_STR("text");	a literal
 *
 *	s = bw_string_sub(s, 1, 3);		shares the bytes
 *	s = bw_string_concat(s, BW_STR("!"));	a new object
 *	while (bw_string_cut(&line, ",", &field))
 *		...
 *
 *	struct bw_builder b = { 0 };
 *
 *	bw_builder_add(&b, s);
 *	bw_builder_addf(&b, "%d", 7);
 *	s = bw_builder_string(&b);		no copy
 *
 * A string may be a part of anything that lives as long and does not change: a
 * literal, an object, what is behind a builder. Objects of strings have no pointers.
 * They are bytes; what says rune takes them for UTF-8.
 */
#ifndef BURROW_STRING_H
#define BURROW_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "slice.h"
#include "type.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct bw_string - passed by value
 * @ptr:	the bytes, which need no 0 behind them; anything when @len is 0
 * @len:	how many
 */
struct bw_string {
	const char *ptr;
	size_t len;
};

BW_TYPE(string, struct bw_string, ptr);

#define BW_NPOS		((size_t)-1)
#define BW_RUNE_BAD	0xfffdU		/* what stands for bytes that are no UTF-8 */

/* Of a literal or an array of chars, without the 0 at its end. */
#define BW_STR(text)	((struct bw_string){ (text), sizeof(text) - 1 })
/* For printf("%.*s") */
#define BW_STR_ARGS(s)	(int)(s).len, (s).ptr

/* Of what lives as long: nothing is copied. */
static inline struct bw_string bw_string_view(const char *text)
{
	struct bw_string s = { text, strlen(text) };

	return s;
}

static inline bool bw_string_equal(struct bw_string a, struct bw_string b)
{
	return a.len == b.len && (!a.len || !memcmp(a.ptr, b.ptr, a.len));
}

/* As memcmp(); the shorter comes first. */
int bw_string_compare(struct bw_string a, struct bw_string b);

/*
 * New objects. @ptr is NULL, and errno ENOMEM: no memory. An empty one needs none, and
 * is "".
 */
struct bw_string bw_string_copy(const char *from, size_t n);
struct bw_string bw_string_concat(struct bw_string a, struct bw_string b);
struct bw_string bw_string_join(const struct bw_string *part, size_t n,
				struct bw_string between);
/* With a 0 behind it, for the C library. NULL: no memory */
char *bw_string_c(struct bw_string s);

/* From @from up to @to; fatal beyond the length. */
struct bw_string bw_string_sub(struct bw_string s, size_t from, size_t to);

/* Where it begins, first or last, or BW_NPOS. */
size_t bw_string_find(struct bw_string s, struct bw_string what);
size_t bw_string_find_last(struct bw_string s, struct bw_string what);
bool bw_string_begins(struct bw_string s, struct bw_string with);
bool bw_string_ends(struct bw_string s, struct bw_string with);
/* Without blanks, tabs and ends of lines around it. */
struct bw_string bw_string_trim(struct bw_string s);

/*
 * What is before the next @between, or all that is left: *@part; *@rest is what is
 * behind it. False: nothing was left. "a,,b" and "," have three parts and two. An empty
 * @between is fatal.
 */
bool bw_string_cut(struct bw_string *rest, struct bw_string between,
		   struct bw_string *part);

/*
 * The first rune of *@rest, which is left with what is behind it. False: it is empty.
 * A byte that begins no rune (surrogates, longer than need be, beyond 0x10ffff) is
 * BW_RUNE_BAD, alone.
 */
bool bw_string_rune(struct bw_string *rest, uint32_t *rune);
/* How many; and: are all of them good? */
size_t bw_string_runes(struct bw_string s);
bool bw_string_is_utf8(struct bw_string s);
/* 1 to 4 bytes to @to; a bad rune is written as BW_RUNE_BAD. */
size_t bw_rune_write(char *to, uint32_t rune);

/*
 * All of it is a number: digits with a sign, in @base 2 to 36 (0: as C writes them). 0,
 * -EINVAL: it is none; -ERANGE: *@out is the nearest.
 */
int bw_string_to_i64(struct bw_string s, unsigned int base, int64_t *out);
int bw_string_to_u64(struct bw_string s, unsigned int base, uint64_t *out);
/* As strtod() reads it, in the C locale's way if that is the program's. */
int bw_string_to_double(struct bw_string s, double *out);

BW_SLICE(char, bw_bytes);

/**
 * struct bw_builder - a string that becomes; zeros: nothing yet	[whose it is]
 * @bytes:	so far
 * @short_of:	there was no memory for something: bw_builder_string() says so
 */
struct bw_builder {
	struct bw_bytes bytes;
	bool short_of;
};

void bw_builder_add(struct bw_builder *b, struct bw_string s);
void bw_builder_add_char(struct bw_builder *b, char c);
void bw_builder_add_rune(struct bw_builder *b, uint32_t rune);
__attribute__((format(printf, 2, 3)))
void bw_builder_addf(struct bw_builder *b, const char *fmt, ...);
/*
 * What there is, which stays as it is: more comes behind it. @ptr is NULL, and errno
 * ENOMEM: there was no memory for all of it.
 */
struct bw_string bw_builder_string(const struct bw_builder *b);

/*
 * A string of a slice's bytes without a copy: for who does not change them any more.
 * The reverse would let others write to a string: bw_append_many() copies.
 */
#define bw_string_of_slice(s) \
	((struct bw_string){ (const char *)(s).ptr, (s).len * sizeof(*(s).ptr) })

#ifdef __cplusplus
}
#endif

#endif
