// SPDX-License-Identifier: MIT
/* string_num: numbers out of strings, and builders. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/types.h"
#include "burrow/string.h"

static u32 digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (u32)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? (u32)(c - 'a') + 10 : 99;
}

/* 0x, 0b, 0o or 0, as C writes them, is taken off. */
static unsigned int base_of(struct bw_string *s)
{
	u32 skip = 2, base;

	if (s->len < 2 || s->ptr[0] != '0')
		return 10;
	switch (s->ptr[1] | 0x20) {
	case 'x':
		base = 16;
		break;
	case 'b':
		base = 2;
		break;
	case 'o':
		base = 8;
		break;
	default:
		base = 8;
		skip = 1;
	}
	s->ptr += skip;
	s->len -= skip;
	return base;
}

/* Digits alone. */
static int magnitude(struct bw_string s, unsigned int base, u64 *out)
{
	bool over = false;
	u64 n = 0;
	size_t i;

	if (!base)
		base = base_of(&s);
	if (!s.len || base < 2 || base > 36)
		return -EINVAL;
	for (i = 0; i < s.len; i++) {
		u32 digit = digit_of(s.ptr[i]);

		if (digit >= base)
			return -EINVAL;
		over |= __builtin_mul_overflow(n, (u64)base, &n);
		over |= __builtin_add_overflow(n, (u64)digit, &n);
	}
	*out = over ? UINT64_MAX : n;
	return over ? -ERANGE : 0;
}

int bw_string_to_u64(struct bw_string s, unsigned int base, uint64_t *out)
{
	u64 n = 0;
	int err;

	if (s.len && *s.ptr == '+') {
		s.ptr++;
		s.len--;
	}
	err = magnitude(s, base, &n);
	if (err != -EINVAL)
		*out = n;
	return err;
}

int bw_string_to_i64(struct bw_string s, unsigned int base, int64_t *out)
{
	bool minus = s.len && *s.ptr == '-';
	u64 n = 0, most = (u64)INT64_MAX + minus;
	int err;

	if (minus || (s.len && *s.ptr == '+')) {
		s.ptr++;
		s.len--;
	}
	err = magnitude(s, base, &n);
	if (err == -EINVAL)
		return err;
	if (n > most) {
		n = most;
		err = -ERANGE;
	}
	*out = (s64)(minus ? 0 - n : n);
	return err;
}

int bw_string_to_double(struct bw_string s, double *out)
{
	char text[512], *end;
	double value;
	int err;

	/* strtod() would skip blanks; a 0 in it would be an end */
	if (!s.len || s.len >= sizeof(text) || memchr(s.ptr, 0, s.len) ||
	    *s.ptr == ' ' || (*s.ptr >= '\t' && *s.ptr <= '\r'))
		return -EINVAL;
	memcpy(text, s.ptr, s.len);
	text[s.len] = 0;
	errno = 0;
	value = strtod(text, &end);
	err = errno;
	if (*end)
		return -EINVAL;
	*out = value;
	return err == ERANGE ? -ERANGE : 0;
}

void bw_builder_add(struct bw_builder *b, struct bw_string s)
{
	if (bw_append_many(&b->bytes, s.ptr, s.len))
		b->short_of = true;
}

void bw_builder_add_char(struct bw_builder *b, char c)
{
	if (bw_append(&b->bytes, c))
		b->short_of = true;
}

void bw_builder_add_rune(struct bw_builder *b, uint32_t rune)
{
	char text[4];
	struct bw_string s = { text, bw_rune_write(text, rune) };

	bw_builder_add(b, s);
}

void bw_builder_addf(struct bw_builder *b, const char *fmt, ...)
{
	char text[128];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(text)) {
		bw_builder_add(b, (struct bw_string){ text, (size_t)n });
		return;
	}
	/* one more: vsnprintf() ends it with a 0 */
	if (n < 0 || bw_slice_grow(&b->bytes, 1, NULL, (size_t)n + 1)) {
		b->short_of = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf(b->bytes.ptr + b->bytes.len, (size_t)n + 1, fmt, args);
	va_end(args);
	b->bytes.len += (size_t)n;
}

struct bw_string bw_builder_string(const struct bw_builder *b)
{
	if (b->short_of) {
		errno = ENOMEM;
		return (struct bw_string){ NULL, 0 };
	}
	return b->bytes.len ? bw_string_of_slice(b->bytes) : BW_STR("");
}
