/* SPDX-License-Identifier: MIT */
/* mremap_rig: the program's mremap() stands in for that of the C library. */
#ifndef BW_TESTS_MREMAP_RIG_H
#define BW_TESTS_MREMAP_RIG_H

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/types.h"

/* The test's: does this call fail? Then it has set errno. @to: with MREMAP_FIXED. */
static bool mremap_fails(void *to, size_t bytes, int flags);

void *mremap(void *at, size_t old, size_t bytes, int flags, ...)
{
	va_list list;
	void *to;

	va_start(list, flags);
	to = va_arg(list, void *);
	va_end(list);
	if (mremap_fails(to, bytes, flags))
		return MAP_FAILED;
	return (void *)syscall(SYS_mremap, at, old, bytes, flags, to);
}

#endif
