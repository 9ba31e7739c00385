// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap_test: KUnit suite burrow_heap: a heap's life without a process.
 *
 * The heap is made on an inode of ours and bound to an mm that KUnit lends
 * (kunit_vm_mmap() attaches one), so that each step of heap.c, arena.c and
 * park.c is met alone. Mappings and faults are the kselftests' part.
 */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "../heap.h"

#define ARENAS		4UL
#define WINDOW		(1UL << 40)
#define KMETA		(2UL << 40)
#define UMETA		(3UL << 40)

struct place {
	struct inode inode;
	struct address_space mapping;
	struct bw_file *file;
};

static int place_init(struct kunit *test)
{
	struct place *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NE(test, 0, kunit_vm_mmap(test, NULL, 0, PAGE_SIZE,
					       PROT_READ, MAP_PRIVATE |
					       MAP_ANONYMOUS, 0));
	p->inode.i_mapping = &p->mapping;
	p->file = bw_file_make(&p->inode);
	KUNIT_ASSERT_FALSE(test, IS_ERR(p->file));
	test->priv = p;
	return 0;
}

/* Freeing warns, and a warning fails the run, when anything is left over. */
static void place_exit(struct kunit *test)
{
	struct place *p = test->priv;

	if (p && !IS_ERR_OR_NULL(p->file))
		bw_file_release(p->file);
}

static struct burrow_heap_setup good_setup(void)
{
	return (struct burrow_heap_setup){
		.window = WINDOW,
		.window_size = ARENAS * BURROW_ARENA_SIZE,
		.kmeta = KMETA,
		.umeta = UMETA,
	};
}

static struct bw_heap *heap_set_up(struct kunit *test)
{
	struct place *p = test->priv;
	struct burrow_heap_setup setup = good_setup();

	KUNIT_ASSERT_EQ(test, 0, bw_heap_setup(p->file, &setup));
	return bw_file_heap(p->file, current->mm);
}

struct setup_row {
	const char *name;
	struct burrow_heap_setup setup;
	int want;
};

#define SETUP(n, w, s, k, u, r)						\
	{ n, { .window = (w), .window_size = (s), .kmeta = (k),		\
	       .umeta = (u) }, r }
#define FOUR	(ARENAS * BURROW_ARENA_SIZE)

static const struct setup_row setup_rows[] = {
	SETUP("good", WINDOW, FOUR, KMETA, UMETA, 0),
	SETUP("largest window", WINDOW, 1UL << 40, KMETA, UMETA, 0),
	SETUP("no window", 0, FOUR, KMETA, UMETA, -EINVAL),
	SETUP("no size", WINDOW, 0, KMETA, UMETA, -EINVAL),
	SETUP("part of an arena", WINDOW, FOUR + 4096, KMETA, UMETA, -EINVAL),
	SETUP("window too large", WINDOW, (1UL << 40) + BURROW_ARENA_SIZE,
	      KMETA, UMETA, -EINVAL),
	SETUP("crooked window", WINDOW + 4096, FOUR, KMETA, UMETA, -EINVAL),
	SETUP("crooked K-words", WINDOW, FOUR, KMETA + 4096, UMETA, -EINVAL),
	SETUP("crooked U-words", WINDOW, FOUR, KMETA, UMETA + 4096, -EINVAL),
	SETUP("K-words in the window", WINDOW, FOUR,
	      WINDOW + BURROW_ARENA_SIZE, UMETA, -EINVAL),
	SETUP("U-words over K-words", WINDOW, FOUR, KMETA, KMETA, -EINVAL),
	SETUP("beyond user space", WINDOW, FOUR, KMETA, 1UL << 63, -EINVAL),
	SETUP("wraps around", -BURROW_ARENA_SIZE, FOUR, KMETA, UMETA, -EINVAL),
};

static void describe_setup(const struct setup_row *row, char *name)
{
	strscpy(name, row->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(setup, setup_rows, describe_setup);

static void setup_takes_only_places_that_fit(struct kunit *test)
{
	const struct setup_row *row = test->param_value;
	struct place *p = test->priv;

	KUNIT_EXPECT_EQ(test, row->want, bw_heap_setup(p->file, &row->setup));
}

static void a_heap_is_set_up_once(struct kunit *test)
{
	struct burrow_heap_setup setup = good_setup();
	struct place *p = test->priv;

	KUNIT_EXPECT_EQ(test, -ENXIO,
			PTR_ERR_OR_ZERO(bw_file_heap(p->file, current->mm)));
	heap_set_up(test);
	KUNIT_EXPECT_EQ(test, 0,
			PTR_ERR_OR_ZERO(bw_file_heap(p->file, current->mm)));
	KUNIT_EXPECT_EQ(test, -EEXIST, bw_heap_setup(p->file, &setup));
}

static void another_address_space_is_refused(struct kunit *test)
{
	struct place *p = test->priv;

	heap_set_up(test);
	KUNIT_EXPECT_EQ(test, -EXDEV,
			PTR_ERR_OR_ZERO(bw_file_heap(p->file, NULL)));
}

static void arenas_take_the_lowest_free_place(struct kunit *test)
{
	struct bw_heap *heap = heap_set_up(test);
	u32 at;

	KUNIT_EXPECT_EQ(test, 0, bw_arena_add(heap, BURROW_ARENA_HEAP, 1, &at));
	KUNIT_EXPECT_EQ(test, 1, at);
	KUNIT_EXPECT_EQ(test, -EEXIST, bw_arena_add(heap, BURROW_ARENA_HEAP, 1, &at));
	KUNIT_EXPECT_EQ(test, -EINVAL, bw_arena_add(heap, BURROW_ARENA_HEAP, ARENAS, &at));
	KUNIT_EXPECT_EQ(test, 0, bw_arena_add(heap, BURROW_ARENA_HEAP, BURROW_ARENA_ANY, &at));
	KUNIT_EXPECT_EQ(test, 0, at);
	KUNIT_EXPECT_EQ(test, 0, bw_arena_add(heap, BURROW_ARENA_HEAP, BURROW_ARENA_ANY, &at));
	KUNIT_EXPECT_EQ(test, 2, at);
	KUNIT_EXPECT_EQ(test, 0, bw_arena_add(heap, BURROW_ARENA_HEAP, BURROW_ARENA_ANY, &at));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			bw_arena_add(heap, BURROW_ARENA_HEAP, BURROW_ARENA_ANY, &at));
	bw_arena_del_unmapped(heap, 2);
	KUNIT_EXPECT_EQ(test, 0, bw_arena_add(heap, BURROW_ARENA_HEAP, BURROW_ARENA_ANY, &at));
	KUNIT_EXPECT_EQ(test, 2, at);
}

static void a_mapped_view_brings_its_pages_and_takes_them(struct kunit *test)
{
	struct bw_heap *heap = heap_set_up(test);
	struct burrow_heap_stats stats = { 0 };
	struct bw_view *view, *again;
	u32 at;

	KUNIT_ASSERT_EQ(test, 0, bw_arena_add(heap, BURROW_ARENA_HEAP, 0, &at));
	KUNIT_EXPECT_EQ(test, -ENXIO,
			bw_view_map(heap, 1, BURROW_MMAP_DATA, &view));
	KUNIT_ASSERT_EQ(test, 0,
			bw_view_map(heap, 0, BURROW_MMAP_DATA, &view));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			bw_view_map(heap, 0, BURROW_MMAP_DATA, &again));
	bw_heap_stats(heap, &stats);
	KUNIT_EXPECT_EQ(test, BURROW_ARENA_PAGES, stats.out_pages_free);
	KUNIT_EXPECT_EQ(test, 0, bw_core_check(&heap->core));

	bw_arena_del_unmapped(heap, 0);		/* it is mapped: stays */
	bw_heap_stats(heap, &stats);
	KUNIT_EXPECT_EQ(test, 1, stats.out_arenas);

	bw_view_unmap(view);			/* the last view: goes */
	bw_heap_stats(heap, &stats);
	KUNIT_EXPECT_EQ(test, 0, stats.out_arenas);
	KUNIT_EXPECT_EQ(test, 0, stats.out_pages_free);
}

static void what_is_charged_is_given_back(struct kunit *test)
{
	struct place *p = test->priv;
	atomic_long_t *frames = &p->file->user->frames;
	long before = atomic_long_read(frames), set_up;
	struct bw_heap *heap = heap_set_up(test);
	u32 at;

	set_up = atomic_long_read(frames);

	KUNIT_EXPECT_GT(test, set_up, before);
	KUNIT_EXPECT_EQ(test, 0, bw_arena_add(heap, BURROW_ARENA_HEAP, 0, &at));
	KUNIT_EXPECT_GT(test, atomic_long_read(frames), set_up);
	bw_arena_del_unmapped(heap, 0);
	KUNIT_EXPECT_EQ(test, set_up, atomic_long_read(frames));
}

static void a_token_waits_for_whoever_parks(struct kunit *test)
{
	struct bw_heap *heap = heap_set_up(test);
	struct burrow_thread_park park = { .deadline = 1 };
	u32 slot;

	KUNIT_EXPECT_EQ(test, -ENXIO, bw_thread_unpark(heap, 0));
	KUNIT_ASSERT_EQ(test, 0, bw_thread_add(heap, &slot));
	park.slot = slot;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, bw_thread_park(heap, &park));
	KUNIT_EXPECT_EQ(test, 0, bw_thread_unpark(heap, slot));
	KUNIT_EXPECT_EQ(test, 0, bw_thread_unpark(heap, slot));
	KUNIT_EXPECT_EQ(test, 0, bw_thread_park(heap, &park));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, bw_thread_park(heap, &park));
	KUNIT_EXPECT_EQ(test, 0, bw_thread_del(heap, slot));
	KUNIT_EXPECT_EQ(test, -ENXIO, bw_thread_del(heap, slot));
	KUNIT_EXPECT_EQ(test, -ENXIO, bw_thread_park(heap, &park));
}

static struct kunit_case heap_cases[] = {
	KUNIT_CASE_PARAM(setup_takes_only_places_that_fit, setup_gen_params),
	KUNIT_CASE(a_heap_is_set_up_once),
	KUNIT_CASE(another_address_space_is_refused),
	KUNIT_CASE(arenas_take_the_lowest_free_place),
	KUNIT_CASE(a_mapped_view_brings_its_pages_and_takes_them),
	KUNIT_CASE(what_is_charged_is_given_back),
	KUNIT_CASE(a_token_waits_for_whoever_parks),
	{}
};

static int suite_init(struct kunit_suite *suite)
{
	int err = bw_arenas_init();

	bw_debugfs_init("burrow_kunit");
	return err ? err : bw_lazy_init("burrow_kunit_piece");
}

static void suite_exit(struct kunit_suite *suite)
{
	bw_lazy_exit();
	bw_arenas_exit();
	bw_debugfs_exit();
}

static struct kunit_suite heap_suite = {
	.name = "burrow_heap",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.init = place_init,
	.exit = place_exit,
	.test_cases = heap_cases,
};

kunit_test_suite(heap_suite);
