// SPDX-License-Identifier: MIT
/* Pools, counters and pointers without locks. */
#include "burrow.h"
#include "chan_rig.h"
#include "gc_rig.h"

#define GS	8
#define THREADS	2
#define TAKES	(RIG_SLOW ? 300 : 200000)
#define TIMES	(RIG_SLOW ? 300 : 10000)

static struct countdown left;
static long nr_made;

/**
 * struct thing - what is pooled
 * @used:	somebody has it
 * @made:	it was made, and not something else
 */
struct thing {
	long used;
	u64 made;
};

#define MADE	0x7419600dULL

static void *make_thing(void *arg)
{
	struct thing *t = bw_alloc_noscan(sizeof(*t));

	EXPECT(arg == &nr_made);
	add(&nr_made, 1);
	t->made = MADE;
	return t;
}

static void *one_of(struct bw_pool *p)
{
	struct thing *t = bw_pool_get(p);

	if (!t)
		return NULL;
	EXPECT(add(&t->used, 1) == 1 && t->made == MADE);
	return t;
}

static void give(struct bw_pool *p, struct thing *t)
{
	add(&t->used, -1);
	bw_pool_put(p, t);
}

/* A few at a time, in any order, with others who do the same. */
static void takes_and_gives(void *arg)
{
	struct thing *has[40] = { NULL };
	u64 seed = bw_g_id(bw_self()) + 1;
	u32 i, k;

	for (i = 0; i < (u32)TAKES; i++) {
		k = (u32)(rig_random(&seed) % ARRAY_SIZE(has));
		if (has[k])
			give(arg, has[k]);
		has[k] = has[k] ? NULL : one_of(arg);
		if (rig_random(&seed) % 64 == 0)
			bw_yield();
	}
	for (k = 0; k < ARRAY_SIZE(has); k++)
		if (has[k])
			give(arg, has[k]);
	countdown_done(&left);
}

static void *thread_takes_and_gives(void *arg)
{
	EXPECT(!bw_thread_attach());
	takes_and_gives(arg);
	bw_thread_detach();
	return NULL;
}

static int run_many(void *arg)
{
	struct bw_pool *p = bw_pool_make(make_thing, &nr_made);
	pthread_t t[THREADS];
	u32 i;

	countdown_init(&left, GS + THREADS);
	for (i = 0; i < THREADS; i++)
		EXPECT(!pthread_create(&t[i], NULL, thread_takes_and_gives, p));
	for (i = 0; i < GS; i++)
		bw_go(takes_and_gives, p);
	countdown_wait(&left);
	bw_block_begin();
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	bw_block_end();
	return 0;
}

static void nobody_gets_what_another_has(void)
{
	EXPECT(!run_it(run_many));
}

static void one_place_child(void *arg)
{
	setenv("BURROW_PROCS", "1", 1);
	run_it(run_many);
}

/* Threads without a P use the first's: so all of them use the same. */
static void where_all_share_a_place_nobody_gets_what_another_has(void)
{
	EXPECT(rig_child_is_well(one_place_child, NULL));
}

static void many_child(void *arg)
{
	rig_collect(arg, "gcevery=100,clobberfree=1");
	run_it(run_many);
}

static void a_pool_holds_while_the_collector_runs(void)
{
	rig_both_collectors(many_child);
}

/* What is put is got: by the same, by one without a P, all of them. */
static void *thread_gets_all(void *arg)
{
	u32 n = 0;

	EXPECT(!bw_thread_attach());
	while (one_of(arg))
		n++;
	EXPECT(n == 100);
	bw_thread_detach();
	return NULL;
}

/* On whichever P it is. */
static void puts_one(void *arg)
{
	u64 until = bw_now() + 20000;

	bw_pool_put(arg, make_thing(&nr_made));
	while (bw_now() < until)
		bw_cpu_relax();
	countdown_done(&left);
}

static int run_all_back(void *arg)
{
	struct bw_pool *p = bw_pool_make(NULL, NULL);
	pthread_t t;
	u32 i;

	EXPECT(!bw_pool_get(p));
	bw_pool_put(p, NULL);
	EXPECT(!bw_pool_get(p));
	countdown_init(&left, 100);
	for (i = 0; i < 100; i++)
		bw_go(puts_one, p);
	countdown_wait(&left);
	EXPECT(!pthread_create(&t, NULL, thread_gets_all, p));
	bw_block_begin();
	pthread_join(t, NULL);
	bw_block_end();
	EXPECT(!bw_pool_get(p));
	return 0;
}

static void what_was_put_is_got_by_whoever_asks(void)
{
	EXPECT(!run_it(run_all_back));
}

/* Its stack is overwritten afterwards. */
static __attribute__((noinline)) void put_some(struct bw_pool *p, u64 *secret,
					       u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		void *t = make_thing(&nr_made);

		secret[i] = hide(t);
		bw_pool_put(p, t);
	}
}

static u32 nr_there(const u64 *secret, u32 n)
{
	u32 i, nr = 0;

	for (i = 0; i < n; i++)
		nr += is_there(secret[i]);
	return nr;
}

static __attribute__((noinline)) bool get_and_put(struct bw_pool *p)
{
	void *t = bw_pool_get(p);

	bw_pool_put(p, t);
	return t;
}

#define SOME	200U

static int run_age(void *arg)
{
	struct bw_pool *p = bw_pool_make(NULL, NULL);
	static u64 secret[SOME];

	put_some(p, secret, SOME);
	wipe();
	bw_gc();
	EXPECT(nr_there(secret, SOME) == SOME);
	/* one is wanted, and begins anew */
	EXPECT(get_and_put(p));
	wipe();
	bw_gc();
	EXPECT(nr_there(secret, SOME) < SOME / 4);
	EXPECT(get_and_put(p));
	wipe();
	bw_gc();
	bw_gc();
	EXPECT(!bw_pool_get(p));
	/* and it goes on from there */
	put_some(p, secret, 1);
	EXPECT(bw_pool_get(p));
	return 0;
}

static void age_child(void *arg)
{
	setenv("BURROW_GC", "off", 1);
	/* the pool is no root of the program's */
	if (arg)
		bw_root_data(0);
	run_it(run_age);
}

static void what_nobody_got_for_two_collections_is_dropped(void)
{
	size_t i;

	for (i = 0; i < 2; i++)
		EXPECT(rig_child_is_well(age_child, (void *)i));
}

#define AT_ONCE	(RIG_SLOW ? 100U : 4000U)	/* a G makes */

static struct bw_pool **all_pools;	/* a root */
static u32 nr_begun;

/* All at once, as far as there are Ps. */
static void fills_pools(void *arg)
{
	struct bw_pool **mine = all_pools + (size_t)arg * AT_ONCE;
	u32 i;

	fetch_add_relaxed(&nr_begun, 1);
	while (READ_ONCE(nr_begun) < GS)
		bw_yield();
	for (i = 0; i < AT_ONCE; i++) {
		bw_set(&mine[i], bw_pool_make(NULL, NULL));
		bw_pool_put(mine[i], bw_alloc_noscan(8));
	}
	countdown_done(&left);
}

/* One that is not in the list would keep what it has. */
static int run_at_once(void *arg)
{
	u32 i, kept = 0;

	all_pools = bw_alloc_array(GS * AT_ONCE, sizeof(*all_pools));
	EXPECT(!bw_root_add(&all_pools, sizeof(all_pools)));
	countdown_init(&left, GS);
	for (i = 0; i < GS; i++)
		bw_go(fills_pools, (void *)(size_t)i);
	countdown_wait(&left);
	bw_gc();
	bw_gc();
	for (i = 0; i < GS * AT_ONCE; i++)
		kept += !!bw_pool_get(all_pools[i]);
	EXPECT(!kept);
	return 0;
}

static void at_once_child(void *arg)
{
	setenv("BURROW_GC", "off", 1);
	run_it(run_at_once);
}

static void pools_that_come_at_once_are_all_aged(void)
{
	EXPECT(rig_child_is_well(at_once_child, NULL));
}

static __attribute__((noinline)) u64 lone_pool(void)
{
	struct bw_pool *p = bw_pool_make(NULL, NULL);
	u64 secret;

	put_some(p, &secret, 1);
	return hide(p);
}

#define POOLS	50U

static int run_lone(void *arg)
{
	static u64 secret[POOLS];
	u32 i;

	for (i = 0; i < POOLS; i++)
		secret[i] = lone_pool();
	for (i = 0; i < 3; i++) {
		wipe();
		bw_gc();
		EXPECT(i || nr_there(secret, POOLS) == POOLS);
	}
	EXPECT(nr_there(secret, POOLS) < POOLS / 4);
	return 0;
}

static void lone_child(void *arg)
{
	setenv("BURROW_GC", "off", 1);
	/* no variable of ours, or of the library's, keeps one */
	bw_root_data(0);
	run_it(run_lone);
}

static void a_pool_that_nobody_has_is_collected(void)
{
	EXPECT(rig_child_is_well(lone_child, NULL));
}

/* A stack of nodes without a lock: each push is seen once by those who pop. */
struct link {
	struct link *next;
	long n;
};

BW_TYPE(link, struct link, next);

static struct bw_ptr top;
static struct bw_counter total, popped;

/* Nodes are new each time, and live while somebody has them: no ABA. */
static void pushes_and_pops(void *arg)
{
	long i;

	for (i = 0; i < TIMES; i++) {
		struct link *l = bw_new(link), *old;

		l->n = i;
		do {
			old = bw_ptr_load(&top);
			bw_set(&l->next, old);
		} while (!bw_ptr_cas(&top, old, l));
		bw_counter_add(&total, i);
		do
			l = bw_ptr_load(&top);
		while (l && !bw_ptr_cas(&top, l, l->next));
		if (l)
			bw_counter_add(&popped, l->n);
	}
	countdown_done(&left);
}

static int run_lock_free(void *arg)
{
	struct link *l;
	u32 i;

	bw_counter_store(&total, 5);
	EXPECT(bw_counter_xchg(&total, 7) == 5);
	EXPECT(!bw_counter_cas(&total, 5, 0) && bw_counter_cas(&total, 7, 0));
	countdown_init(&left, 4);
	for (i = 0; i < 4; i++)
		bw_go(pushes_and_pops, NULL);
	countdown_wait(&left);
	for (l = bw_ptr_xchg(&top, NULL); l; l = l->next)
		bw_counter_add(&popped, l->n);
	EXPECT(bw_counter_load(&total) == bw_counter_load(&popped));
	EXPECT(bw_counter_load(&total) == 4L * TIMES * (TIMES - 1) / 2);
	bw_ptr_store(&top, &left);
	EXPECT(bw_ptr_load(&top) == &left);
	bw_ptr_store(&top, NULL);
	return 0;
}

static void lock_free_child(void *arg)
{
	rig_collect(arg, "gcevery=500,clobberfree=1");
	run_it(run_lock_free);
}

static void counters_and_pointers_need_no_lock(void)
{
	rig_both_collectors(lock_free_child);
}

int main(void)
{
	setenv("BURROW_PROCS", "2", 1);
	/* in children, so before this process has a run */
	TEST(a_pool_holds_while_the_collector_runs);
	TEST(where_all_share_a_place_nobody_gets_what_another_has);
	TEST(what_nobody_got_for_two_collections_is_dropped);
	TEST(pools_that_come_at_once_are_all_aged);
	TEST(counters_and_pointers_need_no_lock);
	TEST(a_pool_that_nobody_has_is_collected);
	TEST(nobody_gets_what_another_has);
	TEST(what_was_put_is_got_by_whoever_asks);
	return tap_end();
}
