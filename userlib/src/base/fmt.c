// SPDX-License-Identifier: MIT
/*
 * fmt: the small formatter under every message of the library.
 *
 * Rejected: vsnprintf(). It may allocate, and it takes the stream's locks in
 * some libraries; the library must be able to speak from a signal handler and
 * with other threads stopped.
 */
#include "fmt.h"

/**
 * struct out - where text goes						[caller]
 * @buf:	the buffer
 * @room:	bytes left, the NUL's kept aside
 * @len:	bytes written
 */
struct out {
	char *buf;
	size_t room;
	size_t len;
};

static void put(struct out *o, char c)
{
	if (!o->room)
		return;
	o->room--;
	o->buf[o->len++] = c;
}

static void put_text(struct out *o, const char *s)
{
	if (!s)
		s = "(null)";
	while (*s)
		put(o, *s++);
}

static void put_number(struct out *o, unsigned long long v, unsigned int base)
{
	char digit[24];
	int n = 0;

	do {
		digit[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(o, digit[--n]);
}

static void put_signed(struct out *o, long long v)
{
	if (v < 0)
		put(o, '-');
	put_number(o, v < 0 ? 0ULL - (unsigned long long)v :
			      (unsigned long long)v, 10);
}

/* How wide the next number is: 0 int, 1 long, 2 long long. size_t is long. */
static int get_width(const char **fmt)
{
	int width = 0;

	if (**fmt == 'z') {
		(*fmt)++;
		return 1;
	}
	for (; **fmt == 'l'; (*fmt)++)
		width++;
	return width;
}

static unsigned long long get_unsigned(va_list *ap, int width)
{
	if (width == 2)
		return va_arg(*ap, unsigned long long);
	return width ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int);
}

static long long get_signed(va_list *ap, int width)
{
	if (width == 2)
		return va_arg(*ap, long long);
	return width ? va_arg(*ap, long) : va_arg(*ap, int);
}

static void put_one(struct out *o, const char **fmt, va_list *ap)
{
	int width = get_width(fmt);
	char c = *(*fmt)++;

	switch (c) {
	case 's':
		put_text(o, va_arg(*ap, const char *));
		break;
	case 'c':
		put(o, (char)va_arg(*ap, int));
		break;
	case 'd':
		put_signed(o, get_signed(ap, width));
		break;
	case 'u':
		put_number(o, get_unsigned(ap, width), 10);
		break;
	case 'x':
		put_number(o, get_unsigned(ap, width), 16);
		break;
	case 'p':
		put_text(o, "0x");
		put_number(o, (uintptr_t)va_arg(*ap, void *), 16);
		break;
	case '\0':
		(*fmt)--;
		break;
	default:
		put(o, c);
	}
}

size_t bw_vfmt(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = { buf, size ? size - 1 : 0, 0 };
	va_list copy;

	va_copy(copy, ap);
	while (*fmt) {
		char c = *fmt++;

		if (c == '%')
			put_one(&o, &fmt, &copy);
		else
			put(&o, c);
	}
	va_end(copy);
	if (size)
		buf[o.len] = '\0';
	return o.len;
}

size_t bw_fmt(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = bw_vfmt(buf, size, fmt, ap);
	va_end(ap);
	return len;
}
