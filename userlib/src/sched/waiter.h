/* SPDX-License-Identifier: MIT */
/*
 * waiter: who waits for what: the lists that channels, locks and the like have.
 *
 *	bw_chan_recv()		lang/chan.c	a waiter on its G's stack
 *	  bw_waiter_add()	<- here		into the list, under its lock
 *	  bw_waiter_park()	<- here		off the stack, then the lock is dropped
 *	bw_chan_send()		lang/chan.c
 *	  bw_waitlist_win()	<- here		the first that still waits
 *	  bw_sched_ready()	park.c
 *
 * A *waiter* is one G in one list; a G that waits for several things has one for
 * each (@also). It lies on the G's stack, or in an object that the stack has.
 *
 * A1. A waiter is in @list or in none; both change under *@lock alone.
 * A2. Without a ticket, who takes it out of its list has won the G. With one, who
 *     then wins the ticket has (sleep.c, L3). Who has won owes bw_sched_ready().
 * A3. A G leaves the call it waits in only when no list has a waiter of it, and
 *     each lock was held since it parked, by it or by who won it. So whoever finds
 *     a waiter under the lock may look into it, and the commit, which reads what
 *     lies on the G's stack, has dropped every lock by then.
 * A4. @waiting of a G is its waiters from before it parks until it goes on. A G
 *     that is left when its run ends is taken out of all lists by it, before any
 *     stack is used again.
 * A5. Without a deadline somebody must come by one of the objects that are waited
 *     for; gc/leak.c finds Gs for whom nobody can.
 */
#ifndef BW_SCHED_WAITER_H
#define BW_SCHED_WAITER_H

#include "sched.h"

/**
 * struct bw_waitlist - waiters, first in, first out			[its lock]
 */
struct bw_waitlist {
	struct bw_waiter *first;
	struct bw_waiter *last;
};

/**
 * struct bw_waiter - a G in a list
 * @next:	in the list						[A1]
 * @prev:	in the list						[A1]
 * @list:	where it is, or NULL					[A1]
 * @lock:	of the list						[const]
 * @g:		who waits						[const]
 * @ticket:	0, or of its wait (A2)					[const]
 * @also:	next of the same G					[const]
 * @object:	what it waits for					[const]
 * @first:	where who wins it leaves which it was, or NULL		[const]
 * @value:	where its value is, or is to go				[const]
 * @amount:	how much it wants, or since when			[const]
 * @result:	what it was told					[winner]
 * @kind:	of its list's owner					[const]
 * @bounded:	of a G's first: it has a deadline			[const]
 */
struct bw_waiter {
	struct bw_waiter *next;
	struct bw_waiter *prev;
	struct bw_waitlist *list;
	u32 *lock;
	struct bw_g *g;
	u64 ticket;
	struct bw_waiter *also;
	const void *object;
	struct bw_waiter **first;
	void *value;
	u64 amount;
	int result;
	u32 kind;
	bool bounded;
};

static inline void bw_waiter_add(struct bw_waitlist *l, struct bw_waiter *w)
{
	w->list = l;
	w->next = NULL;
	w->prev = l->last;
	if (l->last)
		l->last->next = w;
	else
		WRITE_ONCE(l->first, w);
	l->last = w;
}

/* To be the next. */
static inline void bw_waiter_add_first(struct bw_waitlist *l,
				       struct bw_waiter *w)
{
	w->list = l;
	w->prev = NULL;
	w->next = l->first;
	if (l->first)
		l->first->prev = w;
	else
		l->last = w;
	WRITE_ONCE(l->first, w);
}

/* False: it was in none any more. */
static inline bool bw_waiter_del(struct bw_waiter *w)
{
	struct bw_waitlist *l = w->list;

	if (!l)
		return false;
	if (w->prev)
		w->prev->next = w->next;
	else
		WRITE_ONCE(l->first, w->next);
	if (w->next)
		w->next->prev = w->prev;
	else
		l->last = w->prev;
	w->list = NULL;
	return true;
}

/* Takes @w, which is in a list, out of it. False: somebody else has its G. */
static inline bool bw_waiter_win(struct bw_waiter *w)
{
	bw_waiter_del(w);
	if (w->ticket && !bw_sched_win(w->g, w->ticket))
		return false;
	if (w->first)
		*w->first = w;
	return true;
}

/* The first that still waits, out of the list; NULL: nobody does. */
static inline struct bw_waiter *bw_waitlist_win(struct bw_waitlist *l)
{
	struct bw_waiter *w;

	while (unlikely(w = l->first))
		if (bw_waiter_win(w))
			return w;
	return NULL;
}

/* A chain of those that were won, by @next. Nobody holds a lock. */
void bw_waiters_ready(struct bw_waiter *w);

/*
 * The caller waits until somebody wins @w, the only one it has, which is in a list
 * under @lock; that is dropped. As bw_sched_park_until(), but then @w is out of
 * its list. Without a deadline @ticket is 0, else that of the next wait.
 */
int bw_waiter_park(struct bw_waiter *w, const char *reason, u64 deadline);

/* bw_sched_park_until() for the waiters from @w on, by @also. */
int bw_waiters_park(struct bw_waiter *w, bw_commit_fn *commit, void *arg,
		    const char *reason, u64 deadline);

/* World stopped: @g waits for objects, and for nothing else (A5). */
static inline bool bw_waiters_are_open(const struct bw_g *g)
{
	return g->waiting && !g->waiting->bounded;
}

/* @g is left when its run ends. False: somebody readies it just now. */
bool bw_waiters_drop(struct bw_g *g);

#endif
