// SPDX-License-Identifier: MIT
/* life: Gs, what they have, how they wait for each other (script.c). */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <burrow/trace.h>

#include "script.h"

#define TREE_DEPTH	6
#define NR_RING		9
#define NR_TURNS	900

static int returns_42(void *arg)
{
	return 42;
}

static void waits_for_ever(void *arg)
{
	for (;;)
		bw_park();
}

static void yields_for_ever(void *arg)
{
	for (;;)
		bw_yield();
}

static int leaves_others(void *arg)
{
	int i;

	for (i = 0; i < 5; i++)
		bw_go(waits_for_ever, NULL);
	bw_go(yields_for_ever, NULL);
	bw_yield();
	return 7;
}

static int exits(void *arg)
{
	bw_exit();
}

static struct crowd crowd;
static long sum;

static void grows(void *arg)
{
	long depth = (long)arg, i;

	__atomic_fetch_add(&sum, depth, __ATOMIC_RELAXED);
	for (i = 0; i < 3 && depth < TREE_DEPTH; i++)
		bw_go(grows, (void *)(depth + 1));
	bw_yield();
	crowd_less(&crowd);
}

static int tree(void *arg)
{
	long all = 1, level = 1, i;

	for (i = 1; i < TREE_DEPTH; i++)
		all += level *= 3;
	sum = 0;
	crowd_begin(&crowd, all);
	bw_go(grows, (void *)1L);
	crowd_wait(&crowd);
	return (int)__atomic_load_n(&sum, __ATOMIC_RELAXED);
}

static struct bw_g *ring[NR_RING];
static long ball;

/* Takes the ball when it is there and hands it on: park and ready alone. */
static void plays(void *arg)
{
	long me = (long)arg, turn;

	__atomic_store_n(&ring[me], bw_self(), __ATOMIC_SEQ_CST);
	crowd_less(&crowd);
	for (turn = me; turn < NR_TURNS; turn += NR_RING) {
		while (__atomic_load_n(&ball, __ATOMIC_SEQ_CST) != turn)
			bw_park();
		__atomic_store_n(&ball, turn + 1, __ATOMIC_SEQ_CST);
		bw_ready(ring[(me + 1) % NR_RING]);
	}
	crowd_less(&crowd);
	/* a token for it may still be on its way */
	waits_for_ever(NULL);
}

static int ring_of_gs(void *arg)
{
	long i;

	ball = -1;
	crowd_begin(&crowd, NR_RING);
	for (i = 0; i < NR_RING; i++)
		bw_go(plays, (void *)i);
	crowd_wait(&crowd);
	crowd_begin(&crowd, NR_RING);
	__atomic_store_n(&ball, 0, __ATOMIC_SEQ_CST);
	bw_ready(ring[0]);
	crowd_wait(&crowd);
	return (int)__atomic_load_n(&ball, __ATOMIC_SEQ_CST);
}

static void runs(void)
{
	int procs;

	section("runs");
	for (procs = 1; procs < 3; procs++) {
		run_on(procs, "a run", returns_42);
		run_on(procs, "one that leaves others", leaves_others);
		run_on(procs, "one whose first G exits", exits);
		run_on(procs, "a tree", tree);
		run_on(procs, "a ring", ring_of_gs);
	}
}

static int key[5];

static void drop(void *value)
{
	printf("dropped: %s\n", (const char *)value);
}

static void has_locals(void *arg)
{
	printf("name: %s\n", bw_g_name(bw_self()));
	holds("nothing yet", !bw_local_get(key[1]));
	bw_local_set(key[2], "third");
	bw_local_set(key[0], "first");
	bw_yield();
	printf("value: %s\n", (const char *)bw_local_get(key[2]));
	crowd_less(&crowd);
}

static int locals(void *arg)
{
	uint64_t me = bw_g_id(bw_self());
	int i;

	for (i = 0; i < 5; i++) {
		key[i] = bw_local_make(drop);
		number("a key", key[i]);
	}
	crowd_begin(&crowd, 1);
	number("go", bw_go_named("has locals", has_locals, NULL));
	crowd_wait(&crowd);
	bw_yield();
	holds("my number stayed", me == bw_g_id(bw_self()));
	holds("my name", bw_g_name(bw_self()));
	return 0;
}

static int tokens(void *arg)
{
	struct crowd none;

	bw_ready(bw_self());
	bw_ready(bw_self());
	bw_park();		/* two are one */
	crowd_begin(&none, 0);
	crowd_wait(&none);
	number("Ps", bw_procs(0));
	number("three", bw_procs(3));
	number("two", bw_procs(2));
	number("fewer than none", bw_procs(-1));
	number("too many", bw_procs(1025));
	return bw_procs(0);
}

static long tid(void)
{
	return syscall(SYS_gettid);
}

static bool stayed;

static void stays(void *arg)
{
	long mine, i;

	bw_lock_thread();
	bw_lock_thread();
	mine = tid();
	for (i = 0; i < 50 && mine == tid(); i++)
		bw_yield();
	bw_unlock_thread();
	bw_yield();
	stayed = mine == tid();
	bw_unlock_thread();
	crowd_less(&crowd);
}

static struct bw_g *friend_g;

static void *attaches(void *arg)
{
	number("attach", bw_thread_attach());
	number("attach again", bw_thread_attach());
	holds("it is a G", bw_self());
	__atomic_store_n(&friend_g, bw_self(), __ATOMIC_SEQ_CST);
	bw_ready(arg);
	bw_park();
	number("go from a thread", bw_go(stays, NULL));
	bw_thread_detach();
	holds("it is none", !bw_self());
	return NULL;
}

static int threads(void *arg)
{
	pthread_t t;

	crowd_begin(&crowd, 1);
	pthread_create(&t, NULL, attaches, bw_self());
	while (!__atomic_load_n(&friend_g, __ATOMIC_SEQ_CST))
		bw_park();
	bw_ready(friend_g);
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	crowd_wait(&crowd);
	holds("it stayed in its thread", stayed);
	return 0;
}

static void *outside(void *arg)
{
	number("attach without a run", bw_thread_attach());
	number("go without a run", bw_go(stays, NULL));
	bw_thread_detach();
	return NULL;
}

static __attribute__((noinline)) int deep(int n)
{
	volatile char room[1024];

	room[0] = (char)n;
	return n ? deep(n - 1) + room[0] : 0;
}

static void sinks(void *arg)
{
	deep((int)(long)arg);
	holds("its depth is told",
	      bw_stack_peak() >= ((size_t)(long)arg << 10) &&
	      bw_stack_peak() <= 48UL << 10);
	crowd_less(&crowd);
}

static int stacks(void *arg)
{
	struct bw_stats stats = { .size = sizeof(stats) }, bad = { .size = 3 };

	crowd_begin(&crowd, 2);
	bw_go(sinks, (void *)4L);
	bw_go(sinks, (void *)30L);
	crowd_wait(&crowd);
	while (bw_stats(&stats) == 0 && stats.live > 1)
		bw_yield();
	number("alive", (long)stats.live);
	number("counted wrong", bw_stats(&bad));
	return 0;
}

static bool others_ran;

static void is_other(void *arg)
{
	__atomic_store_n(&others_ran, true, __ATOMIC_RELAXED);
}

/* No call until the other ran: its P must be taken. */
static int loops(void *arg)
{
	__atomic_store_n(&others_ran, false, __ATOMIC_RELAXED);
	bw_go(is_other, NULL);
	while (!__atomic_load_n(&others_ran, __ATOMIC_RELAXED))
		;
	return 1;
}

void life_script(void)
{
	pthread_t t;

	runs();
	section("what a G has");
	run_on(1, "locals", locals);
	run_on(1, "tokens", tokens);
	run_on(1, "stacks", stacks);
	section("threads");
	run_on(2, "threads", threads);
	pthread_create(&t, NULL, outside, NULL);
	pthread_join(t, NULL);
	section("preemption");
	run_on(1, "a loop without calls", loops);
}
