// SPDX-License-Identifier: MIT
/*
 * chan_timer: a channel that yields a value at a moment (H5 in chan.h).
 *
 * There is no timer behind it: the moment is a word, and who waits in the channel
 * waits until then at most and looks again. So one that nobody has any more is
 * collected like any object, and none has to be stopped.
 *
 * Rejected: a bw_timer that sends (a G and a pin for each, until it fires).
 */
#include "chan.h"
#include "burrow/time.h"

static struct bw_chan *make(u64 when, u64 period)
{
	struct bw_chan *c = bw_chan_make_bytes(sizeof(u64), 1);

	if (c) {
		c->timed = true;
		c->when = when;
		c->period = period;
	}
	return c;
}

struct bw_chan *bw_chan_after(uint64_t ns)
{
	return make(bw_deadline_in(ns), 0);
}

struct bw_chan *bw_chan_tick(uint64_t period)
{
	if (!period)
		bw_fatal("bw_chan_tick(): a period of 0");
	return make(bw_deadline_in(period), period);
}

/* The first moment of its period that is after @now. */
static u64 following(const struct bw_chan *c, u64 now)
{
	u64 n;

	if (!c->period)
		return BW_NEVER;
	n = (now - c->when) / c->period + 1;
	return n < (BW_NEVER - c->when) / c->period ?
	       c->when + n * c->period : BW_NEVER;
}

void bw_chan_settle(struct bw_chan *c)
{
	u64 now, when = c->when;

	if (when == BW_NEVER)
		return;
	now = bw_now();
	if (now < when)
		return;
	c->when = following(c, now);
	if (c->nr)
		return;
	if (!c->cap) {
		/* each of those who wait looks by itself at that moment */
		WRITE_ONCE(c->closed, true);
		return;
	}
	bw_chan_put(c, &when);
	WRITE_ONCE(c->nr, 1);
}

bool bw_chan_timer_set(struct bw_chan *c, uint64_t when, uint64_t period)
{
	struct bw_waiter *w, *chain = NULL;
	bool pending;

	bw_caller("bw_chan_timer_set");
	if (!c || !c->timed || bw_chan_is_ctx(c))
		bw_fatal("bw_chan_timer_set() of a channel that is no timer's");
	bw_chan_lock(c);
	bw_chan_settle(c);
	pending = !c->nr && c->when != BW_NEVER;
	if (c->nr) {
		bw_chan_get(c, NULL);
		WRITE_ONCE(c->nr, 0);
	}
	c->when = when;
	c->period = period;
	/* those who wait look again, until when */
	while ((w = bw_waitlist_win(&c->recvq))) {
		w->result = -EAGAIN;
		w->next = chain;
		chain = w;
	}
	bw_chan_unlock(c);
	bw_waiters_ready(chain);
	return pending;
}
