// SPDX-License-Identifier: MIT
/* When no G can ever run again, and what is no deadlock; each in a child. */
#include <sys/time.h>
#include <sched.h>

#include "burrow/io.h"
#include "burrow/time.h"
#include "death_rig.h"
#include "sched/netpoll.h"

static int deadlocked(void *arg)
{
	bw_go_named("sleepy", sleeper, NULL);
	bw_go(sleeper, NULL);
	bw_park();
	return 7;
}

static void a_deadlock_ends_the_process_with_a_line_for_each_G(void)
{
	static int (*const fn)(void *) = deadlocked;
	const char *at;

	setenv("BURROW_PROCS", "3", 1);
	expect_death(run_fn, (void *)&fn, SIGABRT,
		     "fatal: deadlock: every G waits");
	EXPECT(strstr(said, "'main' parked (park) for "));
	EXPECT(strstr(said, "'sleepy' parked (park) for "));
	EXPECT(strstr(said, "3 Gs"));
	/* and where they wait */
	at = strstr(said, "'main' parked");
	at = at ? strstr(at, "deadlocked+0x") : NULL;
	EXPECT(at && strstr(said, "sleeper+0x"));
	unsetenv("BURROW_PROCS");
}

static struct bw_g *waits;

/* Readies the first G when the report has been written. */
static void *late_friend(void *arg)
{
	bool attach = arg;

	if (attach)
		EXPECT(!bw_thread_attach());
	while (!__atomic_load_n(&waits, __ATOMIC_SEQ_CST))
		sched_yield();
	while (!READ_ONCE(bw_sched.told) &&
	       bw_sched.deadlock != BW_DEADLOCK_OFF)
		sched_yield();
	bw_ready(waits);
	if (attach)
		bw_thread_detach();
	return NULL;
}

static int befriended(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, late_friend, arg);
	__atomic_store_n(&waits, bw_self(), __ATOMIC_SEQ_CST);
	bw_park();
	pthread_join(t, NULL);
	return 0;
}

static void run_befriended(void *arg)
{
	EXPECT(!bw_run(befriended, arg));
}

static void run_deadlock_off(void *arg)
{
	setenv("BURROW", "deadlock=off", 1);
	EXPECT(!bw_run(befriended, NULL));
}

/* It ends when the report has been written. */
static void *stranger(void *arg)
{
	while (!READ_ONCE(bw_sched.told))
		sched_yield();
	return arg;
}

static int abandoned(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, stranger, NULL);
	pthread_detach(t);
	bw_park();
	return 0;
}

static void when_the_last_stranger_has_ended_a_deadlock_is_fatal(void)
{
	static int (*const fn)(void *) = abandoned;

	expect_death(run_fn, (void *)&fn, SIGABRT,
		     "fatal: deadlock: every G waits");
	EXPECT(strstr(said, "unless a thread that is not burrow's wakes one"));
}

static void with_another_thread_about_a_deadlock_is_only_reported(void)
{
	EXPECT(!rig_child(run_befriended, NULL, said, sizeof(said)));
	EXPECT(strstr(said, "unless a thread that is not burrow's wakes one"));
	EXPECT(!rig_child(run_befriended, &waits, said, sizeof(said)));
	EXPECT(strstr(said, "unless a thread that is not burrow's wakes one"));
	EXPECT(!rig_child(run_deadlock_off, NULL, said, sizeof(said)));
	EXPECT(!said[0]);
}

static int only_sleeps(void *arg)
{
	bw_sleep(120 * 1000000);
	return 0;
}

static int alarm_pipe[2];

static void on_alarm(int sig)
{
	if (write(alarm_pipe[1], "", 1) != 1)
		abort();
}

/* Nobody but a signal handler ends it. */
static int only_reads(void *arg)
{
	struct itimerval it = { .it_value.tv_usec = 120000 };
	char c;

	signal(SIGALRM, on_alarm);
	if (setitimer(ITIMER_REAL, &it, NULL))
		return 1;
	return bw_read(alarm_pipe[0], &c, 1) != 1;
}

static int waits_for_a_stopped_timer(void *arg)
{
	struct bw_timer *t = bw_timer_make_ready(bw_self());

	bw_timer_start(t, 3600000000000ULL);
	bw_timer_stop(t);
	bw_park();
	return 0;
}

/* Until another M minds the clock. */
static void wait_for_minder(void)
{
	while (bw_poll_is_lacking())
		sched_yield();
}

static int stops_what_another_thread_sleeps_for(void *arg)
{
	struct bw_timer *t = bw_timer_make_ready(bw_self());

	bw_procs(2);
	bw_timer_start(t, 3600000000000ULL);
	wait_for_minder();
	bw_timer_stop(t);
	bw_park();
	return 0;
}

static void reads_in_vain(void *arg)
{
	char c;

	EXPECT(bw_read(alarm_pipe[0], &c, 1) == -ECANCELED);
}

static int closes_what_another_thread_sleeps_for(void *arg)
{
	bw_procs(2);
	bw_go(reads_in_vain, NULL);
	while (!bw_netpoll_waiting())
		bw_yield();
	wait_for_minder();
	bw_close(alarm_pipe[0]);
	bw_park();
	return 0;
}

static int period_of_0(void *arg)
{
	bw_ticker_make(0);
	return 0;
}

static struct bw_g *first_waiter;

static void waits_for_ticks_too(void *arg)
{
	__atomic_store_n(&first_waiter, bw_self(), __ATOMIC_SEQ_CST);
	bw_ticker_wait(arg);
}

static int two_wait_for_a_ticker(void *arg)
{
	struct bw_ticker *t = bw_ticker_make(3600000000000ULL);
	struct bw_g *g;

	bw_go(waits_for_ticks_too, t);
	do
		bw_yield();
	while (!(g = __atomic_load_n(&first_waiter, __ATOMIC_SEQ_CST)) ||
	       READ_ONCE(g->state) != BW_G_PARKED);
	bw_ticker_wait(t);
	return 0;
}

static void child(void *arg)
{
	int (*fn)(void *arg) = *(int (**)(void *arg))arg;

	/* here, so that any thread's handler may use it */
	if (pipe(alarm_pipe))
		exit(9);
	exit(run_it(fn));
}

static void sleeps_without_a_G(void *arg)
{
	bw_sleep(1);
}

static void a_deadlock_is_one_only_without_timers_and_descriptors(void)
{
	static const struct {
		int (*fn)(void *arg);
		const char *says;
	} rows[] = {
		{ waits_for_a_stopped_timer, "deadlock: every G waits" },
		{ stops_what_another_thread_sleeps_for,
		  "deadlock: every G waits" },
		{ closes_what_another_thread_sleeps_for,
		  "deadlock: every G waits" },
		{ period_of_0, "a ticker with a period of 0" },
		{ two_wait_for_a_ticker, "while G" },
	};
	int (*fine[])(void *arg) = { only_sleeps, only_reads };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(fine); i++) {
		int status = rig_child(child, &fine[i], said, sizeof(said));

		if (!EXPECT(!status) || !EXPECT(!strstr(said, "deadlock")))
			printf("# row %u, status 0x%x, said: %s\n", i, status,
			       said);
	}
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int status = rig_child(child, (void *)&rows[i].fn, said,
				       sizeof(said));

		EXPECT(WIFSIGNALED(status) && strstr(said, rows[i].says));
	}
	EXPECT(WIFSIGNALED(rig_child(sleeps_without_a_G, NULL, said,
				     sizeof(said))));
	EXPECT(strstr(said, "from a thread that is not attached"));
}

int main(void)
{
	TEST(a_deadlock_ends_the_process_with_a_line_for_each_G);
	TEST(with_another_thread_about_a_deadlock_is_only_reported);
	TEST(when_the_last_stranger_has_ended_a_deadlock_is_fatal);
	TEST(a_deadlock_is_one_only_without_timers_and_descriptors);
	return tap_end();
}
