// SPDX-License-Identifier: MIT
/* resp: see resp.h */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <burrow.h>

#include "resp.h"

#define FIRST		16384U
#define READ_LEAST	4096U
#define MAX_ARGS	(1024L * 1024)
#define MAX_BULK	(512L << 20)
#define MAX_LINE	65536U
#define FLUSH_AT	65536U

BW_TYPE(conn, struct conn, in, argv, out);

struct conn *conn_make(int fd)
{
	struct conn *c = bw_new(conn);

	if (!c)
		return NULL;
	c->fd = fd;
	c->want = -1;
	c->size = -1;
	bw_set(&c->in, bw_alloc_raw(FIRST));
	bw_set(&c->out, bw_alloc_raw(FIRST));
	c->in_size = FIRST;
	c->out_size = FIRST;
	return c->in && c->out ? c : NULL;
}

void conn_free(struct conn *c)
{
	bw_free(c->in);
	bw_free(c->out);
	bw_free(c->argv);
	bw_free(c);
}

bool conn_flush(struct conn *c)
{
	size_t at = 0;
	ssize_t n;

	for (; at < c->nr_out; at += (size_t)n) {
		n = bw_send(c->fd, c->out + at, c->nr_out - at, MSG_NOSIGNAL);
		if (n <= 0) {
			c->over = true;
			break;
		}
	}
	c->nr_out = 0;
	return !c->over;
}

/* Room for @n more bytes at the end of @in. */
static bool make_room(struct conn *c, size_t n)
{
	size_t used = c->tail - c->head, size = c->in_size;
	char *more;

	if (c->head) {
		memmove(c->in, c->in + c->head, used);
		c->pos -= c->head;
		c->tail = used;
		c->head = 0;
	}
	if (size - used >= n)
		return true;
	while (size - used < n)
		size *= 2;
	more = bw_alloc_raw(size);
	if (!more)
		return false;
	memcpy(more, c->in, used);
	bw_free(c->in);
	bw_set(&c->in, more);
	c->in_size = size;
	return true;
}

bool conn_read(struct conn *c)
{
	ssize_t n;

	if (c->head == c->tail) {
		c->pos -= c->head;
		c->tail = 0;
		c->head = 0;
	}
	/* twice as much each time: a length that was claimed costs nothing */
	if (c->in_size - c->tail < READ_LEAST && !make_room(c, READ_LEAST))
		return false;
	n = bw_recv(c->fd, c->in + c->tail, c->in_size - c->tail, 0);
	if (n <= 0)
		return false;
	c->tail += (size_t)n;
	return true;
}

static int broken(struct conn *c, const char *why, int what)
{
	if (what)
		reply_error(c, "ERR Protocol error: %s'%c'", why, what);
	else
		reply_error(c, "ERR Protocol error: %s", why);
	c->over = true;
	return -1;
}

static bool add_arg(struct conn *c, size_t at, size_t len)
{
	int size = c->argv_size ? 2 * c->argv_size : 16;
	struct text *more;

	if (c->argc == c->argv_size) {
		more = bw_alloc_noscan((size_t)size * sizeof(*more));
		if (!more)
			return false;
		if (c->argc)
			memcpy(more, c->argv, (size_t)c->argc * sizeof(*more));
		bw_free(c->argv);
		bw_set(&c->argv, more);
		c->argv_size = size;
	}
	/*
	 * An offset until the request is whole, as @in may move. The array
	 * keeps nothing: @in is there as long as the connection.
	 */
	c->argv[c->argc].at = (const char *)(uintptr_t)(at - c->head);
	c->argv[c->argc++].len = len;
	return true;
}

static int whole(struct conn *c)
{
	int i;

	for (i = 0; i < c->argc; i++)
		c->argv[i].at = c->in + c->head + (uintptr_t)c->argv[i].at;
	return 1;
}

/* The end of the line at @pos, or NULL. */
static char *line_end(const struct conn *c)
{
	return memchr(c->in + c->pos, '\n', c->tail - c->pos);
}

/* Of "*3\r\n", "$5\r\n". False: it is no number. */
static bool parse_long(const char *at, const char *end, long *out)
{
	bool minus = at < end && *at == '-';
	long n = 0;

	if (minus)
		at++;
	if (at == end || end - at > 10)
		return false;
	for (; at < end; at++) {
		if (*at < '0' || *at > '9')
			return false;
		n = n * 10 + (*at - '0');
	}
	*out = minus ? -n : n;
	return true;
}

/* 1: a number in *@n; 0: the line is not whole; -1: it is none. */
static int number_line(struct conn *c, long *n)
{
	char *end = line_end(c);

	if (!end)
		return c->tail - c->pos > MAX_LINE ? -1 : 0;
	if (end[-1] != '\r' || !parse_long(c->in + c->pos + 1, end - 1, n))
		return -1;
	c->pos = (size_t)(end + 1 - c->in);
	return 1;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "a\x41\n": what stands behind a backslash; it is written over the word. */
static const char *escaped(const char *p, const char *end, char *to)
{
	static const char from[] = "nrtba", is[] = "\n\r\t\b\a";
	const char *f;

	if (end - p > 3 && p[1] == 'x' && hex(p[2]) >= 0 && hex(p[3]) >= 0) {
		*to = (char)(hex(p[2]) << 4 | hex(p[3]));
		return p + 4;
	}
	f = memchr(from, p[1], sizeof(from) - 1);
	*to = f ? is[f - from] : p[1];
	return p + 2;
}

/* A quoted part of a word, from behind its quote; NULL: it does not end. */
static char *quoted(char *p, char *end, char quote, char **to)
{
	while (p < end && *p != quote) {
		if (*p == '\\' && end - p > 1 && quote == '"') {
			p = (char *)escaped(p, end, (*to)++);
		} else {
			if (*p == '\\' && end - p > 1 && p[1] == quote)
				p++;
			*(*to)++ = *p++;
		}
	}
	return p < end ? p + 1 : NULL;
}

/* A word, without its quotes; behind it, or NULL: they do not match. */
static char *word(char *p, char *end, size_t *len)
{
	char *from = p, *to = p;

	while (p < end && !isspace((unsigned char)*p)) {
		if (*p != '"' && *p != '\'') {
			*to++ = *p++;
			continue;
		}
		p = quoted(p + 1, end, *p, &to);
		/* a quote ends its word */
		if (!p || (p < end && !isspace((unsigned char)*p)))
			return NULL;
		break;
	}
	*len = (size_t)(to - from);
	return p;
}

/* A line of words. */
static int inline_request(struct conn *c)
{
	char *p = c->in + c->pos, *end = line_end(c), *from;
	size_t len;

	if (!end)
		return c->tail - c->pos > MAX_LINE ?
		       broken(c, "too big inline request", 0) : 0;
	c->pos = (size_t)(end + 1 - c->in);
	for (;;) {
		while (p < end && isspace((unsigned char)*p))
			p++;
		if (p == end)
			return whole(c);
		from = p;
		p = word(p, end, &len);
		if (!p)
			return broken(c, "unbalanced quotes in request", 0);
		if (!add_arg(c, (size_t)(from - c->in), len))
			return -1;
	}
}

/* The next string of an array. 1, 0, -1 as conn_request(). */
static int bulk(struct conn *c)
{
	int r;

	if (c->size < 0) {
		if (c->pos == c->tail)
			return 0;
		if (c->in[c->pos] != '$')
			return broken(c, "expected '$', got ", c->in[c->pos]);
		r = number_line(c, &c->size);
		if (!r)
			return 0;
		if (r < 0 || c->size < 0 || c->size > MAX_BULK)
			return broken(c, "invalid bulk length", 0);
	}
	if (c->tail - c->pos < (size_t)c->size + 2)
		return 0;
	if (!add_arg(c, c->pos, (size_t)c->size))
		return -1;
	c->pos += (size_t)c->size + 2;
	c->size = -1;
	c->want--;
	return 1;
}

/* How many strings the array has. */
static int array(struct conn *c)
{
	long n = 0;
	int r = number_line(c, &n);

	if (r < 0 || n > MAX_ARGS)
		return broken(c, "invalid multibulk length", 0);
	if (r)
		c->want = n > 0 ? n : 0;
	return r;
}

int conn_request(struct conn *c)
{
	int r;

	if (c->want < 0) {
		if (c->pos == c->tail)
			return 0;
		if (c->in[c->pos] != '*')
			return inline_request(c);
		r = array(c);
		if (r <= 0)
			return r;
	}
	while (c->want > 0) {
		r = bulk(c);
		if (r <= 0)
			return r;
	}
	return whole(c);
}

void conn_next(struct conn *c)
{
	c->head = c->pos;
	c->argc = 0;
	c->want = -1;
	c->size = -1;
	/* what was read of many pipelined requests, or much was answered */
	if (c->nr_out > FLUSH_AT)
		conn_flush(c);
}

void reply_raw(struct conn *c, const char *bytes, size_t n)
{
	size_t size = c->out_size;
	char *more;

	if (size - c->nr_out < n) {
		while (size - c->nr_out < n)
			size *= 2;
		more = bw_alloc_raw(size);
		if (!more) {
			c->over = true;
			return;
		}
		memcpy(more, c->out, c->nr_out);
		bw_free(c->out);
		bw_set(&c->out, more);
		c->out_size = size;
	}
	memcpy(c->out + c->nr_out, bytes, n);
	c->nr_out += n;
}

void reply_text(struct conn *c, const char *line)
{
	reply_raw(c, line, strlen(line));
	reply_raw(c, "\r\n", 2);
}

void reply_number(struct conn *c, char kind, long long n)
{
	unsigned long long left = n < 0 ? -(unsigned long long)n :
					  (unsigned long long)n;
	char buf[32], *at = buf + sizeof(buf);

	*--at = '\n';
	*--at = '\r';
	do {
		at--;
		*at = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (n < 0)
		*--at = '-';
	*--at = kind;
	reply_raw(c, at, (size_t)(buf + sizeof(buf) - at));
}

void reply_bulk(struct conn *c, const char *bytes, size_t n)
{
	reply_number(c, '$', (long long)n);
	reply_raw(c, bytes, n);
	reply_raw(c, "\r\n", 2);
}

void reply_nil(struct conn *c)
{
	reply_raw(c, "$-1\r\n", 5);
}

/* What came from outside may have anything in it: a reply is one line. */
void reply_error(struct conn *c, const char *fmt, ...)
{
	char line[256];
	va_list args;
	char *p;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	for (p = line; *p; p++)
		if (*p == '\r' || *p == '\n')
			*p = ' ';
	reply_raw(c, "-", 1);
	reply_text(c, line);
}
