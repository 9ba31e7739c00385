// SPDX-License-Identifier: MIT
/*
 * chan: send, receive, close: one channel at a time.
 *
 *	bw_chan_send()		<- here
 *	  bw_chan_offer()	chan.h		to a receiver, or into the buffer
 *	  wait_locked()		<- here		else a waiter into the list
 *	    bw_waiter_park()	sched/waiter.c
 *
 * Rejected: a ring without a lock (Vyukov's). It is faster only while several
 * threads contend, and then by less than their fight for its lines costs; FIFO
 * waiters, close and select would each need a protocol of their own.
 */
#include <errno.h>

#include "burrow/gc.h"
#include "chan.h"

/* A word of the program's, wherever it lies. */
struct any_word {
	u64 word;
} __attribute__((packed, may_alias));

void bw_chan_die(struct bw_chan *c, const char *who, const char *what)
{
	char self[BW_CALLER_TEXT], closer[BW_CALLER_TEXT];

	bw_fatal("%s() by %s %s a channel that %s closed", who,
		 bw_caller_self(self), what,
		 bw_caller_text(closer, c->closer, NULL, c->closer_fn));
}

/* Waits for ever: for what nobody can reach. */
static void __noreturn never(const char *reason)
{
	static const void *const nothing;

	bw_sched_waits_on(bw_self(), &nothing, 1);
	for (;;)
		bw_sched_park(NULL, NULL, reason);
}

static int never_until(const char *reason, u64 deadline)
{
	int err;

	if (deadline == BW_NEVER)
		never(reason);
	err = bw_sched_park_until(NULL, NULL, reason, deadline);
	return err ? err : -ETIMEDOUT;
}

/* The lock is held and dropped. What somebody told us, or why nobody did. */
static int wait_locked(struct bw_chan *c, struct bw_waitlist *l, void *value,
		       const char *reason, u64 deadline)
{
	struct bw_waiter w = {
		.lock = &c->lock, .g = bw_self(), .value = value,
		.object = bw_chan_object(c),
		.ticket = deadline == BW_NEVER ? 0 : bw_sched_ticket(),
	};
	int err;

	bw_waiter_add(l, &w);
	err = bw_waiter_park(&w, reason, deadline);
	/* the object is there until here */
	bw_keepalive(c);
	return err ? err : w.result;
}

/*
 * What most calls on a channel with a buffer are: a word goes into it, or out of it,
 * and nobody waits. Taking the lock waits until all is stored that was stored before
 * it, and half of that was the frame of send(): these have none, and call nobody.
 * False: nothing was done, and somebody else is to look.
 */
static inline bool is_word(const struct bw_chan *c)
{
	return c->size == sizeof(u64) && !c->timed;
}

/* In a section, so marking does not begin or end meanwhile. */
static inline bool is_plain_locked(const struct bw_chan *c)
{
	return !c->pointers || !BW_BARRIER_ON;
}

static inline bool put_at_once(struct bw_chan *c, const void *from)
{
	bool done = false;

	if (!is_word(c) || READ_ONCE(c->nr) >= c->cap ||
	    READ_ONCE(c->recvq.first) || !bw_waiters_trylock(&c->lock))
		return false;
	if (likely(c->nr < c->cap && !c->recvq.first && !c->closed &&
		   is_plain_locked(c))) {
		((u64 *)(void *)c->buf)[c->tail] = ((const struct any_word *)from)->word;
		c->tail = bw_chan_next(c, c->tail);
		WRITE_ONCE(c->nr, c->nr + 1);
		done = true;
	}
	bw_chan_unlock(c);
	return done;
}

static inline bool get_at_once(struct bw_chan *c, void *to)
{
	bool done = false;
	u64 *at;

	if (!is_word(c) || !to || !READ_ONCE(c->nr) ||
	    READ_ONCE(c->sendq.first) || !bw_waiters_trylock(&c->lock))
		return false;
	if (likely(c->nr && !c->sendq.first && is_plain_locked(c))) {
		at = (u64 *)(void *)c->buf + c->head;
		((struct any_word *)to)->word = *at;
		/* H4 */
		if (c->pointers)
			*at = 0;
		c->head = bw_chan_next(c, c->head);
		WRITE_ONCE(c->nr, c->nr - 1);
		done = true;
	}
	bw_chan_unlock(c);
	return done;
}

static int send(struct bw_chan *c, const void *from, u64 deadline,
		const char *who)
{
	struct bw_waiter *wake = NULL;
	int err;

	bw_chan_timer_refuse(c, who);
	bw_chan_lock(c);
	err = bw_chan_offer(c, from, &wake);
	if (likely(!err)) {
		bw_chan_unlock(c);
		if (wake)
			bw_sched_ready(wake->g);
		return 0;
	}
	if (err == -EAGAIN && bw_now_before(deadline))
		err = wait_locked(c, &c->sendq, (void *)from, "chan send",
				  deadline);
	else
		bw_chan_unlock(c);
	if (err == -EPIPE)
		bw_chan_die(c, who, "on");
	return err;
}

void bw_chan_send(struct bw_chan *c, const void *from)
{
	bw_caller("bw_chan_send");
	if (unlikely(!c))
		never("chan send, NULL");
	if (!put_at_once(c, from))
		send(c, from, BW_NEVER, "bw_chan_send");
}

int bw_chan_send_until(struct bw_chan *c, const void *from, uint64_t deadline)
{
	int err;

	bw_caller("bw_chan_send_until");
	if (unlikely(!c))
		return never_until("chan send, NULL", deadline);
	err = send(c, from, deadline, "bw_chan_send_until");
	return err == -EAGAIN ? -ETIMEDOUT : err;
}

int bw_chan_try_send(struct bw_chan *c, const void *from)
{
	bw_caller("bw_chan_try_send");
	if (!c || !bw_chan_may_send(c))
		return -EAGAIN;
	return send(c, from, 0, "bw_chan_try_send");
}

/* One look, and a wait until something changes. -EAGAIN: look again. */
static int recv(struct bw_chan *c, void *to, u64 deadline)
{
	struct bw_waiter *wake = NULL;
	int err;

	bw_chan_lock(c);
	err = bw_chan_take(c, to, &wake);
	if (likely(err != -EAGAIN)) {
		bw_chan_unlock(c);
		if (wake)
			bw_sched_ready(wake->g);
		return err;
	}
	if (!bw_now_before(deadline)) {
		bw_chan_unlock(c);
		return -ETIMEDOUT;
	}
	if (!c->timed)
		return wait_locked(c, &c->recvq, to, "chan receive", deadline);
	err = wait_locked(c, &c->recvq, to, c->cap ? "timer" : "context",
			  min(deadline, c->when));
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int recv_until(struct bw_chan *c, void *to, u64 deadline)
{
	int err;

	do
		err = recv(c, to, deadline);
	while (unlikely(err == -EAGAIN));
	return err;
}

bool bw_chan_recv(struct bw_chan *c, void *to)
{
	int err;

	bw_caller("bw_chan_recv");
	if (unlikely(!c))
		never("chan receive, NULL");
	if (get_at_once(c, to))
		return true;
	err = recv_until(c, to, BW_NEVER);
	/* a timer's deadline that there is no memory for */
	while (unlikely(err == -ENOMEM)) {
		bw_sleep(1000000);
		err = recv_until(c, to, BW_NEVER);
	}
	return !err;
}

int bw_chan_recv_until(struct bw_chan *c, void *to, uint64_t deadline)
{
	bw_caller("bw_chan_recv_until");
	if (unlikely(!c))
		return never_until("chan receive, NULL", deadline);
	return recv_until(c, to, deadline);
}

int bw_chan_try_recv(struct bw_chan *c, void *to)
{
	int err;

	bw_caller("bw_chan_try_recv");
	if (!c || !bw_chan_may_recv(c))
		return -EAGAIN;
	err = recv_until(c, to, 0);
	return err == -ETIMEDOUT ? -EAGAIN : err;
}

/* Those who wait, told that it is closed, into a chain; where its end is. */
static struct bw_waiter **dismiss_locked(struct bw_chan *c,
					 struct bw_waitlist *l,
					 struct bw_waiter **end)
{
	struct bw_waiter *w;

	while ((w = bw_waitlist_win(l))) {
		if (l == &c->recvq && w->value)
			bw_chan_zero(c, w->value);
		w->result = -EPIPE;
		*end = w;
		end = &w->next;
	}
	*end = NULL;
	return end;
}

/* Locked; that is dropped. */
static void close_locked(struct bw_chan *c)
{
	struct bw_waiter *chain;

	WRITE_ONCE(c->closed, true);
	dismiss_locked(c, &c->sendq, dismiss_locked(c, &c->recvq, &chain));
	bw_chan_unlock(c);
	bw_waiters_ready(chain);
}

void bw_chan_end(struct bw_chan *c)
{
	bw_chan_lock(c);
	close_locked(c);
}

void bw_chan_close(struct bw_chan *c)
{
	const struct bw_g *g;

	bw_caller("bw_chan_close");
	if (!c)
		bw_fatal("bw_chan_close() of NULL");
	bw_chan_timer_refuse(c, "bw_chan_close");
	g = bw_self();
	bw_chan_lock(c);
	if (c->closed) {
		bw_chan_unlock(c);
		bw_chan_die(c, "bw_chan_close", "of");
	}
	c->closer = g->id;
	c->closer_fn = g->stack ? (u64)(uintptr_t)g->fn : 0;
	close_locked(c);
}
