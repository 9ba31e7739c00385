// SPDX-License-Identifier: MIT
/* Mutexes, rwmutexes, waitgroups, once, conditions and semaphores of Gs. */
#include <sched.h>

#include "burrow.h"
#include "chan_rig.h"
#include "death_rig.h"
#include "lang/waiting.h"

#define GS	16
#define TIMES	(RIG_SLOW ? 300 : 5000)
#define STARVING	8U

static struct countdown left;
static struct bw_mutex mutex;
static struct bw_cond cond;
static struct bw_sem sem;
static bool gave_up;
static struct bw_rwmutex rw;
static long counter, inside;

static void wait_for(struct bw_waiting *q, u32 nr)
{
	while (rig_nr_waiters(&q->bw_lock, bw_waiting_list(q)) != nr)
		bw_yield();
}

static bool is_clean(struct bw_waiting *q)
{
	return !q->bw_first && !q->bw_last && !q->bw_lock;
}

static void adder(void *arg)
{
	u64 seed = (uintptr_t)arg + 1;
	long i, was;

	for (i = 0; i < TIMES; i++) {
		if (rig_random(&seed) % 8 || !bw_mutex_trylock(&mutex))
			bw_mutex_lock(&mutex);
		was = counter;
		if (rig_random(&seed) % 64 == 0)
			bw_yield();
		counter = was + 1;
		bw_mutex_unlock(&mutex);
	}
	countdown_done(&left);
}

static void *adding_thread(void *arg)
{
	EXPECT(!bw_thread_attach());
	adder(arg);
	bw_thread_detach();
	return NULL;
}

static int run_adders(void *arg)
{
	pthread_t t;
	long i;

	counter = 0;
	countdown_init(&left, GS + 1);
	EXPECT(!pthread_create(&t, NULL, adding_thread, (void *)77));
	for (i = 0; i < GS; i++)
		bw_go(adder, (void *)i);
	countdown_wait(&left);
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	EXPECT(counter == (long)(GS + 1) * TIMES);
	EXPECT(!mutex.bw_word && is_clean(&mutex.bw_waiting));
	return 0;
}

static void one_at_a_time_has_a_mutex(void)
{
	EXPECT(!run_it(run_adders));
}

static void takes_once(void *arg)
{
	bw_mutex_lock(&mutex);
	counter++;
	bw_mutex_unlock(&mutex);
	countdown_done(&left);
}

static int run_starving(void *arg)
{
	counter = 0;
	countdown_init(&left, 1);
	bw_mutex_lock(&mutex);
	EXPECT(!bw_mutex_trylock(&mutex));
	EXPECT(bw_mutex_lock_until(&mutex, bw_now() + 1000000) == -ETIMEDOUT);
	EXPECT(is_clean(&mutex.bw_waiting));
	bw_go(takes_once, NULL);
	wait_for(&mutex.bw_waiting, 1);
	bw_sleep(3000000);
	/* it is woken, and too late: there is one P, which we have */
	bw_mutex_unlock(&mutex);
	EXPECT(!(fetch_or(&mutex.bw_word, BW_MUTEX_LOCKED) & BW_MUTEX_LOCKED));
	wait_for(&mutex.bw_waiting, 1);
	EXPECT(mutex.bw_word & STARVING);
	bw_mutex_unlock(&mutex);
	EXPECT(!bw_mutex_trylock(&mutex));
	countdown_wait(&left);
	EXPECT(counter == 1 && !mutex.bw_word);
	return 0;
}

static void starving_child(void *arg)
{
	setenv("BURROW_PROCS", "1", 1);
	run_it(run_starving);
}

static void a_mutex_is_handed_to_who_waited_too_long(void)
{
	EXPECT(!rig_child(starving_child, NULL, said, sizeof(said)));
	EXPECT(!*said);
}

static void reads_and_writes(void *arg)
{
	u64 seed = (uintptr_t)arg + 1;
	long i;

	for (i = 0; i < TIMES; i++) {
		bool writes = rig_random(&seed) % 4 == 0;

		if (writes) {
			bw_rwmutex_lock(&rw);
			EXPECT(add(&inside, 1000) == 1000);
		} else {
			bw_rwmutex_rlock(&rw);
			EXPECT(add(&inside, 1) < 1000);
		}
		if (rig_random(&seed) % 16 == 0)
			bw_yield();
		add(&inside, writes ? -1000 : -1);
		if (writes)
			bw_rwmutex_unlock(&rw);
		else
			bw_rwmutex_runlock(&rw);
	}
	countdown_done(&left);
}

static char order[8];

static void writes_once(void *arg)
{
	bw_rwmutex_lock(&rw);
	strcat(order, "w");
	bw_rwmutex_unlock(&rw);
	countdown_done(&left);
}

static void reads_once(void *arg)
{
	bw_rwmutex_rlock(&rw);
	strcat(order, "r");
	bw_rwmutex_runlock(&rw);
	countdown_done(&left);
}

static int run_readers(void *arg)
{
	long i;

	countdown_init(&left, GS);
	for (i = 0; i < GS; i++)
		bw_go(reads_and_writes, (void *)i);
	countdown_wait(&left);
	EXPECT(!rw.bw_word && is_clean(&rw.bw_waiting));
	/* two readers; then one who writes, and a reader behind him */
	countdown_init(&left, 2);
	bw_rwmutex_rlock(&rw);
	EXPECT(bw_rwmutex_tryrlock(&rw) && !bw_rwmutex_trylock(&rw));
	bw_go(writes_once, NULL);
	wait_for(&rw.bw_waiting, 1);
	EXPECT(!bw_rwmutex_tryrlock(&rw));
	bw_go(reads_once, NULL);
	wait_for(&rw.bw_waiting, 2);
	bw_rwmutex_runlock(&rw);
	EXPECT(!*order);
	bw_rwmutex_runlock(&rw);
	countdown_wait(&left);
	EXPECT(!strcmp(order, "wr"));
	EXPECT(bw_rwmutex_trylock(&rw) && !bw_rwmutex_tryrlock(&rw));
	bw_rwmutex_unlock(&rw);
	return 0;
}

static void many_read_or_one_writes(void)
{
	EXPECT(!run_it(run_readers));
}

static void done_one(void *arg)
{
	bw_waitgroup_done(arg);
}

static int run_groups(void *arg)
{
	struct bw_waitgroup late = { 0 };
	long i, round;

	for (round = 0; round < 100; round++) {
		struct bw_waitgroup w = { 0 };

		bw_waitgroup_wait(&w);
		bw_waitgroup_add(&w, 20);
		for (i = 0; i < 20; i++)
			bw_go(done_one, &w);
		bw_waitgroup_wait(&w);
		EXPECT(!w.bw_word);
		/* what comes too late finds something else there */
		memset(&w, 0xff, sizeof(w));
	}
	bw_waitgroup_add(&late, 1);
	EXPECT(bw_waitgroup_wait_until(&late, bw_now() + 1000000) ==
	       -ETIMEDOUT);
	EXPECT(late.bw_word == 2 && is_clean(&late.bw_waiting));
	bw_go(done_one, &late);
	EXPECT(!bw_waitgroup_wait_until(&late, BW_FOREVER));
	return 0;
}

static void a_waitgroup_waits_until_all_are_done(void)
{
	EXPECT(!run_it(run_groups));
}

static struct bw_once once;

static void slowly(void *arg)
{
	bw_yield();
	bw_sleep(1000000);
	counter++;
}

static void needs_it(void *arg)
{
	bw_once(&once, slowly, NULL);
	EXPECT(counter == 1);
	countdown_done(&left);
}

static int run_once(void *arg)
{
	long i;

	counter = 0;
	countdown_init(&left, 50);
	for (i = 0; i < 50; i++)
		bw_go(needs_it, NULL);
	countdown_wait(&left);
	return 0;
}

static void once_is_once_and_everyone_waits_for_it(void)
{
	EXPECT(!run_it(run_once));
}

static void waits_for_tokens(void *arg)
{
	long i;

	for (i = 0; i < TIMES; i++) {
		bw_mutex_lock(&mutex);
		while (!counter)
			bw_cond_wait(&cond, &mutex);
		counter--;
		bw_mutex_unlock(&mutex);
	}
	countdown_done(&left);
}

static void makes_tokens(void *arg)
{
	long i;

	for (i = 0; i < TIMES; i++) {
		bw_mutex_lock(&mutex);
		counter++;
		bw_cond_signal(&cond);
		bw_mutex_unlock(&mutex);
	}
	countdown_done(&left);
}

static void waits_once(void *arg)
{
	bw_mutex_lock(&mutex);
	bw_cond_wait(&cond, &mutex);
	counter++;
	bw_mutex_unlock(&mutex);
	countdown_done(&left);
}

static int run_cond(void *arg)
{
	long i;

	counter = 0;
	countdown_init(&left, 8);
	for (i = 0; i < 4; i++) {
		bw_go(waits_for_tokens, NULL);
		bw_go(makes_tokens, NULL);
	}
	countdown_wait(&left);
	EXPECT(!counter);
	/* a signal lets one go, a broadcast the others */
	countdown_init(&left, 10);
	for (i = 0; i < 10; i++)
		bw_go(waits_once, NULL);
	wait_for(&cond.bw_waiting, 10);
	bw_cond_signal(&cond);
	wait_for(&cond.bw_waiting, 9);
	bw_cond_broadcast(&cond);
	countdown_wait(&left);
	EXPECT(counter == 10);
	bw_mutex_lock(&mutex);
	EXPECT(bw_cond_wait_until(&cond, &mutex, bw_now() + 1000000) ==
	       -ETIMEDOUT);
	EXPECT(!bw_mutex_trylock(&mutex));
	bw_mutex_unlock(&mutex);
	EXPECT(is_clean(&cond.bw_waiting));
	return 0;
}

static u32 has_mutex;

static void waits_with_mutex(void *arg)
{
	bw_mutex_lock(&mutex);
	/* pairs with holds_the_list() */
	smp_store_release(&has_mutex, 1);
	bw_cond_wait(&cond, &mutex);
	bw_mutex_unlock(&mutex);
	countdown_done(&left);
}

/* Not a G: while it has the list, nobody is in it, and the mutex is not free. */
static void *holds_the_list(void *arg)
{
	u32 i;

	EXPECT(!bw_thread_attach());
	bw_waiters_lock_word(&cond.bw_waiting.bw_lock);
	bw_go(waits_with_mutex, NULL);
	/* pairs with waits_with_mutex() */
	while (!smp_load_acquire(&has_mutex))
		sched_yield();
	for (i = 0; i < 200; i++) {
		EXPECT(!bw_mutex_trylock(&mutex));
		sched_yield();
	}
	bw_waiters_unlock_word(&cond.bw_waiting.bw_lock);
	/* whoever gets the mutex now finds it in the list */
	bw_mutex_lock(&mutex);
	EXPECT(rig_nr_waiters(&cond.bw_waiting.bw_lock,
			      bw_waiting_list(&cond.bw_waiting)) == 1);
	bw_cond_signal(&cond);
	bw_mutex_unlock(&mutex);
	bw_thread_detach();
	return NULL;
}

static int run_cond_order(void *arg)
{
	pthread_t t;

	has_mutex = 0;
	countdown_init(&left, 1);
	EXPECT(!pthread_create(&t, NULL, holds_the_list, NULL));
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	countdown_wait(&left);
	return 0;
}

static void who_waits_is_in_the_list_before_the_mutex_is_free(void)
{
	EXPECT(!run_it(run_cond_order));
}

static void nobody_misses_a_signal(void)
{
	EXPECT(!run_it(run_cond));
}

static void takes_some(void *arg)
{
	u64 seed = (uintptr_t)arg + 1;
	long i;

	for (i = 0; i < TIMES; i++) {
		u32 n = 1 + (u32)(rig_random(&seed) % 3);

		bw_sem_acquire(&sem, n);
		EXPECT(add(&inside, n) <= 4);
		if (rig_random(&seed) % 16 == 0)
			bw_yield();
		add(&inside, -(long)n);
		bw_sem_release(&sem, n);
	}
	countdown_done(&left);
}

static void takes_n(void *arg)
{
	bw_sem_acquire(&sem, (u32)(uintptr_t)arg);
	strcat(order, arg == (void *)3 ? "3" : "1");
	countdown_done(&left);
}

/* Behind who is going to give up; or too late for that. */
static void takes_behind(void *arg)
{
	struct bw_waiting *w = &sem.bw_waiting;

	while (!rig_nr_waiters(&w->bw_lock, bw_waiting_list(w)) &&
	       !READ_ONCE(gave_up))
		bw_yield();
	takes_n(arg);
}

/* There are 2. */
static void gives_up_before_another(void)
{
	WRITE_ONCE(gave_up, false);
	order[0] = '\0';
	countdown_init(&left, 1);
	bw_go(takes_behind, (void *)1);
	EXPECT(bw_sem_acquire_until(&sem, 3, bw_now() + 20000000) ==
	       -ETIMEDOUT);
	WRITE_ONCE(gave_up, true);
	countdown_wait(&left);
	bw_sem_release(&sem, 1);
}

static int run_sem(void *arg)
{
	long i;

	bw_sem_release(&sem, 4);
	inside = 0;
	countdown_init(&left, GS);
	for (i = 0; i < GS; i++)
		bw_go(takes_some, (void *)i);
	countdown_wait(&left);
	EXPECT(sem.bw_word == 8 && is_clean(&sem.bw_waiting));
	/* who wants 3 is not passed by who wants 1 */
	EXPECT(bw_sem_tryacquire(&sem, 2));
	gives_up_before_another();
	order[0] = '\0';
	countdown_init(&left, 2);
	bw_go(takes_n, (void *)3);
	wait_for(&sem.bw_waiting, 1);
	EXPECT(!bw_sem_tryacquire(&sem, 1));
	EXPECT(bw_sem_acquire_until(&sem, 1, bw_now() + 1000000) ==
	       -ETIMEDOUT);
	bw_go(takes_n, (void *)1);
	wait_for(&sem.bw_waiting, 2);
	bw_sem_release(&sem, 1);
	wait_for(&sem.bw_waiting, 1);
	while (READ_ONCE(left.left) != 1)
		bw_yield();
	bw_sem_release(&sem, 1);
	countdown_wait(&left);
	EXPECT(!strcmp(order, "31") && !sem.bw_word);
	return 0;
}

static void a_semaphore_gives_what_there_is_in_order(void)
{
	EXPECT(!run_it(run_sem));
}

static int leaves_a_semaphore(void *arg)
{
	sem = (struct bw_sem){ 0 };
	bw_sem_release(&sem, 1);
	countdown_init(&left, 1);
	bw_go(takes_n, (void *)3);
	wait_for(&sem.bw_waiting, 1);
	return 0;
}

static int takes_what_is_left(void *arg)
{
	EXPECT(is_clean(&sem.bw_waiting));
	if (arg)
		EXPECT(bw_sem_tryacquire(&sem, 1));
	else
		EXPECT(!bw_sem_acquire_until(&sem, 1, bw_now() + 10000000000ULL));
	EXPECT(!sem.bw_word && is_clean(&sem.bw_waiting));
	return 0;
}

static void a_semaphore_is_not_kept_by_who_waited_when_a_run_ended(void)
{
	EXPECT(!run_it(leaves_a_semaphore));
	EXPECT(!run_it(takes_what_is_left));
	EXPECT(!run_it(leaves_a_semaphore));
	EXPECT(!bw_run(takes_what_is_left, &sem));
}

static int unlocks_in_vain(void *arg)
{
	bw_mutex_unlock(&mutex);
	return 0;
}

static int runlocks_in_vain(void *arg)
{
	bw_rwmutex_runlock(&rw);
	return 0;
}

static int unlocks_what_it_reads(void *arg)
{
	bw_rwmutex_rlock(&rw);
	bw_rwmutex_unlock(&rw);
	return 0;
}

static int done_too_often(void *arg)
{
	struct bw_waitgroup w = { 0 };

	bw_waitgroup_done(&w);
	return 0;
}

static int locks_twice(void *arg)
{
	bw_mutex_lock(&mutex);
	bw_mutex_lock(&mutex);
	return 0;
}

static void misuse_dies_with_the_right_line(void)
{
	static const struct misuse rows[] = {
		{ unlocks_in_vain, "of a mutex that is not locked" },
		{ runlocks_in_vain, "bw_rwmutex_runlock() by G " },
		{ unlocks_what_it_reads, "bw_rwmutex_unlock() by G " },
		{ done_too_often, "makes it less than 0" },
		{ locks_twice, "parked (mutex)" },
	};

	expect_misuse(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	/* in children, so before this process has a run */
	TEST(misuse_dies_with_the_right_line);
	TEST(a_mutex_is_handed_to_who_waited_too_long);
	TEST(one_at_a_time_has_a_mutex);
	TEST(many_read_or_one_writes);
	TEST(a_waitgroup_waits_until_all_are_done);
	TEST(once_is_once_and_everyone_waits_for_it);
	TEST(who_waits_is_in_the_list_before_the_mutex_is_free);
	TEST(nobody_misses_a_signal);
	TEST(a_semaphore_gives_what_there_is_in_order);
	TEST(a_semaphore_is_not_kept_by_who_waited_when_a_run_ended);
	return tap_end();
}
