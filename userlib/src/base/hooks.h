/* SPDX-License-Identifier: MIT */
/* hooks: upward calls (hooks.def); each is NULL until its room has set it. */
#ifndef BW_BASE_HOOKS_H
#define BW_BASE_HOOKS_H

#include "atomic.h"
#include "types.h"

struct bw_g;
struct bw_mcache;
struct bw_mheap;

#define BW_HOOK(name, params, ...)	extern void (*bw_up_##name) params
#include "hooks.def"
#undef BW_HOOK

/* BW_UP(gc_due, h): the call, if somebody wants it. */
#define BW_UP(name, ...) do { \
	__typeof__(bw_up_##name) bw_up_fn = READ_ONCE(bw_up_##name); \
	if (bw_up_fn) \
		bw_up_fn(__VA_ARGS__); \
} while (0)

#endif
