// SPDX-License-Identifier: MIT
/* io_socket: making, accepting and connecting sockets. */
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "burrow/io.h"
#include "io.h"
#include "sched.h"

#define SOCK_TYPES	(~(SOCK_NONBLOCK | SOCK_CLOEXEC))

/* @fd, which was just made: known, or closed. */
static int fresh(int fd, bool tcp)
{
	int err;

	if (fd < 0)
		return fd;
	err = bw_desc_fresh(fd, tcp);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int bw_socket(int domain, int type, int protocol)
{
	bool tcp = (domain == AF_INET || domain == AF_INET6) &&
		   (type & SOCK_TYPES) == SOCK_STREAM &&
		   (!protocol || protocol == IPPROTO_TCP);
	int fd = socket(domain, type | SOCK_NONBLOCK, protocol);

	return fd < 0 ? -*bw_errno_here() : fresh(fd, tcp);
}

int bw_accept_until(int fd, struct sockaddr *addr, socklen_t *len, int flags,
		    uint64_t deadline)
{
	const struct bw_io io = {
		.what = BW_IO_ACCEPT, .dir = BW_DIR_READ, .fd = fd,
		.flags = flags, .buf = addr, .len = len, .who = "bw_accept",
	};
	int got = (int)bw_io(&io, deadline);
	struct bw_desc *d = bw_desc_find(fd);

	/* what @fd is was learnt by now */
	return fresh(got, d && READ_ONCE(d->tcp));
}

int bw_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return bw_accept_until(fd, addr, len, flags, BW_NEVER);
}

static __attribute__((noinline)) int connect_once(int fd,
						  const struct sockaddr *addr,
						  socklen_t len)
{
	return connect(fd, addr, len) ? -*bw_errno_here() : 0;
}

/* -EINPROGRESS: not yet. */
static __attribute__((noinline)) int connect_result(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -*bw_errno_here();
	if (err)
		return -err;
	len = sizeof(peer);
	if (!getpeername(fd, (struct sockaddr *)&peer, &len))
		return 0;
	return *bw_errno_here() == ENOTCONN ? -EINPROGRESS : -*bw_errno_here();
}

static int connect_in_block(int fd, const struct sockaddr *addr,
			    socklen_t len)
{
	int err;

	bw_block_begin();
	err = connect_once(fd, addr, len);
	bw_block_end();
	/* a signal came: it goes on by itself */
	return err == -EINTR ? -EINPROGRESS : err;
}

static int connect_desc(struct bw_desc *d, const struct sockaddr *addr,
			socklen_t len, u64 deadline)
{
	int err = bw_io_learn(d), wait;

	if (err)
		return err;
	if (READ_ONCE(d->nonblock))
		err = connect_once(d->fd, addr, len);
	else if (deadline != BW_NEVER)
		err = -EOPNOTSUPP;
	else
		err = connect_in_block(d->fd, addr, len);
	if (err == -EINTR)
		err = -EINPROGRESS;
	while (err == -EINPROGRESS) {
		wait = bw_desc_wait(d, BW_DIR_BIT(BW_DIR_WRITE), deadline);
		if (wait)
			return wait;
		err = connect_result(d->fd);
	}
	return err;
}

int bw_connect_until(int fd, const struct sockaddr *addr, socklen_t len,
		     uint64_t deadline)
{
	struct bw_desc *d;
	int err;

	bw_m_need("bw_connect");
	err = bw_desc_get(fd, &d);
	if (err)
		return err;
	err = connect_desc(d, addr, len, deadline);
	bw_desc_pass_on(d, BW_DIR_WRITE);
	bw_desc_put(d);
	return err;
}

int bw_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return bw_connect_until(fd, addr, len, BW_NEVER);
}
