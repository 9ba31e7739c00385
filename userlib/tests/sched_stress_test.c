// SPDX-License-Identifier: MIT
/*
 * Everything at once: Gs that make Gs, yield, park, ready each other, block and
 * lock threads, over Ps whose number changes. What is counted must come out.
 */
#include <sched.h>

#include "burrow/trace.h"
#include "sched_rig.h"

#define SCALE	(RIG_SLOW ? 1 : 6)

static u64 seed;
static long sum;

/* A tree: each G makes @width more, down to @depth. */
struct tree {
	struct countdown *c;
	int depth;
};

static struct tree level[12];

static void grow(void *arg)
{
	struct tree *t = arg;
	int i;

	add(&sum, 1);
	for (i = 0; t->depth && i < 2; i++) {
		bw_go(grow, t - 1);
		if (t->depth % 3 == 0)
			bw_yield();
	}
	countdown_done(t->c);
}

static int trees(void *arg)
{
	struct countdown c;
	int depth = RIG_SLOW ? 8 : 11, i, lap;

	for (lap = 0; lap < 3 * SCALE; lap++) {
		sum = 0;
		countdown_init(&c, (2L << depth) - 1);
		for (i = 0; i <= depth; i++)
			level[i] = (struct tree){ &c, i };
		bw_go(grow, &level[depth]);
		countdown_wait(&c);
		EXPECT(sum == (2L << depth) - 1);
	}
	return 0;
}

static void every_G_of_a_tree_runs_once(void)
{
	run_it(trees);
}

/*
 * A ring of Gs hands @laps tokens round. Each looks at the count its neighbour
 * wrote plainly: the token orders it.
 */
#define RING	16
#define LAPS	(200L * SCALE)

static struct {
	struct bw_g *g;
	long count;
} ring[RING];

static void ring_main(void *arg)
{
	struct countdown *c = arg;
	static long nr;
	long me = add(&nr, 1) - 1, i;

	me %= RING;
	__atomic_store_n(&ring[me].g, bw_self(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&ring[(me + 1) % RING].g, __ATOMIC_ACQUIRE))
		bw_yield();
	for (i = 1; i <= LAPS; i++) {
		long before = (me + RING - 1) % RING, want = me ? i : i - 1;

		while (READ_ONCE(ring[before].count) < want)
			bw_park();
		WRITE_ONCE(ring[me].count, i);
		bw_ready(ring[(me + 1) % RING].g);
	}
	countdown_done(c);
}

static int rings(void *arg)
{
	struct countdown c;
	int i;

	memset(ring, 0, sizeof(ring));
	countdown_init(&c, RING);
	for (i = 0; i < RING; i++)
		bw_go(ring_main, &c);
	countdown_wait(&c);
	for (i = 0; i < RING; i++)
		EXPECT(ring[i].count == LAPS);
	return 0;
}

static void tokens_go_round_a_ring_of_Gs(void)
{
	run_it(rings);
}

/* A wait list under a lock, as channels will have it. */
static struct bw_lock list_lock = { .rank = BW_RANK_PROCS };
static struct bw_glist waiting;
static long tickets, taken;

static void take_ticket(void *arg)
{
	bw_lock(&list_lock);
	if (tickets) {
		tickets--;
		bw_unlock(&list_lock);
	} else {
		bw_glist_add(&waiting, bw_self());
		bw_sched_park_unlock(&list_lock, "a ticket");
	}
	add(&taken, 1);
	countdown_done(arg);
}

static void give_ticket(void *arg)
{
	struct bw_g *g;

	bw_lock(&list_lock);
	g = bw_glist_pop(&waiting);
	if (!g)
		tickets++;
	bw_unlock(&list_lock);
	if (g)
		bw_sched_ready(g);
	countdown_done(arg);
}

static int ticket_office(void *arg)
{
	struct countdown c;
	long i, n = 3000L * SCALE;

	tickets = 0;
	taken = 0;
	countdown_init(&c, 2 * n);
	for (i = 0; i < n; i++) {
		bool first = rig_random(&seed) % 2;

		bw_go(first ? take_ticket : give_ticket, &c);
		bw_go(first ? give_ticket : take_ticket, &c);
		if (rig_random(&seed) % 16 == 0)
			bw_yield();
	}
	countdown_wait(&c);
	EXPECT(taken == n && !tickets && !waiting.nr);
	return 0;
}

static void a_G_in_a_wait_list_is_readied_once(void)
{
	run_it(ticket_office);
}

/* Whatever there is, at random. */
static void mixed(void *arg)
{
	u64 my = bw_g_id(bw_self()) * 2654435761U + 1;
	int i;

	for (i = 0; i < 30; i++) {
		switch (rig_random(&my) % 6) {
		case 0:
			bw_ready(bw_self());
			bw_park();
			break;
		case 1:
			bw_block_begin();
			sched_yield();
			bw_block_end();
			break;
		case 2:
			bw_lock_thread();
			bw_yield();
			bw_unlock_thread();
			break;
		case 3:
			if (rig_random(&my) % 4 == 0)
				bw_procs(1 + (int)(rig_random(&my) % 8));
			break;
		default:
			bw_yield();
		}
	}
	countdown_done(arg);
}

static int mixture(void *arg)
{
	struct countdown c;
	int i, n = 150 * SCALE;

	countdown_init(&c, n);
	for (i = 0; i < n; i++)
		bw_go(mixed, &c);
	countdown_wait(&c);
	EXPECT(bw_procs(0) >= 1 && bw_procs(0) <= 8);
	EXPECT(bw_procs(-1) == -EINVAL && bw_procs(1025) == -EINVAL);
	EXPECT(bw_procs(4) >= 1 && bw_procs(0) == 4);
	return 0;
}

static void Gs_do_everything_while_the_number_of_Ps_changes(void)
{
	run_it(mixture);
}

/* Ends in the middle of it: runs follow each other at once. */
static int cut_short(void *arg)
{
	struct countdown *c = arg;
	int i, n = 1 + (int)(rig_random(&seed) % 100);

	countdown_init(c, 1000000);
	for (i = 0; i < n; i++)
		bw_go(mixed, c);
	for (i = (int)(rig_random(&seed) % 20); i; i--)
		bw_yield();
	return n;
}

static void a_run_may_end_in_the_middle_of_everything(void)
{
	static struct countdown c;
	int i;

	for (i = 0; i < 20 * SCALE; i++)
		EXPECT(bw_run(cut_short, &c) > 0);
}

/* A pair that readies each other does not keep the others from running. */
static long others;

static struct bw_g *player[2];

static void play(void *arg)
{
	long me = (long)arg;

	__atomic_store_n(&player[me], bw_self(), __ATOMIC_RELEASE);
	while (__atomic_load_n(&others, __ATOMIC_SEQ_CST) < 100) {
		struct bw_g *g = __atomic_load_n(&player[!me],
						 __ATOMIC_ACQUIRE);

		if (!g) {
			bw_yield();
			continue;
		}
		bw_ready(g);
		bw_park();
	}
	bw_ready(player[!me]);
}

static void passer_by(void *arg)
{
	int i;

	for (i = 0; i < 10; i++) {
		add(&others, 1);
		bw_yield();
	}
}

static void *from_outside(void *arg)
{
	int i;

	EXPECT(!bw_thread_attach());
	for (i = 0; i < 5; i++)
		bw_go(passer_by, NULL);
	bw_thread_detach();
	return NULL;
}

static int fairness(void *arg)
{
	pthread_t t;
	int i;

	others = 0;
	memset(player, 0, sizeof(player));
	bw_procs(1);
	bw_go(play, (void *)0L);
	bw_go(play, (void *)1L);
	/* 5 in the ring, 5 in the global queue */
	for (i = 0; i < 5; i++)
		bw_go(passer_by, NULL);
	pthread_create(&t, NULL, from_outside, NULL);
	while (__atomic_load_n(&others, __ATOMIC_SEQ_CST) < 100)
		bw_yield();
	pthread_join(t, NULL);
	bw_procs(4);
	return 0;
}

static void a_pair_that_readies_each_other_starves_no_queue(void)
{
	run_it(fairness);
}

#define WAKES	(RIG_SLOW ? 20 : 60)

static struct bw_g *sleeper;
static long woken;

static void counts_wakes(void *arg)
{
	__atomic_store_n(&sleeper, bw_self(), __ATOMIC_SEQ_CST);
	while (add(&woken, 0) < WAKES) {
		bw_park();
		add(&woken, 1);
	}
	countdown_done(arg);
}

/*
 * Without a call of the scheduler, so that another M has to do it all. It comes:
 * there is no work but ours, no timer and no descriptor.
 */
static void until_all_others_sleep(void)
{
	bool asleep;

	do {
		bw_cpu_relax();
		bw_lock(&bw_sched.lock);
		asleep = bw_sched.nr_idle_m + 1 == bw_sched.nr_m &&
			 !load_seq(&bw_sched.nr_spinning);
		bw_unlock(&bw_sched.lock);
	} while (!asleep);
}

static struct bw_stats stats_now(void)
{
	struct bw_stats s = { .size = sizeof(s) };

	EXPECT(!bw_stats(&s));
	return s;
}

static int wakes(void *arg)
{
	struct bw_stats before, after;
	struct countdown c;
	long i;

	bw_procs(2);
	woken = 0;
	sleeper = NULL;
	countdown_init(&c, 1);
	bw_go(counts_wakes, &c);
	while (!__atomic_load_n(&sleeper, __ATOMIC_SEQ_CST))
		bw_cpu_relax();
	until_all_others_sleep();
	before = stats_now();
	for (i = 0; i < WAKES; i++) {
		bw_ready(sleeper);
		while (add(&woken, 0) <= i)
			bw_cpu_relax();
		until_all_others_sleep();
	}
	after = stats_now();
	countdown_wait(&c);
	bw_procs(4);
	/* each took one that was not in vain, but for a race now and then */
	after.threads_woken -= before.threads_woken;
	after.threads_in_vain -= before.threads_in_vain;
	EXPECT(after.threads_woken >= WAKES);
	if (!EXPECT(after.threads_in_vain <= after.threads_woken - WAKES / 2))
		printf("# %lu woken, %lu in vain\n", after.threads_woken,
		       after.threads_in_vain);
	return 0;
}

static void who_ran_what_it_was_woken_for_was_not_woken_in_vain(void)
{
	run_it(wakes);
}

#define TURNS	(RIG_SLOW ? 20000L : 200000L)
#define WINDOW	500000UL		/* CROWDED_NS of schedule.c */
#define GAMES	8

static struct bw_g *player[2];
static long ball;

static void plays(struct countdown *c, long me)
{
	long i;

	for (i = 0; i < TURNS; i++) {
		while (add(&ball, 0) % 2 != me)
			bw_park();
		add(&ball, 1);
		bw_ready(player[!me]);
	}
	countdown_done(c);
}

static void plays_second(void *arg)
{
	__atomic_store_n(&player[1], bw_self(), __ATOMIC_RELEASE);
	plays(arg, 1);
}

/* On one CPU whoever is woken for the ball has taken it from who has it. */
static int plays_first(void *arg)
{
	u64 t = rig_now(), steals = stats_now().steals;
	struct countdown c;

	countdown_init(&c, 2);
	player[0] = bw_self();
	player[1] = NULL;
	bw_go(plays_second, &c);
	while (!__atomic_load_n(&player[1], __ATOMIC_ACQUIRE))
		bw_yield();
	plays(&c, 0);
	countdown_wait(&c);
	t = rig_now() - t;
	steals = stats_now().steals - steals;
	fprintf(stderr, "# %lu steals in %lu windows\n", steals, t / WINDOW);
	return steals > 100 + 2 * t / WINDOW;
}

static void run_on_one_cpu(void *arg)
{
	cpu_set_t all, one;
	int cpu = 0, games = 0;

	EXPECT(!sched_getaffinity(0, sizeof(all), &all));
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	EXPECT(!sched_setaffinity(0, sizeof(one), &one));
	setenv("BURROW_PROCS", "2", 1);
	/* others on this CPU, and sysmon, rob too: not in all of many games */
	while (run_it(plays_first) && ++games < GAMES)
		;
	_exit(games == GAMES);
}

static void who_took_the_CPU_of_its_waker_is_not_woken_again_at_once(void)
{
	static char said[4096];
	int status = rig_child(run_on_one_cpu, NULL, said, sizeof(said));

	printf("%s", said);
	EXPECT(status == 0);
}

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	seed = tap_seed(99);
	TEST(who_took_the_CPU_of_its_waker_is_not_woken_again_at_once);
	TEST(every_G_of_a_tree_runs_once);
	TEST(tokens_go_round_a_ring_of_Gs);
	TEST(a_G_in_a_wait_list_is_readied_once);
	TEST(a_pair_that_readies_each_other_starves_no_queue);
	TEST(who_ran_what_it_was_woken_for_was_not_woken_in_vain);
	TEST(Gs_do_everything_while_the_number_of_Ps_changes);
	TEST(a_run_may_end_in_the_middle_of_everything);
	return tap_end();
}
