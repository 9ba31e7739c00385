/* SPDX-License-Identifier: MIT */
/* net_rig: what tests of descriptors share: pairs of them, and Gs for their ends. */
#ifndef BW_TESTS_NET_RIG_H
#define BW_TESTS_NET_RIG_H

#include <sys/resource.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include "burrow/io.h"
#include "sched_rig.h"

#define MS	1000000ULL
#define FAR	(bw_now() + 60000 * MS)

static inline void pair_make(int fd[2], int type)
{
	EXPECT(!socketpair(AF_UNIX, type, 0, fd));
}

static inline struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listening socket; *@a is where. */
static inline int listen_on(struct sockaddr_in *a)
{
	int fd = bw_socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*a);

	*a = loopback();
	EXPECT(fd >= 0 && !bind(fd, (struct sockaddr *)a, sizeof(*a)));
	EXPECT(!listen(fd, 4096));
	EXPECT(!getsockname(fd, (struct sockaddr *)a, &len));
	return fd;
}

static inline int connect_to(const struct sockaddr_in *a)
{
	int fd = bw_socket(AF_INET, SOCK_STREAM, 0), err;

	err = bw_connect(fd, (const struct sockaddr *)a, sizeof(*a));
	if (!EXPECT(!err))
		printf("# connect: %s\n", strerror(-err));
	return fd;
}

/* fd[0] and fd[1] are the ends of a TCP connection. */
static inline void tcp_make(int fd[2])
{
	struct sockaddr_in a;
	int l = listen_on(&a);

	fd[0] = connect_to(&a);
	fd[1] = bw_accept(l, NULL, NULL, SOCK_CLOEXEC);
	EXPECT(fd[1] >= 0);
	EXPECT(fcntl(fd[1], F_GETFL) & O_NONBLOCK);
	EXPECT(!bw_close(l));
}

struct stream {
	struct countdown c;
	int fd[2];
	long bytes;
};

#endif
