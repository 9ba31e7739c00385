// SPDX-License-Identifier: MIT
/* Cycles as programs see them: what lives, and what goes. */
#include "gc_rig.h"

#define MANY	1000
#define LOOKS	(SLOW ? 50U : 300U)

static int garbage(void *arg)
{
	static u64 secret[MANY];
	u32 i, left = 0;

	for (i = 0; i < MANY; i++)
		secret[i] = secret_of(16 + i * 40);
	collect();
	for (i = 0; i < MANY; i++)
		left += is_there(secret[i]);
	/* a few may lie where a stale word points */
	EXPECT(left < 10);
	return 0;
}

static void what_nobody_can_reach_goes(void)
{
	in_run(garbage);
}

/* Churn of many times the heap that is there at any moment. */
static int churn(void *arg)
{
	u32 i, n = SLOW ? 300000 : 4000000;
	struct burrow_heap_stats st;
	struct bw_gc_stats gc = { .cycles = 0 };
	struct node *list = NULL, *p;

	/* a sanitizer's own data are globals, for which the goal is higher */
	for (i = 0; i < n || (i < 50 * n && gc.cycles <= 5); i++) {
		if (i % 4096 == 0)
			gc = let_collect();
		p = bw_new(node);
		p->next = i % 1000 ? list : NULL;
		p->id = i;
		p->sum = ~(u64)i;
		list = p;
		bw_alloc(i % 300);
		EXPECT(!list->next || list->next->id == i - 1);
	}
	for (p = list; p; p = p->next)
		EXPECT(p->sum == ~p->id);
	bw_gc_stats(&gc);
	EXPECT(gc.cycles > 5);
	EXPECT(!bw_mheap()->be->ops->stats(bw_mheap()->be, &st));
	printf("# %lu cycles, %lu pages\n", (unsigned long)gc.cycles,
	       (unsigned long)st.out_pages_live);
	EXPECT(st.out_pages_live < 64 * 128);
	return 0;
}

static void a_program_that_never_frees_does_not_grow(void)
{
	in_run(churn);
}

#define GS	6
#define NODES	3000
#define STEPS	(SLOW ? 20000 : 200000)

static u32 nr_done;

/*
 * A graph of its own, which it changes; its shadow, in memory that is no root,
 * says what has to be there.
 */
static void mutator(void *arg)
{
	u64 seed = (uintptr_t)arg + 1, r;
	struct node **node = bw_alloc(NODES * sizeof(*node));
	u64 *sum = malloc(NODES * sizeof(*sum));
	u32 i, k, n = STEPS;

	for (i = 0; i < NODES; i++) {
		node[i] = NULL;
		sum[i] = 0;
	}
	for (i = 0; i < n; i++) {
		r = rig_random(&seed);
		k = r % NODES;
		if (node[k] && (node[k]->sum != sum[k] ||
				(node[k]->next && node[k]->next->id !=
				 (node[k]->sum ^ 1)))) {
			EXPECT(!"an object is as it was left");
			break;
		}
		switch (r >> 32 & 3) {
		case 0:
			node[k] = NULL;
			break;
		case 1:
			bw_alloc_noscan(r >> 40 & 511);
			break;
		default:
			node[k] = r >> 34 & 1 ? bw_new(node) :
				  bw_new_plain(struct node);
			node[k]->sum = r;
			sum[k] = r;
			/* reached through its neighbour alone */
			node[k]->next = bw_new(node);
			node[k]->next->id = r ^ 1;
		}
		if (r >> 50 == 0)
			bw_gc();
		if (r >> 44 == 0)
			bw_yield();
	}
	free(sum);
	fetch_add_relaxed(&nr_done, 1);
}

static int mutators(void *arg)
{
	u32 i;

	WRITE_ONCE(nr_done, 0);
	for (i = 0; i < GS; i++)
		bw_go(mutator, (void *)(uintptr_t)i);
	while (READ_ONCE(nr_done) < GS)
		bw_yield();
	return 0;
}

static void many_change_what_they_have_and_find_it_again(void)
{
	in_run(mutators);
}

struct liar {
	struct liar *named;
	void *unnamed;
};

BW_TYPE(liar, struct liar, named);

static int lie(void *arg)
{
	struct liar *volatile l = bw_new(liar);

	l->unnamed = bw_alloc(64);
	bw_gc();
	bw_keepalive(l);
	return 0;
}

static void lie_child(void *arg)
{
	setenv("BURROW", "typecheck=1", 1);
	bw_run(lie, NULL);
}

static void a_pointer_that_a_type_does_not_name_is_told(void)
{
	char said[4000];

	EXPECT(!rig_child(lie_child, NULL, said, sizeof(said)));
	EXPECT(strstr(said, "typecheck: byte 8 of object"));
}

static int forks_main(void *arg)
{
	u32 i, k, n = SLOW ? 5 : 20;
	int status;
	pid_t pid;

	for (i = 0; i < n; i++) {
		struct node *list = NULL, *p;

		for (k = 0; k < 20000; k++) {
			p = bw_new(node);
			p->next = list;
			p->sum = k;
			list = p;
		}
		/* it would keep the stop's signal back in its fork() */
		if (BW_TSAN)
			bw_gc();
		pid = fork();
		if (!pid) {
			for (k = 20000; list; list = list->next)
				if (list->sum != --k)
					_exit(2);
			_exit(k);
		}
		if (!EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid &&
			    !status))
			printf("# status %x\n", status);
		EXPECT(list->sum == 19999);
	}
	return 0;
}

/* Cycles come on their own meanwhile. */
static void children_have_the_heap_of_one_moment(void)
{
	in_run(forks_main);
}

static u32 nr_looked;

static void *asks(void *arg)
{
	while (READ_ONCE(nr_looked) < LOOKS)
		bw_gc();
	return NULL;
}

/* Z2: what the other thread asks for goes on between two looks, and in none. */
static void who_holds_the_collector_finds_nothing_in_its_hands(void)
{
	const struct bw_gc_times *t = &bw_collector.times;
	pthread_t thread;
	u32 i;

	EXPECT(!pthread_create(&thread, NULL, asks, NULL));
	while (nr_looked < LOOKS) {
		for (i = 0; i < 10; i++)
			secret_of(20000 * (i + 1));
		bw_collector_hold();
		EXPECT(t->end >= t->begin);
		bw_collector_go_on();
		EXPECT(rig_heap_is_whole());
		WRITE_ONCE(nr_looked, nr_looked + 1);
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	gc_as_usual();
	/* in children, before there is a heap here */
	TEST(a_pointer_that_a_type_does_not_name_is_told);
	TEST(what_nobody_can_reach_goes);
	TEST(a_program_that_never_frees_does_not_grow);
	TEST(many_change_what_they_have_and_find_it_again);
	TEST(children_have_the_heap_of_one_moment);
	TEST(who_holds_the_collector_finds_nothing_in_its_hands);
	TEST(the_heap_is_whole_in_the_end);
	return tap_end();
}
