// SPDX-License-Identifier: MIT
/* client: connections to a server, which is begun and ended (script.h). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "script.h"

#define LONG_S	120

/* "kvd: 127.0.0.1:PORT\n" is the first that it says. */
struct program server_begin(const char *name, int *port)
{
	char *const argv[] = { (char *)name, "-p", "0", NULL };
	struct program p = program_begin(argv);
	const char *colon;
	char line[128];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(p.out, line + n, 1) == 1 &&
	       line[n] != '\n')
		n++;
	line[n] = '\0';
	colon = strrchr(line, ':');
	*port = colon ? atoi(colon + 1) : 0;
	if (!*port)
		die("%s does not say where it listens: '%s'", name, line);
	return p;
}

void server_end(const char *name, struct program p)
{
	kill(p.pid, SIGTERM);
	printf("%s ends: %s\n", name, program_end(p));
}

void client_open(struct client *c, int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval tv = { .tv_sec = LONG_S };
	int one = 1;

	c->nr = 0;
	c->at = 0;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)))
		die("no connection");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
}

void client_close(struct client *c)
{
	close(c->fd);
}

void client_send(struct client *c, const char *bytes, size_t n)
{
	ssize_t done;

	for (; n; n -= (size_t)done, bytes += done) {
		done = send(c->fd, bytes, n, MSG_NOSIGNAL);
		if (done <= 0)
			die("the server is gone");
	}
}

int client_byte(struct client *c)
{
	ssize_t n;

	if (c->at == c->nr) {
		n = recv(c->fd, c->ahead, sizeof(c->ahead), 0);
		if (n < 0)
			die("no answer");
		if (!n)
			return -1;
		c->nr = (size_t)n;
		c->at = 0;
	}
	return (unsigned char)c->ahead[c->at++];
}

size_t client_bytes(struct client *c, char *to, size_t n)
{
	size_t i;
	int b;

	for (i = 0; i < n && (b = client_byte(c)) >= 0; i++)
		to[i] = (char)b;
	to[i] = '\0';
	return i;
}

bool client_line(struct client *c, char *to, size_t size)
{
	size_t n = 0;
	int b;

	while ((b = client_byte(c)) != '\n') {
		if (b < 0)
			return false;
		if (n == size - 1)
			die("too long a line");
		if (b != '\r')
			to[n++] = (char)b;
	}
	to[n] = '\0';
	return true;
}
