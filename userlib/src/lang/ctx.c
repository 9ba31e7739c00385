// SPDX-License-Identifier: MIT
/*
 * ctx: contexts: a tree of what may be cancelled.
 *
 *	bw_ctx_done()		the channel of the nearest that can be cancelled
 *	  bw_chan_settle()	chan_timer.c	closed by whoever looks after the deadline
 *	bw_ctx_cancel_cause()	<- here
 *	  end_all()		  it, its children, theirs: a list, no recursion
 *	    bw_chan_end()	chan.c		closes the channel
 *
 * C1. @err is set once, under @mutex, and then @kids belongs to who set it: nobody
 *     adds or takes out any more. So one only ends a context, and gets all children
 *     that there were; who makes one later sees @err and ends it himself.
 * C2. A deadline is that of the parent or earlier. So it needs no timer and no word
 *     to the children: the channel is one that closes at a moment (H5 in chan.h), and
 *     bw_ctx_err() looks at the clock. What it said then stays: who cancels later
 *     finds the deadline passed, too.
 * C3. A child has its parent; a parent has weak references to its children, so one
 *     that nobody has is collected, and those that are left behind are swept out when
 *     there are as many again as lived. The channel is part of the context: who
 *     waits in it has the context. A context has no pointer to itself: then its
 *     finalizer, which gives back the references, would never run.
 * C4. Somebody who waits for a context may be let go by whoever has the topmost of
 *     its ancestors: that is what it waits for, to those who look for leaks.
 *
 * Rejected: a timer for each deadline (a G, and a pin until it fires); children that
 * are kept until they are cancelled (Go's: one forgotten cancel is a leak).
 */
#include <errno.h>

#include "burrow/alloc.h"
#include "burrow/ctx.h"
#include "burrow/gc.h"
#include "burrow/sync.h"
#include "chan.h"
#include "sched/timer.h"

#define SWEEP_AT	16U

/**
 * struct kid - a child in its parent's list				[parent's mutex]
 */
struct kid {
	struct kid *next;
	struct kid *prev;
	struct bw_weak *weak;
};

BW_TYPE(kid, struct kid, next, prev);

/**
 * struct bw_ctx - a context
 * @done:	closed when it is over; its @buf is the topmost ancestor (C4)
 *		or NULL
 * @parent:	or NULL							[const]
 * @over:	of a value: the nearest that can be cancelled, or NULL	[const]
 * @ends:	it can be cancelled itself, is no value			[const]
 * @key:	of a value						[const]
 * @value:	with it							[const]
 * @until:	its deadline						[const]
 * @mutex:	guards what follows
 * @kids:	its children						[C1]
 * @nr_kids:	how many						[mutex]
 * @sweep_at:	as many are looked through				[mutex]
 * @at:		where it is in its parent's list			[const]
 * @next:	of those that are being ended				[who set @err]
 * @err:	why it is over						[C1]
 * @cause:	what was given						[C1]
 */
struct bw_ctx {
	struct bw_chan done;
	struct bw_ctx *parent;
	struct bw_ctx *over;
	bool ends;
	const void *key;
	void *value;
	u64 until;
	struct bw_mutex mutex;
	struct kid *kids;
	u32 nr_kids;
	u32 sweep_at;
	struct kid *at;
	struct bw_ctx *next;
	int err;
	int cause;
};

BW_TYPE(ctx, struct bw_ctx, done.buf, parent, over, key, value, kids, at, next);

/* Nearest that can be cancelled; NULL: never over. */
static struct bw_ctx *over(const struct bw_ctx *c)
{
	return c && !c->ends ? c->over : (struct bw_ctx *)(uintptr_t)c;
}

static void cut_locked(struct bw_ctx *p, struct kid *k)
{
	if (k->prev)
		bw_set(&k->prev->next, k->next);
	else
		bw_set(&p->kids, k->next);
	if (k->next)
		bw_set(&k->next->prev, k->prev);
	/* whoever still has this one does not keep others */
	bw_set(&k->next, NULL);
	bw_set(&k->prev, NULL);
	bw_weak_free(k->weak);
	p->nr_kids--;
}

/* C3: those that were collected. */
static void sweep_locked(struct bw_ctx *p)
{
	struct kid *k, *next;

	for (k = p->kids; k; k = next) {
		next = k->next;
		if (!bw_weak_get(k->weak))
			cut_locked(p, k);
	}
	p->sweep_at = 2 * p->nr_kids + SWEEP_AT;
}

/* A parent that nobody has, nor any child: the references are no objects. */
static void forget_kids(void *obj, void *arg)
{
	struct bw_ctx *p = obj;
	struct kid *k;

	for (k = p->kids; k; k = k->next)
		bw_weak_free(k->weak);
}

static void push_locked(struct bw_ctx *p, struct kid *k)
{
	bw_set(&k->next, p->kids);
	if (p->kids)
		bw_set(&p->kids->prev, k);
	bw_set(&p->kids, k);
	if (++p->nr_kids > p->sweep_at)
		sweep_locked(p);
}

/* C1: is it ours to end? */
static bool begin_end(struct bw_ctx *c, int err, int cause)
{
	bool mine;

	bw_mutex_lock(&c->mutex);
	mine = !c->err;
	if (mine) {
		if (c->until != BW_NEVER && bw_now() >= c->until) {
			err = -ETIMEDOUT;
			cause = err;
		}
		WRITE_ONCE(c->cause, cause);
		/* pairs with bw_ctx_cause() */
		smp_store_release(&c->err, err);
	}
	bw_mutex_unlock(&c->mutex);
	return mine;
}

/* The children of one that was ended, in front of @list. */
static struct bw_ctx *end_kids(struct bw_ctx *p, struct bw_ctx *list)
{
	struct kid *k, *kids = p->kids;

	if (!kids)
		return list;
	for (k = kids; k; k = k->next) {
		struct bw_ctx *c = bw_weak_get(k->weak);

		bw_weak_free(k->weak);
		if (!c || !begin_end(c, p->err, p->cause))
			continue;
		bw_set(&c->next, list);
		list = c;
	}
	bw_set(&p->kids, NULL);
	bw_finalizer_set(p, NULL, NULL);
	return list;
}

static bool end_all(struct bw_ctx *c, int err, int cause)
{
	struct bw_ctx *list = c, *next;

	if (!begin_end(c, err, cause))
		return false;
	for (; list; list = next) {
		next = list->next;
		bw_set(&list->next, NULL);
		bw_chan_end(&list->done);
		next = end_kids(list, next);
	}
	return true;
}

/* It is the child of its parent no more, which may live for long. */
static void leave(struct bw_ctx *c)
{
	struct bw_ctx *p = over(c->parent);

	if (!c->at)
		return;
	bw_mutex_lock(&p->mutex);
	if (!p->err)
		cut_locked(p, c->at);
	bw_mutex_unlock(&p->mutex);
}

/* 0; -ENOMEM; or it is over as its parent is. */
static int join(struct bw_ctx *p, struct bw_ctx *c)
{
	struct kid *k = bw_new(kid);
	int err;

	if (!k)
		return -ENOMEM;
	k->weak = bw_weak_make(c);
	if (!k->weak)
		return -ENOMEM;
	bw_mutex_lock(&p->mutex);
	err = p->err;
	if (!err && !p->kids)
		err = bw_finalizer_set(p, forget_kids, NULL);
	if (!err) {
		/* nobody else knows it yet */
		bw_set(&c->at, k);
		push_locked(p, k);
	}
	bw_mutex_unlock(&p->mutex);
	if (err)
		bw_weak_free(k->weak);
	return err;
}

static struct bw_ctx *make(struct bw_ctx *parent)
{
	struct bw_ctx *c = bw_new(ctx);

	if (!c)
		return NULL;
	bw_set(&c->parent, parent);
	c->until = bw_ctx_deadline(parent);
	c->sweep_at = SWEEP_AT;
	return c;
}

struct bw_ctx *bw_ctx_with_deadline(struct bw_ctx *parent, uint64_t when)
{
	struct bw_ctx *c = make(parent), *p = over(parent);
	int err;

	if (!c)
		return NULL;
	c->ends = true;
	c->until = min(c->until, when);
	c->done.timed = true;
	c->done.when = c->until;
	if (p)
		bw_set(&c->done.buf, p->done.buf ? p->done.buf : (char *)p);
	err = p ? join(p, c) : 0;
	if (err == -ENOMEM) {
		errno = ENOMEM;
		return NULL;
	}
	if (err)
		end_all(c, err, READ_ONCE(p->cause));
	return c;
}

struct bw_ctx *bw_ctx_with_cancel(struct bw_ctx *parent)
{
	return bw_ctx_with_deadline(parent, BW_NEVER);
}

struct bw_ctx *bw_ctx_with_timeout(struct bw_ctx *parent, uint64_t ns)
{
	return bw_ctx_with_deadline(parent, bw_deadline_in(ns));
}

struct bw_ctx *bw_ctx_with_value(struct bw_ctx *parent, const void *key,
				 void *value)
{
	struct bw_ctx *c;

	if (!key)
		bw_fatal("bw_ctx_with_value(): the key is NULL");
	c = make(parent);
	if (!c)
		return NULL;
	bw_set(&c->over, over(parent));
	bw_set(&c->key, key);
	bw_set(&c->value, value);
	return c;
}

void *bw_ctx_value(const struct bw_ctx *c, const void *key)
{
	for (; c; c = c->parent)
		if (c->key && c->key == key)
			return c->value;
	return NULL;
}

static void cancel(struct bw_ctx *c, int cause, const char *who)
{
	bw_caller(who);
	if (!c)
		bw_fatal("%s() of a background", who);
	if (!c->ends)
		bw_fatal("%s() of a context with a value: cancel its parent",
			 who);
	if (cause >= 0)
		bw_fatal("%s(): the cause %d is no negative errno", who, cause);
	if (end_all(c, -ECANCELED, cause))
		leave(c);
}

void bw_ctx_cancel(struct bw_ctx *c)
{
	cancel(c, -ECANCELED, "bw_ctx_cancel");
}

void bw_ctx_cancel_cause(struct bw_ctx *c, int cause)
{
	cancel(c, cause, "bw_ctx_cancel_cause");
}

struct bw_chan *bw_ctx_done(struct bw_ctx *c)
{
	c = over(c);
	return c ? &c->done : NULL;
}

/* C2. */
int bw_ctx_err(const struct bw_ctx *c)
{
	int err;

	c = over(c);
	if (!c)
		return 0;
	/* pairs with begin_end() */
	err = smp_load_acquire(&c->err);
	if (!err && c->until != BW_NEVER && bw_now() >= c->until)
		err = -ETIMEDOUT;
	return err;
}

int bw_ctx_cause(const struct bw_ctx *c)
{
	c = over(c);
	/* pairs with begin_end() */
	if (c && smp_load_acquire(&c->err))
		return READ_ONCE(c->cause);
	return bw_ctx_err(c);
}

uint64_t bw_ctx_deadline(const struct bw_ctx *c)
{
	return c ? c->until : BW_NEVER;
}

int bw_ctx_sleep(struct bw_ctx *c, uint64_t ns)
{
	u64 until = bw_deadline_in(ns);
	int err;

	if (!over(c)) {
		bw_sleep_until(until);
		return 0;
	}
	err = bw_chan_recv_until(bw_ctx_done(c), NULL, until);
	if (err == -ETIMEDOUT)
		return 0;
	return err == -EPIPE ? bw_ctx_err(c) : err;
}
