// SPDX-License-Identifier: MIT
/* io_calls: burrow/io.h, in terms of bw_io() (io.c). */
#include "burrow/io.h"
#include "burrow/time.h"
#include "io.h"

ssize_t bw_read_until(int fd, void *buf, size_t n, uint64_t deadline)
{
	const struct bw_io io = {
		.what = BW_IO_READ, .dir = BW_DIR_READ, .fd = fd, .buf = buf,
		.n = n, .who = "bw_read",
	};

	return bw_io(&io, deadline);
}

ssize_t bw_write_until(int fd, const void *buf, size_t n, uint64_t deadline)
{
	const struct bw_io io = {
		.what = BW_IO_WRITE, .dir = BW_DIR_WRITE, .fd = fd,
		.buf = (void *)buf, .n = n, .who = "bw_write",
	};

	return bw_io(&io, deadline);
}

ssize_t bw_readv_until(int fd, const struct iovec *iov, int nr,
		       uint64_t deadline)
{
	const struct bw_io io = {
		.what = BW_IO_READV, .dir = BW_DIR_READ, .fd = fd,
		.buf = (void *)iov, .n = (size_t)nr, .who = "bw_readv",
	};

	return nr < 0 ? -EINVAL : bw_io(&io, deadline);
}

ssize_t bw_writev_until(int fd, const struct iovec *iov, int nr,
			uint64_t deadline)
{
	const struct bw_io io = {
		.what = BW_IO_WRITEV, .dir = BW_DIR_WRITE, .fd = fd,
		.buf = (void *)iov, .n = (size_t)nr, .who = "bw_writev",
	};

	return nr < 0 ? -EINVAL : bw_io(&io, deadline);
}

ssize_t bw_recv_until(int fd, void *buf, size_t n, int flags,
		      uint64_t deadline)
{
	const struct bw_io io = {
		.what = BW_IO_RECV, .dir = BW_DIR_READ, .fd = fd, .buf = buf,
		.n = n, .flags = flags, .who = "bw_recv",
	};

	return bw_io(&io, deadline);
}

ssize_t bw_send_until(int fd, const void *buf, size_t n, int flags,
		      uint64_t deadline)
{
	const struct bw_io io = {
		.what = BW_IO_SEND, .dir = BW_DIR_WRITE, .fd = fd,
		.buf = (void *)buf, .n = n, .flags = flags, .who = "bw_send",
	};

	return bw_io(&io, deadline);
}

ssize_t bw_read(int fd, void *buf, size_t n)
{
	return bw_read_until(fd, buf, n, BW_FOREVER);
}

ssize_t bw_write(int fd, const void *buf, size_t n)
{
	return bw_write_until(fd, buf, n, BW_FOREVER);
}

ssize_t bw_readv(int fd, const struct iovec *iov, int nr)
{
	return bw_readv_until(fd, iov, nr, BW_FOREVER);
}

ssize_t bw_writev(int fd, const struct iovec *iov, int nr)
{
	return bw_writev_until(fd, iov, nr, BW_FOREVER);
}

ssize_t bw_recv(int fd, void *buf, size_t n, int flags)
{
	return bw_recv_until(fd, buf, n, flags, BW_FOREVER);
}

ssize_t bw_send(int fd, const void *buf, size_t n, int flags)
{
	return bw_send_until(fd, buf, n, flags, BW_FOREVER);
}

/* What was done counts for more than why it is not all. */
ssize_t bw_read_all_until(int fd, void *buf, size_t n, uint64_t deadline)
{
	size_t done = 0;
	ssize_t got = 1;

	while (done < n && got > 0) {
		got = bw_read_until(fd, (char *)buf + done, n - done, deadline);
		if (got > 0)
			done += (size_t)got;
	}
	return done || got > 0 ? (ssize_t)done : got;
}

ssize_t bw_write_all_until(int fd, const void *buf, size_t n,
			   uint64_t deadline)
{
	size_t done = 0;
	ssize_t got = 1;

	while (done < n && got > 0) {
		got = bw_write_until(fd, (const char *)buf + done, n - done,
				     deadline);
		if (got > 0)
			done += (size_t)got;
	}
	return done || got > 0 ? (ssize_t)done : got;
}

ssize_t bw_read_all(int fd, void *buf, size_t n)
{
	return bw_read_all_until(fd, buf, n, BW_FOREVER);
}

ssize_t bw_write_all(int fd, const void *buf, size_t n)
{
	return bw_write_all_until(fd, buf, n, BW_FOREVER);
}
