// SPDX-License-Identifier: MIT
/* Loops without calls stop nobody, and what they had is theirs again. */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "sched_rig.h"

#define LOOPS		5
#define LAPS		2
#define OVERRUNNERS	4

static long end, alive, spins[LOOPS], ran;

static long get(const long *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static void set(long *n, long v)
{
	__atomic_store_n(n, v, __ATOMIC_SEQ_CST);
}

/* No call at all between the two of add(): nothing of the scheduler's sees it. */
static void loop(void *arg)
{
	long *count = arg;

	add(&alive, 1);
	while (!get(&end))
		add(count, 1);
	/* a call: it has a P again, or another thread */
	bw_yield();
	EXPECT(bw_self());
	add(&alive, -1);
}

static void other(void *arg)
{
	add(&ran, 1);
	bw_ready(arg);
}

static int beside_one_loop(void *arg)
{
	int lap;

	bw_procs(1);
	for (lap = 0; lap < 3; lap++) {
		set(&end, 0);
		set(&ran, 0);
		bw_go(loop, &spins[0]);
		bw_go(other, bw_self());
		/* to whom the P goes first is not ours to say */
		while (!get(&ran) || get(&alive) != 1)
			bw_yield();
		set(&end, 1);
		while (get(&alive))
			bw_yield();
	}
	return 0;
}

static void a_tight_loop_does_not_stop_the_others_on_one_P(void)
{
	run_it(beside_one_loop);
}

static int many_loops(void *arg)
{
	long before[LOOPS];
	int i, round;

	bw_procs(1);
	set(&end, 0);
	memset(spins, 0, sizeof(spins));
	for (i = 0; i < LOOPS; i++)
		bw_go(loop, &spins[i]);
	/* only who has a P begins: each must get it from the one before */
	while (get(&alive) != LOOPS)
		bw_yield();
	for (round = 0; round < 2; round++) {
		for (i = 0; i < LOOPS; i++)
			before[i] = get(&spins[i]);
		for (i = 0; i < LOOPS; i++)
			while (get(&spins[i]) == before[i])
				bw_yield();
	}
	set(&end, 1);
	while (get(&alive))
		bw_yield();
	return 0;
}

static void as_many_loops_as_there_are_all_go_on_with_one_P(void)
{
	run_it(many_loops);
}

/* A call that nobody announced: the thread sleeps, its P does not. */
static int pipes[2];

static void sleeps_unannounced(void *arg)
{
	char c;

	add(&alive, 1);
	EXPECT(read(pipes[0], &c, 1) == 1);
	bw_yield();
	add(&alive, -1);
}

static int beside_a_read(void *arg)
{
	bw_procs(1);
	EXPECT(!pipe(pipes));
	bw_go(sleeps_unannounced, NULL);
	while (!get(&alive))
		bw_yield();
	/* we run, although the only P was left in read() */
	EXPECT(write(pipes[1], "x", 1) == 1);
	while (get(&alive))
		bw_yield();
	close(pipes[0]);
	close(pipes[1]);
	return 0;
}

static void a_P_is_taken_from_a_call_that_nobody_announced(void)
{
	run_it(beside_a_read);
}

/*
 * A G loses its P here and there while it makes every kind of call: what it had
 * and what the others have must come out.
 */
static long sum, tokens;
static u64 lost_before;

static void burn(void)
{
	struct timespec from, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	do {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000000000L + now.tv_nsec -
		 from.tv_nsec < 12000000L);
}

static void leaf_g(void *arg)
{
	add(&sum, 1);
}

static void parks(void *arg)
{
	__atomic_store_n((struct bw_g **)arg, bw_self(), __ATOMIC_SEQ_CST);
	add(&tokens, 1);
	bw_park();
	add(&sum, 1);
}

static __attribute__((noinline)) bool errno_stays(void)
{
	bool same;

	errno = 4711;
	burn();
	bw_block_begin();
	same = errno == 4711;
	return same;
}

static void overruns(void *arg)
{
	struct bw_g *friend = NULL;
	long before;
	int i;

	/* there are more of us than Ps: one is taken, sooner or later */
	while (READ_ONCE(bw_sched.nr_overruns) == lost_before)
		bw_cpu_relax();
	for (i = 0; i < LAPS; i++) {
		burn();
		EXPECT(!bw_go(leaf_g, NULL));
		before = get(&tokens);
		EXPECT(!bw_go(parks, &friend));
		while (!__atomic_load_n(&friend, __ATOMIC_SEQ_CST) ||
		       get(&tokens) == before)
			bw_yield();
		burn();
		bw_ready(friend);
		friend = NULL;
		EXPECT(errno_stays());
		poll(NULL, 0, 0);
		bw_block_end();
		bw_lock_thread();
		burn();
		bw_yield();
		bw_unlock_thread();
		burn();
	}
	/* and ends without a P, perhaps */
	countdown_done(arg);
}

static int overrun_all(void *arg)
{
	struct countdown c;
	int i;

	lost_before = READ_ONCE(bw_sched.nr_overruns);
	bw_procs(2);
	set(&sum, 0);
	countdown_init(&c, OVERRUNNERS);
	for (i = 0; i < OVERRUNNERS; i++)
		bw_go(overruns, &c);
	countdown_wait(&c);
	while (get(&sum) != OVERRUNNERS * LAPS * 2)
		bw_yield();
	return 0;
}

static void whoever_lost_its_P_may_make_every_call(void)
{
	run_it(overrun_all);
	EXPECT(!bw_sched.nr_lost);
}

/* Sysmon asks, and asks; but inside a section the P is its M's. */
static void waits_for_the_P(void *arg)
{
	add(&ran, 1);
}

static int long_section(void *arg)
{
	struct bw_m *m;
	struct bw_p *p;
	int i;

	bw_procs(1);
	set(&ran, 0);
	bw_go(waits_for_the_P, NULL);
	m = bw_m_self();
	p = m->p;
	bw_m_enter_soft(m);
	while (!(READ_ONCE(m->asked) & BW_ASK_P))
		;
	for (i = 0; i < 4; i++)
		burn();
	EXPECT(!(READ_ONCE(m->asked) & BW_ASK_TOOK));
	EXPECT(m->p == p && READ_ONCE(p->m) == m);
	EXPECT(!get(&ran));
	bw_m_exit(m);
	while (!get(&ran))
		bw_yield();
	return 0;
}

static void a_P_is_not_taken_inside_a_section(void)
{
	run_it(long_section);
}

/* The run waits for a loop that has lost its P, and ends it at its next call. */
static void loops_on(void *arg)
{
	long before = add(&alive, 1);
	u64 lost = READ_ONCE(bw_sched.nr_overruns);

	while (READ_ONCE(bw_sched.nr_overruns) == lost)
		add(&spins[0], before);
	set(&end, 1);
	while (get(&end) != 2)
		add(&spins[0], before);
	add(&alive, -1);
	bw_yield();
	EXPECT(!"a G goes on after the end of its run");
}

static int leaves_a_loop(void *arg)
{
	bw_procs(1);
	bw_go(loops_on, NULL);
	while (!get(&end))
		bw_yield();
	set(&end, 2);
	return 5;
}

static void a_run_waits_for_a_loop_without_a_P(void)
{
	set(&end, 0);
	set(&alive, 0);
	EXPECT(run_it(leaves_a_loop) == 5);
	EXPECT(!get(&alive));
	EXPECT(!bw_sched.nr_lost);
}

/* Stops and overruns at once: both ask the same threads. */
static void stops(void *arg)
{
	int i;

	for (i = 0; i < 8; i++) {
		burn();
		bw_world_stop("test");
		bw_world_start();
	}
	countdown_done(arg);
}

static int stop_and_overrun(void *arg)
{
	struct countdown c;

	bw_procs(2);
	set(&end, 0);
	countdown_init(&c, 2);
	bw_go(loop, &spins[0]);
	bw_go(loop, &spins[1]);
	bw_go(loop, &spins[2]);
	bw_go(stops, &c);
	bw_go(stops, &c);
	countdown_wait(&c);
	set(&end, 1);
	while (get(&alive))
		bw_yield();
	return 0;
}

static void the_world_is_stopped_while_Ps_are_taken(void)
{
	run_it(stop_and_overrun);
}

/* Without membarrier() the stop's signal does its work. */
static void the_same_without_membarrier(void)
{
	bw_sched.no_membarrier = true;
	run_it(many_loops);
	run_it(overrun_all);
	run_it(stop_and_overrun);
	EXPECT(!bw_sched.nr_lost);
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 0);
	alarm(280);
	TEST(a_tight_loop_does_not_stop_the_others_on_one_P);
	TEST(as_many_loops_as_there_are_all_go_on_with_one_P);
	TEST(a_P_is_taken_from_a_call_that_nobody_announced);
	TEST(whoever_lost_its_P_may_make_every_call);
	TEST(a_P_is_not_taken_inside_a_section);
	TEST(a_run_waits_for_a_loop_without_a_P);
	TEST(the_world_is_stopped_while_Ps_are_taken);
	TEST(the_same_without_membarrier);
	return tap_end();
}
