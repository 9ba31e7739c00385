/* SPDX-License-Identifier: MIT */
/*
 * waiting: the waiters of a lock of Gs (sched/waiter.h), as the public header has
 * them.
 */
#ifndef BW_LANG_WAITING_H
#define BW_LANG_WAITING_H

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "burrow/sync.h"
#include "caller.h"
#include "sched/waiter.h"
#include "sched/waitlock.h"

static_assert(sizeof(struct bw_waiting) ==
	      8 + sizeof(struct bw_waitlist), "one and the same");

static inline struct bw_waitlist *bw_waiting_list(struct bw_waiting *q)
{
	return (struct bw_waitlist *)(void *)&q->bw_first;
}

static inline void bw_waiting_lock(struct bw_waiting *q)
{
	bw_waiters_lock(&q->bw_lock);
}

static inline void bw_waiting_unlock(struct bw_waiting *q)
{
	bw_waiters_unlock(&q->bw_lock);
}

static inline bool bw_waiting_is_empty(struct bw_waiting *q)
{
	return !bw_waiting_list(q)->first;
}

/* The calling G's, not in the list yet. */
static inline struct bw_waiter bw_waiting_self(struct bw_waiting *q,
					       u64 deadline)
{
	return (struct bw_waiter){
		.lock = &q->bw_lock, .g = bw_self(), .object = q,
		.ticket = deadline == BW_NEVER ? 0 : bw_sched_ticket(),
	};
}

/* Everybody's waiters, in their order, as a chain. */
static inline struct bw_waiter *bw_waiting_win_all(struct bw_waiting *q)
{
	struct bw_waiter *w, *chain = NULL, **end = &chain;

	while ((w = bw_waitlist_win(bw_waiting_list(q)))) {
		*end = w;
		end = &w->next;
	}
	*end = NULL;
	return chain;
}

#endif
