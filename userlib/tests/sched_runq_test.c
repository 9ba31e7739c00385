// SPDX-License-Identifier: MIT
/* The ring of a P: order, halves, and that no G is lost or taken twice. */
#include <sched.h>

#include "sched/runq.h"
#include "tap.h"
#include "rig.h"

#define NR	1024U

static struct bw_runq q, thief;
static struct bw_g gs[NR];
static struct bw_glist spill;

static void reset(void)
{
	memset(&q, 0, sizeof(q));
	memset(&thief, 0, sizeof(thief));
	memset(&spill, 0, sizeof(spill));
	/* numbers wrap while the test runs */
	q.head = -100U;
	q.tail = -100U;
}

static void what_is_put_comes_out_in_order(void)
{
	u32 i, lap;

	reset();
	for (lap = 0; lap < 3; lap++) {
		EXPECT(bw_runq_is_empty(&q) && !bw_runq_get(&q));
		for (i = 0; i < BW_RUNQ_SLOTS; i++)
			EXPECT(!bw_runq_put(&q, &gs[i], &spill));
		bw_runq_check(&q);
		for (i = 0; i < BW_RUNQ_SLOTS; i++)
			EXPECT(bw_runq_get(&q) == &gs[i]);
	}
}

static void a_full_ring_spills_its_older_half_and_the_new_one(void)
{
	u32 i;

	reset();
	for (i = 0; i < BW_RUNQ_SLOTS; i++)
		bw_runq_put(&q, &gs[i], &spill);
	EXPECT(bw_runq_put(&q, &gs[i], &spill));
	EXPECT(spill.nr == BW_RUNQ_SLOTS / 2 + 1);
	for (i = 0; i < BW_RUNQ_SLOTS / 2; i++)
		EXPECT(bw_glist_pop(&spill) == &gs[i]);
	EXPECT(bw_glist_pop(&spill) == &gs[BW_RUNQ_SLOTS]);
	EXPECT(!bw_glist_pop(&spill) && !spill.nr);
	for (; i < BW_RUNQ_SLOTS; i++)
		EXPECT(bw_runq_get(&q) == &gs[i]);
	EXPECT(bw_runq_is_empty(&q));
}

static void the_last_one_readied_goes_first_and_kicks_the_one_before(void)
{
	reset();
	bw_runq_put(&q, &gs[0], &spill);
	bw_runq_put_next(&q, &gs[1], &spill);
	bw_runq_put_next(&q, &gs[2], &spill);
	EXPECT(!bw_runq_is_empty(&q));
	EXPECT(bw_runq_get_next(&q) == &gs[2] && !bw_runq_get_next(&q));
	EXPECT(bw_runq_get(&q) == &gs[0] && bw_runq_get(&q) == &gs[1]);
	EXPECT(bw_runq_is_empty(&q));
}

static void a_thief_takes_the_older_half_rounded_up(void)
{
	u32 n, i;

	for (n = 0; n <= BW_RUNQ_SLOTS; n++) {
		reset();
		for (i = 0; i < n; i++)
			bw_runq_put(&q, &gs[i], &spill);
		EXPECT(bw_runq_steal(&thief, &q) == (n ? &gs[0] : NULL));
		for (i = 1; i < n - n / 2; i++)
			EXPECT(bw_runq_get(&thief) == &gs[i]);
		EXPECT(bw_runq_is_empty(&thief));
		for (i = n - n / 2; i < n; i++)
			EXPECT(bw_runq_get(&q) == &gs[i]);
		EXPECT(bw_runq_is_empty(&q));
	}
}

static void what_goes_first_is_stolen_only_if_it_is_still_that_one(void)
{
	reset();
	bw_runq_put_next(&q, &gs[1], &spill);
	EXPECT(!bw_runq_steal_next(&q, &gs[0]));
	EXPECT(bw_runq_steal_next(&q, &gs[1]));
	EXPECT(bw_runq_is_empty(&q));
}

/* Each G counts how often it came out; it goes in again only after that. */
static u32 taken[NR];
static u32 stop;
static u64 nr_stolen;

static void take_it(struct bw_g *g)
{
	__atomic_fetch_add(&taken[g - gs], 1, __ATOMIC_RELAXED);
}

static void *steal_all(void *arg)
{
	struct bw_runq own = { 0 };
	u64 n = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		struct bw_g *g = bw_runq_steal(&own, &q);

		if (!g) {
			g = READ_ONCE(q.next);
			if (g && !bw_runq_steal_next(&q, g))
				g = NULL;
		}
		for (; g; g = bw_runq_get(&own), n++)
			take_it(g);
		sched_yield();
	}
	__atomic_fetch_add(&nr_stolen, n, __ATOMIC_RELAXED);
	return arg;
}

/* Puts every G once, and takes some itself, at random. */
static void own_lap(u64 *seed)
{
	struct bw_g *g;
	u32 i;

	for (i = 0; i < NR; i++) {
		u64 r = rig_random(seed);

		if (r % 3)
			bw_runq_put(&q, &gs[i], &spill);
		else
			bw_runq_put_next(&q, &gs[i], &spill);
		while ((g = bw_glist_pop(&spill)))
			take_it(g);
		g = r % 5 == 0 ? bw_runq_get_next(&q) : NULL;
		if (g)
			take_it(g);
		g = r % 7 == 0 ? bw_runq_get(&q) : NULL;
		if (g)
			take_it(g);
		if (r % 64 == 0)
			sched_yield();
	}
}

static void no_G_is_lost_or_taken_twice_while_two_steal(void)
{
	u32 laps = 300, i, lap;
	u64 seed = tap_seed(7);
	pthread_t t[2];
	struct bw_g *g;

	reset();
	for (i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, steal_all, NULL);
	for (lap = 1; lap <= laps && !tap_bad_here; lap++) {
		own_lap(&seed);
		while ((g = bw_runq_get_next(&q)) || (g = bw_runq_get(&q)))
			take_it(g);
		for (i = 0; i < NR; i++) {
			while (__atomic_load_n(&taken[i], __ATOMIC_RELAXED) <
			       lap)
				sched_yield();
			EXPECT(__atomic_load_n(&taken[i], __ATOMIC_RELAXED) ==
			       lap);
		}
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	EXPECT(bw_runq_is_empty(&q));
	printf("# %llu of %u were stolen\n", (unsigned long long)nr_stolen,
	       laps * NR);
	EXPECT(nr_stolen > 0);
}

int main(void)
{
	TEST(what_is_put_comes_out_in_order);
	TEST(a_full_ring_spills_its_older_half_and_the_new_one);
	TEST(the_last_one_readied_goes_first_and_kicks_the_one_before);
	TEST(a_thief_takes_the_older_half_rounded_up);
	TEST(what_goes_first_is_stolen_only_if_it_is_still_that_one);
	TEST(no_G_is_lost_or_taken_twice_while_two_steal);
	return tap_end();
}
