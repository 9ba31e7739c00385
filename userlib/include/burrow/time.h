/* SPDX-License-Identifier: MIT */
/*
 * burrow/time.h: sleeping, deadlines, timers.
 *
 * All times are nanoseconds of CLOCK_MONOTONIC: a length, or, where it says
 * *until*, *deadline* or *at*, a moment as bw_now() tells it. Nothing happens
 * before its time; how much later depends on what else there is to do: while
 * Gs compute without calls on all Ps, 10 ms and more.
 */
#ifndef BURROW_TIME_H
#define BURROW_TIME_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bw_g;

/* A deadline that never comes. */
#define BW_FOREVER	UINT64_MAX

uint64_t bw_now(void);

/*
 * The calling G (or attached thread) waits; others run. A token (bw_ready())
 * does not end it, and stays. A moment that has passed is as good as bw_yield().
 */
void bw_sleep(uint64_t ns);
void bw_sleep_until(uint64_t when);

/*
 * bw_park() that gives up: true, it took a token; false, the deadline came and
 * there was none.
 */
bool bw_park_until(uint64_t deadline);

/*
 * A timer is made once and started as often as one likes; each start makes it
 * fire at most once. When it fires, fn(arg) runs in a new G (bw_timer_make()),
 * or @g gets a token (bw_timer_make_ready(); @g must still be there then). NULL:
 * no memory. All calls may come from any G or attached thread, of one timer at
 * the same time too. Timers live on when a bw_run() ends, but are stopped by it.
 */
struct bw_timer;

struct bw_timer *bw_timer_make(void (*fn)(void *arg), void *arg);
struct bw_timer *bw_timer_make_ready(struct bw_g *g);

/*
 * Starts it; one that was started already is moved. 1: it was running, and what
 * it was to do then it will not do; 0: it was not, or has fired. -ENOMEM; -ESRCH:
 * an attached thread called while there is no bw_run().
 */
int bw_timer_start(struct bw_timer *t, uint64_t ns);
int bw_timer_start_at(struct bw_timer *t, uint64_t when);

/*
 * The same as bw_timer_start() under the name that says what is meant: it counts
 * from now again.
 */
int bw_timer_reset(struct bw_timer *t, uint64_t ns);

/*
 * True: it was running and will not fire. False: it was not, or it has fired:
 * its function runs or ran. Nothing waits for that function.
 */
bool bw_timer_stop(struct bw_timer *t);

/* Stops it too. NULL is fine. A function that it started may still run. */
void bw_timer_free(struct bw_timer *t);

/*
 * A ticker lets a G go on each @period: bw_ticker_wait() returns the number of
 * ticks since it last did, 1 where the G keeps up; so a slow one loses none, and
 * ticks do not drift. One G may wait at a time, another is a fatal error. After
 * bw_ticker_stop(), from anywhere, it returns -ECANCELED; bw_ticker_reset() sets
 * a new period, the first tick of which is one from now, and ends a stop.
 * @period must not be 0. NULL: no memory. To free one that a G waits for is a
 * fatal error.
 */
struct bw_ticker;

struct bw_ticker *bw_ticker_make(uint64_t period);
int64_t bw_ticker_wait(struct bw_ticker *t);
void bw_ticker_stop(struct bw_ticker *t);
void bw_ticker_reset(struct bw_ticker *t, uint64_t period);
void bw_ticker_free(struct bw_ticker *t);

#ifdef __cplusplus
}
#endif

#endif
