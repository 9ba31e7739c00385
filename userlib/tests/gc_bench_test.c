// SPDX-License-Identifier: MIT
/*
 * Programs by which collectors are measured, small, with what they compute looked at:
 * binary trees, and trees in the way of GCBench; first plain, then hybrid. And threads
 * and children that come and go meanwhile: not under a thread sanitizer, which keeps
 * the stop's signal back while a thread is in its fork() or pthread_create().
 */
#include "gc_rig.h"

struct tree {
	struct tree *left;
	struct tree *right;
	u64 id;
};

BW_TYPE(tree, struct tree, left, right);

#define DEPTH	(SLOW ? 8 : 12)
#define LONG	(SLOW ? 9 : 13)
#define NUMBERS	(SLOW ? 20000 : 200000)

static u64 nr_made;

static struct tree *tree_new(void)
{
	struct tree *t = bw_new(tree);

	t->id = fetch_add_relaxed(&nr_made, 1) + 1;
	return t;
}

static struct tree *bottom_up(u32 depth)
{
	struct tree *left = NULL, *right = NULL, *t;

	if (depth) {
		left = bottom_up(depth - 1);
		right = bottom_up(depth - 1);
	}
	t = tree_new();
	bw_set(&t->left, left);
	bw_set(&t->right, right);
	return t;
}

/* The tree is known while it grows. */
static void top_down(u32 depth, struct tree *t)
{
	if (!depth)
		return;
	bw_set(&t->left, tree_new());
	bw_set(&t->right, tree_new());
	top_down(depth - 1, t->left);
	top_down(depth - 1, t->right);
}

/* How many nodes, no two of which have the same number: their xor and sum. */
struct seen {
	u64 nr;
	u64 sum;
	u64 mix;
};

static void look(const struct tree *t, struct seen *s)
{
	if (!t)
		return;
	s->nr++;
	s->sum += t->id;
	s->mix ^= t->id * 0x9e3779b97f4a7c15ULL;
	look(t->left, s);
	look(t->right, s);
}

static u64 size_of(u32 depth)
{
	return (2ULL << depth) - 1;
}

static int trees_main(void *arg)
{
	struct tree *kept = bottom_up(LONG);
	struct seen before = { 0 }, after = { 0 }, s;
	struct bw_gc_stats st;
	u32 d, i, n;

	look(kept, &before);
	for (d = 4; d <= DEPTH; d += 2) {
		n = 1U << (DEPTH - d + 4);
		for (i = 0; i < n; i++) {
			s = (struct seen){ 0 };
			look(bottom_up(d), &s);
			EXPECT(s.nr == size_of(d));
		}
		let_collect();
	}
	bw_gc();
	look(kept, &after);
	EXPECT(before.nr == size_of(LONG));
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	bw_gc_stats(&st);
	EXPECT(st.cycles);
	return 0;
}

/* Trees made both ways, while a long-lived one and an array of numbers stay. */
static int gcbench_main(void *arg)
{
	struct tree *kept = tree_new(), *t;
	double *number = bw_alloc_noscan(NUMBERS * sizeof(*number));
	struct seen before = { 0 }, after = { 0 }, s;
	u32 d, i, n;

	top_down(LONG, kept);
	look(kept, &before);
	for (i = 0; i < NUMBERS; i++)
		number[i] = 1.0 / (i + 1);
	for (d = 4; d <= DEPTH; d += 2) {
		n = (u32)(2 * size_of(DEPTH) / size_of(d));
		for (i = 0; i < n; i++) {
			t = i % 2 ? bottom_up(d) : tree_new();
			if (i % 2 == 0)
				top_down(d, t);
			s = (struct seen){ 0 };
			look(t, &s);
			EXPECT(s.nr == size_of(d));
		}
		let_collect();
	}
	bw_gc();
	look(kept, &after);
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	for (i = 0; i < NUMBERS; i++)
		if (!EXPECT(number[i] == 1.0 / (i + 1)))
			break;
	return 0;
}

static void binary_trees_have_all_their_nodes(void)
{
	in_run(trees_main);
}

static void trees_of_GCBench_are_as_they_were_made(void)
{
	in_run(gcbench_main);
}

static u32 over, nr_gone;

static void collects(void *arg)
{
	collect_until_over(&over);
	WRITE_ONCE(over, 2);
}

/* It comes, has objects, and goes, attached or not. */
static void *passer(void *arg)
{
	struct seen s = { 0 };
	struct tree *t;

	if (arg)
		EXPECT(!bw_thread_attach());
	t = bottom_up(6);
	bottom_up(7);
	look(t, &s);
	EXPECT(s.nr == size_of(6));
	if (arg)
		bw_thread_detach();
	fetch_add_relaxed(&nr_gone, 1);
	return NULL;
}

/* Not joined: who waits there would have to be stopped by a signal. */
static void come_and_go(u32 n)
{
	pthread_t t;
	u32 i;

	for (i = 0; i < n; i++) {
		if (!EXPECT(!pthread_create(&t, NULL, passer,
					    (void *)(uintptr_t)(i % 2))))
			break;
		pthread_detach(t);
		while (READ_ONCE(nr_gone) + 3 <= i)
			usleep(100);
	}
	while (READ_ONCE(nr_gone) < i)
		usleep(100);
}

static int passers_main(void *arg)
{
	struct seen before = { 0 }, after = { 0 };
	struct tree *kept = bottom_up(LONG);

	look(kept, &before);
	over = 0;
	EXPECT(!bw_go(collects, NULL));
	nr_gone = 0;
	bw_block_begin();
	come_and_go(SLOW ? 10 : 60);
	bw_block_end();
	WRITE_ONCE(over, 1);
	while (READ_ONCE(over) != 2)
		bw_yield();
	look(kept, &after);
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	return 0;
}

static void threads_come_and_go_while_there_are_cycles(void)
{
	in_run(passers_main);
}

/**
 * struct heir - what a child looks at
 */
struct heir {
	const struct tree *kept;
	struct seen before;
	bool runs;
};

/* In a run of its own there are cycles; without one nothing is collected. */
static int heir_main(void *arg)
{
	const struct heir *h = arg;
	struct seen s = { 0 };
	u32 cycles = READ_ONCE(bw_collector.nr);

	bottom_up(8);
	bw_gc();
	look(bottom_up(6), &s);
	if (s.nr != size_of(6) ||
	    (READ_ONCE(bw_collector.nr) != cycles) != h->runs)
		return 2;
	s = (struct seen){ 0 };
	look(h->kept, &s);
	return !!memcmp(&h->before, &s, sizeof(s));
}

static int heir(const struct tree *kept, const struct seen *before, bool runs)
{
	struct heir h = { kept, *before, runs };

	if (runs && bw_after_fork())
		return 3;
	return runs ? bw_run(heir_main, &h) : heir_main(&h);
}

static int forks_main(void *arg)
{
	struct seen before = { 0 };
	struct tree *kept = bottom_up(LONG);
	u32 i, n = SLOW ? 4 : 20;
	int status = -1;
	pid_t pid;

	look(kept, &before);
	over = 0;
	EXPECT(!bw_go(collects, NULL));
	for (i = 0; i < n; i++) {
		bottom_up(8);
		bw_yield();
		pid = fork();
		if (!pid)
			_exit(heir(kept, &before, i % 2));
		if (!EXPECT(pid > 0))
			break;
		bw_block_begin();
		while (!waitpid(pid, &status, WNOHANG))
			usleep(100);
		bw_block_end();
		if (!EXPECT(!status))
			printf("# status: %x\n", (unsigned int)status);
	}
	WRITE_ONCE(over, 1);
	while (READ_ONCE(over) != 2)
		bw_yield();
	return 0;
}

static void children_find_all_of_it_while_cycles_go_on(void)
{
	in_run(forks_main);
}

static void all(void)
{
	TEST(binary_trees_have_all_their_nodes);
	TEST(trees_of_GCBench_are_as_they_were_made);
	TEST(threads_come_and_go_while_there_are_cycles);
	TEST(children_find_all_of_it_while_cycles_go_on);
}

int main(void)
{
	return gc_tests_twice(all);
}
