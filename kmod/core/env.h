/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * env: all that kmod/core knows of its host.
 *
 * The core is freestanding: it never allocates, sleeps, locks or calls up. It
 * asks for fixed-width types, READ_ONCE/WRITE_ONCE, smp_store_release, a
 * handful of bit operations, likely/unlikely and -E numbers; env_kernel.h and
 * env_user.h give them.
 */
#ifndef BW_CORE_ENV_H
#define BW_CORE_ENV_H

#ifdef __KERNEL__
#include "env_kernel.h"
#else
#include "env_user.h"
#endif

#endif
