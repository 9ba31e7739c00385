// SPDX-License-Identifier: MIT
/*
 * ring: a number goes round a ring of Gs, each of which wakes its neighbour.
 *
 *	ring [GS [ROUNDS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <burrow/go.h>

static int nr = 1000, rounds = 100;
static struct bw_g **ring;
static long number;

/* G @me moves the number on when it is its turn, and wakes the next one. */
static void member(void *arg)
{
	long me = (long)arg, i;

	for (i = 0; i < rounds; i++) {
		while (__atomic_load_n(&number, __ATOMIC_ACQUIRE) !=
		       i * nr + me)
			bw_park();
		__atomic_store_n(&number, i * nr + me + 1, __ATOMIC_RELEASE);
		bw_ready(ring[(me + 1) % nr]);
	}
}

static void join(void *arg)
{
	__atomic_store_n(&ring[(long)arg], bw_self(), __ATOMIC_RELEASE);
	/* until the whole ring is there */
	bw_park();
	member(arg);
}

static int start(void *arg)
{
	struct timespec a, b;
	long i;

	/* the first G is member 0 */
	ring[0] = bw_self();
	for (i = 1; i < nr; i++)
		if (bw_go(join, (void *)i))
			return 1;
	for (i = 1; i < nr; i++)
		while (!__atomic_load_n(&ring[i], __ATOMIC_ACQUIRE))
			bw_yield();
	for (i = 1; i < nr; i++)
		bw_ready(ring[i]);
	clock_gettime(CLOCK_MONOTONIC, &a);
	member(NULL);
	while (__atomic_load_n(&number, __ATOMIC_ACQUIRE) !=
	       (long)nr * rounds)
		bw_park();
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%d Gs, %d rounds: %.0f ns a hand-over\n", nr, rounds,
	       ((double)(b.tv_sec - a.tv_sec) * 1e9 +
		(double)(b.tv_nsec - a.tv_nsec)) / nr / rounds);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		nr = atoi(argv[1]);
	if (argc > 2)
		rounds = atoi(argv[2]);
	if (nr < 2 || rounds < 1)
		return 2;
	ring = calloc((size_t)nr, sizeof(*ring));
	if (!ring)
		return 1;
	return bw_run(start, NULL);
}
