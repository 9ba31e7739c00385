// SPDX-License-Identifier: MIT
/* time: sleeps, deadlines, timers, tickers (script.c). */
#include <stdio.h>

#include <burrow/time.h>

#include "script.h"

#define MS		1000000ULL
#define NR_SLEEPERS	16

static struct crowd crowd;
static int nr_awake, nr_early;
static uint64_t base;

static void sleeps(void *arg)
{
	uint64_t when = base + (uint64_t)(long)arg * 2 * MS;

	bw_sleep_until(when);
	__atomic_add_fetch(bw_now() >= when ? &nr_awake : &nr_early, 1,
			   __ATOMIC_RELAXED);
	crowd_less(&crowd);
}

static int sleepers(void *arg)
{
	long i;

	base = bw_now() + 20 * MS;
	nr_awake = 0;
	nr_early = 0;
	crowd_begin(&crowd, NR_SLEEPERS);
	for (i = 0; i < NR_SLEEPERS; i++)
		bw_go(sleeps, (void *)(i * 7 % NR_SLEEPERS));
	crowd_wait(&crowd);
	number("woke too early", __atomic_load_n(&nr_early, __ATOMIC_RELAXED));
	return __atomic_load_n(&nr_awake, __ATOMIC_RELAXED);
}

static int deadlines(void *arg)
{
	uint64_t t = bw_now();

	holds("a token before a deadline that has passed",
	      bw_park_until(1));
	bw_ready(bw_self());
	holds("now there is one", bw_park_until(1));
	holds("and no more", bw_park_until(bw_now() + 2 * MS));
	bw_ready(bw_self());
	bw_sleep(3 * MS);
	holds("a sleep leaves it", bw_park_until(1));
	holds("that took its time", bw_now() - t >= 5 * MS);
	return 0;
}

static int nr_fired;

static void fires(void *arg)
{
	nr_fired++;
	crowd_less(&crowd);
}

static int timers(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL), *r;

	nr_fired = 0;
	number("start", bw_timer_start(t, 3600000 * MS));
	number("start again", bw_timer_start(t, 3600000 * MS));
	number("reset", bw_timer_reset(t, 3600000 * MS));
	holds("stop", bw_timer_stop(t));
	holds("stop again", bw_timer_stop(t));
	crowd_begin(&crowd, 1);
	number("start", bw_timer_start(t, MS));
	crowd_wait(&crowd);
	holds("stop what fired", bw_timer_stop(t));
	crowd_begin(&crowd, 1);
	number("start at once", bw_timer_start_at(t, 1));
	crowd_wait(&crowd);
	number("fired", nr_fired);
	bw_timer_free(t);
	r = bw_timer_make_ready(bw_self());
	number("one that readies", bw_timer_start(r, MS));
	bw_park();
	holds("stop", bw_timer_stop(r));
	bw_timer_free(r);
	bw_timer_free(NULL);
	return 0;
}

static struct bw_ticker *ticker;

static void stops(void *arg)
{
	bw_sleep(2 * MS);
	bw_ticker_stop(ticker);
	crowd_less(&crowd);
}

static int tickers(void *arg)
{
	int64_t n = 0;

	ticker = bw_ticker_make(2 * MS);
	while (n < 5)
		n += bw_ticker_wait(ticker);
	holds("ticks", n >= 5);
	bw_ticker_reset(ticker, 3600000 * MS);
	crowd_begin(&crowd, 1);
	bw_go(stops, NULL);
	number("stopped meanwhile", (long)bw_ticker_wait(ticker));
	number("and for good", (long)bw_ticker_wait(ticker));
	crowd_wait(&crowd);
	bw_ticker_reset(ticker, MS);
	holds("ticks again", bw_ticker_wait(ticker) >= 1);
	bw_ticker_free(ticker);
	return 0;
}

static int leaves_timers(void *arg)
{
	bw_timer_start(bw_timer_make(fires, NULL), MS);
	bw_timer_start(bw_timer_make(fires, NULL), 3600000 * MS);
	return 3;
}

void time_script(void)
{
	section("time");
	run_on(1, "sleepers", sleepers);
	run_on(1, "deadlines", deadlines);
	run_on(1, "timers", timers);
	run_on(1, "tickers", tickers);
	run_on(2, "deadlines", deadlines);
	run_on(2, "timers", timers);
	run_on(2, "tickers", tickers);
	/* they are never heard of again */
	run_on(1, "timers that are left", leaves_timers);
	run_on(1, "sleepers", sleepers);
}
