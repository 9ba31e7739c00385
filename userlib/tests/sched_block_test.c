// SPDX-License-Identifier: MIT
/* Blocking calls: they stop nobody else, keep errno, and may outlive a run. */
#include <poll.h>

#include "sched_rig.h"

struct pipes {
	struct countdown c;
	int fd[64][2];
	int nr;
	long got;
};

/* Functions of their own: where errno is changes with the thread. */
static __attribute__((noinline)) void errno_set(int value)
{
	errno = value;
}

static __attribute__((noinline)) bool errno_is(int value)
{
	return errno == value;
}

static void read_one(void *arg)
{
	struct pipes *p = arg;
	int me, fd;
	static long nr;
	char c;

	me = (int)((add(&nr, 1) - 1) % p->nr);
	fd = p->fd[me][0];
	errno_set(4711);
	bw_block_begin();
	EXPECT(errno_is(4711));
	EXPECT(read(fd, &c, 1) == 1);
	errno_set(815);
	bw_block_end();
	EXPECT(errno_is(815));
	add(&p->got, 1);
	countdown_done(&p->c);
}

/* More Gs than Ps sit in read(); those that write them free still run. */
static int many_readers(void *arg)
{
	static struct pipes p = { .nr = 40 };
	int i;

	for (i = 0; i < p.nr && !p.fd[i][1]; i++)
		EXPECT(!pipe(p.fd[i]));
	p.got = 0;
	countdown_init(&p.c, p.nr);
	for (i = 0; i < p.nr; i++)
		bw_go(read_one, &p);
	/* each yield may lead into a read(); we come back all the same */
	for (i = 0; i < 200; i++)
		bw_yield();
	EXPECT(p.got == 0);
	for (i = 0; i < p.nr; i++)
		EXPECT(write(p.fd[i][1], "x", 1) == 1);
	countdown_wait(&p.c);
	EXPECT(p.got == p.nr);
	return 0;
}

static void readers_that_block_stop_nobody_else(void)
{
	run_it(many_readers);
}

static int one_p(void *arg)
{
	static struct pipes p = { .nr = 1 };

	int before = bw_procs(1);

	EXPECT(before > 0 && bw_procs(0) == 1);
	EXPECT(!pipe(p.fd[0]));
	countdown_init(&p.c, 1);
	bw_go(read_one, &p);
	bw_yield();
	EXPECT(write(p.fd[0][1], "x", 1) == 1);
	countdown_wait(&p.c);
	EXPECT(bw_procs(before) == 1);
	return 0;
}

static void the_only_P_is_taken_from_a_call_that_blocks(void)
{
	run_it(one_p);
}

static int left[2];
static long came_back;

static void blocks_for_long(void *arg)
{
	char c;

	bw_block_begin();
	add(&came_back, 1);
	EXPECT(read(left[0], &c, 1) == 1);
	bw_block_end();
	add(&came_back, 1000000);
}

static int leaves_one_in_a_call(void *arg)
{
	long before = came_back;

	bw_go(blocks_for_long, NULL);
	while (__atomic_load_n(&came_back, __ATOMIC_SEQ_CST) == before)
		bw_yield();
	return 3;
}

static int look_at_it(void *arg)
{
	/* the old one comes back while this run is there, and is no part of it */
	if (arg)
		EXPECT(write(left[1], "xxx", 3) == 3);
	return 5;
}

static void a_run_ends_although_a_G_is_in_a_call_which_ends_later(void)
{
	int i;

	EXPECT(!pipe(left));
	for (i = 0; i < 3; i++)
		EXPECT(run_it(leaves_one_in_a_call) == 3);
	EXPECT(bw_run(look_at_it, NULL) == 5);
	EXPECT(bw_run(look_at_it, left) == 5);
	EXPECT(bw_run(many_readers, NULL) == 0);
	EXPECT(came_back == 3);
}

static long fast;

static void short_calls(void *arg)
{
	int i;

	for (i = 0; i < 2000; i++) {
		bw_block_begin();
		poll(NULL, 0, 0);
		bw_block_end();
		add(&fast, 1);
	}
	countdown_done(arg);
}

static int many_short(void *arg)
{
	struct countdown c;
	int i;

	countdown_init(&c, 20);
	for (i = 0; i < 20; i++)
		bw_go(short_calls, &c);
	countdown_wait(&c);
	EXPECT(fast == 40000);
	return 0;
}

static void short_calls_by_many_Gs_all_return(void)
{
	run_it(many_short);
}

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	TEST(readers_that_block_stop_nobody_else);
	TEST(the_only_P_is_taken_from_a_call_that_blocks);
	TEST(short_calls_by_many_Gs_all_return);
	TEST(a_run_ends_although_a_G_is_in_a_call_which_ends_later);
	return tap_end();
}
