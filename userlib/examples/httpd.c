// SPDX-License-Identifier: MIT
/*
 * httpd: says hello over HTTP/1.1, keeps connections, takes requests one behind the
 * other; a G for each connection.
 *
 *	httpd [-p PORT] [-b ADDRESS]
 *
 * A request that is none is answered with 400, too long a head with 431, too long a
 * body with 413, an encoding of bodies with 501, and the connection ends; so does one
 * on which nothing comes for a minute.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <burrow.h>

#include "serve.h"

#define HEAD_MAX	8192
#define OUT_MAX		16384
#define BODY_MAX	(1UL << 20)
#define IDLE_NS		60000000000ULL
#define HELLO		"Hello, world\n"

/**
 * struct conn - a connection						[its G]
 * @fd:		its socket
 * @nr:		bytes that were read and not looked at
 * @nr_out:	bytes that are to be written
 * @skip:	bytes of a body that are to come
 * @over:	it ends after the next write
 */
struct conn {
	int fd;
	size_t nr;
	size_t nr_out;
	size_t skip;
	bool over;
	char in[HEAD_MAX];
	char out[OUT_MAX];
};

/**
 * struct request - what a head says
 * @status:	0, or of the error
 */
struct request {
	int status;
	bool head;
	bool keep;
	bool has_host;
	bool has_length;
	unsigned long length;
};

/* The line of the time, once a second. */
struct date {
	uint64_t until;
	char text[48];
};

static struct bw_ptr date_now;

static const char *date_line(void)
{
	struct date *d = bw_ptr_load(&date_now);
	uint64_t now = bw_now();
	struct tm tm;
	time_t t;

	if (d && now < d->until)
		return d->text;
	d = bw_alloc_noscan(sizeof(*d));
	if (!d)
		return "";
	t = time(NULL);
	gmtime_r(&t, &tm);
	strftime(d->text, sizeof(d->text), "Date: %a, %d %b %Y %T GMT\r\n",
		 &tm);
	d->until = now + 1000000000;
	bw_ptr_store(&date_now, d);
	return d->text;
}

static bool flush(struct conn *c)
{
	size_t n = c->nr_out;
	ssize_t done;
	char *at = c->out;

	for (; n; n -= (size_t)done, at += done) {
		done = bw_send_until(c->fd, at, n, MSG_NOSIGNAL,
				     bw_now() + IDLE_NS);
		if (done <= 0)
			return false;
	}
	c->nr_out = 0;
	return true;
}

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "200 OK";
	case 413:
		return "413 Content Too Large";
	case 431:
		return "431 Request Header Fields Too Large";
	case 501:
		return "501 Not Implemented";
	case 505:
		return "505 HTTP Version Not Supported";
	default:
		return "400 Bad Request";
	}
}

/* False: the connection is gone. */
static bool answer(struct conn *c, const struct request *r)
{
	const char *body = r->status ? status_text(r->status) : HELLO;

	if (sizeof(c->out) - c->nr_out < 512 && !flush(c))
		return false;
	c->over |= r->status || !r->keep;
	c->nr_out += (size_t)snprintf(c->out + c->nr_out,
		sizeof(c->out) - c->nr_out,
		"HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n"
		"Content-Type: text/plain\r\n%s\r\n%s",
		status_text(r->status ? r->status : 200), date_line(),
		strlen(body), c->over ? "Connection: close\r\n" : "",
		r->head ? "" : body);
	return true;
}

static bool is_token(const char *from, const char *end)
{
	const char *p;

	for (p = from; p < end; p++)
		if (*p <= ' ' || *p == 127 || strchr("()<>@,;:\\\"/[]?={}", *p))
			return false;
	return from < end;
}

/* "GET / HTTP/1.1" */
static void request_line(struct request *r, const char *from, const char *end)
{
	const char *target = memchr(from, ' ', (size_t)(end - from)), *version;

	r->status = 400;
	if (!target || !is_token(from, target))
		return;
	target++;
	version = memchr(target, ' ', (size_t)(end - target));
	if (!version || version == target || end - version != 9 ||
	    memcmp(version, " HTTP/", 6))
		return;
	r->status = 0;
	r->head = target - from == 5 && !memcmp(from, "HEAD", 4);
	r->keep = version[8] == '1';
	if (version[6] != '1' || version[7] != '.')
		r->status = 505;
	else if (*target != '/' && *target != '*' &&
		 !memchr(target, ':', (size_t)(version - target)))
		r->status = 400;
}

static bool is_name(const char *from, const char *end, const char *name)
{
	return strlen(name) == (size_t)(end - from) &&
	       !strncasecmp(from, name, (size_t)(end - from));
}

static void length_field(struct request *r, const char *v, const char *end)
{
	unsigned long n = 0;
	const char *p;

	for (p = v; p < end && *p >= '0' && *p <= '9' && n < 1UL << 50; p++)
		n = n * 10 + (unsigned long)(*p - '0');
	if (p == v || p < end || (r->has_length && n != r->length))
		r->status = 400;
	else if (n > BODY_MAX)
		r->status = 413;
	r->has_length = true;
	r->length = n;
}

static void field(struct request *r, const char *from, const char *end)
{
	const char *colon = memchr(from, ':', (size_t)(end - from)), *v;

	if (!colon || !is_token(from, colon)) {
		r->status = 400;
		return;
	}
	for (v = colon + 1; v < end && (*v == ' ' || *v == '\t'); v++)
		;
	while (end > v && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (is_name(from, colon, "host")) {
		if (r->has_host)
			r->status = 400;
		r->has_host = true;
	} else if (is_name(from, colon, "content-length")) {
		length_field(r, v, end);
	} else if (is_name(from, colon, "transfer-encoding")) {
		r->status = 501;
	} else if (is_name(from, colon, "connection")) {
		if (is_name(v, end, "close"))
			r->keep = false;
		else if (is_name(v, end, "keep-alive"))
			r->keep = true;
	}
}

/* A head, the empty line at its end included. The first error counts. */
static struct request parse(const char *at, const char *end)
{
	struct request r = { .status = 0 };
	const char *eol = memmem(at, (size_t)(end - at), "\r\n", 2);
	bool old;

	request_line(&r, at, eol);
	old = !r.keep;
	for (at = eol + 2; !r.status && at < end - 2; at = eol + 2) {
		eol = memmem(at, (size_t)(end - at), "\r\n", 2);
		field(&r, at, eol);
	}
	if (!r.status && !old && !r.has_host)
		r.status = 400;
	return r;
}

static bool skip_body(struct conn *c)
{
	size_t n = c->skip < c->nr ? c->skip : c->nr;

	c->skip -= n;
	c->nr -= n;
	memmove(c->in, c->in + n, c->nr);
	return !c->skip;
}

/* All requests that are there. False: the connection is gone. */
static bool requests(struct conn *c)
{
	char *at = c->in, *end = c->in + c->nr, *stop;
	struct request r;

	while (!c->over && at < end &&
	       (stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4))) {
		r = parse(at, stop + 4);
		at = stop + 4;
		if (!answer(c, &r))
			return false;
		c->skip = r.status ? 0 : r.length;
		if (c->skip)
			break;
	}
	c->nr = (size_t)(end - at);
	memmove(c->in, at, c->nr);
	return true;
}

/* What is there is no whole head: can it become one? */
static void refuse(struct conn *c)
{
	const char *eol = memchr(c->in, '\n', c->nr);
	struct request r = { .status = 0 };

	if (c->over || c->skip || !c->nr)
		return;
	if (eol && (eol == c->in || eol[-1] != '\r'))
		r.status = 400;
	else if (c->nr == sizeof(c->in))
		r.status = 431;
	if (r.status)
		answer(c, &r);
}

static void serve_requests(struct conn *c)
{
	ssize_t n;

	for (;;) {
		while (!c->over && skip_body(c)) {
			size_t was = c->nr;

			if (!requests(c))
				return;
			/* nothing more, or a body comes first */
			if (c->nr == was || !c->nr)
				break;
		}
		refuse(c);
		if (!flush(c) || c->over)
			return;
		n = bw_recv_until(c->fd, c->in + c->nr, sizeof(c->in) - c->nr, 0,
				  bw_now() + IDLE_NS);
		if (n <= 0)
			return;
		c->nr += (size_t)n;
	}
}

static void talk(int fd)
{
	struct conn *c = bw_alloc_raw(sizeof(*c));

	if (!c)
		return;
	c->fd = fd;
	c->nr = 0;
	c->nr_out = 0;
	c->skip = 0;
	c->over = false;
	serve_requests(c);
	bw_free(c);
}

static int start(void *arg)
{
	return serve(arg);
}

int main(int argc, char **argv)
{
	static struct serve s = {
		.name = "httpd", .address = "127.0.0.1", .port = 8080,
		.max = 10000, .talk = talk,
	};

	if (!serve_options(&s, argc, argv))
		return 2;
	bw_barriers_used();
	return bw_run(start, &s);
}
