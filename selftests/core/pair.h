/* SPDX-License-Identifier: MIT */
/*
 * pair: the page heap and its model side by side.
 *
 * Each move is made on both, and all that can be seen of it is compared: what
 * it returns, the words of the pages it moved, the counters. The first
 * difference ends the pair: @why says what it was and every move after it is
 * refused (false).
 */
#ifndef BW_SELFTESTS_PAIR_H
#define BW_SELFTESTS_PAIR_H

#include "model.h"

#define PAIR_CLAIMS	8
#define PAIR_BATCH	40

/* A run between its _begin and its _end, which may be gone by then. */
struct pair_claim {
	struct bw_run run;
	u32 index;			/* in model.run */
	u64 serial;
	bool discard;
};

struct pair {
	struct bw_core core;
	struct model model;
	void *table;
	struct pair_claim claim[PAIR_CLAIMS];
	u32 nr_claims;
	u32 gen;
	u64 moves;
	char why[200];
};

void pair_init(struct pair *p, u32 nr_arenas);
void pair_exit(struct pair *p);
/*
 * @p becomes a copy of @from that shares nothing with it; a claim is nobody's
 * to copy, so @from has none. A pair that has failed is copied as that.
 */
void pair_clone(struct pair *p, const struct pair *from);

/* The arena appears if it is not there, or goes if it is. */
bool pair_map(struct pair *p, u32 index, u32 kind);
bool pair_unmap(struct pair *p, u32 index);

/*
 * Up to @nr spans, PAIR_BATCH at most; as many pages as asked for, or up to the
 * next whole unit in huge arenas.
 */
bool pair_alloc(struct pair *p, const struct bw_span_req *req, u32 nr);
/* Any page and generation, whether there is such a span or not. */
bool pair_free(struct pair *p, u32 page, u32 gen);
/* Likewise; changes nothing. */
bool pair_find(struct pair *p, u32 page, u32 gen);
/* Likewise, and any length at all, which is rounded up to whole units. */
bool pair_resize(struct pair *p, u32 page, u32 gen, u32 npages, bool longer);
/* Any range at all; the claim is kept if there is room for it. */
bool pair_discard(struct pair *p, u32 page, u32 npages);
/* @page <= @end <= pages of the window, @most > 0. */
bool pair_reclaim(struct pair *p, u32 page, u32 end, u32 most);
bool pair_claim_end(struct pair *p, u32 claim);

/*
 * Pages of the live span at @page, from there on, get frames or lose them, and
 * so does the rest of their units.
 */
bool pair_touch(struct pair *p, u32 page, u32 npages, bool resident);

/* The questions that change nothing. */
bool pair_ask(struct pair *p, u32 page, u32 npages);
/* Looks at every page and every summary. */
bool pair_check(struct pair *p);
/* No page of the two heaps and no counter differs; else p->why says which. */
bool pair_is_same(struct pair *p, const struct pair *other);

#endif
