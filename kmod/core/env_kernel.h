/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* env_kernel: the core's host is the module. */
#ifndef BW_CORE_ENV_KERNEL_H
#define BW_CORE_ENV_KERNEL_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>

static inline unsigned int env_ctz(u64 x)
{
	return __ffs64(x);
}

static inline unsigned int env_clz(u64 x)
{
	return 64 - fls64(x);
}

static inline unsigned int env_popcount(u64 x)
{
	return hweight64(x);
}

#endif
