/* SPDX-License-Identifier: MIT */
/*
 * burrow/io.h: system calls on descriptors that make only the calling G wait.
 *
 * They do what their namesakes of the C library do, short reads and writes
 * included, but return -errno in place of setting errno, go on after a signal, and
 * never return -EAGAIN: where that would come the G waits, and others run. An
 * attached thread may call them too and waits itself.
 *
 * Any descriptor will do. Its flags are not changed, as others may have it too:
 * sockets are used with MSG_DONTWAIT, what has O_NONBLOCK as it is, what blocks and
 * can be polled (a pipe, a terminal) is polled first and then used as in a
 * bw_block section; so is everything that cannot be polled (files). What kind it
 * is is looked at once, with the first call here: to change O_NONBLOCK of what is
 * not a socket later than that is a mistake.
 *
 * A TCP socket that is given an upper protocol (TCP_ULP) must be so before the
 * first call here.
 *
 * What these calls have used is closed with bw_close(). Where close(2) was used
 * all the same, and the number is somebody else's now, say bw_forget() first;
 * bw_socket() and bw_accept() do it by themselves.
 *
 * *_until() give up at @deadline, a moment as bw_now() tells it, with -ETIMEDOUT;
 * what can be done at once is done even then. Calls that are in a bw_block
 * section have no deadline while they block. When bw_close() is called meanwhile
 * a call that waits returns -ECANCELED; one that begins later, -EBADF. Other errors
 * that are not the call's own: -EMFILE, -ENOMEM, -ENOSPC from making it known.
 */
#ifndef BURROW_IO_H
#define BURROW_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

ssize_t bw_read(int fd, void *buf, size_t n);
ssize_t bw_read_until(int fd, void *buf, size_t n, uint64_t deadline);
ssize_t bw_write(int fd, const void *buf, size_t n);
ssize_t bw_write_until(int fd, const void *buf, size_t n, uint64_t deadline);
ssize_t bw_readv(int fd, const struct iovec *iov, int nr);
ssize_t bw_readv_until(int fd, const struct iovec *iov, int nr,
		       uint64_t deadline);
ssize_t bw_writev(int fd, const struct iovec *iov, int nr);
ssize_t bw_writev_until(int fd, const struct iovec *iov, int nr,
			uint64_t deadline);

/* Until all of it is read or written. Fewer: the end, or the deadline. */
ssize_t bw_read_all(int fd, void *buf, size_t n);
ssize_t bw_read_all_until(int fd, void *buf, size_t n, uint64_t deadline);
ssize_t bw_write_all(int fd, const void *buf, size_t n);
ssize_t bw_write_all_until(int fd, const void *buf, size_t n,
			   uint64_t deadline);

ssize_t bw_recv(int fd, void *buf, size_t n, int flags);
ssize_t bw_recv_until(int fd, void *buf, size_t n, int flags,
		      uint64_t deadline);
ssize_t bw_send(int fd, const void *buf, size_t n, int flags);
ssize_t bw_send_until(int fd, const void *buf, size_t n, int flags,
		      uint64_t deadline);

/* The new descriptor has O_NONBLOCK; @flags may have SOCK_CLOEXEC. */
int bw_socket(int domain, int type, int protocol);
int bw_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int bw_accept_until(int fd, struct sockaddr *addr, socklen_t *len, int flags,
		    uint64_t deadline);

/*
 * A socket without O_NONBLOCK connects in a bw_block section, and has no deadline:
 * with one, -EOPNOTSUPP. After a deadline it goes on connecting.
 */
int bw_connect(int fd, const struct sockaddr *addr, socklen_t len);
int bw_connect_until(int fd, const struct sockaddr *addr, socklen_t len,
		     uint64_t deadline);

/*
 * Waits until one of @events (POLLIN, POLLOUT, ...) is there and returns those
 * that are, POLLERR, POLLHUP and POLLNVAL too. Descriptors that cannot be polled
 * are always ready, as with poll(2).
 */
int bw_poll(int fd, short events);
int bw_poll_until(int fd, short events, uint64_t deadline);

/*
 * Ends every wait for it, and closes it when the last call under way is over:
 * most often at once, and then with the result of close(2). -EBADF
 */
int bw_close(int fd);

/* It was closed with close(2), and no call is under way. */
void bw_forget(int fd);

#ifdef __cplusplus
}
#endif

#endif
