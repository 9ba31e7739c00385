// SPDX-License-Identifier: MIT
/*
 * oneheap_stop: stops the world while threads are in a malloc that is another copy
 * of the library; run by oneheap.sh. With libburrow.a, whose inside it knows, and
 * libburrow-malloc.so preloaded, so that the two have one heap.
 *
 * Says "whole" if no stopped thread ever held a lock of that heap. A collector
 * takes those locks; here they are looked at before, so that a mistake is a
 * message and not a silence.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burrow/go.h"
#include "heap/copy.h"
#include "heap/pageheap.h"
#include "sched/sched.h"

#define THREADS	3
#define STOPS	5000

static u32 end;
static u64 calls[THREADS];

/* Large ones go to the page heap each time, small ones to the depots. */
static void churn(u64 *nr)
{
	void *p[40];
	u32 i;

	for (i = 0; i < 40; i++)
		p[i] = malloc(i % 2 ? 40000 + i * 8000 : 16 + i * 16);
	for (i = 0; i < 40; i++)
		free(p[i]);
	__atomic_add_fetch(nr, 80, __ATOMIC_RELAXED);
}

static void *churns(void *arg)
{
	if (bw_thread_attach())
		abort();
	while (!READ_ONCE(end))
		churn(arg);
	bw_thread_detach();
	return NULL;
}

/* The name of one that a stopped thread has, or NULL. */
static const char *held(struct bw_mheap *h)
{
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++)
		if (READ_ONCE(h->central[i].lock.word))
			return "a span class's lock";
	if (READ_ONCE(h->arenas.word))
		return "the lock of the arenas";
	return READ_ONCE(h->lock.word) ? "the page heap's lock" : NULL;
}

/* Without stdio: a stopped thread may be in the malloc. */
static int fail(const char *what)
{
	if (write(STDOUT_FILENO, what, strlen(what)) < 0 ||
	    write(STDOUT_FILENO, "\n", 1) < 0)
		_exit(2);
	_exit(1);
}

static void stop_once(void)
{
	struct bw_mheap *h = bw_sched.mheap;
	const char *bad;

	bw_world_stop("test");
	bad = held(h);
	if (bad)
		fail(bad);
	bw_lock(&h->lock);
	bw_unlock(&h->lock);
	bw_world_start();
}

/* Its thread is in no section, of neither copy: a stop would wait for ever. */
static void child_is_in_no_section(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		free(malloc(100000));
		_exit(bw_copies_count());
	}
	waitpid(pid, &status, 0);
	if (status)
		fail("a child of fork() is in a section");
}

static int stops(void *arg)
{
	pthread_t t[THREADS];
	u32 i;

	if (bw_copies_nr() != 2)
		fail("the malloc is no other copy of the library");
	child_is_in_no_section();
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, churns, &calls[i]))
			abort();
	for (i = 0; i < THREADS; i++)
		while (!READ_ONCE(calls[i]))
			bw_yield();
	for (i = 0; i < STOPS; i++) {
		stop_once();
		bw_yield();
	}
	WRITE_ONCE(end, 1);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	return 0;
}

int main(void)
{
	alarm(50);
	bw_run(stops, NULL);
	puts("whole");
	return 0;
}
