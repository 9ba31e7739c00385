// SPDX-License-Identifier: MIT
/* Ends that nobody told the scheduler of: exit(), exec, threads that are gone. */
#include "burrow/alloc.h"
#include "sched_rig.h"

static char said[1 << 16];
static long looping;
static const char *const self_path = "/proc/self/exe";

static void loops(void *arg)
{
	add(&looping, 1);
	while (load_seq(&looping))
		bw_cpu_relax();
}

static void in_a_call(void *arg)
{
	bw_block_begin();
	add(&looping, 1);
	for (;;)
		pause();
}

static void parks(void *arg)
{
	add(&looping, 1);
	bw_park();
}

static void says_goodbye(void)
{
	if (write(STDERR_FILENO, "goodbye\n", 8) != 8)
		_exit(1);
}

/* From a G that is not the first, beside others in every state. */
static void exits(void *arg)
{
	exit(7);
}

static void execs(void *arg)
{
	execl(self_path, "sched_exit_test", "again", NULL);
}

static int beside_others(void *fn)
{
	bw_go(loops, NULL);
	bw_go(in_a_call, NULL);
	bw_go(parks, NULL);
	while (load_seq(&looping) < 3)
		bw_yield();
	bw_go((void (*)(void *))fn, NULL);
	for (;;)
		bw_yield();
	return 1;
}

static void run_beside_others(void *fn)
{
	looping = 0;
	if (fn == (void *)exits)
		atexit(says_goodbye);
	bw_run(beside_others, fn);
}

static void any_G_may_exit_and_what_is_to_be_done_at_exit_is(void)
{
	int status = rig_child(run_beside_others, (void *)exits, said,
			       sizeof(said));

	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	if (!EXPECT(!strcmp(said, "goodbye\n")))
		printf("# said: %s\n", said);
}

static void any_G_may_exec_and_the_new_program_may_run_Gs(void)
{
	int status = rig_child(run_beside_others, (void *)execs, said,
			       sizeof(said));

	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 9);
	if (!EXPECT(!said[0]))
		printf("# said: %s\n", said);
}

/* What the program is that was execed: its first G and one more. */
static void adds(void *c)
{
	add(&looping, 9);
	countdown_done(c);
}

static int again(void *arg)
{
	struct countdown c;

	countdown_init(&c, 1);
	bw_go(adds, &c);
	countdown_wait(&c);
	return (int)looping;
}

static void *ends_without_a_word(void *arg)
{
	EXPECT(!bw_thread_attach());
	bw_free(bw_alloc(100));
	if (arg)
		pthread_exit(arg);
	return NULL;
}

static void *is_cancelled(void *arg)
{
	EXPECT(!bw_thread_attach());
	add(&looping, 1);
	for (;;)
		pause();
	return NULL;
}

static void join(pthread_t t)
{
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
}

static void lose_thread(int how)
{
	pthread_t t;

	looping = 0;
	EXPECT(!pthread_create(&t, NULL, how == 2 ? is_cancelled :
			       ends_without_a_word, how ? said : NULL));
	if (how == 2) {
		while (!load_seq(&looping))
			bw_yield();
		EXPECT(!pthread_cancel(t));
	}
	join(t);
}

static int without_threads(void *arg)
{
	int i, k;

	for (i = 0; i < 30; i++) {
		lose_thread(i % 3);
		for (k = 0; k < 3; k++) {
			bw_world_stop("test");
			bw_world_start();
		}
	}
	return 5;
}

static void threads_that_end_without_a_word_hold_nobody_up(void)
{
	EXPECT(bw_run(without_threads, NULL) == 5);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return bw_run(again, NULL);
	setenv("BURROW_PROCS", "3", 0);
	TEST(any_G_may_exit_and_what_is_to_be_done_at_exit_is);
	TEST(any_G_may_exec_and_the_new_program_may_run_Gs);
	TEST(threads_that_end_without_a_word_hold_nobody_up);
	return tap_end();
}
