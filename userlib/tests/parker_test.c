// SPDX-License-Identifier: MIT
/* Parking: no token lost, none invented, and what was written before is seen. */
#include <sched.h>

#include "base/parker.h"
#include "rig.h"

static struct bw_heap *heap;

static struct bw_parker make(void)
{
	struct bw_parker p;

	EXPECT(!bw_parker_init(&p, heap));
	return p;
}

static u64 stat(enum bw_stat which)
{
	return READ_ONCE(heap->stats.count[which]);
}

static void wait_until_asleep(struct bw_parker *p)
{
	while (READ_ONCE(p->word) != BW_PARK_ASLEEP)
		sched_yield();
}

static void a_token_left_before_is_taken_without_a_sleep(void)
{
	struct bw_parker p = make();
	u64 sleeps = stat(BW_STAT_sleeps), wakes = stat(BW_STAT_wakes);

	EXPECT(!bw_parker_unpark(&p));
	EXPECT(!bw_parker_unpark(&p));
	EXPECT(!bw_parker_park(&p));
	EXPECT(stat(BW_STAT_sleeps) == sleeps && stat(BW_STAT_wakes) == wakes);
	EXPECT(bw_parker_park_until(&p, 1) == -ETIMEDOUT);
	bw_parker_fini(&p);
}

static void a_deadline_ends_a_park_without_a_token_only(void)
{
	struct bw_parker p = make();
	u64 deadline = rig_now() + 2000000;

	EXPECT(bw_parker_park_until(&p, deadline) == -ETIMEDOUT);
	EXPECT(rig_now() >= deadline);
	EXPECT(bw_parker_park_until(&p, (u64)INT64_MAX + 1) == -EINVAL);
	EXPECT(!bw_parker_unpark(&p));
	EXPECT(!bw_parker_park_until(&p, 1));
	bw_parker_fini(&p);
}

static void *park_once(void *arg)
{
	return bw_parker_park(arg) ? arg : NULL;
}

static void a_wake_that_comes_late_does_not_end_a_park(void)
{
	struct bw_parker p = make();
	struct bw_backend *be = heap->be;
	u64 late = stat(BW_STAT_late_wakes);
	pthread_t t;
	void *bad;

	/* the second half of an unpark whose token was found by itself */
	EXPECT(!be->ops->unpark(be, p.slot));
	pthread_create(&t, NULL, park_once, &p);
	while (stat(BW_STAT_late_wakes) == late)
		sched_yield();
	wait_until_asleep(&p);
	EXPECT(!bw_parker_unpark(&p));
	pthread_join(t, &bad);
	EXPECT(!bad);
	EXPECT(stat(BW_STAT_late_wakes) == late + 1);
	bw_parker_fini(&p);
}

static struct bw_parker unlucky;

/* A sleep whose deadline passes just before the token comes. */
static int park_and_miss_it(struct bw_backend *be, u32 slot, u64 deadline,
			    u32 swap)
{
	EXPECT(bw_park_post(&unlucky.word));
	return -ETIMEDOUT;
}

static void a_token_that_comes_after_the_deadline_passed_is_taken(void)
{
	const struct bw_backend_ops *ops = heap->be->ops;
	struct bw_backend_ops late = *ops;

	late.park = park_and_miss_it;
	unlucky = make();
	heap->be->ops = &late;
	EXPECT(!bw_parker_park_until(&unlucky, 1));
	EXPECT(READ_ONCE(unlucky.word) == BW_PARK_EMPTY);
	heap->be->ops = ops;
	EXPECT(bw_parker_park_until(&unlucky, 1) == -ETIMEDOUT);
	bw_parker_fini(&unlucky);
}

static u32 nr_signals;

static void count_signal(int sig)
{
	fetch_add_relaxed(&nr_signals, 1);
}

static void a_signal_runs_its_handler_and_the_park_goes_on(void)
{
	struct sigaction sa = { .sa_handler = count_signal };
	struct bw_parker p = make();
	pthread_t t;
	void *bad;
	u32 i;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&t, NULL, park_once, &p);
	for (i = 0; i < 10; i++) {
		wait_until_asleep(&p);
		pthread_kill(t, SIGUSR1);
		while (READ_ONCE(nr_signals) == i)
			sched_yield();
	}
	EXPECT(READ_ONCE(p.word) == BW_PARK_ASLEEP);
	EXPECT(!bw_parker_unpark(&p));
	pthread_join(t, &bad);
	EXPECT(!bad);
	bw_parker_fini(&p);
}

static void park_where_somebody_is(void *arg)
{
	struct bw_parker *p = arg;

	/* a child has none of its parent's */
	EXPECT(!bw_parker_init(p, p->heap));
	p->word = BW_PARK_ASLEEP;
	bw_parker_park(p);
}

static void two_sleepers_in_one_parker_are_fatal(void)
{
	struct bw_parker p = make();
	char said[400];

	EXPECT(rig_aborted(rig_child(park_where_somebody_is, &p, said,
				     sizeof(said))));
	EXPECT(strstr(said, "two threads park"));
	bw_parker_fini(&p);
}

#define RING		6
/* between two emulated CPUs each wake-up takes long */
#define FEWER(n)	(rig_is_kernel_mode() ? (n) / 5 : (n))
#define RING_LAPS	FEWER(1500U)

/* Plain, so that a thread sanitizer sees whether tokens order it. */
static u64 baton;
static struct bw_parker ring[RING];

static void *run_in_ring(void *arg)
{
	u32 me = (u32)((struct bw_parker *)arg - ring), lap;

	for (lap = 0; lap < RING_LAPS; lap++) {
		EXPECT(!bw_parker_park(&ring[me]));
		EXPECT(baton == (u64)lap * RING + me);
		baton++;
		EXPECT(!bw_parker_unpark(&ring[(me + 1) % RING]));
	}
	return NULL;
}

static void a_token_goes_round_a_ring_of_threads_and_orders_their_writes(void)
{
	pthread_t t[RING];
	u32 i;

	for (i = 0; i < RING; i++)
		ring[i] = make();
	for (i = 0; i < RING; i++)
		pthread_create(&t[i], NULL, run_in_ring, &ring[i]);
	bw_parker_unpark(&ring[0]);
	for (i = 0; i < RING; i++)
		pthread_join(t[i], NULL);
	EXPECT(baton == RING * RING_LAPS);
	for (i = 0; i < RING; i++)
		bw_parker_fini(&ring[i]);
}

#define SWAPS	FEWER(3000U)

static struct bw_parker ping, pong;
static u64 swaps;

static void *answer(void *arg)
{
	u32 i;

	EXPECT(!bw_parker_park(&pong));
	for (i = 0; i < SWAPS; i++) {
		EXPECT(swaps == 2 * i + 1);
		swaps++;
		if (i < SWAPS - 1)
			EXPECT(!bw_parker_handover(&pong, &ping, 0));
	}
	EXPECT(!bw_parker_unpark(&ping));
	return arg;
}

static void two_threads_hand_over_to_each_other(void)
{
	pthread_t t;
	u32 i;

	swaps = 0;
	ping = make();
	pong = make();
	pthread_create(&t, NULL, answer, NULL);
	for (i = 0; i < SWAPS; i++) {
		EXPECT(swaps == 2 * i);
		swaps++;
		EXPECT(!bw_parker_handover(&ping, &pong, 0));
	}
	pthread_join(t, NULL);
	EXPECT(swaps == 2 * SWAPS);
	EXPECT(bw_parker_handover(&ping, &pong, 1) == -ETIMEDOUT);
	EXPECT(!bw_parker_park_until(&pong, 1));
	bw_parker_fini(&ping);
	bw_parker_fini(&pong);
}

#define POSTERS		3
#define POSTS		FEWER(1500U)

static struct bw_parker target;
static u64 mail[POSTERS], ack[POSTERS];

/* The next post waits for the answer to this one. */
static void *post_many(void *arg)
{
	u64 i, pause, me = (u64)((u64 *)arg - mail), seed = me + 1;

	for (i = 1; i <= POSTS; i++) {
		for (pause = rig_random(&seed) % 8; pause; pause--)
			sched_yield();
		WRITE_ONCE(mail[me], i);
		EXPECT(!bw_parker_unpark(&target));
		while (READ_ONCE(ack[me]) != i)
			sched_yield();
	}
	return NULL;
}

static u64 answer_mail(void)
{
	u64 all = 0;
	u32 i;

	for (i = 0; i < POSTERS; i++) {
		WRITE_ONCE(ack[i], READ_ONCE(mail[i]));
		all += ack[i];
	}
	return all;
}

/*
 * With deadlines short enough to race with tokens. Mail is looked at for a
 * token only: were one lost, its poster would wait for ever.
 */
static void no_token_is_lost_or_invented_when_deadlines_race_with_them(void)
{
	u64 seed = tap_seed(42), tokens = 0, timeouts = 0;
	pthread_t t[POSTERS];
	bool all = false;
	u32 i;

	target = make();
	for (i = 0; i < POSTERS; i++)
		pthread_create(&t[i], NULL, post_many, &mail[i]);
	while (!all) {
		u64 deadline = rig_random(&seed) % 2 ? 1 :
			       rig_now() + rig_random(&seed) % 4000;
		int err = bw_parker_park_until(&target, deadline);

		EXPECT(!err || err == -ETIMEDOUT);
		tokens += !err;
		timeouts += err != 0;
		if (!err)
			all = answer_mail() == POSTERS * POSTS;
	}
	for (i = 0; i < POSTERS; i++)
		pthread_join(t[i], NULL);
	/* a post may be answered for another's token; its own is then left */
	while (!bw_parker_park_until(&target, 1))
		tokens++;
	EXPECT(tokens <= POSTERS * POSTS);
	printf("# %llu tokens, %llu timeouts\n", (unsigned long long)tokens,
	       (unsigned long long)timeouts);
	bw_parker_fini(&target);
}

static void slots_of_the_backend_answer_by_the_table(void)
{
	struct bw_backend *be = heap->be;
	u32 a, b, again;

	if (!EXPECT(!be->ops->thread_add(be, &a) && !be->ops->thread_add(be, &b)))
		return;
	EXPECT(b == a + 1);
	EXPECT(!be->ops->thread_del(be, a));
	EXPECT(be->ops->thread_del(be, a) == -ENXIO);
	EXPECT(be->ops->unpark(be, a) == -ENXIO);
	EXPECT(be->ops->park(be, a, 1, BW_NO_SLOT) == -ENXIO);
	EXPECT(be->ops->unpark(be, be->max_threads) == -ENXIO);
	EXPECT(!be->ops->thread_add(be, &again) && again == a);
	EXPECT(!be->ops->unpark(be, b) && !be->ops->unpark(be, b));
	EXPECT(!be->ops->park(be, b, 1, BW_NO_SLOT));
	EXPECT(be->ops->park(be, b, 1, BW_NO_SLOT) == -ETIMEDOUT);
	EXPECT(be->ops->park(be, b, (u64)INT64_MAX + 1, BW_NO_SLOT) ==
	       -EINVAL);
	EXPECT(be->ops->park(be, b, 1, a) == -ETIMEDOUT);
	EXPECT(!be->ops->park(be, a, 1, a));
	EXPECT(!be->ops->unpark(be, b));
	EXPECT(be->ops->park(be, b, 1, be->max_threads) == -ENXIO);
	EXPECT(!be->ops->park(be, b, 1, BW_NO_SLOT));
	EXPECT(!be->ops->thread_del(be, a) && !be->ops->thread_del(be, b));
}

static void *sleep_in(void *arg)
{
	struct bw_parker *p = arg;

	int err;

	/* the probe of the other thread may be in it */
	do
		err = heap->be->ops->park(heap->be, p->slot, 0, BW_NO_SLOT);
	while (err == -EBUSY);
	return err ? p : NULL;
}

static void a_slot_with_a_sleeper_takes_no_other_and_is_not_deleted(void)
{
	struct bw_backend *be = heap->be;
	struct bw_parker p = make();
	pthread_t t;
	void *bad;
	int err;

	pthread_create(&t, NULL, sleep_in, &p);
	/* a probe that gets in first times out and tries again */
	do {
		err = be->ops->park(be, p.slot, 1, BW_NO_SLOT);
		sched_yield();
	} while (err == -ETIMEDOUT);
	EXPECT(err == -EBUSY);
	EXPECT(be->ops->thread_del(be, p.slot) == -EBUSY);
	EXPECT(!be->ops->unpark(be, p.slot));
	pthread_join(t, &bad);
	EXPECT(!bad);
	bw_parker_fini(&p);
}

static void slots_run_out_with_EMFILE_and_come_back(void)
{
	struct bw_backend *be = heap->be;
	u32 slot, n = 0, i;

	while (!be->ops->thread_add(be, &slot))
		EXPECT(slot == n++);
	EXPECT(n == be->max_threads);
	EXPECT(be->ops->thread_add(be, &slot) == -EMFILE);
	EXPECT(!be->ops->thread_del(be, 77));
	EXPECT(!be->ops->thread_add(be, &slot) && slot == 77);
	for (i = 0; i < n; i++)
		EXPECT(!be->ops->thread_del(be, i));
}

int main(void)
{
	heap = rig_heap(0, false);
	TEST(slots_of_the_backend_answer_by_the_table);
	TEST(a_slot_with_a_sleeper_takes_no_other_and_is_not_deleted);
	TEST(slots_run_out_with_EMFILE_and_come_back);
	TEST(a_token_left_before_is_taken_without_a_sleep);
	TEST(a_deadline_ends_a_park_without_a_token_only);
	TEST(a_wake_that_comes_late_does_not_end_a_park);
	TEST(a_token_that_comes_after_the_deadline_passed_is_taken);
	TEST(a_signal_runs_its_handler_and_the_park_goes_on);
	TEST(two_sleepers_in_one_parker_are_fatal);
	TEST(a_token_goes_round_a_ring_of_threads_and_orders_their_writes);
	TEST(two_threads_hand_over_to_each_other);
	TEST(no_token_is_lost_or_invented_when_deadlines_race_with_them);
	bw_heap_close(heap);
	return tap_end();
}
