// SPDX-License-Identifier: MIT
/* malloc_gdb_target: blocks in all places, for gdb.sh to ask about. */
#include <pthread.h>

#include "malloc/entry.h"

#define NR	1000

char *live, *hot, *old, *large;
static char *block[NR];

void here(void);

__attribute__((noinline)) void here(void)
{
	__asm__ volatile("" : : : "memory");
}

/* All of it is in the depot when the thread is gone. */
static void *free_all(void *arg)
{
	int i;

	for (i = 0; i < NR; i++)
		bw_mem_free(block[i]);
	return arg;
}

int main(void)
{
	pthread_t thread;
	int i;

	for (i = 0; i < NR; i++)
		block[i] = bw_mem_malloc(512);
	live = (char *)bw_mem_malloc(512) + 5;
	hot = bw_mem_malloc(512);
	bw_mem_free(hot);
	old = block[0];
	pthread_create(&thread, NULL, free_all, NULL);
	pthread_join(thread, NULL);
	large = (char *)bw_mem_malloc(1 << 20) + 9;
	here();
	return 0;
}
