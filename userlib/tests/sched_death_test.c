// SPDX-License-Identifier: MIT
/* What is fatal, and that the message says what was wrong; each in a child. */
#include "backend/user.h"
#include "burrow/alloc.h"
#include "death_rig.h"
#include "heap/pageheap.h"

static int nothing(void *arg)
{
	return 0;
}

static void run_with(void *arg)
{
	const char *const *env = arg;

	setenv(env[0], env[1], 1);
	run_it(nothing);
}

static void bad_values_of_options_are_one_clear_error(void)
{
	static const char *const bad[][3] = {
		{ "BURROW_PROCS", "0", "BURROW_PROCS=0 is not allowed" },
		{ "BURROW_PROCS", "x", "it is a number from 1 to 1024" },
		{ "BURROW_PROCS", "-1", "BURROW_PROCS=-1" },
		{ "BURROW_PROCS", "2 ", "not allowed" },
		{ "BURROW_PROCS", "1025", "not allowed" },
		{ "BURROW_PROCS", "99999999999999999999", "not allowed" },
		{ "BURROW_MAXTHREADS", "none", "BURROW_MAXTHREADS=none" },
		{ "BURROW", "stacksize=65K", "stacksize is 64K, 128K" },
		{ "BURROW", "verbose=0,deadlock=maybe", "fatal, report or off" },
		{ "BURROW", "schedtrace=", "schedtrace is milliseconds, 0 to" },
		{ "BURROW", "sigquit=1", "sigquit is exit or go-on" },
		{ "BURROW", "deadlock=off,speed=11", "unknown key 'speed'" },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		expect_death(run_with, (void *)bad[i], SIGABRT, bad[i][2]);
}

static void good_values_are_taken(void)
{
	static const char *const good[][2] = {
		{ "BURROW_PROCS", "1024" },
		{ "BURROW_PROCS", "" },
		{ "BURROW", "stacksize=1M,verify=1,deadlock=off" },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		EXPECT(!rig_child(run_with, (void *)good[i], said,
				  sizeof(said)));
}

static int nested(void *arg)
{
	return bw_run(nothing, NULL);
}

static void *second_run(void *arg)
{
	bw_run(nothing, NULL);
	return arg;
}

static int beside(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, second_run, NULL);
	return yield_for_ever();
}

static void yield_outside(void *arg)
{
	bw_yield();
}

static void yields_with_an_object(void *arg)
{
	EXPECT(bw_alloc(64));
	bw_yield();
}

static void parks_with_an_object(void *arg)
{
	EXPECT(bw_alloc(64));
	bw_park();
}

static void unlocked(void *arg)
{
	bw_unlock_thread();
}

static void yields_in_a_call(void *arg)
{
	bw_block_begin();
	bw_yield();
}

static void ends_no_call(void *arg)
{
	bw_block_end();
}

static void ready_twice(void *arg)
{
	bw_sched_ready(bw_self());
}

/* @arg does it, in a G beside the first. */
static int first_of(void *arg)
{
	void (**fn)(void *arg) = arg;

	bw_go(*fn, NULL);
	return yield_for_ever();
}

static void run_g(void *arg)
{
	bw_run(first_of, arg);
}

static void misuse_is_named(void)
{
	static int (*const runs[])(void *) = { nested, beside };
	static void (*const gs[])(void *) = {
		unlocked, yields_in_a_call, ends_no_call, ready_twice,
	};

	expect_death(run_fn, (void *)&runs[0], SIGABRT, "is not part of");
	expect_death(run_fn, (void *)&runs[1], SIGABRT, "under way");
	expect_death(yield_outside, NULL, SIGABRT,
		     "bw_yield() from a thread that is not attached");
	expect_death(yields_with_an_object, NULL, SIGABRT,
		     "bw_yield() from a thread that is not attached");
	expect_death(parks_with_an_object, NULL, SIGABRT,
		     "bw_park() from a thread that is not attached");
	expect_death(run_g, (void *)&gs[0], SIGABRT,
		     "without bw_lock_thread()");
	expect_death(run_g, (void *)&gs[1], SIGABRT,
		     "between bw_block_begin() and bw_block_end()");
	expect_death(run_g, (void *)&gs[2], SIGABRT,
		     "without bw_block_begin()");
	expect_death(run_g, (void *)&gs[3], SIGABRT,
		     "is to go from parked to runnable, and is running");
}

__attribute__((noinline)) static int fall(int n)
{
	volatile char room[512];

	room[0] = (char)n;
	return n > 1 << 30 ? 0 : 1 + fall(n + 1) + room[0];
}

static void faller(void *arg)
{
	fall((int)(long)arg);
}

static int overflows(void *arg)
{
	bw_go_named("deep", faller, NULL);
	return yield_for_ever();
}

static int null_touch(void *arg)
{
	return *(volatile int *)arg;
}

static void a_stack_overflow_names_the_G_and_where_it_started(void)
{
	static int (*const fn[])(void *) = { overflows, null_touch };

	expect_death(run_fn, (void *)&fn[0], SIGSEGV, "stack overflow: G ");
	EXPECT(strstr(said, "'deep', started with"));
	/* another fault is not called that */
	if (!BW_ASAN) {
		expect_death(run_fn, (void *)&fn[1], SIGSEGV, "");
		EXPECT(!strstr(said, "overflow"));
	}
}

/* As a system without markers, with so many mappings to spare. */
static void guards_are(u32 max_fences)
{
	struct bw_backend *be;

	setenv("BURROW_MODE", "user", 1);
	bw_sched_init();
	be = bw_mheap_backend(bw_sched.mheap);
	EXPECT(!bw_mheap_arena_add(bw_sched.mheap, BURROW_ARENA_STACK));
	bw_to_user(be)->guards.markers = false;
	bw_to_user(be)->guards.max_fences = max_fences;
}

static void run_overflow_with_fences(void *arg)
{
	guards_are(1000);
	bw_run(overflows, NULL);
}

/* So deep, at least, and back. */
__attribute__((noinline)) static long dip(size_t bytes)
{
	volatile char room[256];

	/* all of it: a canary sees only what is written */
	memset((void *)room, (char)bytes | 1, sizeof(room));
	/* the room is seen by others: this is no loop in disguise */
	__asm__ volatile("" : : "r" (room) : "memory");
	return bytes < 256 ? 0 : 1 + dip(bytes - 256) + room[0];
}

static void dipper(void *arg)
{
	EXPECT(dip(arg ? bw_sched.stack_bytes * 3 / 2 :
			 bw_sched.stack_bytes / 8));
}

/* The first gets the lowest of many stacks, the next the highest of them. */
static int dips(void *arg)
{
	bw_go(sleeper, NULL);
	bw_go_named("diver", dipper, said);
	return yield_for_ever();
}

static int dips_a_little(void *arg)
{
	int i;

	for (i = 0; i < 3000; i++) {
		EXPECT(!bw_go(dipper, NULL));
		bw_yield();
	}
	return 0;
}

static void run_without_guards(void *arg)
{
	guards_are(0);
	EXPECT(!bw_run(*(int (**)(void *))arg, NULL));
}

static void without_markers_stacks_have_fences_and_then_canaries(void)
{
	static int (*const fn[])(void *) = { dips, dips_a_little };
	const char *at;

	expect_death(run_overflow_with_fences, NULL, SIGSEGV,
		     "stack overflow: G ");
	EXPECT(!rig_child(run_without_guards, (void *)&fn[1], said,
			  sizeof(said)));
	at = strstr(said, "have no guard");
	EXPECT(at && !strstr(at + 1, "have no guard"));
	expect_death(run_without_guards, (void *)&fn[0], SIGABRT,
		     "stack overflow: G ");
	EXPECT(strstr(said, "'diver', started with dipper"));
}

static void forks(void *arg)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		volatile char room[8192];

		/* its stack is there, below what was touched, too */
		memset((void *)room, 1, sizeof(room));
		if (arg) {
			bw_yield();
		} else {
			execl("/proc/self/exe", "sched_death_test", "true",
			      NULL);
			/* an emulator knows itself by that name */
			execl("/bin/true", "true", NULL);
		}
		_exit(1);
	}
	bw_block_begin();
	waitpid(pid, &status, 0);
	bw_block_end();
	if (arg)
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	else
		EXPECT(status == 0);
}

static int forking(void *arg)
{
	forks(arg);
	return 0;
}

static void run_forking(void *arg)
{
	EXPECT(!bw_run(forking, arg));
}

static void a_child_of_a_G_may_exec_and_nothing_of_burrow(void)
{
	EXPECT(!rig_child(run_forking, NULL, said, sizeof(said)));
	EXPECT(!rig_child(run_forking, said, said, sizeof(said)));
	EXPECT(strstr(said, "bw_yield() in a child after fork()"));
}

static void too_many(void *arg)
{
	bw_lock_thread();
	bw_park();
}

static int wants_threads(void *arg)
{
	int i;

	for (i = 0; i < 30; i++)
		bw_go(too_many, NULL);
	return yield_for_ever();
}

static void run_few_threads(void *arg)
{
	setenv("BURROW_MAXTHREADS", "20", 1);
	bw_run(wants_threads, NULL);
}

static void more_threads_than_allowed_are_fatal(void)
{
	expect_death(run_few_threads, NULL, SIGABRT,
		     "BURROW_MAXTHREADS allows no more");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return strcmp(argv[1], "true");
	TEST(bad_values_of_options_are_one_clear_error);
	TEST(good_values_are_taken);
	TEST(misuse_is_named);
	TEST(a_stack_overflow_names_the_G_and_where_it_started);
	TEST(without_markers_stacks_have_fences_and_then_canaries);
	TEST(a_child_of_a_G_may_exec_and_nothing_of_burrow);
	TEST(more_threads_than_allowed_are_fatal);
	return tap_end();
}
