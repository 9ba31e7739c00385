/* SPDX-License-Identifier: MIT */
/*
 * error: an errno says what kind of thing went wrong; one line says what. Each
 * thread keeps the last line it was given, as it keeps errno.
 */
#ifndef BW_BASE_ERROR_H
#define BW_BASE_ERROR_H

#include "types.h"

/* Keeps the line and returns @err, so that it reads "return bw_error(...)". */
__cold __printf(2, 3) int bw_error(int err, const char *fmt, ...);

/* The last line of this thread, "" where there was none. */
const char *bw_error_last(void);

#endif
