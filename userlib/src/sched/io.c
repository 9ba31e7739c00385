// SPDX-License-Identifier: MIT
/*
 * io: wrapped system calls.
 *
 *	bw_read()
 *	  bw_io()		<- here: until it is not -EAGAIN
 *	    try_once()			 without blocking, by kind
 *	      call()			 the system call
 *	    bw_desc_wait()	netpoll.c
 *
 * errno is read in functions that do not switch: its address is the thread's.
 */
#include <sys/stat.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "burrow/io.h"
#include "io.h"
#include "netpoll.h"
#include "sched.h"

#define READING		BW_DIR_BIT(BW_DIR_READ)

static int domain_of(int fd, int what)
{
	socklen_t len = sizeof(int);
	int value = -1;

	if (getsockopt(fd, SOL_SOCKET, what, &value, &len))
		return -1;
	return value;
}

/*
 * Of these a short read has all there was: nothing else comes between bytes, as
 * with AF_UNIX (rights) or where a protocol is on top (records).
 */
static bool is_plain_tcp(int fd)
{
	char ulp[16] = "";
	socklen_t len = sizeof(ulp);
	int domain = domain_of(fd, SO_DOMAIN);

	return (domain == AF_INET || domain == AF_INET6) &&
	       domain_of(fd, SO_PROTOCOL) == IPPROTO_TCP &&
	       (getsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, &len) || !len ||
		!ulp[0]);
}

/* With the first call in its life. */
static __attribute__((noinline)) int learn(struct bw_desc *d)
{
	u32 kind = BW_KIND_POLL;
	struct stat st;
	int flags;

	flags = fcntl(d->fd, F_GETFL);
	if (flags < 0 || fstat(d->fd, &st))
		return -*bw_errno_here();
	if (S_ISSOCK(st.st_mode))
		kind = BW_KIND_SOCKET;
	else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ||
		 S_ISBLK(st.st_mode))
		kind = BW_KIND_FILE;
	else if (flags & O_NONBLOCK)
		kind = BW_KIND_NONBLOCK;
	WRITE_ONCE(d->nonblock, !!(flags & O_NONBLOCK));
	WRITE_ONCE(d->tcp, kind == BW_KIND_SOCKET && is_plain_tcp(d->fd));
	WRITE_ONCE(d->kind, (u8)kind);
	return 0;
}

static ssize_t call_vector(const struct bw_io *io, int flags)
{
	struct msghdr msg = { .msg_iov = io->buf, .msg_iovlen = io->n };

	return io->what == BW_IO_READV ? recvmsg(io->fd, &msg, flags) :
					 sendmsg(io->fd, &msg, flags);
}

static ssize_t call_socket(const struct bw_io *io)
{
	switch (io->what) {
	case BW_IO_READ:
	case BW_IO_RECV:
		return recv(io->fd, io->buf, io->n, io->flags | MSG_DONTWAIT);
	case BW_IO_WRITE:
	case BW_IO_SEND:
		return send(io->fd, io->buf, io->n, io->flags | MSG_DONTWAIT);
	default:
		return call_vector(io, MSG_DONTWAIT);
	}
}

static ssize_t call_plain(const struct bw_io *io)
{
	switch (io->what) {
	case BW_IO_READ:
		return read(io->fd, io->buf, io->n);
	case BW_IO_WRITE:
		return write(io->fd, io->buf, io->n);
	case BW_IO_READV:
		return readv(io->fd, io->buf, (int)io->n);
	case BW_IO_WRITEV:
		return writev(io->fd, io->buf, (int)io->n);
	case BW_IO_RECV:
		return recv(io->fd, io->buf, io->n, io->flags);
	case BW_IO_SEND:
		return send(io->fd, io->buf, io->n, io->flags);
	default:
		return accept4(io->fd, io->buf, io->len,
			       io->flags | SOCK_NONBLOCK);
	}
}

static __attribute__((noinline)) ssize_t call(const struct bw_io *io,
					      bool socket)
{
	ssize_t n;

	do {
		n = socket ? call_socket(io) : call_plain(io);
	} while (n < 0 && *bw_errno_here() == EINTR);
	return n < 0 ? -*bw_errno_here() : n;
}

static __attribute__((noinline)) int poll_once(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, 0);

	return n < 0 ? -*bw_errno_here() : p.revents;
}

/* It may block: others run meanwhile. */
static ssize_t call_in_block(const struct bw_io *io)
{
	ssize_t n;

	bw_block_begin();
	n = call(io, false);
	bw_block_end();
	return n;
}

static ssize_t call_when_ready(const struct bw_io *io)
{
	return poll_once(io->fd, io->dir == BW_DIR_READ ? POLLIN : POLLOUT) ?
	       call_in_block(io) : -EAGAIN;
}

static bool is_call_of_sockets(const struct bw_io *io)
{
	return io->what != BW_IO_ACCEPT && (io->n || io->what != BW_IO_READ);
}

static ssize_t try_once(struct bw_desc *d, const struct bw_io *io)
{
	switch (READ_ONCE(d->kind)) {
	case BW_KIND_SOCKET:
		if (likely(is_call_of_sockets(io)))
			return call(io, true);
		/* accept(2) has no flag that says so */
		if (!READ_ONCE(d->nonblock))
			return call_when_ready(io);
		return call(io, false);
	case BW_KIND_NONBLOCK:
		return call(io, false);
	case BW_KIND_POLL:
		return call_when_ready(io);
	default:
		return call_in_block(io);
	}
}

/*
 * The last read was short, so nothing was left, and nothing has come since: an
 * edge would have made the word READY. One that says that more than data is
 * there (the end, an error) is not told twice, so after it we ask.
 */
static bool is_drained(const struct bw_desc *d, const struct bw_io *io)
{
	return io->what == BW_IO_READ && READ_ONCE(d->drained) &&
	       READ_ONCE(d->polled) && !READ_ONCE(d->hung_up) &&
	       READ_ONCE(d->word[BW_DIR_READ]) == BW_DESC_IDLE;
}

static void note_drained(struct bw_desc *d, const struct bw_io *io, ssize_t n)
{
	bool drained = n > 0 && (size_t)n < io->n && READ_ONCE(d->tcp);

	if (READ_ONCE(d->drained) != drained)
		WRITE_ONCE(d->drained, drained);
}

/* It cannot be polled, which only epoll knows of some. */
static int wait_for(struct bw_desc *d, const struct bw_io *io, u64 deadline)
{
	int err = bw_desc_wait(d, BW_DIR_BIT(io->dir), deadline);

	if (err != -EPERM)
		return err;
	WRITE_ONCE(d->kind, BW_KIND_FILE);
	return 0;
}

static ssize_t run(struct bw_desc *d, const struct bw_io *io, u64 deadline)
{
	bool waited = false, used = false;
	ssize_t n = -EAGAIN;
	int err = 0;

	if (unlikely(READ_ONCE(d->kind) == BW_KIND_UNKNOWN))
		err = learn(d);
	while (!err) {
		if (waited || !is_drained(d, io)) {
			if (io->what == BW_IO_READ)
				used |= bw_desc_use_ready(d, READING);
			n = try_once(d, io);
		}
		if (n != -EAGAIN)
			break;
		err = wait_for(d, io, deadline);
		waited = true;
	}
	if (io->what == BW_IO_READ)
		note_drained(d, io, n);
	if (waited || used)
		bw_desc_pass_on(d, io->dir);
	return err ? err : n;
}

ssize_t bw_io(const struct bw_io *io, u64 deadline)
{
	struct bw_desc *d;
	ssize_t n;

	bw_m_need(io->who);
	n = bw_desc_get(io->fd, &d);
	if (unlikely(n))
		return n;
	n = run(d, io, deadline);
	bw_desc_put(d);
	return n;
}

int bw_io_learn(struct bw_desc *d)
{
	return likely(READ_ONCE(d->kind) != BW_KIND_UNKNOWN) ? 0 : learn(d);
}

int bw_poll_until(int fd, short events, uint64_t deadline)
{
	short reading = POLLIN | POLLPRI | POLLRDHUP | POLLRDNORM | POLLRDBAND;
	u32 dirs = 0, dir;
	struct bw_desc *d;
	int n, err;

	bw_m_need("bw_poll");
	err = bw_desc_get(fd, &d);
	if (err)
		return err;
	if ((events & reading) || !(events & POLLOUT))
		dirs |= BW_DIR_BIT(BW_DIR_READ);
	if (events & (POLLOUT | POLLWRNORM | POLLWRBAND))
		dirs |= BW_DIR_BIT(BW_DIR_WRITE);
	while (!(n = poll_once(fd, events))) {
		err = bw_desc_wait(d, dirs, deadline);
		if (err)
			break;
	}
	for (dir = 0; dir < BW_NR_DIRS; dir++)
		bw_desc_pass_on(d, dir);
	bw_desc_put(d);
	return err ? err : n;
}

int bw_poll(int fd, short events)
{
	return bw_poll_until(fd, events, BW_NEVER);
}
