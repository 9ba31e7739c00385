// SPDX-License-Identifier: MIT
/* anchor: see anchor.h */
#include <assert.h>

#include "anchor.h"
#include "base/lock.h"

static_assert(sizeof(struct bw_anchor) == 64, "anchor_so.S says so, too");

extern struct bw_anchor bw_heap_anchor __attribute__((weak));

/* Of a program that has libburrow.a, and no library with us in it. */
static struct bw_anchor own;

struct bw_anchor *bw_anchor(void)
{
	return &bw_heap_anchor ? &bw_heap_anchor : &own;
}

void bw_anchor_lock(struct bw_anchor *a)
{
	if (BW_DEBUG)
		bw_lock_rank_push(BW_RANK_MHEAP_OPEN);
	bw_word_lock(&a->lock);
}

void bw_anchor_unlock(struct bw_anchor *a)
{
	bw_word_unlock(&a->lock);
	if (BW_DEBUG)
		bw_lock_rank_pop(BW_RANK_MHEAP_OPEN);
}
