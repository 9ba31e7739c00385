/* SPDX-License-Identifier: MIT */
/*
 * nosan: what the collector looks at is not its own. It reads red zones, freed
 * slots and words that others write at the same time, which is no bug of it nor
 * of theirs; functions that do so are not watched by sanitizers
 * (nor are their files, see build.mk: what is inlined into them brings its own).
 */
#ifndef BW_GC_NOSAN_H
#define BW_GC_NOSAN_H

#include "base/types.h"

#if defined(__clang__)
#define BW_NO_SANITIZE \
	__attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define BW_NO_SANITIZE \
	__attribute__((no_sanitize_address, no_sanitize_thread))
#endif

/* A word of somebody else's, once. */
#define BW_PEEK(x)	(*(const volatile __typeof__(x) *)&(x))

#endif
