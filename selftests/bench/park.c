// SPDX-License-Identifier: MIT
/*
 * park: what it costs two threads on one CPU to wake each other, by futex(2) and
 * through thread slots. A round trip is there and back: two wake-ups, two sleeps.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define TRIPS	2000U

static atomic_int word[2];
static uint32_t slot[2];

static void futex_wake(int who)
{
	atomic_store(&word[who], 1);
	if (syscall(SYS_futex, &word[who], FUTEX_WAKE_PRIVATE, 1, NULL) < 0)
		die("FUTEX_WAKE");
}

static void futex_wait(int who)
{
	while (!atomic_load(&word[who]))
		syscall(SYS_futex, &word[who], FUTEX_WAIT_PRIVATE, 0, NULL);
	atomic_store(&word[who], 0);
}

static void unpark(int who)
{
	struct burrow_thread_unpark a = {
		.size = sizeof(a), .slot = slot[who],
	};

	if (ioctl(heap.fd, BURROW_IOC_THREAD_UNPARK, &a))
		die("UNPARK");
}

static void park(int who, uint32_t flags)
{
	struct burrow_thread_park a = {
		.size = sizeof(a), .slot = slot[who], .flags = flags,
		.wake_slot = flags ? slot[!who] : 0,
	};

	if (ioctl(heap.fd, BURROW_IOC_THREAD_PARK, &a))
		die("PARK");
}

#define FUTEX	0U		/* row->arg: how */
#define SLOTS	1U
#define SWAP	2U

static void turn(uint32_t how, int who)
{
	if (how == FUTEX) {
		futex_wake(!who);
		futex_wait(who);
	} else if (how == SLOTS) {
		unpark(!who);
		park(who, 0);
	} else {
		park(who, BURROW_PARK_SWAP);
	}
}

/* It sleeps first, and wakes last. */
static void *partner(void *arg)
{
	const struct row *r = arg;
	uint32_t i;

	if (r->arg == FUTEX)
		futex_wait(1);
	else
		park(1, 0);
	for (i = 1; i < TRIPS; i++)
		turn(r->arg, 1);
	if (r->arg == FUTEX)
		futex_wake(0);
	else
		unpark(0);
	return NULL;
}

static void trips(const struct row *r)
{
	uint32_t i;

	for (i = 0; i < TRIPS; i++)
		turn(r->arg, 0);
}

static double cost(const struct row *r)
{
	pthread_t other;
	double took;

	if (pthread_create(&other, NULL, partner, (void *)r))
		die("pthread_create");
	took = timed(trips, r);
	pthread_join(other, NULL);
	return took;
}

/* Nobody sleeps: a token is left and taken. */
static void alone(const struct row *r)
{
	uint32_t i;

	for (i = 0; i < TRIPS; i++) {
		if (r->arg == FUTEX) {
			futex_wake(0);
			syscall(SYS_futex, &word[0], FUTEX_WAIT_PRIVATE, 0,
				NULL);
		} else {
			unpark(0);
			park(0, 0);
		}
	}
	atomic_store(&word[0], 0);
}

#define BACK	"futex, a thread wakes another and is woken"
#define ALONE	"futex, woken before it waits"

#define ROW(n, un, ba, co, ru, ar) \
	{ .name = n, .unit = un, .units = TRIPS, .base = ba, .cost = co, \
	  .run = ru, .arg = ar }

static const struct row rows[] = {
	ROW(BACK, "round trip", NULL, cost, NULL, FUTEX),
	ROW("burrow park and unpark", "round trip", BACK, cost, NULL, SLOTS),
	ROW("burrow park with SWAP", "round trip", BACK, cost, NULL, SWAP),
	ROW(ALONE, "pair", NULL, NULL, alone, FUTEX),
	ROW("burrow token left and taken", "pair", ALONE, NULL, alone, SLOTS),
};

void park_part(void)
{
	uint32_t i;

	heap_make(1, 0, 0);
	for (i = 0; i < 2; i++) {
		struct burrow_thread_add a = { .size = sizeof(a) };

		if (ioctl(heap.fd, BURROW_IOC_THREAD_ADD, &a))
			die("THREAD_ADD");
		slot[i] = a.out_slot;
	}
	rows_measure(rows, NR(rows));
}
