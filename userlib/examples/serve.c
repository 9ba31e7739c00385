// SPDX-License-Identifier: MIT
/* serve: see serve.h */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <burrow.h>

#include "serve.h"

#define BACKLOG		511
#define LINGER_NS	1000000000ULL
#define LATER_NS	10000000ULL	/* no descriptors, no memory */

static const struct serve *self;
static struct bw_counter nr_open;

int serve_options(struct serve *s, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "p:b:")) != -1) {
		if (c == 'p') {
			s->port = atoi(optarg);
		} else if (c == 'b') {
			s->address = optarg;
		} else {
			fprintf(stderr, "usage: %s [-p PORT] [-b ADDRESS]\n",
				s->name);
			return 0;
		}
	}
	return 1;
}

int serve_count(void)
{
	return (int)bw_counter_load(&nr_open);
}

static int listen_at(const struct serve *s)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port),
	};
	socklen_t len = sizeof(a);
	int one = 1, fd;

	if (inet_pton(AF_INET, s->address, &a.sin_addr) != 1)
		return -EINVAL;
	fd = bw_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&a, &len)) {
		int err = -errno;

		bw_close(fd);
		return err;
	}
	printf("%s: %s:%d\n", s->name, s->address, ntohs(a.sin_port));
	fflush(stdout);
	return fd;
}

/*
 * What was sent to us and not read would make the kernel throw away what we said
 * last: so that is ended first, and the rest is read, for a while.
 */
static void hang_up(int fd)
{
	uint64_t until = bw_now() + LINGER_NS;
	char rest[512];

	if (!shutdown(fd, SHUT_WR))
		while (bw_recv_until(fd, rest, sizeof(rest), 0, until) > 0)
			;
	bw_close(fd);
}

static void connection(void *arg)
{
	int fd = (int)(intptr_t)arg;

	self->talk(fd);
	hang_up(fd);
	bw_counter_add(&nr_open, -1);
}

static void welcome(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bw_counter_add(&nr_open, 1) <= self->max &&
	    !bw_go(connection, (void *)(intptr_t)fd))
		return;
	if (self->full)
		bw_send(fd, self->full, strlen(self->full), MSG_NOSIGNAL);
	bw_close(fd);
	bw_counter_add(&nr_open, -1);
}

int serve(const struct serve *s)
{
	int fd, conn;

	self = s;
	fd = listen_at(s);
	if (fd < 0) {
		fprintf(stderr, "%s: cannot listen at %s:%d: %s\n", s->name,
			s->address, s->port, strerror(-fd));
		return 1;
	}
	for (;;) {
		conn = bw_accept(fd, NULL, NULL, SOCK_CLOEXEC);
		if (conn >= 0)
			welcome(conn);
		else if (conn != -ECONNABORTED)
			bw_sleep(LATER_NS);
	}
}
