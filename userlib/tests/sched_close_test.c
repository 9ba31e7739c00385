// SPDX-License-Identifier: MIT
/*
 * Calls that begin just when a descriptor is closed (D7 of sched/netpoll.h).
 *
 * The program's close() stands in for the one of the C library and takes its time
 * where it is told to: before the number is free, or when it is somebody else's.
 */
#include <sys/syscall.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "burrow/io.h"
#include "burrow/time.h"
#include "sched_rig.h"

#define ROUNDS	10
#define YIELDS	20		/* enough, most often, to begin a call */
#define DEADLINE	(bw_now() + 20000000000ULL)

enum when { NEVER, BEFORE, AFTER };

/**
 * struct slow - a close that somebody calls into
 * @when:	on which side of close(2) it is slow			[atomic]
 * @fd:	the number						[atomic]
 * @spare:	what has the number behind close(2)			[first G]
 * @there:	it is at the slow place					[atomic]
 * @called:	the other G is about to call				[atomic]
 */
static struct slow {
	long when;
	long fd;
	int spare;
	long there;
	long called;
} slow;

static long get(const long *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static void set(long *n, long value)
{
	__atomic_store_n(n, value, __ATOMIC_SEQ_CST);
}

static void be_slow(void)
{
	int i;

	set(&slow.there, 1);
	while (!get(&slow.called))
		sched_yield();
	for (i = 0; i < YIELDS; i++)
		sched_yield();
}

int close(int fd)
{
	bool ours = get(&slow.when) != NEVER && fd == get(&slow.fd);

	if (ours && get(&slow.when) == BEFORE)
		be_slow();
	/* at once: sysmon may open a file, which would have the number first */
	if (ours && get(&slow.when) == AFTER) {
		EXPECT(dup2(slow.spare, fd) == fd);
		be_slow();
		return 0;
	}
	return (int)syscall(SYS_close, fd);
}

static void until_there(void)
{
	while (!get(&slow.there))
		bw_yield();
	set(&slow.called, 1);
}

static void reads_late(void *arg)
{
	char c;

	until_there();
	/* it would wait for what nobody will ever write there */
	EXPECT(bw_read_until((int)get(&slow.fd), &c, 1, DEADLINE) == -EBADF);
	countdown_done(arg);
}

static void writes_anew(void *arg)
{
	until_there();
	EXPECT(bw_write((int)get(&slow.fd), "n", 1) == 1);
	countdown_done(arg);
}

static void close_slowly(enum when when, void (*other)(void *arg))
{
	struct countdown c;
	int fd[2];

	EXPECT(!pipe2(fd, O_NONBLOCK));
	/* sysmon closes files, too */
	set(&slow.there, 0);
	set(&slow.called, 0);
	set(&slow.fd, fd[0]);
	countdown_init(&c, 1);
	bw_go(other, &c);
	set(&slow.when, when);
	EXPECT(!bw_close(fd[0]));
	countdown_wait(&c);
	set(&slow.when, NEVER);
	if (when == AFTER)
		EXPECT(!bw_close(fd[0]));
	EXPECT(!bw_close(fd[1]));
}

static int late_calls(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS && !tap_bad_here; i++)
		close_slowly(BEFORE, reads_late);
	return 0;
}

static void a_call_that_begins_in_a_close_finds_no_descriptor(void)
{
	run_it(late_calls);
}

static int new_owners(void *arg)
{
	int fd[2], i;
	char c;

	EXPECT(!pipe2(fd, O_NONBLOCK));
	slow.spare = fd[1];
	for (i = 0; i < ROUNDS && !tap_bad_here; i++) {
		close_slowly(AFTER, writes_anew);
		EXPECT(bw_read_until(fd[0], &c, 1, DEADLINE) == 1 && c == 'n');
	}
	EXPECT(!bw_close(fd[0]) && !bw_close(fd[1]));
	return 0;
}

static void who_has_the_number_next_may_use_it_before_the_close_returns(void)
{
	run_it(new_owners);
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	TEST(a_call_that_begins_in_a_close_finds_no_descriptor);
	TEST(who_has_the_number_next_may_use_it_before_the_close_returns);
	return tap_end();
}
