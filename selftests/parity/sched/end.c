// SPDX-License-Identifier: MIT
/*
 * end: processes that die, exit, exec and fork (script.c). Each is this program
 * again, with the name of its end; what it says is printed, with # for numbers.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <burrow/trace.h>

#include "script.h"

static int yields(void *arg)
{
	void (*fn)(void *arg) = arg;

	if (fn)
		bw_go_named("other", fn, NULL);
	while (bw_self())
		bw_yield();
	return 0;
}

static void unlocks(void *arg)
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

static int returns_5(void *arg)
{
	return 5;
}

static void runs_again(void *arg)
{
	bw_run(returns_5, NULL);
}

static __attribute__((noinline)) int fall(int n)
{
	volatile char room[512];

	room[0] = (char)n;
	return n > 1 << 30 ? 0 : 1 + fall(n + 1) + room[0];
}

static void overflows(void *arg)
{
	fall(0);
}

static void touches_nothing(void *arg)
{
	*(volatile int *)arg = 1;
}

static void exits(void *arg)
{
	exit(9);
}

static void execs(void *arg)
{
	execl("/proc/self/exe", "sched_parity", "returns", (char *)NULL);
}

static void parks(void *arg)
{
	for (;;)
		bw_park();
}

/* When all Gs wait and no thread is with one any more. */
static void *sends_quit(void *arg)
{
	struct bw_stats stats = { .size = sizeof(stats) };

	do {
		usleep(1000);
		bw_stats(&stats);
	} while (stats.parks < 2 || stats.threads_idle < stats.threads);
	kill(getpid(), SIGQUIT);
	return NULL;
}

static int quits(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, sends_quit, NULL);
	bw_go_named("other", parks, NULL);
	parks(NULL);
	return 0;
}

static int all_wait(void *arg)
{
	bw_go_named("other", parks, NULL);
	parks(NULL);
	return 0;
}

/* What a child of a G comes to: @again, it may have Gs of its own. */
static void child_of_a_g(bool again)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (again)
			number("after fork", bw_after_fork());
		number("a run in the child", bw_run(returns_5, NULL));
		fflush(stdout);
		_exit(6);
	}
	bw_block_begin();
	waitpid(pid, &status, 0);
	bw_block_end();
	printf("the child: %s %d\n", WIFEXITED(status) ? "status" : "signal",
	       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	exit(0);
}

static void forks(void *arg)
{
	child_of_a_g(true);
}

static void forks_and_forgets(void *arg)
{
	child_of_a_g(false);
}

static void *is_lost(void *arg)
{
	if (!bw_thread_attach())
		pthread_exit(NULL);
	return NULL;
}

/* A thread that ends while it is attached is nobody's wait. */
static void loses_a_thread(void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, is_lost, NULL);
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	exit(3);
}

/**
 * struct end - one of them
 * @name:	what it is called
 * @fn:		the first G
 * @arg:	what else that starts, or NULL
 * @option:	name and value, or NULL
 */
static const struct end {
	const char *name;
	int (*fn)(void *arg);
	void (*arg)(void *arg);
	const char *option[2];
} ends[] = {
	{ "returns", returns_5, NULL, { NULL } },
	{ "unlocks", yields, unlocks, { NULL } },
	{ "yields-in-a-call", yields, yields_in_a_call, { NULL } },
	{ "ends-no-call", yields, ends_no_call, { NULL } },
	{ "runs-again", yields, runs_again, { NULL } },
	{ "no-run", NULL, unlocks, { NULL } },
	{ "overflows", yields, overflows, { NULL } },
	{ "touches-nothing", yields, touches_nothing, { NULL } },
	{ "exits", yields, exits, { NULL } },
	{ "execs", yields, execs, { NULL } },
	{ "quits", quits, NULL, { "BURROW", "deadlock=off" } },
	{ "all-wait", all_wait, NULL, { NULL } },
	{ "forks", yields, forks, { NULL } },
	{ "forks-and-forgets", yields, forks_and_forgets, { NULL } },
	{ "loses-a-thread", yields, loses_a_thread, { NULL } },
	{ "no-procs", returns_5, NULL, { "BURROW_PROCS", "0" } },
	{ "no-stack", returns_5, NULL, { "BURROW", "stacksize=3" } },
	{ "bad-word", returns_5, NULL, { "BURROW", "deadlock=maybe" } },
	{ "large-stacks", returns_5, NULL, { "BURROW", "stacksize=1M" } },
};

int end_of(const char *name)
{
	size_t i;

	setenv("BURROW_PROCS", "1", 1);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		const struct end *e = &ends[i];

		if (strcmp(e->name, name))
			continue;
		if (e->option[0])
			setenv(e->option[0], e->option[1], 1);
		if (!e->fn)
			e->arg(NULL);
		return bw_run(e->fn, (void *)e->arg);
	}
	return 127;
}

/* A line of a message; where a stack is shown stays out. */
static void say_line(const char *line)
{
	bool digits = false;

	if (isspace((unsigned char)*line))
		return;
	printf("| ");
	for (; *line && *line != '\n'; line++) {
		if (!isdigit((unsigned char)*line))
			putchar(*line);
		else if (!digits)
			putchar('#');
		digits = isdigit((unsigned char)*line);
	}
	putchar('\n');
}

static void say_end(const struct end *e)
{
	char line[1024];
	int out[2], status;
	FILE *f;
	pid_t pid;

	printf("- %s\n", e->name);
	if (pipe2(out, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		/* a shell has what it starts in the background ignore it */
		signal(SIGQUIT, SIG_DFL);
		execl("/proc/self/exe", "sched_parity", e->name, (char *)NULL);
		_exit(126);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	while (f && fgets(line, sizeof(line), f))
		say_line(line);
	if (f)
		fclose(f);
	waitpid(pid, &status, 0);
	printf("%s %d\n", WIFEXITED(status) ? "status" : "signal",
	       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

void end_script(void)
{
	size_t i;

	section("ends");
	for (i = 0; i < ARRAY_SIZE(ends); i++)
		say_end(&ends[i]);
}
