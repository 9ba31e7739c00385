// SPDX-License-Identifier: MIT
/*
 * Timers: their heaps against a naive model, sleeping and deadlines, timers that
 * are started and stopped by many at once, tickers, and what an idle run costs.
 */
#include <sys/resource.h>

#include "base/sysmem.h"
#include "burrow/time.h"
#include "sched_rig.h"

#define MS	1000000ULL
#define US	1000ULL

static u64 seed;

/* Gs that only look as if they waited. */
#define FAKES	500
static struct bw_g fake[FAKES];
static u64 fake_when[FAKES];

static void fake_wait(struct bw_p *p, u32 i)
{
	struct bw_g *g = &fake[i];

	g->state = BW_G_PARKED;
	g->wait = bw_timed_next(g->wait, BW_TIMED_WAITS);
	fake_when[i] = 1 + rig_random(&seed) % 100000;
	EXPECT(!bw_timers_add(p, fake_when[i], &g->wait, g->wait));
}

static bool fake_waits(u32 i)
{
	return (fake[i].wait & BW_TIMED_MASK) == BW_TIMED_WAITS;
}

/* What comes out is due, alive, in order, and all there is. */
static void fire_and_compare(struct bw_p *p, u64 now)
{
	struct bw_glist out = { .nr = 0 };
	struct bw_g *g;
	u64 before = 0;
	u32 i;

	while (bw_timers_fire(p, NULL, now, 7, &out))
		bw_timers_verify(&p->timers);
	while ((g = bw_glist_pop(&out))) {
		i = (u32)(g - fake);
		EXPECT(g->late && fake_when[i] <= now);
		EXPECT(fake_when[i] >= before);
		before = fake_when[i];
	}
	for (i = 0; i < FAKES; i++)
		EXPECT(!fake_waits(i) || fake_when[i] > now);
	EXPECT(p->timers.min > now);
}

static void a_heap_gives_what_is_due_and_alive_in_order(void)
{
	static struct bw_p p;
	u32 lap, i;
	u64 now;

	bw_timers_init(&p.timers);
	for (lap = 0; lap < (RIG_SLOW ? 40U : 400U); lap++) {
		for (i = 0; i < FAKES; i++)
			if (!fake_waits(i) && rig_random(&seed) % 3)
				fake_wait(&p, i);
		for (i = 0; i < FAKES; i++)
			if (fake_waits(i) && rig_random(&seed) % 2)
				EXPECT(bw_sched_win(&fake[i], fake[i].wait));
		for (now = 0; now < 100000; now += rig_random(&seed) % 30000)
			fire_and_compare(&p, now);
		bw_timers_verify(&p.timers);
	}
	/* only the live ones make it grow */
	for (i = 0; i < 100 * FAKES; i++) {
		u32 k = i % FAKES;

		if (fake_waits(k))
			bw_sched_win(&fake[k], fake[k].wait);
		fake_wait(&p, k);
	}
	EXPECT(p.timers.room < 4 * FAKES);
	bw_sys_free(p.timers.heap, p.timers.room * sizeof(*p.timers.heap));
}

static void sleep_some(void *arg)
{
	u64 my = bw_g_id(bw_self()) * 2654435761U + 1, until;
	int i;

	for (i = 0; i < 10; i++) {
		until = bw_now() + rig_random(&my) % (3 * MS);
		bw_sleep_until(until);
		EXPECT(bw_now() >= until);
		until = bw_now() + 50 * US;
		bw_sleep(50 * US);
		EXPECT(bw_now() >= until);
	}
	countdown_done(arg);
}

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
		crowd.nr_too_late++;
	bw_sleep_until(when);
	EXPECT(bw_now() >= when);
	crowd.order[crowd.nr_woken++] = me;
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
		bw_ready(crowd.g[i * 7919 % CROWD]);
	countdown_wait(&crowd.gone);
	for (i = 1; i < CROWD; i++)
		breaks += crowd.order[i] < crowd.order[i - 1];
	printf("# %ld woke, %ld times out of order, %ld had no need to sleep\n",
	       crowd.nr_woken, breaks, crowd.nr_too_late);
	EXPECT(crowd.nr_woken == CROWD);
	/* one that finds its time past goes at once; sysmon may help out */
	EXPECT(breaks <= CROWD / 50 + crowd.nr_too_late);
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

/* Each start ends in one of three ways. */
#define TIMERS	8
#define JUGGLERS	6

static struct juggled {
	struct bw_timer *t;
	long starts, moved, stopped, fired;
} juggled[TIMERS];

static void juggled_fires(void *arg)
{
	struct juggled *j = arg;

	add(&j->fired, 1);
}

static void juggle(void *arg)
{
	u64 my = bw_g_id(bw_self()) * 2654435761U + 1;
	int i, n = RIG_SLOW ? 1500 : 15000, got;

	for (i = 0; i < n; i++) {
		struct juggled *j = &juggled[rig_random(&my) % TIMERS];

		switch (rig_random(&my) % 4) {
		case 0:
			add(&j->stopped, bw_timer_stop(j->t));
			break;
		case 1:
			bw_yield();
			break;
		default:
			got = bw_timer_start(j->t, rig_random(&my) % (30 * US));
			EXPECT(got == 0 || got == 1);
			add(&j->starts, 1);
			add(&j->moved, got);
		}
	}
	countdown_done(arg);
}

static bool juggled_adds_up(const struct juggled *j)
{
	return READ_ONCE(j->starts) == READ_ONCE(j->moved) +
	       READ_ONCE(j->stopped) + READ_ONCE(j->fired);
}

static int juggling(void *arg)
{
	struct countdown c;
	int i, k;

	for (i = 0; i < TIMERS; i++)
		juggled[i] = (struct juggled){
			.t = bw_timer_make(juggled_fires, &juggled[i]),
		};
	countdown_init(&c, JUGGLERS);
	for (i = 0; i < JUGGLERS; i++)
		bw_go(juggle, &c);
	countdown_wait(&c);
	for (i = 0; i < TIMERS; i++) {
		juggled[i].stopped += bw_timer_stop(juggled[i].t);
		/* functions that were started and did not run yet */
		for (k = 0; k < 5000 && !juggled_adds_up(&juggled[i]); k++)
			bw_sleep(MS);
		EXPECT(juggled_adds_up(&juggled[i]));
		EXPECT(READ_ONCE(juggled[i].fired) &&
		       juggled[i].stopped);
		bw_timer_free(juggled[i].t);
	}
	return 0;
}

static void each_start_fires_or_is_stopped_or_moved_once(void)
{
	run_it(juggling);
}

static long nr_fired;

static void fires(void *arg)
{
	add(&nr_fired, 1);
}

static void wait_for_fired(long n)
{
	while (READ_ONCE(nr_fired) < n)
		bw_yield();
}

static int simple_timers(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL), *r;
	u64 at;

	WRITE_ONCE(nr_fired, 0);
	EXPECT(!bw_timer_stop(t));
	EXPECT(bw_timer_start(t, 3600 * 1000 * MS) == 0);
	EXPECT(bw_timer_reset(t, BW_FOREVER - 5) == 1);
	EXPECT(bw_timer_stop(t) && !bw_timer_stop(t));
	at = bw_now() + MS;
	EXPECT(bw_timer_start_at(t, at) == 0);
	wait_for_fired(1);
	EXPECT(bw_now() >= at && !bw_timer_stop(t));
	/* moved to an earlier time, and one that has passed */
	EXPECT(bw_timer_start(t, 3600 * 1000 * MS) == 0);
	EXPECT(bw_timer_start_at(t, 0) == 1);
	wait_for_fired(2);
	bw_timer_free(t);
	bw_timer_free(NULL);
	r = bw_timer_make_ready(bw_self());
	EXPECT(bw_timer_start(r, MS) == 0);
	bw_park();
	EXPECT(!bw_timer_stop(r));
	bw_timer_free(r);
	return 0;
}

static void a_timer_fires_once_for_a_start_and_never_after_a_stop(void)
{
	run_it(simple_timers);
}

/* It is due just now, and is stopped before the function is called. */
static int stopped_at_last(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL);
	struct bw_timed_entry e = { .word = (u64 *)t };
	int i;

	WRITE_ONCE(nr_fired, 0);
	bw_timer_start(t, 3600 * 1000 * MS);
	e.value = *e.word;
	bw_timer_stop(t);
	bw_timer_fire(bw_sched.p[0], NULL, &e, bw_now());
	bw_timer_start(t, 3600 * 1000 * MS);
	bw_timer_fire(bw_sched.p[0], NULL, &e, bw_now());
	for (i = 0; i < 200; i++)
		bw_yield();
	bw_sleep(MS);
	EXPECT(!nr_fired);
	e.value = *e.word;
	bw_timer_fire(bw_sched.p[0], NULL, &e, bw_now());
	wait_for_fired(1);
	EXPECT(!bw_timer_stop(t));
	bw_timer_free(t);
	return 0;
}

static void a_stop_is_in_time_until_the_function_is_called(void)
{
	run_it(stopped_at_last);
}

static void *pokes(void *arg)
{
	struct bw_timer *t = bw_timer_make_ready(arg);

	EXPECT(!bw_thread_attach());
	/* most often everybody is asleep by then */
	bw_sleep(20 * MS);
	bw_timer_start(t, MS);
	/* until it has fired, and the run goes on */
	while (bw_timer_stop(t)) {
		bw_timer_start(t, MS);
		bw_sleep(20 * MS);
	}
	bw_timer_free(t);
	bw_thread_detach();
	return NULL;
}

static int sleeps_too_long(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL);
	pthread_t thread;

	bw_timer_start(t, 3600 * 1000 * MS);
	pthread_create(&thread, NULL, pokes, bw_self());
	bw_park();
	bw_timer_free(t);
	pthread_join(thread, NULL);
	return 0;
}

static void a_timer_that_is_earlier_wakes_who_minds_the_clock(void)
{
	run_it(sleeps_too_long);
}

static void yield_until_fired(void *arg)
{
	while (!READ_ONCE(nr_fired))
		bw_yield();
	countdown_done(arg);
}

/* More of them than half a ring, on each P. */
static int busy(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL);
	struct countdown c;
	int i, n = BW_TSAN ? 300 : 1000;

	WRITE_ONCE(nr_fired, 0);
	bw_procs(2);
	countdown_init(&c, n);
	for (i = 0; i < n; i++)
		bw_go(yield_until_fired, &c);
	bw_timer_start(t, 2 * MS);
	countdown_wait(&c);
	bw_procs(4);
	bw_timer_free(t);
	return 0;
}

static void timers_fire_while_every_P_is_busy(void)
{
	run_it(busy);
}

static int computes(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL);
	int i;

	WRITE_ONCE(nr_fired, 0);
	/* the other P goes idle first */
	bw_sleep(20 * MS);
	for (i = 1; i <= 3; i++) {
		bw_timer_start(t, MS);
		while (READ_ONCE(nr_fired) < i)
			;
	}
	bw_timer_free(t);
	return 0;
}

static void a_G_that_computes_does_not_keep_its_timers_from_an_idle_P(void)
{
	run_it(computes);
}

static int hand_over(void *arg)
{
	static struct bw_timer *t[200];
	struct countdown c;
	int lap, i;

	for (lap = 0; lap < 10; lap++) {
		WRITE_ONCE(nr_fired, 0);
		bw_procs(8);
		countdown_init(&c, 50);
		for (i = 0; i < 50; i++)
			bw_go(sleep_some, &c);
		for (i = 0; i < 200; i++) {
			t[i] = bw_timer_make(fires, NULL);
			bw_timer_start(t[i], rig_random(&seed) % (5 * MS));
			if (i % 20 == 0)
				bw_yield();
		}
		bw_procs(1);
		countdown_wait(&c);
		wait_for_fired(200);
		for (i = 0; i < 200; i++)
			bw_timer_free(t[i]);
	}
	bw_procs(4);
	return 0;
}

static void timers_of_a_P_that_is_no_more_fire(void)
{
	run_it(hand_over);
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

static struct bw_ticker *ticker;

static void waits_for_ticks(void *arg)
{
	int64_t n, all = 0;

	while ((n = bw_ticker_wait(ticker)) > 0)
		all += n;
	EXPECT(n == -ECANCELED);
	add(&nr_fired, (long)all);
	countdown_done(arg);
}

static int tickers(void *arg)
{
	u64 start = bw_now();
	struct countdown c;
	int64_t n = 0;
	int i;

	ticker = bw_ticker_make(MS);
	for (i = 0; i < 5; i++)
		n += bw_ticker_wait(ticker);
	EXPECT(n >= 5 && (u64)n * MS <= bw_now() - start);
	/* one that does not look loses nothing */
	bw_sleep(10 * MS);
	EXPECT(bw_ticker_wait(ticker) >= 9);
	for (i = 0; i < (RIG_SLOW ? 20 : 200); i++) {
		WRITE_ONCE(nr_fired, 0);
		countdown_init(&c, 1);
		bw_ticker_reset(ticker, 20 * US);
		bw_go(waits_for_ticks, &c);
		bw_sleep(rig_random(&seed) % (100 * US));
		bw_ticker_reset(ticker, 1 + rig_random(&seed) % (50 * US));
		bw_sleep(rig_random(&seed) % (100 * US));
		bw_ticker_stop(ticker);
		countdown_wait(&c);
	}
	EXPECT(bw_ticker_wait(ticker) == -ECANCELED);
	bw_ticker_free(ticker);
	bw_ticker_free(NULL);
	return 0;
}

static void a_ticker_counts_every_tick_until_it_is_stopped(void)
{
	run_it(tickers);
}

static int leave_timers(void *arg)
{
	struct bw_timer **t = arg;
	struct countdown c;
	int i;

	countdown_init(&c, 1000);
	for (i = 0; i < 50; i++) {
		bw_go(sleep_some, &c);
		bw_timer_start(t[i], 20 * MS);
	}
	for (i = 0; i < 20; i++)
		bw_yield();
	return 0;
}

static int look_whether_they_fire(void *arg)
{
	struct bw_timer **t = arg;
	long before = nr_fired;
	int i;

	for (i = 0; i < 50; i++)
		EXPECT(!bw_timer_stop(t[i]));
	bw_sleep(30 * MS);
	EXPECT(nr_fired == before);
	return 0;
}

static void a_run_that_ends_stops_its_timers(void)
{
	static struct bw_timer *t[50];
	int lap, i;

	for (lap = 0; lap < 5; lap++) {
		WRITE_ONCE(nr_fired, 0);
		for (i = 0; i < 50; i++)
			t[i] = bw_timer_make(fires, NULL);
		bw_run(leave_timers, t);
		bw_run(look_whether_they_fire, t);
		for (i = 0; i < 50; i++)
			bw_timer_free(t[i]);
	}
}

static long switches(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return ru.ru_nvcsw;
}

static int sleeps_for_long(void *arg)
{
	struct bw_timer *t = bw_timer_make(fires, NULL);
	long n;

	bw_timer_start(t, 3600 * 1000 * MS);
	/* until everybody has gone to sleep */
	bw_sleep(300 * MS);
	n = switches();
	bw_sleep(500 * MS);
	n = switches() - n;
	printf("# %ld switches of threads\n", n);
	EXPECT(n <= 10);
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
	TEST(a_heap_gives_what_is_due_and_alive_in_order);
	TEST(a_timer_fires_once_for_a_start_and_never_after_a_stop);
	TEST(a_stop_is_in_time_until_the_function_is_called);
	TEST(a_timer_that_is_earlier_wakes_who_minds_the_clock);
	TEST(nobody_sleeps_too_short);
	TEST(a_park_gives_up_at_its_deadline_in_Gs_and_in_threads);
	TEST(a_token_or_the_deadline_ends_a_park_and_no_token_is_lost);
	TEST(each_start_fires_or_is_stopped_or_moved_once);
	TEST(a_ticker_counts_every_tick_until_it_is_stopped);
	TEST(timers_fire_while_every_P_is_busy);
	TEST(a_G_that_computes_does_not_keep_its_timers_from_an_idle_P);
	TEST(timers_of_a_P_that_is_no_more_fire);
	TEST(a_run_that_ends_stops_its_timers);
	TEST(a_hundred_thousand_wake_in_the_order_of_their_times);
	TEST(a_run_that_only_sleeps_wakes_no_thread);
	return tap_end();
}
