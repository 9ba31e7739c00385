// SPDX-License-Identifier: MIT
/*
 * A child of fork() that called bw_after_fork() collects: whatever cycle of its parent's
 * was under way, in plain and in hybrid mode. Not under a thread sanitizer, which makes
 * no threads in such a child.
 */
#include "burrow/barrier.h"
#include "gc_fork_rig.h"
#include "heap/sweep.h"

#define CHAIN		(SLOW ? 10000U : 50000U)
#define ENOUGH		(SLOW ? 1U : 2U)	/* forks that met a cycle */
#define PATIENCE	30000000000ULL

/* What children say, in memory that they share with the parent. */
static struct said {
	u32 marking;
	u32 unswept;
	u32 neither;
} *said;

static u32 over, nr_left;

static void collects(void *arg)
{
	collect_until_over(&over);
	fetch_add_relaxed(&nr_left, (u32)-1);
}

/* Stores, new objects, frees, and spans that end while marking. */
static void mutates(void *arg)
{
	struct node **slot = bw_alloc(64 * sizeof(*slot));
	u64 seed = (uintptr_t)arg;
	u32 i;

	while (!READ_ONCE(over)) {
		u64 r = rig_random(&seed);

		bw_set(&slot[r % 64], chain_make(r >> 8, r >> 60));
		bw_set(&slot[r >> 6 & 63], slot[r >> 12 & 63]);
		if (!(r >> 20 & 15))
			bw_free(bw_alloc(1 + (r >> 30) % 100000));
		if (!(r >> 40 & 63))
			bw_yield();
	}
	for (i = 0; i < 64; i++)
		slot[i] = NULL;
	fetch_add_relaxed(&nr_left, (u32)-1);
}

/*
 * An address sanitizer takes memory for a thread that begins, by locks that it does not
 * hold over fork(): a child would wait for them. So cycles come before the first fork,
 * and the threads of a run with them.
 */
static void let_threads_begin(void)
{
	u32 nr = READ_ONCE(bw_collector.nr);

	while (READ_ONCE(bw_collector.nr) - nr < 2)
		bw_yield();
}

static bool begin_storm(void)
{
	WRITE_ONCE(over, 0);
	WRITE_ONCE(nr_left, 3);
	if (!EXPECT(!bw_go(collects, NULL)) ||
	    !EXPECT(!bw_go(mutates, (void *)1)) ||
	    !EXPECT(!bw_go(mutates, (void *)2)))
		return false;
	let_threads_begin();
	return true;
}

static void end_storm(void)
{
	WRITE_ONCE(over, 1);
	while (READ_ONCE(nr_left))
		bw_yield();
}

static bool is_blank(struct bw_mspan *s, void *arg)
{
	const struct bw_mheap *h = arg;
	u32 w;

	if (!bw_kind_is_collected(s->kind))
		return true;
	for (w = 0; w < bw_mspan_words(s); w++)
		if (!EXPECT(!READ_ONCE(bw_marks_of(&h->map, s)[w])))
			return false;
	return true;
}

/* Nothing is left of a cycle that was marking. */
static void expect_blank(struct bw_mheap *h, bool was_marking)
{
	EXPECT(!READ_ONCE(h->gc.marking) && !READ_ONCE(bw_barrier_on));
	EXPECT(h->gc.nr_caches <= 1);
	EXPECT(!h->gc.caches || !h->gc.caches->nr_shades);
	EXPECT(bw_list_is_empty(&h->gc.limbo));
	if (was_marking)
		bw_mheap_each_span(h, is_blank, h);
}

static int cycles_main(void *arg)
{
	struct node *mine = chain_make(7, 1000);
	const struct node *kept = arg;
	u32 i;

	for (i = 0; i < 2; i++) {
		chain_make(0, 5000);
		collect();
		EXPECT(chain_is_whole(mine, 7, 1000));
		EXPECT(chain_is_whole(kept, 100, CHAIN));
	}
	return 0;
}

static void in_phase(void *arg)
{
	struct bw_mheap *h = bw_mheap();
	bool marking = READ_ONCE(h->gc.marking);

	if (marking)
		fetch_add_relaxed(&said->marking, 1);
	else if (READ_ONCE(h->gc.unswept))
		fetch_add_relaxed(&said->unswept, 1);
	else
		fetch_add_relaxed(&said->neither, 1);
	EXPECT(!bw_after_fork());
	expect_blank(h, marking);
	EXPECT(!bw_run(cycles_main, arg));
	EXPECT(chain_is_whole(arg, 100, CHAIN));
	EXPECT(rig_heap_is_whole());
}

/* Until forks met what there is to be met: a cycle is never far. */
static void fork_in_phases(struct node *kept, u32 nr)
{
	bool hybrid = bw_collector.mode == BW_GC_HYBRID;
	u64 end = rig_now() + PATIENCE, seed = 3;
	u32 i, spins;

	for (i = 0; i < nr || (rig_now() < end && hybrid &&
			       READ_ONCE(said->marking) < ENOUGH); i++) {
		bool want = hybrid && i % 2;

		spins = (u32)(rig_random(&seed) % 4096);
		while (want ? !READ_ONCE(bw_barrier_on) : spins--)
			if (!(spins % 64))
				bw_yield();
		if (!EXPECT(child_is_well(in_phase, kept)))
			break;
	}
	EXPECT(!hybrid || READ_ONCE(said->marking) >= ENOUGH);
	printf("# %u forks while marking, %u while sweeping, %u else\n",
	       said->marking, said->unswept, said->neither);
}

static int phases_main(void *arg)
{
	struct node *kept = chain_make(100, CHAIN);
	bool deep = arg;

	memset(said, 0, sizeof(*said));
	if (begin_storm())
		fork_in_phases(kept, deep ? 2 : FORKS);
	end_storm();
	EXPECT(chain_is_whole(kept, 100, CHAIN));
	return 0;
}

static void whatever_the_parents_cycle_was_doing(void)
{
	in_run(phases_main);
}

static void phases_again(void *arg)
{
	struct node *const *kept = arg;

	EXPECT(!bw_after_fork());
	EXPECT(!bw_run(phases_main, arg));
	EXPECT(chain_is_whole(*kept, 100, 1000));
}

static int deep_main(void *arg)
{
	struct node *kept = chain_make(100, 1000);

	if (begin_storm())
		EXPECT(child_is_well(phases_again, &kept));
	end_storm();
	return 0;
}

static void so_does_a_childs_child(void)
{
	in_run(deep_main);
}

static void all(void)
{
	TEST(whatever_the_parents_cycle_was_doing);
	TEST(so_does_a_childs_child);
}

int main(void)
{
	said = shared_zeros(sizeof(*said));
	return gc_tests_twice(all);
}
