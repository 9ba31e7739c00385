/* SPDX-License-Identifier: MIT */
/*
 * throw: the end of a process whose invariants do not hold, and short notes to
 * whoever runs it. All of it goes to standard error in one write(2) a line;
 * nothing here allocates, locks or returns an error.
 */
#ifndef BW_BASE_THROW_H
#define BW_BASE_THROW_H

#include "types.h"

/* "burrow: fatal: @msg", then abort(). */
__noreturn __cold void bw_throw(const char *msg);

__noreturn __cold __printf(1, 2) void bw_fatal(const char *fmt, ...);

/* "burrow: ..." and on with it. */
__cold __printf(1, 2) void bw_note(const char *fmt, ...);

#endif
