// SPDX-License-Identifier: MIT
/* stats: see stats.h */
#include "stats.h"
#include "throw.h"

static const char *const stat_what[BW_NR_STATS] = {
#define BW_STAT(name, what) \
	[BW_STAT_ ## name] = what,
#include "stats.def"
#undef BW_STAT
};

void bw_counts_note(const struct bw_counts *s)
{
	u32 i;

	for (i = 0; i < BW_NR_STATS; i++)
		bw_note("%llu %s", (unsigned long long)READ_ONCE(s->count[i]),
			stat_what[i]);
}
