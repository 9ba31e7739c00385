/* SPDX-License-Identifier: MIT */
/* stats: counters of the slow paths (stats.def); exact one by one, not together. */
#ifndef BW_BASE_STATS_H
#define BW_BASE_STATS_H

#include "atomic.h"
#include "types.h"

enum bw_stat {
#define BW_STAT(name, ...)	BW_STAT_ ## name,
#include "stats.def"
#undef BW_STAT
	BW_NR_STATS,
};

/**
 * struct bw_counts - one counter a line of stats.def
 * @count:	since the heap was opened				[atomic]
 */
struct bw_counts {
	u64 count[BW_NR_STATS];
};

static inline void bw_stat_inc(struct bw_counts *s, enum bw_stat which)
{
	fetch_add_relaxed(&s->count[which], 1);
}

/* Says all of them, a line each, to standard error. */
void bw_counts_note(const struct bw_counts *s);

#endif
