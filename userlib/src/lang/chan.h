/* SPDX-License-Identifier: MIT */
/*
 * chan: what the files of channels know of each other.
 *
 *	bw_chan_send(), _recv()	chan.c		one channel
 *	bw_select()		select.c	several
 *	  bw_chan_offer(), _take()	<- here	what can be done at once, locked
 *	bw_chan_make()		chan_make.c
 *	bw_chan_after()		chan_timer.c	a moment in place of a sender
 *
 * H1. While receivers wait the buffer is empty, and while senders wait it is full;
 *     of a channel without a buffer only one of both waits. So a value goes from
 *     the sender's stack to the receiver's at once, or through the buffer in order.
 * H2. Who serves a waiter copies while the other is parked and the lock is held:
 *     nobody else touches that stack, but for a collector that looks at it. A copy
 *     to it is one to an object, with the barrier (burrow/barrier.h), as the stack
 *     may have been looked at.
 * H3. A channel that is closed stays so. Nobody waits in it then.
 * H4. Who holds the lock is in a section: marking does not begin or end meanwhile.
 *     What was taken out of the buffer was noted as it was copied, so the place
 *     may be cleared with plain stores.
 * H5. A timer (@timed) is due at @when, and its value is put into the buffer by
 *     whoever looks first (bw_chan_settle()). Who waits in it waits until @when. One
 *     without a buffer is a context's (ctx.c), and is closed then.
 */
#ifndef BW_LANG_CHAN_H
#define BW_LANG_CHAN_H

#include <string.h>

#include "burrow/barrier.h"
#include "burrow/chan.h"
#include "caller.h"
#include "sched/waiter.h"
#include "sched/waitlock.h"

/**
 * struct bw_chan - a channel
 * @lock:	word							[atomic]
 * @closed:	no more is sent						[lock]
 * @timed:	nobody sends, it has a moment				[const]
 * @pointers:	elements may have pointers				[const]
 * @nr:		values in the buffer					[lock]
 * @cap:	room for so many					[const]
 * @size:	of a value						[const]
 * @head:	index of the next to be taken				[lock]
 * @tail:	index of the next free place				[lock]
 * @buf:	places, in this object or in another			[const]
 * @recvq:	who waits to receive					[lock]
 * @sendq:	who waits to send					[lock]
 * @when:	the moment, or BW_NEVER					[lock]
 * @period:	from that to the next, or 0				[lock]
 * @closer:	number of who closed it					[lock]
 * @closer_fn:	with what that was started				[lock]
 */
struct bw_chan {
	u32 lock;
	bool closed;
	bool timed;
	bool pointers;
	size_t nr;
	size_t cap;
	size_t size;
	size_t head;
	size_t tail;
	char *buf;
	struct bw_waitlist recvq;
	struct bw_waitlist sendq;
	u64 when;
	u64 period;
	u64 closer;
	u64 closer_fn;
};

/* Words that may be pointers, and what is left of a value. */
static inline void bw_chan_copy_slow(const struct bw_chan *c, void *to,
				     const void *from)
{
	size_t words = c->size / sizeof(void *);
	size_t done = words * sizeof(void *);

	bw_copy_slots(to, from, words);
	memcpy((char *)to + done, (const char *)from + done, c->size - done);
}

/* A value, to a buffer, another's stack or wherever a program wants it (H2). */
static inline void bw_chan_copy(const struct bw_chan *c, void *to,
				const void *from)
{
	if (likely(c->size == sizeof(u64))) {
		u64 was, value;

		memcpy(&value, from, sizeof(value));
		if (likely(!c->pointers || !BW_BARRIER_ON)) {
			memcpy(to, &value, sizeof(value));
			return;
		}
		memcpy(&was, to, sizeof(was));
		memcpy(to, &value, sizeof(value));
		bw_barrier_slow((void *)(uintptr_t)was,
				(void *)(uintptr_t)value);
		return;
	}
	if (!c->size)
		return;
	if (c->pointers && BW_BARRIER_ON)
		bw_chan_copy_slow(c, to, from);
	else
		memcpy(to, from, c->size);
}

/* *@to becomes a value of zeros. */
void bw_chan_zero(const struct bw_chan *c, void *to);

static inline size_t bw_chan_next(const struct bw_chan *c, size_t i)
{
	return ++i == c->cap ? 0 : i;
}

static inline void bw_chan_put(struct bw_chan *c, const void *from)
{
	bw_chan_copy(c, c->buf + c->tail * c->size, from);
	c->tail = bw_chan_next(c, c->tail);
}

static inline void bw_chan_get(struct bw_chan *c, void *to)
{
	char *at = c->buf + c->head * c->size;

	if (to)
		bw_chan_copy(c, to, at);
	else if (c->pointers)
		bw_chan_zero(c, at);
	/* what it pointed to is not kept by the buffer (H4) */
	if (c->pointers && to)
		memset(at, 0, c->size);
	c->head = bw_chan_next(c, c->head);
}

/* A timer: is it due? */
void bw_chan_settle(struct bw_chan *c);

/*
 * What can be done at once, under the lock. 0; -EAGAIN: nothing; -EPIPE: it is
 * closed. *@wake: who was served by it, and is to be readied without the lock.
 */
static inline int bw_chan_offer(struct bw_chan *c, const void *from,
				struct bw_waiter **wake)
{
	struct bw_waiter *w;

	if (unlikely(c->closed))
		return -EPIPE;
	w = bw_waitlist_win(&c->recvq);
	if (w) {
		if (w->value)
			bw_chan_copy(c, w->value, from);
		w->result = 0;
		*wake = w;
		return 0;
	}
	if (c->nr == c->cap)
		return -EAGAIN;
	bw_chan_put(c, from);
	WRITE_ONCE(c->nr, c->nr + 1);
	return 0;
}

static inline int bw_chan_take(struct bw_chan *c, void *to,
			       struct bw_waiter **wake)
{
	struct bw_waiter *w;

	if (unlikely(c->timed))
		bw_chan_settle(c);
	if (c->nr) {
		bw_chan_get(c, to);
		w = bw_waitlist_win(&c->sendq);
		if (w) {
			bw_chan_put(c, w->value);
			w->result = 0;
			*wake = w;
		} else {
			WRITE_ONCE(c->nr, c->nr - 1);
		}
		return 0;
	}
	w = bw_waitlist_win(&c->sendq);
	if (w) {
		if (to)
			bw_chan_copy(c, to, w->value);
		w->result = 0;
		*wake = w;
		return 0;
	}
	if (!c->closed)
		return -EAGAIN;
	if (to)
		bw_chan_zero(c, to);
	return -EPIPE;
}

/*
 * Without the lock: it is worth taking. What is not ready was so at some moment
 * while it was open: readiness is looked at first, and closed ones do not open.
 */
static inline bool bw_chan_may_send(const struct bw_chan *c)
{
	bool ready;

	if (c->cap)
		/* before @closed is looked at; pairs with bw_waiters_unlock_word() */
		ready = smp_load_acquire(&c->nr) < c->cap;
	else
		/* the same */
		ready = !!smp_load_acquire(&c->recvq.first);
	return ready || READ_ONCE(c->closed);
}

static inline bool bw_chan_may_recv(const struct bw_chan *c)
{
	bool ready;

	if (c->cap)
		/* before @closed is looked at; pairs with bw_waiters_unlock_word() */
		ready = !!smp_load_acquire(&c->nr);
	else
		/* the same */
		ready = !!smp_load_acquire(&c->sendq.first);
	return ready || READ_ONCE(c->closed) || c->timed;
}

static inline void bw_chan_lock(struct bw_chan *c)
{
	bw_waiters_lock(&c->lock);
}

static inline void bw_chan_unlock(struct bw_chan *c)
{
	bw_waiters_unlock(&c->lock);
}

static inline bool bw_chan_is_ctx(const struct bw_chan *c)
{
	return c->timed && !c->cap;
}

/* What those who wait in it wait for, for who looks for leaks (C4 in ctx.c). */
static inline const void *bw_chan_object(const struct bw_chan *c)
{
	return unlikely(bw_chan_is_ctx(c)) && c->buf ? (const void *)c->buf : c;
}

/* A context is over. It may be closed already. */
void bw_chan_end(struct bw_chan *c);

/* The line of a program that sends on a closed channel. */
__noreturn __cold void bw_chan_die(struct bw_chan *c, const char *who,
				   const char *what);

/* Locked, and before it sends: a timer is nobody's to send on. */
static inline void bw_chan_timer_refuse(const struct bw_chan *c,
					const char *who)
{
	if (unlikely(c->timed))
		bw_fatal("%s() of a %s channel", who,
			 c->cap ? "timer's" : "context's");
}

#endif
