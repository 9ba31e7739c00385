// SPDX-License-Identifier: MIT
/* fork() while other threads allocate: the child has a heap that works. */
#include <sched.h>
#include <time.h>

#include "malloc_rig.h"

#define THREADS	3
#define FORKS	100
/* where a fork takes seconds, as on a debug kernel: after so long only these */
#define SECONDS		(mrig_is_guest() ? 5 : 10)
#define FORKS_LEAST	8

static unsigned int stop;
static unsigned int nr_going;		/* [atomic] threads past their start */

static void churn(void **slot, unsigned int nr, uint64_t *state)
{
	unsigned int k = (unsigned int)(mrig_random(state) % nr);

	bw_mem_free(slot[k]);
	slot[k] = bw_mem_malloc(mrig_size(state, 300000));
	if (slot[k])
		*(volatile char *)slot[k] = 1;
}

/* Bulk, and all of it sorted to its spans: long in the depot's locks. */
static void surge(void)
{
	void *p[2000];
	unsigned int i;

	for (i = 0; i < 2000; i++)
		p[i] = bw_mem_malloc(16 + i % 8 * 16);
	for (i = 0; i < 2000; i++)
		bw_mem_free(p[i * 7 % 2000]);
	bw_mem_trim(0);
}

static void *storm(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	void *slot[50] = { NULL };
	unsigned int i;

	__atomic_fetch_add(&nr_going, 1, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		if (arg == (void *)1)
			surge();
		else
			churn(slot, 50, &state);
	for (i = 0; i < 50; i++)
		bw_mem_free(slot[i]);
	return NULL;
}

/* In the child: all sizes, and what the parent's thread had. */
static int child(unsigned char *mine, uint64_t state)
{
	void *slot[50] = { NULL };
	unsigned int i;

	if (!mrig_holds(mine, 5000, 0x5a))
		return 1;
	bw_mem_free(mine);
	for (i = 0; i < 3000; i++)
		churn(slot, 50, &state);
	for (i = 0; i < 50; i++)
		bw_mem_free(slot[i]);
	bw_mem_trim(0);
	return mrig_is_good() ? 0 : 2;
}

static int fork_once(uint64_t seed)
{
	unsigned char *mine = bw_mem_malloc(5000);
	int status = -1;
	pid_t pid;

	memset(mine, 0x5a, 5000);
	pid = fork();
	if (!pid) {
		alarm(300);
		_exit(child(mine, seed));
	}
	waitpid(pid, &status, 0);
	if (!mrig_holds(mine, 5000, 0x5a))
		status = -1;
	bw_mem_free(mine);
	return status;
}

static bool is_enough(unsigned int forks, time_t began)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return forks >= FORKS ||
	       (forks >= FORKS_LEAST && ts.tv_sec - began > SECONDS);
}

static void a_child_of_a_storm_allocates_and_frees(void)
{
	pthread_t thread[THREADS];
	struct timespec began;
	unsigned int i;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, storm,
			       (void *)(uintptr_t)(i + 1));
	/* a sanitizer's locks that a thread's start takes stay locked in a child */
	while (__atomic_load_n(&nr_going, __ATOMIC_RELAXED) < THREADS)
		sched_yield();
	for (i = 0; !is_enough(i, began.tv_sec); i++) {
		int status = fork_once(i + 1);

		if (!EXPECT(mrig_ended_well(status))) {
			printf("# fork %u: status %x\n", i,
			       (unsigned int)status);
			break;
		}
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	EXPECT(mrig_heap_is_good());
}

static void handler_allocates(void)
{
	bw_mem_free(bw_mem_malloc(100));
	bw_mem_free(bw_mem_malloc(100000));
}

/* They were registered after ours, so they come first, and after it. */
static void fork_handlers_of_the_program_may_allocate(void)
{
	pthread_atfork(handler_allocates, handler_allocates,
		       handler_allocates);
	EXPECT(mrig_ended_well(fork_once(99)));
}

static int generations(unsigned int nr)
{
	void *p = bw_mem_malloc(1000);
	int status = 0;
	pid_t pid;

	if (!nr || !p)
		return !p;
	pid = fork();
	if (!pid)
		_exit(generations(nr - 1));
	waitpid(pid, &status, 0);
	bw_mem_free(p);
	return !mrig_ended_well(status);
}

static void children_of_children_have_a_heap(void)
{
	EXPECT(!generations(5));
}

int main(void)
{
	TEST(a_child_of_a_storm_allocates_and_frees);
	TEST(fork_handlers_of_the_program_may_allocate);
	TEST(children_of_children_have_a_heap);
	return tap_end();
}
