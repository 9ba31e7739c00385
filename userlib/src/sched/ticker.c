// SPDX-License-Identifier: MIT
/*
 * ticker: a G goes on each period.
 *
 * There is no timer that fires in vain when nobody waits: a tick is a number,
 * (now - first) / period, and who waits sleeps until the next one is due.
 *
 * J1. @waiter and @ticket name a G that waits, or nothing. They change under
 *     @lock; who takes them out to end the wait wins the ticket.
 */
#include "base/sysmem.h"
#include "burrow/time.h"
#include "sched.h"

/**
 * struct bw_ticker - see burrow/time.h
 * @lock:	for the rest						[const]
 * @period:	ns							[lock]
 * @next:	when the next tick is due				[lock]
 * @stopped:	it does not tick					[lock]
 * @waiter:	who waits, or NULL					[lock]
 * @ticket:	its wait						[lock]
 */
struct bw_ticker {
	struct bw_lock lock;
	bool stopped;
	u64 period;
	u64 next;
	struct bw_g *waiter;
	u64 ticket;
};

static void period_need(u64 period)
{
	if (!period)
		bw_fatal("a ticker with a period of 0");
}

struct bw_ticker *bw_ticker_make(uint64_t period)
{
	struct bw_ticker *t;

	period_need(period);
	t = bw_sys_alloc(sizeof(*t));
	if (!t)
		return NULL;
	bw_lock_init(&t->lock, BW_RANK_TICKER);
	t->period = period;
	t->next = bw_deadline_in(period);
	return t;
}

/* Ticks that are due; the next one is after @now. */
static u64 take_locked(struct bw_ticker *t, u64 now)
{
	u64 n;

	if (now < t->next)
		return 0;
	n = (now - t->next) / t->period + 1;
	t->next = n < (BW_NEVER - t->next) / t->period ?
		  t->next + n * t->period : BW_NEVER;
	return n;
}

static bool commit_unlock(struct bw_g *g, void *arg)
{
	struct bw_ticker *t = arg;

	bw_unlock(&t->lock);
	return true;
}

/* A G waits; one that a run left behind does not. */
static bool is_awaited_locked(const struct bw_ticker *t)
{
	return t->waiter && READ_ONCE(t->waiter->wait) == t->ticket;
}

/* Until the next tick, or somebody changes it. @lock is dropped. */
static void wait_unlock(struct bw_ticker *t)
{
	int err;

	if (is_awaited_locked(t))
		bw_fatal("bw_ticker_wait() by G %llu while G %llu waits",
			 (unsigned long long)bw_g_id(bw_self()),
			 (unsigned long long)bw_g_id(t->waiter));
	t->waiter = bw_self();
	t->ticket = bw_sched_ticket();
	err = bw_sched_park_until(commit_unlock, t, "ticker", t->next);
	if (!err)
		return;
	if (err == -ENOMEM)
		bw_sleep(t->period);
	bw_lock(&t->lock);
	if (t->waiter == bw_self())
		t->waiter = NULL;
	bw_unlock(&t->lock);
}

int64_t bw_ticker_wait(struct bw_ticker *t)
{
	u64 n = 0;

	bw_m_need("bw_ticker_wait");
	for (;;) {
		bw_lock(&t->lock);
		if (t->stopped)
			break;
		n = take_locked(t, bw_now());
		if (n)
			break;
		wait_unlock(t);
	}
	bw_unlock(&t->lock);
	return n ? (int64_t)n : -ECANCELED;
}

/* Its G is to look again. */
static void wake_unlock(struct bw_ticker *t)
{
	struct bw_g *g = t->waiter;
	bool won = g && bw_sched_win(g, t->ticket);

	if (won)
		t->waiter = NULL;
	bw_unlock(&t->lock);
	if (won)
		bw_sched_ready(g);
}

void bw_ticker_stop(struct bw_ticker *t)
{
	bw_lock(&t->lock);
	t->stopped = true;
	wake_unlock(t);
}

void bw_ticker_reset(struct bw_ticker *t, uint64_t period)
{
	period_need(period);
	bw_lock(&t->lock);
	t->stopped = false;
	t->period = period;
	t->next = bw_deadline_in(period);
	wake_unlock(t);
}

void bw_ticker_free(struct bw_ticker *t)
{
	if (!t)
		return;
	bw_lock(&t->lock);
	if (is_awaited_locked(t))
		bw_fatal("bw_ticker_free() while G %llu waits",
			 (unsigned long long)bw_g_id(t->waiter));
	bw_unlock(&t->lock);
	bw_sys_free(t, sizeof(*t));
}
