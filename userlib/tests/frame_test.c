// SPDX-License-Identifier: MIT
/*
 * What the user-mode backend does when the system refuses or does not know.
 *
 * This program's madvise() stands in for the one of the C library and fails
 * when it is told to.
 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "backend/user.h"
#include "rig.h"

/* From call number @from on (from 1), calls with this advice fail. */
static struct {
	int advice;
	int err;
	u32 from;
	u32 calls;
} refuse;

int madvise(void *at, size_t bytes, int advice)
{
	if (refuse.err && advice == refuse.advice &&
	    ++refuse.calls >= refuse.from) {
		errno = refuse.err;
		return -1;
	}
	return (int)syscall(SYS_madvise, at, bytes, advice);
}

#define POPULATE_WRITE		23
#define DONTNEED_LOCKED		24

static struct bw_heap *heap;

static bool reads_as(u32 page, u32 npages, u8 value)
{
	const u8 *p = bw_heap_addr(heap, page);
	u32 i;

	for (i = 0; i < npages * BURROW_PAGE_SIZE; i++)
		if (p[i] != value)
			return false;
	return true;
}

static void where_the_system_cannot_populate_pages_are_touched(void)
{
	struct bw_span_want want = rig_want(10);
	struct burrow_span_ref ref;
	struct burrow_heap_stats s;

	heap = rig_heap(1, true);
	refuse.advice = POPULATE_WRITE;
	refuse.err = EINVAL;
	refuse.from = 1;
	refuse.calls = 0;
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	EXPECT(refuse.calls == 1);
	EXPECT(!bw_heap_stats(heap, &s) && s.out_frames == 20);
	/* and what an earlier span left there is still there */
	memset(bw_heap_addr(heap, ref.page), 7, 10 * BURROW_PAGE_SIZE);
	EXPECT(!bw_heap_span_free(heap, 0, &ref, 1, NULL));
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	EXPECT(reads_as(ref.page, 10, 7));
	refuse.err = 0;
	bw_heap_close(heap);
}

/* Neighbours are populated in one call, so every other page is taken first. */
static void spans_that_cannot_be_populated_are_not_kept(void)
{
	struct bw_span_want want = rig_want(1);
	struct burrow_span_ref ref[20], hole[10];
	struct burrow_heap_stats s;
	u32 done, i, from;

	for (from = 1; from <= 10; from++) {
		heap = rig_heap(1, true);
		refuse.err = 0;
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 20, NULL));
		for (i = 0; i < 10; i++)
			hole[i] = ref[2 * i];
		EXPECT(!bw_heap_span_free(heap, BURROW_FREE_RECLAIM, hole, 10,
					  NULL));
		refuse.advice = POPULATE_WRITE;
		refuse.err = ENOMEM;
		refuse.from = from;
		refuse.calls = 0;
		EXPECT(bw_heap_span_alloc(heap, &want, hole, 10, &done) ==
		       -ENOMEM);
		EXPECT(done == from - 1);
		EXPECT(!bw_heap_stats(heap, &s));
		EXPECT(s.out_spans == 10 + done);
		EXPECT(s.out_nr_alloc - s.out_nr_free == s.out_spans);
		for (i = 0; i < done; i++)
			EXPECT(hole[i].page == 2 * i);
		EXPECT(!bw_heap_check(heap));
		refuse.err = 0;
		bw_heap_close(heap);
	}
}

static void where_memory_cannot_be_taken_it_reads_as_zero_all_the_same(void)
{
	struct bw_span_want want = rig_want(10);
	struct burrow_span_ref ref;
	struct burrow_range r;
	struct bw_span s;

	heap = rig_heap(1, true);
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	memset(bw_heap_addr(heap, ref.page), 7, 10 * BURROW_PAGE_SIZE);
	refuse.advice = MADV_DONTNEED;
	refuse.err = EINVAL;
	refuse.from = 1;
	refuse.calls = 0;
	r = (struct burrow_range){ ref.page, 5 };
	EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, NULL));
	EXPECT(refuse.calls == 1);
	EXPECT(reads_as(ref.page, 5, 0) && reads_as(ref.page + 5, 5, 7));
	refuse.advice = DONTNEED_LOCKED;
	EXPECT(!mlock(bw_heap_addr(heap, ref.page), BURROW_PAGE_SIZE));
	EXPECT(!bw_heap_span_free(heap, BURROW_FREE_RECLAIM, &ref, 1, NULL));
	refuse.err = 0;
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	EXPECT(bw_heap_span_of(heap, bw_heap_addr(heap, ref.page), &s));
	EXPECT(!s.needzero && reads_as(ref.page, 10, 0));
	bw_heap_close(heap);
}

static void a_kernel_without_MADV_WIPEONFORK_is_told_so(void)
{
	struct bw_options o;
	struct bw_backend *be;

	bw_options_init(&o);
	refuse.advice = MADV_WIPEONFORK;
	refuse.err = EINVAL;
	refuse.from = 1;
	refuse.calls = 0;
	EXPECT(bw_backend_open_user(&o, &be) == -EOPNOTSUPP);
	EXPECT(strstr(bw_error_last(), "MADV_WIPEONFORK"));
	refuse.err = 0;
}

int main(void)
{
	TEST(where_the_system_cannot_populate_pages_are_touched);
	TEST(spans_that_cannot_be_populated_are_not_kept);
	TEST(where_memory_cannot_be_taken_it_reads_as_zero_all_the_same);
	TEST(a_kernel_without_MADV_WIPEONFORK_is_told_so);
	return tap_end();
}
