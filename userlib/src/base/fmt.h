/* SPDX-License-Identifier: MIT */
/*
 * fmt: text without allocation, locks or locale, fit for a dying process.
 *
 * Knows %s %c %d %u %x with l, ll and z before the last three, %p and %%. What
 * does not fit is cut; the result always ends in NUL.
 */
#ifndef BW_BASE_FMT_H
#define BW_BASE_FMT_H

#include <stdarg.h>

#include "types.h"

/* The length of what was written, NUL not counted: less than @size. */
size_t bw_vfmt(char *buf, size_t size, const char *fmt, va_list ap);

__printf(3, 4) size_t bw_fmt(char *buf, size_t size, const char *fmt, ...);

#endif
