// SPDX-License-Identifier: MIT
/*
 * sched_peers_late: burrow's rows of bench-sched-peers in which something comes
 * late: a wake-up, a timer, a turn beside a tight loop, work beside blocking reads.
 */
#include <pthread.h>

#include "burrow/go.h"
#include "burrow/time.h"
#include "last_one.h"
#include "sched_peers.h"

static double sample[MAX_SAMPLES], seen_at;
static int seen, stop;

static void see(void)
{
	seen_at = ns_now();
	__atomic_store_n(&seen, 1, __ATOMIC_RELEASE);
}

static void wait_to_see(void)
{
	while (!__atomic_load_n(&seen, __ATOMIC_ACQUIRE))
		;
	seen = 0;
}

static struct bw_g *sleeper;

static void is_woken(void *arg)
{
	int i;

	__atomic_store_n(&sleeper, bw_self(), __ATOMIC_RELEASE);
	for (i = 0; i < 100; i++) {
		bw_park();
		see();
	}
	one_less();
}

/* The other P has been idle for 1 ms and this one does not let go. */
static double do_wake(void)
{
	double t;
	int i;

	boss = bw_self();
	left = 1;
	bw_go(is_woken, NULL);
	while (!__atomic_load_n(&sleeper, __ATOMIC_ACQUIRE))
		bw_sleep(1000000);
	for (i = 0; i < 100; i++) {
		bw_sleep(100000);
		spin_for(MS);
		t = ns_now();
		bw_ready(sleeper);
		wait_to_see();
		sample[i] = seen_at - t;
	}
	wait_for_all();
	return median(sample, 100);
}

static void *wakes(void *arg)
{
	double t;
	int i;

	for (i = 0; i < 100; i++) {
		usleep(100);
		spin_for(MS);
		t = ns_now();
		bw_ready(sleeper);
		wait_to_see();
		sample[i] = seen_at - t;
	}
	return NULL;
}

/* A thread that is nobody's wakes; all Ps have been idle for 1 ms. */
static double do_wake_thread(void)
{
	pthread_t t;

	boss = bw_self();
	left = 1;
	bw_go(is_woken, NULL);
	while (!__atomic_load_n(&sleeper, __ATOMIC_ACQUIRE))
		bw_sleep(1000000);
	if (pthread_create(&t, NULL, wakes, NULL))
		exit(1);
	wait_for_all();
	pthread_join(t, NULL);
	return median(sample, 100);
}

static uint64_t done[2];

static void computes(void *arg)
{
	uint64_t *mine = arg, x = 1;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		x = chunk(x);
		__atomic_store_n(mine, *mine + (x != 0), __ATOMIC_RELAXED);
		bw_yield();
	}
	one_less();
}

static void blocks(void *arg)
{
	int fd = ticking();

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		bw_block_begin();
		read_tick(fd);
		bw_block_end();
	}
	close(fd);
	one_less();
}

/* Chunks a second of two Gs, @k others being in blocking reads. */
static double rate(int k)
{
	double t, sum;
	int i;

	stop = 0;
	left = k + 2;
	for (i = 0; i < k; i++)
		bw_go(blocks, NULL);
	memset(done, 0, sizeof(done));
	t = ns_now();
	bw_go(computes, &done[0]);
	bw_go(computes, &done[1]);
	bw_sleep((uint64_t)PHASE);
	sum = (double)__atomic_load_n(&done[0], __ATOMIC_RELAXED) +
	      (double)__atomic_load_n(&done[1], __ATOMIC_RELAXED);
	t = ns_now() - t;
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	wait_for_all();
	return sum / t;
}

static double kept(int k)
{
	double with = 0, without = 0;
	int i;

	boss = bw_self();
	for (i = 0; i < 3; i++) {
		without += rate(0);
		with += rate(k);
	}
	return 100 * with / without;
}

static double do_block4(void)
{
	return kept(4);
}

static double do_block16(void)
{
	return kept(16);
}

static void fires(void *arg)
{
	seen_at = (double)bw_now();
	bw_ready(boss);
}

static double do_timer(void)
{
	struct bw_timer *timer = bw_timer_make(fires, NULL);
	uint64_t at;
	int i;

	boss = bw_self();
	for (i = 0; i < 200; i++) {
		seen_at = 0;
		at = bw_now() + 100000;
		bw_timer_start_at(timer, at);
		while (seen_at == 0)
			bw_park();
		sample[i] = seen_at - (double)at;
	}
	return median(sample, 200);
}

/* A start and a stop, long before its time. */
static double do_timer_start(void)
{
	struct bw_timer *timer = bw_timer_make(fires, NULL);
	double t = ns_now();
	int i;

	for (i = 0; i < NR_STARTS; i++) {
		bw_timer_start(timer, 3600000000000ULL);
		if (!bw_timer_stop(timer))
			exit(1);
	}
	return (ns_now() - t) / NR_STARTS;
}

static void gets_a_turn(void *arg)
{
	see();
}

static double do_loop(void)
{
	double t;
	int i;

	for (i = 0; i < 5; i++) {
		bw_sleep(1000000);
		t = ns_now();
		bw_go(gets_a_turn, NULL);
		wait_to_see();
		sample[i] = seen_at - t;
	}
	return median(sample, 5);
}

/* CPU time of the process in a second in which every G waits. */
static double do_idle(void)
{
	double t;

	bw_sleep(10000000);
	t = cpu_now();
	bw_sleep(1000000000);
	return (cpu_now() - t) / 1000;
}

const struct row late_rows[] = {
	{ "idle", do_idle },
	{ "wake", do_wake },
	{ "wake-thread", do_wake_thread },
	{ "block4", do_block4 },
	{ "block16", do_block16 },
	{ "timer", do_timer },
	{ "timer-start", do_timer_start },
	{ "loop", do_loop },
	{ NULL, NULL },
};
