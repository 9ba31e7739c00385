// SPDX-License-Identifier: MIT
/* The mutex excludes, wakes whoever waits, and knows its place in the order. */
#include "base/lock.h"
#include "rig.h"

#define NR_THREADS	4
#define NR_ROUNDS	20000

static struct bw_lock lock;
static u64 counter;
static u32 inside;

static void *count_under_the_lock(void *arg)
{
	u32 i;

	for (i = 0; i < NR_ROUNDS; i++) {
		bw_lock(&lock);
		EXPECT(fetch_add_relaxed(&inside, 1) == 0);
		counter++;
		fetch_add_relaxed(&inside, -1);
		bw_unlock(&lock);
	}
	return arg;
}

static void one_thread_at_a_time_holds_the_lock(void)
{
	pthread_t t[NR_THREADS];
	u32 i;

	bw_lock_init(&lock, BW_RANK_PAGES);
	for (i = 0; i < NR_THREADS; i++)
		pthread_create(&t[i], NULL, count_under_the_lock, NULL);
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(t[i], NULL);
	EXPECT(counter == NR_THREADS * NR_ROUNDS);
	EXPECT(lock.word == BW_LOCK_FREE);
}

static void *lock_and_unlock(void *arg)
{
	bw_lock(&lock);
	bw_unlock(&lock);
	return arg;
}

/* Each waits until the holder sees that somebody does. */
static void whoever_waits_is_woken(void)
{
	u32 round;

	bw_lock_init(&lock, BW_RANK_PAGES);
	for (round = 0; round < 200; round++) {
		pthread_t a, b;

		bw_lock(&lock);
		pthread_create(&a, NULL, lock_and_unlock, NULL);
		pthread_create(&b, NULL, lock_and_unlock, NULL);
		while (READ_ONCE(lock.word) != BW_LOCK_CONTENDED)
			sched_yield();
		bw_unlock(&lock);
		pthread_join(a, NULL);
		pthread_join(b, NULL);
	}
	EXPECT(lock.word == BW_LOCK_FREE);
}

static struct bw_lock arenas, pages, slots;

static void init_all(void)
{
	bw_lock_init(&arenas, BW_RANK_ARENAS);
	bw_lock_init(&pages, BW_RANK_PAGES);
	bw_lock_init(&slots, BW_RANK_SLOTS);
}

static void locks_in_order_are_fine_and_leave_in_any_order(void)
{
	init_all();
	bw_lock(&arenas);
	bw_lock(&pages);
	bw_lock(&slots);
	bw_unlock(&pages);
	bw_unlock(&arenas);
	bw_unlock(&slots);
	bw_lock(&pages);
	bw_unlock(&pages);
	EXPECT(arenas.word == BW_LOCK_FREE && pages.word == BW_LOCK_FREE &&
	       slots.word == BW_LOCK_FREE);
}

static void lock_downwards(void *arg)
{
	init_all();
	bw_lock(&slots);
	bw_lock(&pages);
}

static void lock_two_of_a_rank(void *arg)
{
	struct bw_lock other;

	init_all();
	bw_lock_init(&other, BW_RANK_PAGES);
	bw_lock(&pages);
	bw_lock(&other);
}

static void unlock_what_is_free(void *arg)
{
	init_all();
	bw_unlock(&pages);
}

/* In a release build nothing looks: the same moves go through. */
static void expect_death(void (*fn)(void *arg), const char *words)
{
	char said[400];
	int status = rig_child(fn, NULL, said, sizeof(said));

	if (BW_DEBUG)
		EXPECT(rig_aborted(status) && strstr(said, words));
	else
		EXPECT(!status && !*said);
}

static void debug_builds_die_of_a_lock_out_of_order(void)
{
	expect_death(lock_downwards, "PAGES taken while SLOTS is held");
}

static void debug_builds_die_of_two_locks_of_a_rank(void)
{
	expect_death(lock_two_of_a_rank, "PAGES taken while PAGES is held");
}

static void debug_builds_die_of_an_unlock_without_a_lock(void)
{
	expect_death(unlock_what_is_free, "PAGES dropped but not held");
}

int main(void)
{
	TEST(locks_in_order_are_fine_and_leave_in_any_order);
	TEST(debug_builds_die_of_a_lock_out_of_order);
	TEST(debug_builds_die_of_two_locks_of_a_rank);
	TEST(debug_builds_die_of_an_unlock_without_a_lock);
	TEST(one_thread_at_a_time_holds_the_lock);
	TEST(whoever_waits_is_woken);
	return tap_end();
}
