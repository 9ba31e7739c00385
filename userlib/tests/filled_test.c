// SPDX-License-Identifier: MIT
/*
 * What is there is not populated again, and whatever takes it away is remembered:
 * user_filled.c.
 *
 * This program's madvise() and mremap() stand in for those of the C library: one
 * counts what is populated, the other fails when it is told to.
 */
#include <sys/resource.h>

#include "backend/user.h"
#include "base/sysmem.h"
#include "mremap_rig.h"
#include "rig.h"

#define POPULATE_WRITE		23
#define NPAGES			64U
#define FRAMES(npages)		((npages) * (u32)(BURROW_PAGE_SIZE / BW_SYS_PAGE))

static size_t populated;
static bool no_moves;

int madvise(void *at, size_t bytes, int advice)
{
	if (advice == POPULATE_WRITE)
		populated += bytes;
	return (int)syscall(SYS_madvise, at, bytes, advice);
}

/* Where it fails what was at the new place is gone, as in Linux. */
static bool mremap_fails(void *to, size_t bytes, int flags)
{
	if (!no_moves || !(flags & MREMAP_FIXED))
		return false;
	munmap(to, bytes);
	errno = ENOMEM;
	return true;
}

static struct bw_backend *be;

static void begin(void)
{
	be = rig_backend(1, true);
}

static void end(void)
{
	EXPECT(!be->ops->check(be));
	be->ops->close(be);
}

static struct burrow_span_ref get_flags(u32 npages, u32 flags)
{
	const struct burrow_span_alloc req = {
		.flags = flags, .npages = npages, .kind = BURROW_KIND_NOSCAN,
	};
	struct burrow_span_ref ref = { BW_NO_PAGE, 0 };
	u32 done;

	EXPECT(!be->ops->span_alloc(be, &req, &ref, 1, &done));
	return ref;
}

static struct burrow_span_ref get(u32 npages)
{
	return get_flags(npages, 0);
}

static void put(struct burrow_span_ref ref, u32 flags)
{
	u32 done;

	EXPECT(!be->ops->span_free(be, flags, &ref, 1, &done));
}

/* Pages populated since it was last asked. */
static u32 nr_populated(void)
{
	size_t bytes = populated;

	populated = 0;
	return (u32)(bytes / BURROW_PAGE_SIZE);
}

static long faults(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_minflt;
}

/* Each frame is there, and who writes to it does not wait for the system. */
static bool is_there(u32 page, u32 npages)
{
	char *at = bw_window_page_addr(&be->window, page);
	size_t bytes = npages * BURROW_PAGE_SIZE;
	u64 count = bw_frames_count(at, bytes);
	long before = faults();

	bw_frames_touch(at, bytes);
	/* a sanitizer's shadow may have some */
	return count == FRAMES(npages) && faults() - before < FRAMES(npages) / 2;
}

/* The lowest place, where one was before. */
static bool comes_back(u32 page)
{
	struct burrow_span_ref ref = get(NPAGES);
	bool good = ref.page == page && is_there(page, NPAGES);

	put(ref, 0);
	return good;
}

static void what_is_there_is_not_populated_again(void)
{
	struct burrow_span_ref ref[3];
	u32 page;

	begin();
	nr_populated();
	ref[0] = get(10);
	page = ref[0].page;
	EXPECT(nr_populated() == 10);
	put(ref[0], 0);
	ref[0] = get(10);
	EXPECT(ref[0].page == page && !nr_populated());
	put(ref[0], 0);
	/* of what comes together, what is not there */
	ref[0] = get(100);
	EXPECT(ref[0].page == page && nr_populated() == 90);
	put(ref[0], 0);
	ref[0] = get(40);
	ref[1] = get(40);
	ref[2] = get(40);
	EXPECT(nr_populated() == 20);
	EXPECT(ref[2].page == page + 80 && is_there(page, 120));
	put(ref[1], BURROW_FREE_RECLAIM);
	put(ref[0], 0);
	put(ref[2], 0);
	ref[0] = get(120);
	EXPECT(nr_populated() == 40 && is_there(page, 120));
	put(ref[0], 0);
	end();
}

static void what_came_by_touch_is_populated_once(void)
{
	struct burrow_span_ref ref;

	begin();
	nr_populated();
	ref = get_flags(NPAGES, BURROW_ALLOC_LAZY);
	EXPECT(!nr_populated());
	put(ref, 0);
	EXPECT(comes_back(ref.page) && nr_populated() == NPAGES);
	EXPECT(comes_back(ref.page) && !nr_populated());
	end();
}

static void what_was_freed_with_its_memory_is_populated(void)
{
	struct burrow_span_ref ref;

	begin();
	ref = get(NPAGES);
	put(ref, BURROW_FREE_RECLAIM);
	EXPECT(comes_back(ref.page));
	end();
}

static void what_was_swept_with_its_memory_is_populated(void)
{
	struct burrow_span_ref ref;
	u32 done, freed;
	u64 pages;

	begin();
	ref = get(NPAGES);
	EXPECT(!be->ops->span_sweep(be, BURROW_SWEEP_RECLAIM, &ref, 1, NULL,
				    &done, &freed, &pages) && freed == 1);
	EXPECT(comes_back(ref.page));
	end();
}

static void lazy_memory_that_went_is_populated(void)
{
	struct burrow_span_ref ref;
	u64 got;

	begin();
	ref = get(NPAGES);
	put(ref, 0);
	EXPECT(!be->ops->lazy_reclaim(be, ~0ULL, &got) && got);
	EXPECT(comes_back(ref.page));
	end();
}

static void ranges_that_were_reclaimed_are_populated(void)
{
	struct burrow_range r = { .npages = 10 };
	struct burrow_span_ref ref;
	u64 frames;
	u32 done;

	begin();
	/* of a live span */
	ref = get(NPAGES);
	r.page = ref.page + 5;
	EXPECT(!be->ops->span_reclaim(be, &r, 1, &done, &frames));
	EXPECT(frames == FRAMES(10));
	put(ref, 0);
	nr_populated();
	EXPECT(comes_back(ref.page) && nr_populated() == 10);
	/* of none */
	EXPECT(!be->ops->span_reclaim(be, &r, 1, &done, &frames));
	EXPECT(frames == FRAMES(10));
	EXPECT(comes_back(ref.page) && nr_populated() == 10);
	end();
}

static void fork_child(void *arg)
{
	EXPECT(comes_back(*(u32 *)arg));
}

static void after_a_fork_either_has_frames_of_its_own(void)
{
	struct burrow_span_ref ref;
	char said[1000];

	begin();
	ref = get(NPAGES);
	put(ref, 0);
	EXPECT(!rig_child(fork_child, &ref.page, said, sizeof(said)));
	EXPECT(comes_back(ref.page));
	end();
}

static int resize(struct burrow_span_ref *ref, u32 flags, u32 npages)
{
	return be->ops->span_resize(be, flags, ref, npages);
}

static void what_comes_to_a_span_is_populated_where_it_is_not_there(void)
{
	struct burrow_span_ref ref;

	begin();
	ref = get(NPAGES);
	put(ref, 0);
	ref = get(10);
	nr_populated();
	EXPECT(!resize(&ref, 0, NPAGES) && !nr_populated());
	EXPECT(!resize(&ref, 0, 2 * NPAGES) && nr_populated() == NPAGES);
	EXPECT(is_there(ref.page, 2 * NPAGES));
	EXPECT(!resize(&ref, 0, 10));
	EXPECT(!resize(&ref, BW_RESIZE_LAZY, 2 * NPAGES));
	EXPECT(!nr_populated() && is_there(ref.page, 2 * NPAGES));
	put(ref, 0);
	end();
}

/* A wall behind it: it cannot grow where it is. */
static void what_a_span_left_as_it_moved_is_populated(void)
{
	struct burrow_span_ref ref, wall;
	u32 page;

	begin();
	ref = get(NPAGES);
	page = ref.page;
	wall = get(1);
	nr_populated();
	EXPECT(!resize(&ref, BW_RESIZE_MOVE, 2 * NPAGES));
	EXPECT(ref.page > wall.page && nr_populated() == NPAGES);
	EXPECT(is_there(ref.page, 2 * NPAGES));
	EXPECT(comes_back(page) && nr_populated() == NPAGES);
	/* once more, to where it was, and beyond */
	put(wall, 0);
	wall = get(1);
	put(wall, 0);
	page = ref.page;
	put(ref, 0);
	ref = get(3 * NPAGES);
	EXPECT(is_there(ref.page, 3 * NPAGES));
	put(ref, 0);
	end();
}

static void where_a_move_fails_the_place_is_populated(void)
{
	struct burrow_span_ref ref, wall, room, far;

	begin();
	ref = get(NPAGES);
	wall = get(1);
	room = get(2 * NPAGES);
	far = get(1);
	put(room, 0);
	no_moves = true;
	EXPECT(resize(&ref, BW_RESIZE_MOVE, 2 * NPAGES) == -ENOMEM);
	no_moves = false;
	EXPECT(comes_back(room.page));
	put(ref, 0);
	put(wall, 0);
	put(far, 0);
	end();
}

int main(void)
{
	TEST(what_is_there_is_not_populated_again);
	TEST(what_came_by_touch_is_populated_once);
	TEST(what_was_freed_with_its_memory_is_populated);
	TEST(what_was_swept_with_its_memory_is_populated);
	TEST(lazy_memory_that_went_is_populated);
	TEST(ranges_that_were_reclaimed_are_populated);
	TEST(after_a_fork_either_has_frames_of_its_own);
	TEST(what_comes_to_a_span_is_populated_where_it_is_not_there);
	TEST(what_a_span_left_as_it_moved_is_populated);
	TEST(where_a_move_fails_the_place_is_populated);
	return tap_end();
}
