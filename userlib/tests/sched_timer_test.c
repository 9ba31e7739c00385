// SPDX-License-Identifier: MIT
/*
 * Timers: their heaps against a naive model, timers that are started and stopped by
 * many at once, tickers, and what the end of a P or of a run leaves.
 */
#include "base/sysmem.h"
#include "timer_rig.h"

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

/**
 * struct at_once - a timer for a time that was long ago
 * @main:	the G that waits for it
 * @timer:	readies @main
 * @about:	rounds in which @main is about to wait
 * @held:	rounds in which nobody can become idle, until @timer runs
 */
static struct at_once {
	struct bw_g *main;
	struct bw_timer *timer;
	int about;
	int held;
} at_once;

#define AT_ONCE_ROUNDS	50

/*
 * Starts it when the M has looked at the timers and waits for the lock under
 * which its P becomes idle. What it does next is to mind the clock.
 */
static void *starts_behind_its_back(void *arg)
{
	struct at_once *a = arg;
	int i;

	EXPECT(!bw_thread_attach());
	for (i = 1; i <= AT_ONCE_ROUNDS; i++) {
		while (READ_ONCE(a->about) < i)
			sched_yield();
		bw_lock(&bw_sched.lock);
		WRITE_ONCE(a->held, i);
		while (READ_ONCE(bw_sched.lock.word) != BW_LOCK_CONTENDED)
			sched_yield();
		EXPECT(bw_timer_start_at(a->timer, (uint64_t)i & 1) == 0);
		bw_unlock(&bw_sched.lock);
	}
	bw_thread_detach();
	return NULL;
}

static int waits_for_what_is_due(void *arg)
{
	struct at_once *a = &at_once;
	pthread_t thread;
	int i;

	bw_procs(1);
	*a = (struct at_once){
		.main = bw_self(), .timer = bw_timer_make_ready(bw_self()),
	};
	pthread_create(&thread, NULL, starts_behind_its_back, a);
	for (i = 1; i <= AT_ONCE_ROUNDS; i++) {
		WRITE_ONCE(a->about, i);
		while (READ_ONCE(a->held) < i)
			;
		bw_park();
		/* for ever, where who minds the clock is lost */
		bw_sleep(50 * US);
	}
	bw_block_begin();
	pthread_join(thread, NULL);
	bw_block_end();
	bw_timer_free(a->timer);
	bw_procs(4);
	return 0;
}

static void a_timer_for_time_0_or_1_does_not_lose_who_minds_the_clock(void)
{
	run_it(waits_for_what_is_due);
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

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	seed = tap_seed(7);
	TEST(a_heap_gives_what_is_due_and_alive_in_order);
	TEST(a_timer_fires_once_for_a_start_and_never_after_a_stop);
	TEST(a_stop_is_in_time_until_the_function_is_called);
	TEST(a_timer_that_is_earlier_wakes_who_minds_the_clock);
	TEST(a_timer_for_time_0_or_1_does_not_lose_who_minds_the_clock);
	TEST(each_start_fires_or_is_stopped_or_moved_once);
	TEST(a_ticker_counts_every_tick_until_it_is_stopped);
	TEST(timers_fire_while_every_P_is_busy);
	TEST(a_G_that_computes_does_not_keep_its_timers_from_an_idle_P);
	TEST(timers_of_a_P_that_is_no_more_fire);
	TEST(a_run_that_ends_stops_its_timers);
	return tap_end();
}
