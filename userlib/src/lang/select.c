// SPDX-License-Identifier: MIT
/*
 * select: one of several channels, whichever is ready.
 *
 *	bw_select()
 *	  pass_quick()		without locks: one that looks ready, and that alone
 *	  select_locked()	all locks: one that is ready; else
 *	    enlist_locked()	  a waiter into each
 *	    commit_unlock()	  off the stack: all locks are dropped
 *	  leave_all()		out of the others again
 *
 * S1. Locks are taken in the order of their addresses, each once, though cases may
 *     share a channel. @order is the cases in that order.
 * S2. Of k cases that are ready each is done with a chance of 1 in k: the i-th that
 *     is found replaces the choice with a chance of 1 in i.
 * S3. Nothing is ready (default, or a wait begins) only where no case was, all at
 *     once: the quick look is believed where it finds something, and never when
 *     it finds nothing.
 * S4. All waiters have one ticket, so one of the channels wins the G (waiter.h). It
 *     leaves in @first which it was. The G then takes each other lock once: it may
 *     not leave before the commit dropped them all, as that reads its stack.
 *
 * A timer's channel (chan.h, H5) bounds the wait; when it is due all is looked at
 * again.
 */
#include <errno.h>

#include "burrow/alloc.h"
#include "chan.h"

#define FEW	8U
#define MANY	64U

/**
 * struct slot - room for a case that waits
 */
struct slot {
	struct bw_waiter w;
	u32 order;
};

/**
 * struct sel - a select under way					[its G]
 * @cases:	of the caller
 * @n:		how many
 * @slot:	as many
 * @deadline:	of the caller
 * @first:	the waiter that was won
 */
struct sel {
	struct bw_case *cases;
	u32 n;
	struct slot *slot;
	u64 deadline;
	struct bw_waiter *first;
};

/* S2. */
static bool is_chosen(u32 nr_ready)
{
	return nr_ready == 1 ||
	       (u64)bw_caller_random() * nr_ready >> 32 == 0;
}

static bool may(const struct bw_case *k)
{
	if (!k->chan)
		return false;
	return k->send ? bw_chan_may_send(k->chan) : bw_chan_may_recv(k->chan);
}

/* What can be done at once of a case whose channel is locked; as bw_chan_take(). */
static int attempt_locked(struct bw_case *k, struct bw_waiter **wake)
{
	int err;

	if (k->send)
		return bw_chan_offer(k->chan, k->value, wake);
	err = bw_chan_take(k->chan, k->value, wake);
	k->closed = err == -EPIPE;
	return err;
}

/* It was done, and its lock is dropped. */
static void finish(struct bw_case *k, int err, struct bw_waiter *wake)
{
	if (unlikely(err == -EPIPE && k->send))
		bw_chan_die(k->chan, "bw_select", "on");
	if (wake)
		bw_sched_ready(wake->g);
}

/* A case that looks ready; n: none does. */
static u32 look(const struct bw_case *cases, u32 n)
{
	u32 i, nr = 0, choice = n;

	for (i = 0; i < n; i++)
		if (may(&cases[i]) && is_chosen(++nr))
			choice = i;
	return choice;
}

/* The index of the case that was done, or -EAGAIN. */
static int pass_quick(struct bw_case *cases, u32 n)
{
	struct bw_waiter *wake = NULL;
	struct bw_case *k;
	u32 i = look(cases, n);
	int err;

	if (i == n)
		return -EAGAIN;
	k = &cases[i];
	if (k->send)
		bw_chan_timer_refuse(k->chan, "bw_select");
	bw_chan_lock(k->chan);
	err = attempt_locked(k, &wake);
	bw_chan_unlock(k->chan);
	if (err == -EAGAIN)
		return err;
	finish(k, err, wake);
	return (int)i;
}

/* S1: down the heap of @nr that @i is the top of. */
static void sift(struct sel *s, u32 i, u32 nr)
{
	u32 top = s->slot[i].order, child;

	for (; (child = 2 * i + 1) < nr; i = child) {
		if (child + 1 < nr &&
		    s->cases[s->slot[child].order].chan <
		    s->cases[s->slot[child + 1].order].chan)
			child++;
		if (s->cases[top].chan >=
		    s->cases[s->slot[child].order].chan)
			break;
		s->slot[i].order = s->slot[child].order;
	}
	s->slot[i].order = top;
}

static void sort(struct sel *s)
{
	u32 i, nr = 0, top;

	for (i = 0; i < s->n; i++)
		if (s->cases[i].chan)
			s->slot[nr++].order = i;
	for (i = nr / 2; i--;)
		sift(s, i, nr);
	for (i = nr; i-- > 1;) {
		top = s->slot[0].order;
		s->slot[0].order = s->slot[i].order;
		s->slot[i].order = top;
		sift(s, 0, i);
	}
	for (i = nr; i < s->n; i++)
		s->slot[i].order = s->n;
}

/* The @i-th channel in order, NULL at the end. */
static struct bw_chan *at(const struct sel *s, u32 i)
{
	if (i == s->n || s->slot[i].order == s->n)
		return NULL;
	return s->cases[s->slot[i].order].chan;
}

static void lock_all(const struct sel *s)
{
	struct bw_chan *c, *last = NULL;
	u32 i;

	if (BW_DEBUG)
		bw_lock_rank_push(BW_RANK_WAITERS);
	for (i = 0; (c = at(s, i)); i++) {
		if (c != last)
			bw_waiters_lock_word(&c->lock);
		last = c;
	}
}

/* After the last one nothing of @s is looked at (S4). */
static void unlock_all(const struct sel *s)
{
	struct bw_chan *c = at(s, 0), *next;
	u32 i = 1;

	if (BW_DEBUG)
		bw_lock_rank_pop(BW_RANK_WAITERS);
	for (; c; c = next) {
		do
			next = at(s, i++);
		while (next == c);
		bw_waiters_unlock_word(&c->lock);
	}
}

static bool commit_unlock(struct bw_g *g, void *arg)
{
	unlock_all(arg);
	return true;
}

/* Can this be done now? A timer that is due is. */
static bool is_ready_locked(const struct bw_case *k)
{
	struct bw_chan *c = k->chan;
	const struct bw_waiter *w;

	if (c->timed)
		bw_chan_settle(c);
	if (c->closed || (k->send ? c->nr < c->cap : c->nr))
		return true;
	w = k->send ? c->recvq.first : c->sendq.first;
	return w;
}

static u32 choose_locked(const struct sel *s)
{
	u32 i, k, nr = 0, choice = s->n;

	for (i = 0; at(s, i); i++) {
		k = s->slot[i].order;
		if (is_ready_locked(&s->cases[k]) && is_chosen(++nr))
			choice = k;
	}
	return choice;
}

/* All locks are held. Its index, or -EAGAIN. */
static int attempt_all_locked(struct sel *s, struct bw_waiter **wake, int *err)
{
	u32 i;

	/* one that waited may have been won elsewhere: then there is another */
	for (i = choose_locked(s); i < s->n; i = choose_locked(s)) {
		*err = attempt_locked(&s->cases[i], wake);
		if (*err != -EAGAIN)
			return (int)i;
	}
	return -EAGAIN;
}

static struct bw_waitlist *queue(const struct bw_case *k)
{
	if (k->send)
		return &k->chan->sendq;
	return &k->chan->recvq;
}

/* A waiter for each case; the moment at which a timer is due, or the deadline. */
static u64 enlist_locked(struct sel *s)
{
	u64 until = s->deadline, ticket = bw_sched_ticket();
	struct bw_waiter *also = NULL;
	struct bw_g *g = bw_self();
	u32 i;

	s->first = NULL;
	for (i = s->n; i--;) {
		struct bw_case *k = &s->cases[i];
		struct bw_waiter *w = &s->slot[i].w;

		*w = (struct bw_waiter){ .object = NULL };
		if (!k->chan)
			continue;
		w->object = bw_chan_object(k->chan);
		w->lock = &k->chan->lock;
		w->g = g;
		w->ticket = ticket;
		w->also = also;
		w->first = &s->first;
		w->value = k->value;
		also = w;
		if (k->chan->timed)
			until = min(until, k->chan->when);
	}
	/* in the order of the cases, those of one channel too */
	for (i = 0; i < s->n; i++)
		if (s->cases[i].chan)
			bw_waiter_add(queue(&s->cases[i]), &s->slot[i].w);
	return until;
}

/* S4. */
static void leave_all(struct sel *s)
{
	struct bw_chan *c, *last = NULL;
	u32 i;

	for (i = 0; (c = at(s, i)); i++) {
		if (c != last) {
			if (last)
				bw_chan_unlock(last);
			bw_chan_lock(c);
		}
		bw_waiter_del(&s->slot[s->slot[i].order].w);
		last = c;
	}
	if (last)
		bw_chan_unlock(last);
}

/* What whoever won us has done. -EAGAIN: a timer was changed. */
static int outcome(struct sel *s)
{
	u32 i = (u32)((struct slot *)(void *)s->first - s->slot);
	struct bw_case *k = &s->cases[i];

	if (s->first->result == -EAGAIN)
		return -EAGAIN;
	k->closed = !k->send && s->first->result == -EPIPE;
	finish(k, s->first->result, NULL);
	return (int)i;
}

/* All locks are held, nothing is ready. -EAGAIN: look again. */
static int wait_locked(struct sel *s)
{
	struct bw_waiter *w = NULL;
	u64 until = enlist_locked(s);
	int err;
	u32 i;

	for (i = 0; i < s->n && !w; i++)
		if (s->cases[i].chan)
			w = &s->slot[i].w;
	err = bw_waiters_park(w, commit_unlock, s, "select", until);
	leave_all(s);
	if (!err)
		return outcome(s);
	if (err == -ETIMEDOUT && bw_now_before(s->deadline))
		return -EAGAIN;
	return err;
}

/* As bw_select_until(), and -EAGAIN where the deadline is 0. */
static int select_locked(struct sel *s)
{
	struct bw_waiter *wake = NULL;
	int i, err = 0;

	sort(s);
	do {
		lock_all(s);
		i = attempt_all_locked(s, &wake, &err);
		if (i >= 0) {
			unlock_all(s);
			finish(&s->cases[i], err, wake);
			return i;
		}
		if (!bw_now_before(s->deadline)) {
			unlock_all(s);
			return s->deadline ? -ETIMEDOUT : -EAGAIN;
		}
		i = wait_locked(s);
	} while (unlikely(i == -EAGAIN));
	return i;
}

static __attribute__((noinline)) int select_few(struct sel *s)
{
	struct slot slot[FEW];

	s->slot = slot;
	return select_locked(s);
}

static __attribute__((noinline)) int select_many(struct sel *s)
{
	struct slot slot[MANY];

	s->slot = slot;
	return select_locked(s);
}

static __attribute__((noinline)) int select_any(struct sel *s)
{
	int i;

	s->slot = bw_alloc_array(s->n, sizeof(*s->slot));
	if (!s->slot)
		return -ENOMEM;
	i = select_locked(s);
	bw_free(s->slot);
	return i;
}

/* No case can ever be done. */
static int nothing(u64 deadline)
{
	int err;

	if (!bw_now_before(deadline))
		return deadline ? -ETIMEDOUT : -EAGAIN;
	do
		err = bw_sched_park_until(NULL, NULL, "select, no cases",
					  deadline);
	while (deadline == BW_NEVER);
	return err;
}

static void refuse_timers(const struct sel *s)
{
	u32 i;

	for (i = 0; i < s->n; i++)
		if (s->cases[i].chan && s->cases[i].send)
			bw_chan_timer_refuse(s->cases[i].chan, "bw_select");
}

static bool has_channels(const struct sel *s)
{
	u32 i;

	for (i = 0; i < s->n; i++)
		if (s->cases[i].chan)
			return true;
	return false;
}

static int select_until(struct bw_case *cases, size_t n, u64 deadline)
{
	struct sel s = { .cases = cases, .n = (u32)n, .deadline = deadline };
	int i;

	if (unlikely(n > INT32_MAX))
		bw_fatal("bw_select() of %llu cases", (unsigned long long)n);
	i = pass_quick(cases, (u32)n);
	if (i >= 0)
		return i;
	if (!has_channels(&s))
		return nothing(deadline);
	refuse_timers(&s);
	if (n <= FEW)
		return select_few(&s);
	if (n <= MANY)
		return select_many(&s);
	return select_any(&s);
}

int bw_select(struct bw_case *cases, size_t n)
{
	bw_caller("bw_select");
	return select_until(cases, n, BW_NEVER);
}

int bw_select_try(struct bw_case *cases, size_t n)
{
	bw_caller("bw_select_try");
	return select_until(cases, n, 0);
}

int bw_select_until(struct bw_case *cases, size_t n, uint64_t deadline)
{
	int i;

	bw_caller("bw_select_until");
	i = select_until(cases, n, deadline);
	return i == -EAGAIN ? -ETIMEDOUT : i;
}
