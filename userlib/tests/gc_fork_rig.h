/* SPDX-License-Identifier: MIT */
/* gc_fork_rig: what tests of collectors in children share: chains, and the children. */
#ifndef BW_TESTS_GC_FORK_RIG_H
#define BW_TESTS_GC_FORK_RIG_H

#include <sys/mman.h>

#include "gc_rig.h"

#define FORKS		(SLOW ? 2U : 10U)

static inline struct node *chain_make(u64 from, u32 nr)
{
	struct node *first = NULL, *n;
	u32 i;

	for (i = 0; i < nr; i++) {
		n = node_new(from + i);
		bw_set(&n->next, first);
		first = n;
	}
	return first;
}

/* The newest first; false: one is not as it was made, or not there. */
static inline bool chain_is_whole(const struct node *n, u64 from, u32 nr)
{
	for (; n && nr; n = n->next)
		if (!node_is_good(n, from + --nr))
			return false;
	return !n && !nr;
}

/* For a G others run meanwhile. */
static inline bool child_is_well(void (*fn)(void *arg), void *arg)
{
	bool g = bw_self();
	pid_t pid = rig_fork_for(100, fn, arg);
	bool well;

	if (g)
		bw_block_begin();
	well = rig_join(pid);
	if (g)
		bw_block_end();
	return well;
}

/* Where children say something to their parent. */
static inline void *shared_zeros(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	EXPECT(p != MAP_FAILED);
	return p;
}

#endif
