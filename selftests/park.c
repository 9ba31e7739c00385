// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * park: tokens, sleepers, deadlines and signals of thread slots. What many
 * threads do to each other is in wakeup.c.
 *
 * A test that needs somebody asleep waits until /proc says that the thread
 * sleeps inside its PARK; nothing here depends on how long anything takes.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "child.h"
#include "proc.h"

FIXTURE(slots) {
	struct heap h;
	__u32 a, b;
};

FIXTURE_SETUP(slots)
{
	int r;

	ASSERT_EQ(0, heap_make(&self->h, 1));
	r = thread_add(&self->h);
	ASSERT_LE(0, r);
	self->a = r;
	r = thread_add(&self->h);
	ASSERT_LE(0, r);
	self->b = r;
}

FIXTURE_TEARDOWN(slots)
{
}

#define PAST	1ULL

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/**
 * struct sleeper - a thread in one PARK
 * @tid:	0 until it runs
 * @result:	what PARK said
 * @done:	it said so
 */
struct sleeper {
	struct heap *h;
	__u32 slot;
	__u64 deadline;
	pthread_t thread;
	pid_t tid;
	int result;
	int done;
};

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	s->result = thread_park(s->h, s->slot, s->deadline);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Is the task in state S, in an ioctl of @fd? */
static bool sleeps_in_ioctl(pid_t tid, int fd)
{
	char path[64], text[512], *state;
	unsigned long nr, arg0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (file_read(path, text, sizeof(text)))
		return false;
	state = strrchr(text, ')');
	if (!state || state[2] != 'S')
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	if (file_read(path, text, sizeof(text)))
		return false;
	return sscanf(text, "%lu %lx", &nr, &arg0) == 2 &&
	       nr == SYS_ioctl && arg0 == (unsigned long)fd;
}

static int sleeper_start(struct sleeper *s)
{
	return pthread_create(&s->thread, NULL, sleeper_run, s);
}

/* Until it sleeps; one that returned instead has its result to tell. */
static void sleeper_await(struct sleeper *s)
{
	pid_t tid;

	while ((!(tid = __atomic_load_n(&s->tid, __ATOMIC_ACQUIRE)) ||
		!sleeps_in_ioctl(tid, s->h->fd)) &&
	       !__atomic_load_n(&s->done, __ATOMIC_ACQUIRE))
		sched_yield();
}

static int sleeper_join(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	return s->result;
}

TEST_F(slots, a_token_left_before_is_taken_without_sleeping)
{
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, thread_park(&self->h, self->a, 0));
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->a, PAST));
}

TEST_F(slots, two_unparks_leave_one_token)
{
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, thread_park(&self->h, self->a, PAST));
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->a, PAST));
}

TEST_F(slots, a_token_belongs_to_its_slot)
{
	EXPECT_EQ(0, thread_unpark(&self->h, self->b));
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->a, PAST));
	EXPECT_EQ(0, thread_park(&self->h, self->b, PAST));
}

TEST_F(slots, a_token_is_worth_more_than_a_deadline_that_passed)
{
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, thread_park(&self->h, self->a, PAST));
}

TEST_F(slots, a_deadline_ends_the_sleep_not_before_its_time)
{
	__u64 deadline = now_ns() + 20000000;

	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->a, deadline));
	EXPECT_LE(deadline, now_ns());
}

TEST_F(slots, a_deadline_beyond_time_is_EINVAL)
{
	EXPECT_EQ(-EINVAL, thread_park(&self->h, self->a, 1ULL << 63));
	EXPECT_EQ(-EINVAL, thread_park(&self->h, self->a, ~0ULL));
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, thread_park(&self->h, self->a, ~0ULL >> 1));
}

TEST_F(slots, unpark_wakes_a_sleeper)
{
	struct sleeper s = { .h = &self->h, .slot = self->a };

	ASSERT_EQ(0, sleeper_start(&s));
	sleeper_await(&s);
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, sleeper_join(&s));
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->a, PAST));
}

TEST_F(slots, a_slot_has_one_sleeper_and_cannot_be_deleted_under_it)
{
	struct sleeper s = { .h = &self->h, .slot = self->a };

	ASSERT_EQ(0, sleeper_start(&s));
	sleeper_await(&s);
	EXPECT_EQ(-EBUSY, thread_park(&self->h, self->a, PAST));
	EXPECT_EQ(-EBUSY, thread_swap(&self->h, self->a, self->b, PAST));
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->b, PAST));
	EXPECT_EQ(-EBUSY, thread_del(&self->h, self->a));
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, sleeper_join(&s));
	EXPECT_EQ(0, thread_del(&self->h, self->a));
	EXPECT_EQ(-ENXIO, thread_unpark(&self->h, self->a));
	EXPECT_EQ(-ENXIO, thread_park(&self->h, self->a, PAST));
	EXPECT_EQ(-ENXIO, thread_del(&self->h, self->a));
}

TEST_F(slots, a_swap_wakes_first_and_then_sleeps)
{
	struct sleeper s = { .h = &self->h, .slot = self->b };

	ASSERT_EQ(0, sleeper_start(&s));
	sleeper_await(&s);
	EXPECT_EQ(-ETIMEDOUT, thread_swap(&self->h, self->a, self->b, PAST));
	EXPECT_EQ(0, sleeper_join(&s));
}

TEST_F(slots, a_swap_with_oneself_takes_its_own_token)
{
	EXPECT_EQ(0, thread_swap(&self->h, self->a, self->a, 0));
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->a, PAST));
}

TEST_F(slots, a_swap_to_no_slot_leaves_the_own_token_alone)
{
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(-ENXIO, thread_swap(&self->h, self->a, self->b + 1, 0));
	EXPECT_EQ(0, thread_park(&self->h, self->a, PAST));
}

static volatile sig_atomic_t nr_signals;

static void signal_caught(int sig)
{
	(void)sig;
	nr_signals++;
}

static int signals_catch(int flags)
{
	struct sigaction sa = { .sa_handler = signal_caught,
				.sa_flags = flags };

	nr_signals = 0;
	return sigaction(SIGUSR1, &sa, NULL);
}

TEST_F(slots, a_signal_ends_park_with_EINTR)
{
	struct sleeper s = { .h = &self->h, .slot = self->a };

	ASSERT_EQ(0, signals_catch(0));
	ASSERT_EQ(0, sleeper_start(&s));
	sleeper_await(&s);
	ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, sleeper_join(&s));
	EXPECT_EQ(1, nr_signals);
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->a, PAST));
	EXPECT_EQ(0, thread_del(&self->h, self->a));
}

TEST_F(slots, with_SA_RESTART_park_goes_on_and_gets_its_token)
{
	struct sleeper s = { .h = &self->h, .slot = self->a };
	int i;

	ASSERT_EQ(0, signals_catch(SA_RESTART));
	ASSERT_EQ(0, sleeper_start(&s));
	for (i = 1; i <= 5; i++) {
		sleeper_await(&s);
		ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
		while (nr_signals < i)
			sched_yield();
		ASSERT_EQ(0, __atomic_load_n(&s.done, __ATOMIC_ACQUIRE));
	}
	EXPECT_EQ(0, thread_unpark(&self->h, self->a));
	EXPECT_EQ(0, sleeper_join(&s));
}

TEST_F(slots, with_SA_RESTART_a_deadline_stays_where_it_was)
{
	struct sleeper s = { .h = &self->h, .slot = self->a };

	ASSERT_EQ(0, signals_catch(SA_RESTART));
	s.deadline = now_ns() + 300000000;
	ASSERT_EQ(0, sleeper_start(&s));
	while (!__atomic_load_n(&s.tid, __ATOMIC_ACQUIRE))
		sched_yield();
	pthread_kill(s.thread, SIGUSR1);
	EXPECT_EQ(-ETIMEDOUT, sleeper_join(&s));
	EXPECT_LE(s.deadline, now_ns());
}

/* Done twice, the hand-over would wake somebody for nothing. */
static void *swapper_run(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	s->result = thread_swap(s->h, s->slot, s->slot + 1, 0);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(slots, a_swap_is_not_restarted)
{
	struct sleeper s = { .h = &self->h, .slot = self->a };

	ASSERT_EQ(self->a + 1, self->b);
	ASSERT_EQ(0, signals_catch(SA_RESTART));
	ASSERT_EQ(0, pthread_create(&s.thread, NULL, swapper_run, &s));
	sleeper_await(&s);
	EXPECT_EQ(0, thread_park(&self->h, self->b, 0));
	ASSERT_EQ(0, pthread_kill(s.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, sleeper_join(&s));
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->b, PAST));
}

/* A child: its threads park, it says so and never returns. */
static int child_parks(void *arg)
{
	int out = *(int *)arg, slot;
	struct sleeper s[3];
	struct heap h;
	size_t i;

	CHILD_CHECK(!heap_make(&h, 1));
	for (i = 0; i < NR(s); i++) {
		slot = thread_add(&h);
		CHILD_CHECK(slot >= 0);
		s[i] = (struct sleeper){ .h = &h, .slot = slot };
		CHILD_CHECK(!sleeper_start(&s[i]));
		sleeper_await(&s[i]);
	}
	CHILD_CHECK(write(out, "", 1) == 1);
	slot = thread_add(&h);
	CHILD_CHECK(slot >= 0);
	thread_park(&h, slot, 0);
	return CHILD_BAD;
}

TEST(parked_threads_can_be_killed)
{
	__u64 before = user_frames();
	int i, pipes[2];
	char byte;

	ASSERT_EQ(0, pipe(pipes));
	for (i = 0; i < 10; i++) {
		pid_t pid = child_start(child_parks, &pipes[1]);

		ASSERT_LT(0, pid);
		ASSERT_EQ(1, read(pipes[0], &byte, 1));
		EXPECT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(CHILD_KILLED + SIGKILL, child_wait(pid));
	}
	EXPECT_EQ(before, user_frames());
}

TEST_F(slots, slots_are_bounded_and_come_back)
{
	struct burrow_heap_stats stats;
	struct burrow_query q;
	__u32 i, have = 2;

	ASSERT_EQ(0, device_query(self->h.fd, &q));
	for (; have < q.out_max_threads; have++)
		ASSERT_LE(0, thread_add(&self->h));
	EXPECT_EQ(-EMFILE, thread_add(&self->h));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(q.out_max_threads, stats.out_threads);
	EXPECT_EQ(0, thread_del(&self->h, self->a));
	EXPECT_EQ(self->a, thread_add(&self->h));
	for (i = 0; i < q.out_max_threads; i++)
		ASSERT_EQ(0, thread_del(&self->h, i));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(0, stats.out_threads);
}

TEST_HARNESS_MAIN
