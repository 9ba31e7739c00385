// SPDX-License-Identifier: MIT
/* gdb_sched_target: Gs that wait, for gdb_sched.sh to look at. */
#include <stdlib.h>
#include <unistd.h>

#include "burrow/go.h"

void here(void);

static volatile int depth;
static int fd[2];

__attribute__((noinline)) void here(void)
{
	__asm__ volatile("" : : : "memory");
}

__attribute__((noinline)) static void inner(int number)
{
	volatile int kept = number;

	bw_park();
	depth += kept;
}

__attribute__((noinline)) static void outer(void)
{
	inner(4711);
	depth++;
}

static void sleepy(void *arg)
{
	outer();
	depth++;
}

static void reader(void *arg)
{
	char c;

	bw_block_begin();
	depth += (int)read(fd[0], &c, 1);
	bw_block_end();
}

static int first(void *arg)
{
	int i;

	if (pipe(fd))
		return 1;
	bw_go_named("sleepy", sleepy, NULL);
	bw_go_named("reader", reader, NULL);
	/* with one P they are where they wait when it is ours again */
	for (i = 0; i < 100; i++)
		bw_yield();
	if (arg)
		abort();
	here();
	return 0;
}

int main(int argc, char **argv)
{
	return bw_run(first, argv[1]);
}
