// SPDX-License-Identifier: MIT
/* hello: ten Gs say who they are; the first one waits for them. */
#include <stdio.h>

#include <burrow/go.h>

static struct bw_g *first;
static int left = 10;

static void hello(void *arg)
{
	printf("hello from G %llu\n", (unsigned long long)bw_g_id(bw_self()));
	if (!__atomic_sub_fetch(&left, 1, __ATOMIC_ACQ_REL))
		bw_ready(first);
}

static int start(void *arg)
{
	int i;

	first = bw_self();
	for (i = 0; i < 10; i++)
		if (bw_go(hello, NULL))
			return 1;
	while (__atomic_load_n(&left, __ATOMIC_ACQUIRE))
		bw_park();
	return 0;
}

int main(void)
{
	return bw_run(start, NULL);
}
