/* SPDX-License-Identifier: MIT */
/* move: SPAN_MOVE as a function. */
#ifndef BURROW_SELFTEST_MOVE_H
#define BURROW_SELFTEST_MOVE_H

#include "burrow_selftest.h"

static inline int span_move(const struct heap *h, struct burrow_span_ref from,
			    struct burrow_span_ref to, __u32 flags)
{
	struct burrow_span_move arg = {
		.size = sizeof(arg), .flags = flags, .from = from, .to = to,
	};

	return call(h->fd, BURROW_IOC_SPAN_MOVE, &arg);
}

#endif
