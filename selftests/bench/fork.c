// SPDX-License-Identifier: MIT
/*
 * fork: what fork() costs per resident 4 KiB page, and what a write costs that
 * has to copy one, or that only has to find out that it need not.
 *
 * The rows of anonymous memory come first: from then on there is a heap, and
 * every fork clones it.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static int turn[2][2];		/* pipes: to the parent, to the child */
static double *told;		/* what the child has measured */

static void give(int whom)
{
	if (write(turn[whom][1], "", 1) != 1)
		die("pipe");
}

static void wait_for(int whose)
{
	char c;

	if (read(turn[whose][0], &c, 1) != 1)
		die("pipe");
}

static void setup(void)
{
	told = mmap(NULL, FRAME, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED || pipe(turn[0]) || pipe(turn[1]))
		die("set-up");
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		die("a child");
}

static void fork_and_wait(const struct row *r)
{
	pid_t pid = child();

	(void)r;
	if (!pid)
		_exit(0);
	reap(pid);
}

/* r->run makes memory resident. What a fork takes without it is taken off. */
static double fork_cost(const struct row *r)
{
	double with, without;

	without = timed(fork_and_wait, r);
	if (!r->before)
		return without;
	r->before(r);
	with = timed(fork_and_wait, r);
	r->after(r);
	return with - without;
}

#define PARENT	0
#define CHILD	1
#define FIRST	2	/* row->arg: who writes first, and whose write counts */

static void child_part(const struct row *r)
{
	wait_for(CHILD);
	*told = timed(r->run, r);
	give(PARENT);
	wait_for(CHILD);
	_exit(0);
}

/* Both write to all of it, one after the other. */
static double cow_cost(const struct row *r)
{
	int first = r->arg / FIRST, who = r->arg % FIRST, i;
	double mine = 0;
	pid_t pid;

	r->before(r);
	pid = child();
	if (!pid)
		child_part(r);
	for (i = 0; i < 2; i++) {
		if ((first ^ i) == PARENT) {
			mine = timed(r->run, r);
		} else {
			give(CHILD);
			wait_for(PARENT);
		}
	}
	give(CHILD);
	reap(pid);
	r->after(r);
	return who == PARENT ? mine : *told;
}

static void span_full(const struct row *r)
{
	span_alloc(r);
	span_touch(r);
}

#define BASE(n)	"anon " n
#define ROW(n, ba, co, be, ru, af, ar) \
	{ .name = n, .unit = "4K page", .units = TOTAL / FRAME, .base = ba, \
	  .span = 8 * K, .total = TOTAL, .batch = 64, .before = be, .run = ru, \
	  .cost = co, .after = af, .arg = ar }
#define BARE(n, un) \
	{ .name = n, .unit = un, .units = 1, .base = "fork, no heap", \
	  .cost = fork_cost }
#define EACH(who, be, ru, af) \
	ROW(who " fork, child exits", BASE("fork, child exits"), fork_cost, \
	    be, NULL, af, 0), \
	ROW(who " COW parent first: its write", \
	    BASE("COW parent first: its write"), cow_cost, be, ru, af, \
	    PARENT * FIRST + PARENT), \
	ROW(who " COW parent first: child's", \
	    BASE("COW parent first: child's"), cow_cost, be, ru, af, \
	    PARENT * FIRST + CHILD), \
	ROW(who " COW child first: its write", \
	    BASE("COW child first: its write"), cow_cost, be, ru, af, \
	    CHILD * FIRST + CHILD), \
	ROW(who " COW child first: parent's", \
	    BASE("COW child first: parent's"), cow_cost, be, ru, af, \
	    CHILD * FIRST + PARENT)

static const struct row mainline[] = {
	BARE("fork, no heap", "fork"),
	EACH("anon", anon_full, anon_touch, anon_unmap),
};

static const struct row ours[] = {
	BARE("fork, heap of an arena, empty", "fork"),
	EACH("burrow", span_full, span_touch, span_free_reclaim),
};

void fork_part(void)
{
	setup();
	rows_measure(mainline, NR(mainline));
	heap_make(1, 0, 0);
	rows_measure(ours, NR(ours));
}
