// SPDX-License-Identifier: MIT
/* httpd: requests and what is answered, whole and byte by byte (script.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "script.h"

#define GET	"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define MANY	300

static const char *const requests[] = {
	GET,
	"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"GET /\r\n\r\n",
	"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
	"what is this\n",
};

/* The status line and the body; false: there is none. */
static bool reply(struct client *c, bool head, char *to, size_t size)
{
	size_t n, length = 0;
	char line[512];

	if (!client_line(c, to, size))
		return false;
	n = strlen(to);
	while (client_line(c, line, sizeof(line)) && line[0])
		if (!strncasecmp(line, "content-length: ", 16))
			length = (size_t)atol(line + 16);
	if (head)
		length = 0;
	if (length >= size - n - 1)
		die("too long a reply");
	to[n++] = ' ';
	client_bytes(c, to + n, length);
	return true;
}

/* Each with a second request behind it: does the connection go on? */
static void try_one(int port, const char *ask, bool bytewise)
{
	bool head = !strncmp(ask, "HEAD", 4);
	size_t n = strlen(ask), step = bytewise ? 1 : n, i;
	struct client c;
	char got[512];

	client_open(&c, port);
	for (i = 0; i < n; i += step)
		client_send(&c, ask + i, step);
	show(ask, n);
	if (!reply(&c, head, got, sizeof(got)))
		die(" is not answered");
	printf(": ");
	show(got, strlen(got));
	if (!strncmp(got, "HTTP/1.1 200", 12) &&
	    !strstr(ask, "close") && !strstr(ask, "1.0\r\n\r\n")) {
		client_send(&c, GET, strlen(GET));
		printf(", goes on: %s\n",
		       reply(&c, false, got, sizeof(got)) ? "yes" : "no");
	} else {
		printf(", ends: %s\n", client_byte(&c) < 0 ? "yes" : "no");
	}
	client_close(&c);
}

static void many(int port)
{
	char got[512], first[512];
	struct client c;
	int i;

	client_open(&c, port);
	for (i = 0; i < MANY; i++)
		client_send(&c, GET, strlen(GET));
	for (i = 0; i < MANY && reply(&c, false, got, sizeof(got)); i++) {
		if (!i)
			memcpy(first, got, sizeof(first));
		if (strcmp(got, first))
			break;
	}
	printf("one behind the other: %d of %d\n", i, MANY);
	client_close(&c);
}

void httpd_script(void)
{
	struct program p;
	unsigned int i;
	int port;

	printf("--- httpd\n");
	p = server_begin("httpd", &port);
	for (i = 0; i < 2 * sizeof(requests) / sizeof(requests[0]); i++)
		try_one(port, requests[i / 2], i % 2);
	many(port);
	server_end("httpd", p);
}
