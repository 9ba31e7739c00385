/* SPDX-License-Identifier: MIT */
/* io: one wrapped system call, as data (io.c). */
#ifndef BW_SCHED_IO_H
#define BW_SCHED_IO_H

#include <sys/socket.h>
#include <sys/types.h>

#include "netpoll.h"

enum bw_io_what {
	BW_IO_READ, BW_IO_WRITE, BW_IO_READV, BW_IO_WRITEV,
	BW_IO_RECV, BW_IO_SEND, BW_IO_ACCEPT,
};

/**
 * struct bw_io - its arguments						[caller]
 * @what:	which
 * @dir:	what it waits for
 * @fd:		the descriptor
 * @flags:	its flags, if it has any
 * @buf:	a buffer, an array of struct iovec, or an address
 * @n:		its size, or how many
 * @len:	of the address
 * @who:	its name
 */
struct bw_io {
	enum bw_io_what what;
	enum bw_dir dir;
	int fd;
	int flags;
	void *buf;
	size_t n;
	socklen_t *len;
	const char *who;
};

ssize_t bw_io(const struct bw_io *io, u64 deadline);
int bw_io_learn(struct bw_desc *d);

#endif
