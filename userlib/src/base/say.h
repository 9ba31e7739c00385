/* SPDX-License-Identifier: MIT */
/*
 * say: much text to a file descriptor, in few write(2)s, from a buffer of the
 * caller's. Nothing here allocates or locks.
 */
#ifndef BW_BASE_SAY_H
#define BW_BASE_SAY_H

#include "types.h"

/**
 * struct bw_say - text on its way					[caller]
 * @fd:		where it goes
 * @buf:	what was not written yet
 * @size:	of @buf: at least twice the longest piece
 * @len:	used
 */
struct bw_say {
	int fd;
	char *buf;
	size_t size;
	size_t len;
};

/* A piece, at most half of the buffer long (or it is cut). */
__printf(2, 3) void bw_say(struct bw_say *s, const char *fmt, ...);

void bw_say_flush(struct bw_say *s);

#endif
