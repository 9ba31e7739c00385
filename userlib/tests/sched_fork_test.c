// SPDX-License-Identifier: MIT
/* A child of fork() with a run of its own: bw_after_fork(). */
#include <sys/socket.h>

#include "alloc_rig.h"
#include "burrow/io.h"
#include "burrow/time.h"
#include "sched_rig.h"

#define GS	300
#define STORM	12

/* What Gs of the parent do: none of it is to happen in a child. */
static long ghosts;
static pid_t parent;			/* whose Gs these are */

static void haunt(void)
{
	if (getpid() != parent)
		add(&ghosts, 1);
}

static void sleeper(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_SEQ_CST)) {
		bw_sleep(200000);
		haunt();
	}
}

static void yielder(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_SEQ_CST)) {
		bw_yield();
		haunt();
	}
}

static void dreamer(void *arg)
{
	bw_sleep(3600 * 1000000000ULL);
	haunt();
}

static void alarmed(void *arg)
{
	haunt();
}

/* Reads bytes and gives them back, until there are no more. */
static void echo(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char c;

	while (bw_read(fd, &c, 1) == 1 && bw_write(fd, &c, 1) == 1)
		;
	bw_close(fd);
}

static void echo_of_parent(void *arg)
{
	echo(arg);
	haunt();
}

static void one(void *arg)
{
	char deep[6000];

	memset(deep, 1, sizeof(deep));
	__asm__ volatile("" : : "r" (deep) : "memory");
	bw_yield();
	bw_sleep(1000);
	countdown_done(arg);
}

static void say(void *arg)
{
	add(arg, 1);
}

/* All that a run has: Gs, sleep, descriptors, timers, blocking calls. */
static int work(void *arg)
{
	struct countdown c;
	struct bw_timer *t;
	long said = 0;
	int fd[2], i;
	char byte;

	countdown_init(&c, GS);
	for (i = 0; i < GS; i++)
		EXPECT(!bw_go(one, &c));
	countdown_wait(&c);
	EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	EXPECT(!bw_go(echo, (void *)(intptr_t)fd[1]));
	for (i = 0; i < 50; i++) {
		byte = (char)i;
		EXPECT(bw_write(fd[0], &byte, 1) == 1);
		EXPECT(bw_read_until(fd[0], &byte, 1,
				     bw_now() + 20000000000ULL) == 1);
		EXPECT(byte == (char)i);
	}
	bw_close(fd[0]);
	t = bw_timer_make(say, &said);
	EXPECT(t);
	bw_timer_start(t, 1000);
	while (!__atomic_load_n(&said, __ATOMIC_SEQ_CST))
		bw_sleep(100000);
	bw_timer_free(t);
	bw_block_begin();
	usleep(100);
	bw_block_end();
	EXPECT(bw_procs(3) >= 1 && bw_procs(0) == 3);
	return 41 + *(int *)arg;
}

static void count_g(struct bw_g *g, void *arg)
{
	*(long *)arg += !g->bare;
}

static long count_gs(void)
{
	long n = 0;

	bw_g_each(count_g, &n);
	return n;
}

/* Descriptors that Gs of the parent wait for, while it has such. */
static int awaited[2] = { -1, -1 };

/* In the child, wherever it stands. */
static void child_runs(void *arg)
{
	long had;
	int more;

	EXPECT(!bw_after_fork());
	/* it can sleep, and does not only try to */
	EXPECT(bw_parker_park_until(&bw_sched.done, 1) == -ETIMEDOUT);
	EXPECT(bw_parker_park_until(&bw_sched.sysmon, 1) == -ETIMEDOUT);
	/* their numbers are for others */
	if (awaited[0] >= 0 && awaited[1] >= 0)
		EXPECT(!close(awaited[0]) && !close(awaited[1]));
	had = count_gs();
	EXPECT(!bw_self() && !bw_is_running());
	for (more = 0; more < 2; more++)
		EXPECT(bw_run(work, &more) == 41 + more);
	EXPECT(!__atomic_load_n(&ghosts, __ATOMIC_SEQ_CST));
	/* the parent's Gs are there to be used */
	EXPECT(had < GS || count_gs() < had + GS / 2);
	EXPECT(rig_heap_is_whole());
}

static bool child_is_well(void (*fn)(void *arg))
{
	return rig_join(rig_fork(fn, NULL));
}

static bool over;
static struct bw_timer *far;

/* A parent in which everything is under way. */
static int busy(void *arg)
{
	void (*fn)(void *arg) = arg;
	int fd[2], i;
	char byte = 1;

	EXPECT(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	EXPECT(!bw_go(echo_of_parent, (void *)(intptr_t)fd[1]));
	for (i = 0; i < 8; i++) {
		EXPECT(!bw_go(sleeper, &over));
		EXPECT(!bw_go(yielder, &over));
	}
	for (i = 0; i < GS; i++)
		EXPECT(!bw_go(dreamer, NULL));
	awaited[0] = fd[0];
	awaited[1] = fd[1];
	far = bw_timer_make(alarmed, NULL);
	bw_timer_start(far, 100000);
	bw_sleep(1000000);
	for (i = 0; i < STORM; i++) {
		EXPECT(child_is_well(fn));
		/* the parent's own descriptors are as they were */
		EXPECT(bw_write(fd[0], &byte, 1) == 1);
		EXPECT(bw_read_until(fd[0], &byte, 1,
				     bw_now() + 20000000000ULL) == 1);
	}
	awaited[0] = -1;
	bw_close(fd[0]);
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	return 0;
}

static void run_busy(void (*fn)(void *arg))
{
	over = false;
	parent = getpid();
	EXPECT(!bw_run(busy, (void *)fn));
}

static void a_child_of_a_G_runs_Gs_of_its_own_and_none_of_the_parents(void)
{
	run_busy(child_runs);
}

static int forks_again(void *arg)
{
	EXPECT(child_is_well(child_runs));
	return 0;
}

/* Its child forks in a G, and after its run, on the stack of the first one's G. */
static void child_forks(void *arg)
{
	parent = getpid();
	EXPECT(!bw_after_fork());
	EXPECT(!bw_run(forks_again, NULL));
	EXPECT(child_is_well(child_runs));
	EXPECT(!bw_run(forks_again, NULL));
}

static int fork_deep(void *arg)
{
	EXPECT(child_is_well(child_forks));
	return 0;
}

static void so_does_the_childs_child_and_that_one_s(void)
{
	parent = getpid();
	EXPECT(!bw_run(fork_deep, NULL));
}

static void *fork_in_thread(void *arg)
{
	bool attached = arg;

	if (attached)
		EXPECT(!bw_thread_attach());
	EXPECT(child_is_well(child_runs));
	if (attached)
		bw_thread_detach();
	return NULL;
}

static int beside(void *arg)
{
	pthread_t t;

	EXPECT(!pthread_create(&t, NULL, fork_in_thread, arg));
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	return 0;
}

static void so_does_a_child_of_any_thread_during_a_run_and_without(void)
{
	parent = getpid();
	EXPECT(!bw_run(beside, NULL));
	EXPECT(!bw_run(beside, &over));
	fork_in_thread(NULL);
	fork_in_thread(&over);
}

static int call_it_here(void *arg)
{
	struct countdown c;

	countdown_init(&c, 1);
	EXPECT(!bw_go(one, &c));
	EXPECT(!bw_after_fork());
	EXPECT(bw_self());
	countdown_wait(&c);
	return 0;
}

static void elsewhere_it_does_nothing(void)
{
	EXPECT(!bw_after_fork());
	EXPECT(!bw_run(call_it_here, NULL));
}

static void forgets(void *arg)
{
	bw_run(call_it_here, NULL);
}

static int fork_and_forget(void *arg)
{
	child_is_well(forgets);
	return 0;
}

static void run_forget(void *arg)
{
	bw_run(fork_and_forget, NULL);
}

static void without_it_a_run_in_a_child_is_one_fatal_line(void)
{
	char said[512];

	EXPECT(!rig_child(run_forget, NULL, said, sizeof(said)));
	EXPECT(strstr(said, "bw_run() in a child after fork(), which may exec"));
	EXPECT(strstr(said, "bw_after_fork()"));
}

int main(void)
{
	/* first: its children are not to be those of who had a run */
	TEST(without_it_a_run_in_a_child_is_one_fatal_line);
	TEST(elsewhere_it_does_nothing);
	TEST(a_child_of_a_G_runs_Gs_of_its_own_and_none_of_the_parents);
	TEST(so_does_the_childs_child_and_that_one_s);
	TEST(so_does_a_child_of_any_thread_during_a_run_and_without);
	return tap_end();
}
