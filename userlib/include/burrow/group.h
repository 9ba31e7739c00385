/* SPDX-License-Identifier: MIT */
/*
 * burrow/group.h: Gs with one task: how many at once, and what became of it.
 *
 *	struct bw_group g = { 0 };
 *	struct bw_ctx *c = bw_group_ctx(&g, parent);	if they are to hear of it
 *
 *	bw_group_limit(&g, 4);				at a time
 *	for (...)
 *		bw_group_go(&g, fetch, page);		int fetch(void *page)
 *	err = bw_group_wait(&g);			the first that was not 0
 *
 * A struct of zeros to begin with, anywhere in memory, as the locks of burrow/sync.h.
 */
#ifndef BURROW_GROUP_H
#define BURROW_GROUP_H

#include "ctx.h"
#include "sync.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bw_group {
	struct bw_waitgroup bw_left;
	struct bw_sem bw_room;
	uint32_t bw_limit;
	int bw_err;
	struct bw_ctx *bw_ctx;
};

/*
 * A context that is cancelled, with the error as its cause, as soon as one of the
 * Gs fails, and when bw_group_wait() returns. Once, before any G. NULL: no memory.
 */
struct bw_ctx *bw_group_ctx(struct bw_group *g, struct bw_ctx *parent);

/* At most @n Gs at a time. Not while there are any. */
void bw_group_limit(struct bw_group *g, uint32_t n);

/*
 * fn(arg) in a G, when there is room; it returns 0, or anything else for an error.
 * try: -EAGAIN where there is none. -ENOMEM, -ESRCH as bw_go().
 */
int bw_group_go(struct bw_group *g, int (*fn)(void *arg), void *arg);
int bw_group_try_go(struct bw_group *g, int (*fn)(void *arg), void *arg);

/* Until all are done: the first error, by time, or 0. */
int bw_group_wait(struct bw_group *g);

#ifdef __cplusplus
}
#endif

#endif
