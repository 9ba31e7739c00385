// SPDX-License-Identifier: MIT
/* anchor: see anchor.h */
#include <assert.h>

#include "anchor.h"

static_assert(sizeof(struct bw_anchor) == 64, "anchor_so.S says so, too");

extern struct bw_anchor bw_heap_anchor __attribute__((weak));

/* Of a program that has libburrow.a, and no library with us in it. */
static struct bw_anchor own;

struct bw_anchor *bw_anchor(void)
{
	return &bw_heap_anchor ? &bw_heap_anchor : &own;
}
