// SPDX-License-Identifier: MIT
/*
 * Threads allocate, free, reclaim and sweep while others fork: each child finds
 * every call done or not begun. Fits both modes.
 */
#include "fork_rig.h"

#define NR_WORKERS	3
#define NR_FORKERS	2
#define NR_FORKS	(rig_is_kernel_mode() ? 5U : 12U)	/* at least 4: be_a_child() */
#define HELD		12

static bool done;
static u32 nr_rounds;

static void take_and_free(u64 *seed, struct bw_span_want want)
{
	struct burrow_span_ref ref[HELD];
	u32 nr, flags = (u32)(rig_random(seed) % 2);

	/* the stacks may all be taken */
	bw_heap_span_alloc(heap, &want, ref, 1 + rig_random(seed) % HELD, &nr);
	if (nr)
		EXPECT(!bw_heap_span_free(heap, flags, ref, nr, NULL));
}

static void *work(void *arg)
{
	u64 seed = (uintptr_t)arg;

	/* pairs with the test's end */
	while (!smp_load_acquire(&done)) {
		struct bw_span_want want = rig_want(1 + (u32)(rig_random(&seed)
							      % 40));
		take_and_free(&seed, want);
		want.kind = BURROW_KIND_STACK;
		want.npages = 4 + want.npages % 8;
		take_and_free(&seed, want);
		EXPECT(!bw_heap_reclaim(heap, rig_random(&seed) % (1 << 18),
					NULL));
		fetch_add_relaxed(&nr_rounds, 1);
	}
	return NULL;
}

/* These calls take locks and do not hold off a fork. */
static void *look_on(void *arg)
{
	struct burrow_heap_stats s;

	/* pairs with the test's end */
	while (!smp_load_acquire(&done)) {
		EXPECT(!bw_heap_check(heap));
		EXPECT(!bw_heap_stats(heap, &s));
		fetch_add_relaxed(&nr_rounds, 1);
	}
	return arg;
}

/* What other threads held is live here for ever; all the rest can be had. */
static void take_what_is_free(void)
{
	struct bw_span_want want = rig_want(1);
	static struct burrow_span_ref ref[512];
	struct burrow_heap_stats s;
	u64 taken = 0;
	u32 nr;

	EXPECT(!bw_heap_stats(heap, &s));
	want.flags = BURROW_ALLOC_LAZY;
	do {
		bw_heap_span_alloc(heap, &want, ref, ARRAY_SIZE(ref), &nr);
		taken += nr;
	} while (nr);
	want.kind = BURROW_KIND_STACK;
	want.npages = BURROW_GUARD_PAGES + 1;
	do {
		bw_heap_span_alloc(heap, &want, ref, ARRAY_SIZE(ref), &nr);
		taken += nr * (u64)want.npages;
		/* a guard that was left behind would be in its way */
		if (nr)
			*words(ref[nr - 1].page + BURROW_GUARD_PAGES) = 1;
	} while (nr);
	/* runs of less than a stack and the huge arena are what is left */
	EXPECT(s.out_pages_free - taken < BURROW_ARENA_PAGES + 2048);
}

static void be_a_child(void *arg)
{
	u64 seed = (uintptr_t)arg;

	expect_whole(3);
	expect_kept();
	go_on(seed, 60);
	expect_kept();
	if (seed % 4 == 0)
		take_what_is_free();
	expect_whole(3);
	if (seed % 4 == 1)
		EXPECT(rig_join(rig_fork(be_a_child, (void *)(seed + 1))));
}

static void *fork_often(void *arg)
{
	u64 seed = (uintptr_t)arg;
	u32 i;

	for (i = 0; i < NR_FORKS; i++) {
		u32 before = READ_ONCE(nr_rounds);

		EXPECT(rig_join(rig_fork(be_a_child, (void *)(seed + i))));
		/* so that each is in the midst of other calls */
		while (READ_ONCE(nr_rounds) == before)
			sched_yield();
	}
	return NULL;
}

static void children_of_a_busy_process_find_a_whole_heap(void)
{
	u64 seed = tap_seed(20240902);
	pthread_t worker[NR_WORKERS], forker[NR_FORKERS], other;
	u32 i;

	scene_make();
	for (i = 0; i < NR_WORKERS; i++)
		pthread_create(&worker[i], NULL, work, (void *)(seed + i));
	pthread_create(&other, NULL, look_on, NULL);
	for (i = 0; i < NR_FORKERS; i++)
		pthread_create(&forker[i], NULL, fork_often,
			       (void *)(seed + 100 * i));
	for (i = 0; i < NR_FORKERS; i++)
		pthread_join(forker[i], NULL);
	/* pairs with work() */
	smp_store_release(&done, true);
	for (i = 0; i < NR_WORKERS; i++)
		pthread_join(worker[i], NULL);
	pthread_join(other, NULL);
	printf("# %u rounds\n", nr_rounds);
	expect_kept();
	expect_whole(3);
	bw_heap_close(heap);
}

static void *open_and_close(void *arg)
{
	/* pairs with the test's end */
	while (!smp_load_acquire(&done)) {
		bw_heap_close(rig_heap(1, false));
		fetch_add_relaxed(&nr_rounds, 1);
	}
	return arg;
}

static void heaps_are_opened_and_closed_while_others_fork(void)
{
	pthread_t t, forker;

	scene_make();
	done = false;
	pthread_create(&t, NULL, open_and_close, NULL);
	pthread_create(&forker, NULL, fork_often, (void *)2);
	pthread_join(forker, NULL);
	/* pairs with open_and_close() */
	smp_store_release(&done, true);
	pthread_join(t, NULL);
	bw_heap_close(heap);
}

int main(void)
{
	TEST(children_of_a_busy_process_find_a_whole_heap);
	TEST(heaps_are_opened_and_closed_while_others_fork);
	return tap_end();
}
