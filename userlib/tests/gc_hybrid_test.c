// SPDX-License-Identifier: MIT
/*
 * Marking while the program runs: tables of nodes, each node in one slot, that
 * change places all the time. And that each part of it is needed: without it the
 * second look (gccheckmark) finds an object that was missed, or its owner does.
 */
#include <sched.h>

#include "alloc_rig.h"
#include "base/throw.h"
#include "burrow.h"
#include "gc/collector.h"
#include "gc/nosan.h"
#include "sched/tools.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW	1
#else
#define SLOW	rig_is_kernel_mode()
#endif

#define TABLES	4
#define SLOTS	nr_slots

struct node {
	struct node *self;	/* an object of its own would be found */
	u64 id;
	u64 sum;
	u64 pad;
};

BW_TYPE(node, struct node, self);

struct table {
	struct table *next;
	struct node *slot[];
};

BW_TYPE_TAIL(table, struct table, slot, next);

static struct table *table[TABLES];
static u32 nr_slots, steps, nr_cycles, nr_done, nr_bad, stop;

static struct node *node_new(u64 id)
{
	struct node *n = bw_new(node);

	n->id = id;
	n->sum = ~id;
	n->pad = id * 3;
	return n;
}

/*
 * A thread sanitizer would tell that a lost node is another's by now, and wait for
 * the loader's lock in order to do so, which the collector holds until we have
 * stopped. What is wrong with such a node we find ourselves.
 */
static BW_NO_SANITIZE __attribute__((noinline)) bool is_good(const struct node *n)
{
	return n && n->sum == ~n->id && n->pad == n->id * 3;
}

static void fill(void)
{
	u32 i, k;

	for (i = 0; i < TABLES; i++) {
		table[i] = bw_new_tail(table, SLOTS);
		for (k = 0; k < SLOTS; k++)
			bw_set(&table[i]->slot[k], node_new(i * SLOTS + k));
	}
}

/* Every node is in one slot, and as it was made. */
static u64 check_all(void)
{
	u64 sum = 0;
	u32 i, k;

	for (i = 0; i < TABLES; i++)
		for (k = 0; k < SLOTS; k++) {
			if (!EXPECT(is_good(table[i]->slot[k])))
				return 0;
			sum += table[i]->slot[k]->id;
		}
	return sum;
}

#define CYCLES	4	/* at least, however fast the movers are */

static void count_done(void)
{
	/* pairs with are_done() */
	__atomic_add_fetch(&nr_done, 1, __ATOMIC_RELEASE);
}

static bool are_done(u32 n)
{
	/* pairs with count_done() */
	return smp_load_acquire(&nr_done) >= n;
}

/* Nodes of its own table change places; some are new; garbage is made. */
static void mover(void *arg)
{
	struct table *t = table[(uintptr_t)arg];
	u64 seed = (uintptr_t)arg + 1;
	u32 i;

	for (i = 0; i < steps || READ_ONCE(nr_cycles) < CYCLES; i++) {
		u64 r = rig_random(&seed);
		struct node **a = &t->slot[r % SLOTS];
		struct node **b = &t->slot[r / SLOTS % SLOTS];
		struct node *was = *a;

		if (!is_good(was) || !is_good(*b)) {
			fetch_add_relaxed(&nr_bad, 1);
			break;
		}
		switch (r >> 60) {
		case 0:
			bw_set(a, node_new(was->id));
			break;
		case 1:
			was = bw_xchg(b, was);
			bw_set(a, was);
			break;
		case 2:
			bw_move(a < b ? a : b, a < b ? a : b, 1);
			break;
		default:
			bw_set(a, *b);
			bw_set(b, was);
		}
		if (r >> 40 & 1)
			bw_alloc(r >> 50 & 255);
		if (!(r >> 34 & 4095))
			bw_yield();
	}
	count_done();
}

/* What it has is on its stack alone, while it waits. */
static void holder(void *arg)
{
	u64 id = (uintptr_t)arg;

	while (!READ_ONCE(stop)) {
		struct node *volatile n = node_new(id++);

		bw_yield();
		if (!is_good(n))
			fetch_add_relaxed(&nr_bad, 1);
	}
	count_done();
}

#define HOLDERS	50

static int run_movers(void *arg)
{
	u64 sum = (u64)TABLES * SLOTS * ((u64)TABLES * SLOTS - 1) / 2;
	struct bw_gc_stats before, after;
	u32 i;

	nr_cycles = 0;
	nr_done = 0;
	nr_bad = 0;
	stop = 0;
	bw_gc_stats(&before);
	fill();
	for (i = 0; i < TABLES; i++)
		bw_go(mover, (void *)(uintptr_t)i);
	for (i = 0; i < HOLDERS; i++)
		bw_go(holder, (void *)(uintptr_t)i);
	while (!are_done(TABLES)) {
		bw_gc();
		WRITE_ONCE(nr_cycles, nr_cycles + 1);
		bw_yield();
	}
	WRITE_ONCE(stop, 1);
	while (!are_done(TABLES + HOLDERS))
		bw_yield();
	EXPECT(!nr_bad);
	EXPECT(check_all() == sum);
	bw_gc();
	EXPECT(check_all() == sum);
	bw_gc_stats(&after);
	EXPECT(after.cycles > before.cycles + CYCLES);
	printf("# %lu cycles, longest stop %lu us\n",
	       (unsigned long)(after.cycles - before.cycles),
	       (unsigned long)after.longest_ns / 1000);
	for (i = 0; i < TABLES; i++)
		table[i] = NULL;
	return nr_bad != 0;
}

static void good_child(void *arg)
{
	setenv("BURROW", "gccheckmark=1,gcverify=1", 1);
	steps = SLOW ? 30000 : 600000;
	bw_barriers_used();
	EXPECT(!bw_run(run_movers, NULL));
	EXPECT(bw_collector.running == BW_GC_HYBRID);
}

static void nodes_that_move_while_they_are_marked_are_found(void)
{
	char said[4000];

	EXPECT(!rig_child(good_child, NULL, said, sizeof(said)));
	if (*said)
		printf("# %s\n", said);
}

static void quick_child(void *arg)
{
	steps = SLOW ? 30000 : 600000;
	bw_barriers_used();
	EXPECT(!bw_run(run_movers, NULL));
}

static void the_same_without_a_second_look(void)
{
	char said[4000];

	EXPECT(!rig_child(quick_child, NULL, said, sizeof(said)));
	if (*said)
		printf("# %s\n", said);
}

static void stopped_child(void *arg)
{
	setenv("BURROW", arg, 1);
	steps = SLOW ? 20000 : 200000;
	bw_barriers_used();
	EXPECT(!bw_run(run_movers, NULL));
	EXPECT(bw_collector.running == BW_GC_PLAIN);
}

static void gcstoptheworld_makes_it_plain(void)
{
	static const char *const how[] = {
		"gcstoptheworld=1", "gcstoptheworld=2,gcevery=200",
	};
	char said[4000];
	u32 i;

	for (i = 0; i < 2; i++)
		if (!EXPECT(!rig_child(stopped_child, (void *)how[i], said,
				       sizeof(said))))
			printf("# %s\n", said);
}

/* With a part left out, until the second look finds what was missed. */
static int run_broken(void *arg)
{
	u32 i;

	fill();
	bw_mheap()->gc.broken = (u32)(uintptr_t)arg;
	nr_cycles = CYCLES;
	nr_done = 0;
	stop = 0;
	for (i = 0; i < TABLES; i++)
		bw_go(mover, (void *)(uintptr_t)i);
	for (i = 0; i < HOLDERS; i++)
		bw_go(holder, (void *)(uintptr_t)i);
	for (i = 0; i < 3000; i++) {
		bw_gc();
		bw_yield();
		if (READ_ONCE(nr_bad))
			bw_fatal("an object is lost");
	}
	return 0;
}

static void broken_child(void *arg)
{
	setenv("BURROW", "gccheckmark=1,clobberfree=1", 1);
	steps = 1U << 30;
	bw_barriers_used();
	bw_run(run_broken, arg);
}

/* By the second look, by who owned it, or by a sanitizer. */
static void is_found_out(u32 what)
{
	char said[4000];
	int status = rig_child(broken_child, (void *)(uintptr_t)what, said,
			       sizeof(said));

	EXPECT(status);
	if (!EXPECT(strstr(said, "gccheckmark: object") ||
		    strstr(said, "an object is lost") ||
		    strstr(said, "clobberfree: ") ||
		    strstr(said, "data race") ||
		    strstr(said, "AddressSanitizer: ")))
		printf("# %s\n", said);
}

static void without_the_barrier_an_object_is_missed(void)
{
	is_found_out(BW_BROKEN_BARRIER);
}

static void without_black_objects_one_is_missed(void)
{
	is_found_out(BW_BROKEN_BLACK);
}

static void without_the_last_look_an_object_is_missed(void)
{
	is_found_out(BW_BROKEN_RECHECK);
}

int main(void)
{
	setenv("BURROW_GC", "100", 1);
	nr_slots = SLOW ? 4000 : 40000;
	TEST(nodes_that_move_while_they_are_marked_are_found);
	TEST(the_same_without_a_second_look);
	TEST(gcstoptheworld_makes_it_plain);
	/* a short cycle seldom misses one, and here each takes long anyway */
	if (BW_ASAN)
		nr_slots = 40000;
	TEST(without_the_barrier_an_object_is_missed);
	TEST(without_black_objects_one_is_missed);
	TEST(without_the_last_look_an_object_is_missed);
	return tap_end();
}
