/* SPDX-License-Identifier: MIT */
/*
 * check: BURROW=gccheckmark=1 and typecheck=1: the heap is gone through once more,
 * with the world stopped, by simpler code with bits of its own.
 *
 * Every object that is found must have its mark; one that has not is named, with
 * the word that led to it, and that is the end. What has a mark and is not found
 * may be: a word changed, or it was black from the start.
 */
#ifndef BW_GC_CHECK_H
#define BW_GC_CHECK_H

#include "collector.h"

/**
 * struct bw_check - a walk						[collector]
 * @h:		of what
 * @stale:	roots are stacks that ran while marking: words of old frames
 *		come to light there, and what they point to may be dead
 * @meanwhile:	there was marking while the program ran
 * @types:	look where types say that there are no pointers, too
 * @bits:	of objects that were found
 * @bytes:	of these
 * @at:		objects whose words are to be looked at
 * @nr:		how many
 * @room:	for how many there is memory
 * @found:	objects
 * @told:	words that were told of (@types)
 */
struct bw_check {
	struct bw_mheap *h;
	bool stale;
	bool meanwhile;
	bool types;
	u64 *bits;
	size_t bytes;
	char **at;
	size_t nr;
	size_t room;
	u64 found;
	u32 told;
};

/* False: no memory; said. */
bool bw_check_begin(struct bw_check *k, struct bw_mheap *h, bool types);
void bw_check_roots(struct bw_check *k, const char *low, const char *end);
void bw_check_end(struct bw_check *k);

#endif
