/* SPDX-License-Identifier: MIT */
/* futex: sleeping on a word of this process, and nothing else of futex(2). */
#ifndef BW_BASE_FUTEX_H
#define BW_BASE_FUTEX_H

#include "types.h"

/*
 * Sleeps while *word is @val. 0: woken, perhaps for nothing; -EAGAIN: it was
 * something else; -ETIMEDOUT: @deadline (absolute CLOCK_MONOTONIC ns, 0 for
 * none) passed; -EINTR: a signal came.
 */
int bw_futex_wait(u32 *word, u32 val, u64 deadline);
void bw_futex_wake(u32 *word, int nr);

#endif
