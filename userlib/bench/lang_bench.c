// SPDX-License-Identifier: MIT
/*
 * lang_bench: what channels, select and locks of Gs cost; lang_bench.go has the same
 * rows.
 *
 *	lang_bench ROW PS	prints nanoseconds; 77: it has no such row
 *
 * With one P they are of the process's CPU time, which others on the machine change
 * least; with more, of the clock.
 *
 *	buffer	a G sends into a buffer of 128 and receives, 64 at a time: each value
 *	ping	two Gs, two channels without buffers: one way
 *	spscN	one sender, one receiver, capacity N: each value
 *	mpmcN	four of each
 *	try4	select of 4 with a default, none ready
 *	ready4	select of 4, all ready; ready64 of 64
 *	wait4	select of 4 that waits, for one that another G sends: each; wait64
 *	lock	a mutex locked and unlocked by one G
 *	fight	by four, each with some work in it
 *	group	a waitgroup of 100 Gs that only say they are done: each
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "burrow.h"

#define N	300000L
#define FEW	30000L

static clockid_t clock_id = CLOCK_MONOTONIC;

static double ns_now(void)
{
	struct timespec ts;

	clock_gettime(clock_id, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static struct bw_chan *longs(long cap)
{
	return bw_chan_make_bytes(sizeof(long), (size_t)cap);
}

static struct bw_chan *a, *b, *done;

static double buffer(long n)
{
	double t = ns_now();
	long i, k, value;

	a = longs(128);
	for (i = 0; i < N / 64; i++) {
		for (k = 0; k < 64; k++)
			bw_chan_send(a, &k);
		for (k = 0; k < 64; k++)
			bw_chan_recv(a, &value);
	}
	return (ns_now() - t) / (double)(N / 64 * 64);
}

static void pong(void *arg)
{
	long value;

	bw_chan_range(a, &value)
		bw_chan_send(b, &value);
}

static double ping(long n)
{
	long i, value;
	double t;

	a = longs(0);
	b = longs(0);
	bw_go(pong, NULL);
	t = ns_now();
	for (i = 0; i < N; i++) {
		bw_chan_send(a, &i);
		bw_chan_recv(b, &value);
	}
	t = (ns_now() - t) / N / 2;
	bw_chan_close(a);
	return t;
}

static void sender(void *arg)
{
	long i, n = (long)arg;

	for (i = 0; i < n; i++)
		bw_chan_send(a, &i);
}

static void receiver(void *arg)
{
	long i, n = (long)arg, value;

	for (i = 0; i < n; i++)
		bw_chan_recv(a, &value);
	bw_chan_send(done, &value);
}

static double through(long cap, long pairs)
{
	long i, value;
	double t;

	a = longs(cap);
	done = longs(0);
	t = ns_now();
	for (i = 0; i < pairs; i++) {
		bw_go(sender, (void *)(N / pairs));
		bw_go(receiver, (void *)(N / pairs));
	}
	for (i = 0; i < pairs; i++)
		bw_chan_recv(done, &value);
	return (ns_now() - t) / N;
}

static double spsc(long cap)
{
	return through(cap, 1);
}

static double mpmc(long cap)
{
	return through(cap, 4);
}

static double try(long n)
{
	struct bw_case k[64];
	long value[64], i;
	double t;

	for (i = 0; i < n; i++)
		k[i] = (struct bw_case)BW_RECV(longs(0), &value[i]);
	t = ns_now();
	for (i = 0; i < N; i++)
		bw_select_try(k, (size_t)n);
	return (ns_now() - t) / N;
}

static double ready(long n)
{
	struct bw_case k[64];
	long value[64], i;
	double t;

	for (i = 0; i < n; i++) {
		k[i] = (struct bw_case)BW_RECV(longs(0), &value[i]);
		bw_chan_close(k[i].chan);
	}
	t = ns_now();
	for (i = 0; i < N; i++)
		bw_select(k, (size_t)n);
	return (ns_now() - t) / N;
}

static struct bw_case fed[64];

static void feeder(void *arg)
{
	long i, n = (long)arg;

	for (i = 0; i < FEW; i++)
		bw_chan_send(fed[i % n].chan, &i);
	bw_chan_send(done, &i);
}

static double wait_in(long n)
{
	long value[64], i;
	double t;

	done = longs(1);
	for (i = 0; i < n; i++)
		fed[i] = (struct bw_case)BW_RECV(longs(0), &value[i]);
	bw_go(feeder, (void *)n);
	t = ns_now();
	for (i = 0; i < FEW; i++)
		bw_select(fed, (size_t)n);
	t = (ns_now() - t) / FEW;
	bw_chan_recv(done, value);
	return t;
}

static struct bw_mutex mutex;
static struct bw_waitgroup all;
static long worked;

static double lock(long n)
{
	double t = ns_now();
	long i;

	for (i = 0; i < N; i++) {
		bw_mutex_lock(&mutex);
		bw_mutex_unlock(&mutex);
	}
	return (ns_now() - t) / N;
}

static void fighter(void *arg)
{
	long i, k, x;

	for (i = 0; i < N / 4; i++) {
		bw_mutex_lock(&mutex);
		x = worked;
		for (k = 0; k < 20; k++)
			x = x * 5 + k;
		worked = x;
		bw_mutex_unlock(&mutex);
	}
	bw_waitgroup_done(&all);
}

static double fight(long n)
{
	double t = ns_now();
	int i;

	bw_waitgroup_add(&all, 4);
	for (i = 0; i < 4; i++)
		bw_go(fighter, NULL);
	bw_waitgroup_wait(&all);
	return (ns_now() - t) / N;
}

static void says_done(void *arg)
{
	bw_waitgroup_done(&all);
}

static double group(long n)
{
	double t = ns_now();
	int i, k;

	for (i = 0; i < 1000; i++) {
		bw_waitgroup_add(&all, 100);
		for (k = 0; k < 100; k++)
			bw_go(says_done, NULL);
		bw_waitgroup_wait(&all);
	}
	return (ns_now() - t) / 100000;
}

struct row {
	const char *name;
	double (*fn)(long n);
	long n;
};

static const struct row rows[] = {
	{ "buffer", buffer, 0 }, { "ping", ping, 0 },
	{ "spsc0", spsc, 0 }, { "spsc1", spsc, 1 }, { "spsc128", spsc, 128 },
	{ "mpmc0", mpmc, 0 }, { "mpmc1", mpmc, 1 }, { "mpmc128", mpmc, 128 },
	{ "try4", try, 4 }, { "ready4", ready, 4 }, { "ready64", ready, 64 },
	{ "wait4", wait_in, 4 }, { "wait64", wait_in, 64 },
	{ "lock", lock, 0 }, { "fight", fight, 0 }, { "group", group, 0 },
};

static int start(void *arg)
{
	const struct row *r = arg;

	/* the first time, memory is touched and threads are made */
	r->fn(r->n);
	printf("%.1f\n", r->fn(r->n));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc != 3)
		return 2;
	setenv("BURROW_PROCS", argv[2], 1);
	if (!strcmp(argv[2], "1"))
		clock_id = CLOCK_PROCESS_CPUTIME_ID;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, argv[1]))
			return bw_run(start, (void *)&rows[i]);
	return 77;
}
