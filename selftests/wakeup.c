// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * wakeup: no wake-up is lost, none comes twice, however threads meet. A test
 * that loses one does not end; the harness ends it.
 */
#include <pthread.h>

#include "burrow_selftest.h"

#define PAST	1ULL

FIXTURE(heap) {
	struct heap h;
	__u32 slot;
};

FIXTURE_SETUP(heap)
{
	int r;

	ASSERT_EQ(0, heap_make(&self->h, 1));
	r = thread_add(&self->h);
	ASSERT_LE(0, r);
	self->slot = r;
}

FIXTURE_TEARDOWN(heap)
{
}

#define PLAYERS	4
#define TURNS	1000

/**
 * struct player - one of a ring; each hands on to the next
 * @ball:	shared by all: who has it changes it, nobody else
 */
struct player {
	struct heap *h;
	__u32 slot, next;
	bool swap;
	volatile unsigned long *ball;
	int bad;
};

static void *player_run(void *arg)
{
	struct player *p = arg;
	int i;

	for (i = 0; i < TURNS; i++) {
		int r = 0;

		/* a swap gave the token for the next turn already */
		if (!p->swap || !i)
			r = thread_park(p->h, p->slot, 0);
		*p->ball = *p->ball + 1;
		if (p->swap && i < TURNS - 1)
			r |= thread_swap(p->h, p->slot, p->next, 0);
		else
			r |= thread_unpark(p->h, p->next);
		p->bad += r != 0;
	}
	return NULL;
}

/* A lost wake-up would stop the ring; a second one would spoil the count. */
static unsigned long ring_play(struct heap *h, bool swap, int *bad)
{
	volatile unsigned long ball = 0;
	struct player p[PLAYERS];
	pthread_t thread[PLAYERS];
	int i, slot[PLAYERS];

	for (i = 0; i < PLAYERS; i++)
		slot[i] = thread_add(h);
	*bad = 0;
	for (i = 0; i < PLAYERS; i++) {
		p[i] = (struct player) {
			.h = h, .slot = slot[i],
			.next = slot[(i + 1) % PLAYERS],
			.swap = swap, .ball = &ball,
		};
		*bad += pthread_create(&thread[i], NULL, player_run, &p[i]);
	}
	*bad += thread_unpark(h, slot[0]);
	for (i = 0; i < PLAYERS; i++) {
		pthread_join(thread[i], NULL);
		*bad += p[i].bad;
	}
	/* the token went round: it lies where it began */
	*bad += thread_park(h, slot[0], PAST);
	return ball;
}

TEST_F(heap, a_ring_of_threads_passes_a_ball_by_unpark)
{
	int bad;

	EXPECT_EQ(PLAYERS * TURNS, ring_play(&self->h, false, &bad));
	EXPECT_EQ(0, bad);
}

TEST_F(heap, a_ring_of_threads_passes_a_ball_by_swap)
{
	int bad;

	EXPECT_EQ(PLAYERS * TURNS, ring_play(&self->h, true, &bad));
	EXPECT_EQ(0, bad);
}

/**
 * struct stress - producers count up and unpark, one consumer counts down
 * @work:	what there is to do
 */
struct stress {
	struct heap *h;
	__u32 slot;
	unsigned long work;
	int bad;
};

#define STRESS_WORK	3000UL
#define PRODUCERS	3

static void *producer_run(void *arg)
{
	struct stress *s = arg;
	unsigned long i;

	for (i = 0; i < STRESS_WORK; i++) {
		__atomic_fetch_add(&s->work, 1, __ATOMIC_SEQ_CST);
		if (thread_unpark(s->h, s->slot))
			__atomic_fetch_add(&s->bad, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Sleeps without a deadline whenever it finds no work. */
TEST_F(heap, no_wake_up_is_lost_between_four_threads)
{
	struct stress s = { .h = &self->h, .slot = self->slot };
	pthread_t thread[PRODUCERS];
	unsigned long done = 0, got;
	int i;

	for (i = 0; i < PRODUCERS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, producer_run,
					    &s));
	while (done < PRODUCERS * STRESS_WORK) {
		got = __atomic_exchange_n(&s.work, 0, __ATOMIC_SEQ_CST);
		done += got;
		if (!got && thread_park(&self->h, self->slot, 0))
			s.bad++;
	}
	for (i = 0; i < PRODUCERS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(PRODUCERS * STRESS_WORK, done);
	EXPECT_EQ(0, s.bad);
}

#define MEETINGS	5000U

/**
 * struct meeting - a park and an unpark that begin together
 * @turn:	counts up when the next may begin
 */
struct meeting {
	struct heap *h;
	__u32 slot;
	__u32 turn;
	int bad;
};

static void spin(__u32 n)
{
	while (n--)
		__asm__ __volatile__("" ::: "memory");
}

/* The two sides start a little apart, each time by another distance. */
static void *meeting_unpark(void *arg)
{
	struct meeting *m = arg;
	__u32 i;

	for (i = 1; i <= MEETINGS; i++) {
		while (__atomic_load_n(&m->turn, __ATOMIC_ACQUIRE) != i)
			;
		spin(i * 37 % 1024);
		if (thread_unpark(m->h, m->slot))
			m->bad++;
	}
	return NULL;
}

TEST_F(heap, an_unpark_that_meets_a_park_half_way_is_not_lost)
{
	struct meeting m = { .h = &self->h, .slot = self->slot };
	pthread_t thread;
	__u32 i, lost = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, meeting_unpark, &m));
	for (i = 1; i <= MEETINGS; i++) {
		__atomic_store_n(&m.turn, i, __ATOMIC_RELEASE);
		spin(i * 53 % 1024);
		lost += thread_park(&self->h, self->slot, 0) != 0;
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, m.bad);
	EXPECT_EQ(-ETIMEDOUT, thread_park(&self->h, self->slot, PAST));
}

TEST_HARNESS_MAIN
