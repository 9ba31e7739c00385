/* SPDX-License-Identifier: MIT */
/*
 * last_one.h: a G that waits for a number of others: the last one readies it. Each
 * file that has this in it has one such G, and sets both words before the others run.
 */
#ifndef BW_BENCH_LAST_ONE_H
#define BW_BENCH_LAST_ONE_H

#include "burrow/go.h"

/* How many Gs have still to come, and who waits for them. */
static long left;
static struct bw_g *boss;

static void one_less(void)
{
	if (__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0)
		bw_ready(boss);
}

static void wait_for_all(void)
{
	while (__atomic_load_n(&left, __ATOMIC_SEQ_CST))
		bw_park();
}

#endif
