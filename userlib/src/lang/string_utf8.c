// SPDX-License-Identifier: MIT
/* string_utf8: bytes to runes and back. */
#include "base/types.h"
#include "burrow/string.h"

#define RUNE_MAX	0x10ffffU

static bool is_rune(u32 rune)
{
	return rune <= RUNE_MAX && (rune < 0xd800 || rune > 0xdfff);
}

/* Bytes that a rune has which begins like this; 0: none does. */
static u32 length_of(u8 first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	if (first < 0xe0)
		return 2;
	if (first < 0xf0)
		return 3;
	return first < 0xf5 ? 4 : 0;
}

/* How many bytes it took; 0: they are no rune. */
static u32 decode(struct bw_string s, u32 *rune)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const u8 *p = (const u8 *)s.ptr;
	u32 n = length_of(*p), r, i;

	if (n == 1) {
		*rune = *p;
		return 1;
	}
	if (!n || n > s.len)
		return 0;
	r = *p & (0x7fU >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		r = r << 6 | (p[i] & 0x3f);
	}
	*rune = r;
	return r >= least[n] && is_rune(r) ? n : 0;
}

/* A good one? */
static bool next(struct bw_string *rest, u32 *rune)
{
	u32 n = decode(*rest, rune), used = n ? n : 1;

	if (!n)
		*rune = BW_RUNE_BAD;
	*rest = rest->len == used ? BW_STR("") :
		(struct bw_string){ rest->ptr + used, rest->len - used };
	return n;
}

bool bw_string_rune(struct bw_string *rest, uint32_t *rune)
{
	if (!rest->len)
		return false;
	next(rest, rune);
	return true;
}

size_t bw_string_runes(struct bw_string s)
{
	size_t n = 0;
	u32 rune;

	for (; s.len; n++)
		next(&s, &rune);
	return n;
}

bool bw_string_is_utf8(struct bw_string s)
{
	u32 rune;

	while (s.len)
		if (!next(&s, &rune))
			return false;
	return true;
}

size_t bw_rune_write(char *to, uint32_t rune)
{
	u32 n, i;

	if (!is_rune(rune))
		rune = BW_RUNE_BAD;
	if (rune < 0x80) {
		*to = (char)rune;
		return 1;
	}
	n = rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;
	for (i = n - 1; i; i--, rune >>= 6)
		to[i] = (char)(0x80 | (rune & 0x3f));
	*to = (char)(0xf00U >> n | rune);
	return n;
}
