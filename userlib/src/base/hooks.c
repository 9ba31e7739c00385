// SPDX-License-Identifier: MIT
/* hooks: where they are (hooks.def) */
#include "hooks.h"

#define BW_HOOK(name, params, ...)	void (*bw_up_##name) params
#include "hooks.def"
#undef BW_HOOK
