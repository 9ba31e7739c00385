// SPDX-License-Identifier: MIT
/*
 * string: bytes that nobody changes: made, compared, found, cut.
 *
 * Objects of strings are noscan, so a part of one keeps all of it and nothing else.
 */
#include "base/throw.h"
#include "burrow/alloc.h"
#include "burrow/string.h"

static const struct bw_string none, empty = { "", 0 };

int bw_string_compare(struct bw_string a, struct bw_string b)
{
	size_t n = min(a.len, b.len);
	int way = n ? memcmp(a.ptr, b.ptr, n) : 0;

	return way ? way : (a.len > b.len) - (a.len < b.len);
}

/* Room for @n bytes and a 0. */
static char *room(size_t n)
{
	char *p = bw_alloc_raw(n + 1);

	if (p)
		p[n] = 0;
	return p;
}

static char *add(char *to, struct bw_string s)
{
	if (s.len)
		memcpy(to, s.ptr, s.len);
	return to + s.len;
}

struct bw_string bw_string_copy(const char *from, size_t n)
{
	struct bw_string s = { from, n };
	char *p;

	if (!n)
		return empty;
	p = room(n);
	if (!p)
		return none;
	add(p, s);
	s.ptr = p;
	return s;
}

char *bw_string_c(struct bw_string s)
{
	char *p = room(s.len);

	if (p)
		add(p, s);
	return p;
}

struct bw_string bw_string_concat(struct bw_string a, struct bw_string b)
{
	struct bw_string both[] = { a, b };

	/* nothing is changed by either, so it may be one of them */
	if (!a.len)
		return b.len ? b : empty;
	if (!b.len)
		return a;
	return bw_string_join(both, 2, empty);
}

struct bw_string bw_string_join(const struct bw_string *part, size_t n,
				struct bw_string between)
{
	size_t bytes = 0, i;
	char *p, *to;

	for (i = 0; i < n; i++)
		if (__builtin_add_overflow(bytes, part[i].len, &bytes) ||
		    (i && __builtin_add_overflow(bytes, between.len, &bytes)))
			bytes = SIZE_MAX / 2;
	if (!bytes)
		return empty;
	p = room(bytes);
	if (!p)
		return none;
	for (i = 0, to = p; i < n; i++) {
		if (i)
			to = add(to, between);
		to = add(to, part[i]);
	}
	return (struct bw_string){ p, bytes };
}

struct bw_string bw_string_sub(struct bw_string s, size_t from, size_t to)
{
	if (unlikely(from > to || to > s.len))
		bw_fatal("part [%zu:%zu] of a string of length %zu", from, to,
			 s.len);
	/* the end of an object is the next one's begin */
	if (from == to)
		return empty;
	return (struct bw_string){ s.ptr + from, to - from };
}

size_t bw_string_find(struct bw_string s, struct bw_string what)
{
	const char *at;

	if (!what.len)
		return 0;
	if (!s.len)
		return BW_NPOS;
	at = memmem(s.ptr, s.len, what.ptr, what.len);
	return at ? (size_t)(at - s.ptr) : BW_NPOS;
}

size_t bw_string_find_last(struct bw_string s, struct bw_string what)
{
	size_t at;

	if (!what.len)
		return s.len;
	for (at = s.len; at-- >= what.len;)
		if (!memcmp(s.ptr + at + 1 - what.len, what.ptr, what.len))
			return at + 1 - what.len;
	return BW_NPOS;
}

bool bw_string_begins(struct bw_string s, struct bw_string with)
{
	return s.len >= with.len &&
	       bw_string_equal((struct bw_string){ s.ptr, with.len }, with);
}

bool bw_string_ends(struct bw_string s, struct bw_string with)
{
	return s.len >= with.len &&
	       (!with.len ||
		!memcmp(s.ptr + s.len - with.len, with.ptr, with.len));
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct bw_string bw_string_trim(struct bw_string s)
{
	size_t from = 0, to = s.len;

	while (from < to && is_blank(s.ptr[from]))
		from++;
	while (to > from && is_blank(s.ptr[to - 1]))
		to--;
	return bw_string_sub(s, from, to);
}

bool bw_string_cut(struct bw_string *rest, struct bw_string between,
		   struct bw_string *part)
{
	struct bw_string s = *rest;
	size_t at;

	if (unlikely(!between.len))
		bw_fatal("bw_string_cut() at an empty string");
	/* NULL: the last part was had */
	if (!s.ptr)
		return false;
	at = bw_string_find(s, between);
	if (at == BW_NPOS) {
		*part = s;
		*rest = none;
		return true;
	}
	*part = bw_string_sub(s, 0, at);
	*rest = bw_string_sub(s, at + between.len, s.len);
	return true;
}
