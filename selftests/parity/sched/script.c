// SPDX-License-Identifier: MIT
/*
 * sched_parity: the scheduler's calls, in a script that prints every result.
 *
 *	BURROW_MODE=user   sched_parity > user.txt
 *	BURROW_MODE=kernel sched_parity > kernel.txt
 *	cmp user.txt kernel.txt
 *
 * The two are equal line by line, or one of the backends does not bear what the
 * scheduler builds on it: stacks and their guards, sleeping and waking of threads,
 * fork. "both sched_parity" does it where the module is.
 *
 *	script.c	<- here
 *	life.c		Gs, what they have and how they wait
 *	time.c		sleeps, deadlines, timers, tickers
 *	io.c		descriptors
 *	end.c		processes that die, exit, exec and fork
 *
 * It ends with "end" and status 0; what no backend may give is for the
 * comparison, not for the status.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

void crowd_begin(struct crowd *c, long n)
{
	c->nr = n;
	c->waiter = bw_self();
	__atomic_store_n(&c->left, n, __ATOMIC_SEQ_CST);
}

void crowd_less(struct crowd *c)
{
	/* after the last one *c is no more */
	struct bw_g *waiter = c->waiter;

	if (!__atomic_sub_fetch(&c->left, 1, __ATOMIC_SEQ_CST))
		bw_ready(waiter);
}

void crowd_wait(struct crowd *c)
{
	long left;

	for (left = c->nr; left;
	     left = __atomic_load_n(&c->left, __ATOMIC_SEQ_CST))
		bw_park();
}

void number(const char *what, long n)
{
	if (n < 0 && n > -4096)
		printf("%s: %s\n", what, strerrorname_np((int)-n));
	else
		printf("%s: %ld\n", what, n);
}

void holds(const char *what, bool yes)
{
	printf("%s: %s\n", what, yes ? "yes" : "no");
}

void run_on(int procs, const char *what, int (*fn)(void *arg))
{
	char text[12];

	snprintf(text, sizeof(text), "%d", procs);
	setenv("BURROW_PROCS", text, 1);
	printf("%s, %d Ps: %d\n", what, procs, bw_run(fn, NULL));
}

int main(int argc, char **argv)
{
	const char *mode = getenv("BURROW_MODE");

	if (!mode || (strcmp(mode, "user") && strcmp(mode, "kernel"))) {
		fprintf(stderr, "sched_parity: BURROW_MODE is user or kernel\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		return end_of(argv[1]);
	unsetenv("BURROW");
	life_script();
	time_script();
	io_script();
	end_script();
	printf("end\n");
	return 0;
}
