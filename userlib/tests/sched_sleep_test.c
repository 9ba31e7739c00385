// SPDX-License-Identifier: MIT
/*
 * Sleeping and waiting with a deadline: nobody wakes too early, a token is not lost,
 * many wake in order, and what a run costs that only sleeps.
 */
#include "timer_rig.h"

static u64 seed;

static int sleepers(void *arg)
{
	struct countdown c;
	int i, n = RIG_SLOW ? 100 : 1000;

	countdown_init(&c, n);
	for (i = 0; i < n; i++)
		EXPECT(!bw_go(sleep_some, &c));
	countdown_wait(&c);
	bw_sleep(0);
	bw_sleep_until(0);
	return 0;
}

static void nobody_sleeps_too_short(void)
{
	run_it(sleepers);
}

#define CROWD	(BW_TSAN ? 500L : RIG_SLOW ? 5000L : 100000L)

static struct crowd {
	struct countdown here, gone;
	struct bw_g **g;
	u32 *order;
	u64 base;
	long nr_woken;
	long nr_too_late;
} crowd;

static void sleep_in_crowd(void *arg)
{
	u32 me = (u32)(long)arg;
	u64 when;

	crowd.g[me] = bw_self();
	countdown_done(&crowd.here);
	bw_park();
	when = crowd.base + me * US;
	if (bw_now() >= when)
		add(&crowd.nr_too_late, 1);
	bw_sleep_until(when);
	EXPECT(bw_now() >= when);
	crowd.order[add(&crowd.nr_woken, 1) - 1] = me;
	countdown_done(&crowd.gone);
}

/* They go to sleep in an order that is not that of their times. */
static int crowd_main(void *arg)
{
	long i, breaks = 0;
	u64 t = bw_now();

	bw_procs(1);
	countdown_init(&crowd.here, CROWD);
	countdown_init(&crowd.gone, CROWD);
	crowd.nr_woken = 0;
	crowd.nr_too_late = 0;
	for (i = 0; i < CROWD; i++)
		EXPECT(!bw_go(sleep_in_crowd, (void *)i));
	countdown_wait(&crowd.here);
	crowd.base = bw_now() + (bw_now() - t) + 100 * MS;
	for (i = 0; i < CROWD; i++)
		bw_ready(crowd.g[i * 61803 % CROWD]);
	countdown_wait(&crowd.gone);
	for (i = 1; i < CROWD; i++)
		breaks += crowd.order[i] < crowd.order[i - 1];
	printf("# %ld woke, %ld times out of order, %ld had no need to sleep\n",
	       crowd.nr_woken, breaks, crowd.nr_too_late);
	EXPECT(crowd.nr_woken == CROWD);
	/*
	 * One that finds its time past goes at once; sysmon may help out, and many
	 * that are due at once go through two queues. As they went to sleep it
	 * would be a third and more.
	 */
	EXPECT(breaks <= CROWD / 5 + crowd.nr_too_late);
	bw_procs(4);
	return 0;
}

static void a_hundred_thousand_wake_in_the_order_of_their_times(void)
{
	crowd.g = calloc((size_t)CROWD, sizeof(*crowd.g));
	crowd.order = calloc((size_t)CROWD, sizeof(*crowd.order));
	run_it(crowd_main);
	free(crowd.g);
	free(crowd.order);
}

/* bw_park_until() against bw_ready(). */
static struct post {
	struct countdown *c;
	struct bw_g *g;
	bool last;
} post[8];

static void gets_post(void *arg)
{
	struct post *p = arg;
	u64 my = bw_g_id(bw_self()) * 2654435761U + 1;
	bool token, last;

	__atomic_store_n(&p->g, bw_self(), __ATOMIC_RELEASE);
	do {
		token = bw_park_until(bw_now() + rig_random(&my) % (20 * US));
		last = __atomic_load_n(&p->last, __ATOMIC_SEQ_CST);
	} while (!last);
	/* the token of the last one is here, or will come */
	EXPECT(token || bw_park_until(bw_now() + 20000 * MS));
	countdown_done(p->c);
}

static void sends_post(void *arg)
{
	struct post *p = arg;
	u64 my = bw_g_id(bw_self()) * 40503U + 1;
	struct bw_g *g;
	int i;

	while (!(g = __atomic_load_n(&p->g, __ATOMIC_ACQUIRE)))
		bw_yield();
	for (i = 0; i < (RIG_SLOW ? 100 : 1000); i++) {
		bw_sleep(rig_random(&my) % (15 * US));
		if (rig_random(&my) % 4 == 0)
			bw_ready(g);
	}
	__atomic_store_n(&p->last, true, __ATOMIC_SEQ_CST);
	bw_ready(g);
	countdown_done(p->c);
}

static int post_office(void *arg)
{
	struct countdown c;
	int lap, i;

	for (lap = 0; lap < 3; lap++) {
		countdown_init(&c, 16);
		for (i = 0; i < 8; i++) {
			post[i] = (struct post){ .c = &c };
			bw_go(gets_post, &post[i]);
			bw_go(sends_post, &post[i]);
		}
		countdown_wait(&c);
	}
	return 0;
}

static void a_token_or_the_deadline_ends_a_park_and_no_token_is_lost(void)
{
	run_it(post_office);
}

static int park_simple(void *arg)
{
	u64 until = bw_now() + MS;

	EXPECT(!bw_park_until(0));
	EXPECT(!bw_park_until(until) && bw_now() >= until);
	bw_ready(bw_self());
	/* a sleep does not take it */
	bw_sleep(MS);
	EXPECT(bw_park_until(0));
	EXPECT(!bw_park_until(bw_now() + MS));
	bw_ready(bw_self());
	EXPECT(bw_park_until(BW_FOREVER));
	return 0;
}

static void *in_a_thread(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL);

	EXPECT(!bw_thread_attach());
	park_simple(NULL);
	EXPECT(bw_timer_start(t, 0) == (arg ? 0 : -ESRCH));
	while (arg && !READ_ONCE(nr_fired))
		bw_sleep(MS);
	bw_timer_free(t);
	bw_thread_detach();
	return NULL;
}

static int with_thread(void *arg)
{
	pthread_t t;

	WRITE_ONCE(nr_fired, 0);
	pthread_create(&t, NULL, in_a_thread, &seed);
	/* nothing but sleeping: it is the thread's timer that ends it */
	while (!READ_ONCE(nr_fired))
		bw_sleep(MS);
	pthread_join(t, NULL);
	return 0;
}

static void a_park_gives_up_at_its_deadline_in_Gs_and_in_threads(void)
{
	pthread_t t;

	run_it(park_simple);
	pthread_create(&t, NULL, in_a_thread, NULL);
	pthread_join(t, NULL);
	run_it(with_thread);
}

static int sleeps_for_long(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL);

	bw_timer_start(t, 3600 * 1000 * MS);
	EXPECT(rig_comes_to_rest());
	bw_timer_free(t);
	return 0;
}

static void a_run_that_only_sleeps_wakes_no_thread(void)
{
	run_it(sleeps_for_long);
}

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	seed = tap_seed(7);
	TEST(nobody_sleeps_too_short);
	TEST(a_park_gives_up_at_its_deadline_in_Gs_and_in_threads);
	TEST(a_token_or_the_deadline_ends_a_park_and_no_token_is_lost);
	TEST(a_hundred_thousand_wake_in_the_order_of_their_times);
	TEST(a_run_that_only_sleeps_wakes_no_thread);
	return tap_end();
}
