// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * uwords: what BURROW_ALLOC_UWORDS promises, in U-words that nobody has touched
 * before. At the limit of a cgroup: room.c.
 */
#include "child.h"
#include "proc.h"
#include "uword.h"

FIXTURE(heap) {
	struct heap h;
};

FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, heap_ready(&self->h, 2));
}

FIXTURE_TEARDOWN(heap)
{
}

static int words_alloc(const struct heap *h, __u32 npages, __u16 kind,
		       __u32 flags, struct burrow_span_ref *ref)
{
	struct burrow_span_alloc arg = {
		.flags = flags | BURROW_ALLOC_UWORDS,
		.spans = U64(ref),
		.nr = 1,
		.npages = npages,
		.kind = kind,
	};

	return spans_alloc(h, &arg);
}

/* Is the frame that holds it there, with an entry? */
static bool there(const void *p)
{
	return frames_present((void *)(U64(p) & ~(FRAME_SIZE - 1)),
			      FRAME_SIZE) == 1;
}

static long umeta_frames(const struct heap *h)
{
	struct burrow_heap_stats stats;

	return heap_stats(h->fd, &stats) ? -1 : (long)stats.out_umeta_frames;
}

FIXTURE_VARIANT(heap) {
	__u16 kind;
	__u32 npages;
	__u32 flags;
	bool marks, pointers;
};

FIXTURE_VARIANT_ADD(heap, noscan) {
	.kind = BURROW_KIND_NOSCAN, .npages = 1, .marks = true,
};

FIXTURE_VARIANT_ADD(heap, scan) {
	.kind = BURROW_KIND_SCAN, .npages = 3, .marks = true, .pointers = true,
};

FIXTURE_VARIANT_ADD(heap, scan_long) {
	.kind = BURROW_KIND_SCAN, .npages = 700, .flags = BURROW_ALLOC_LAZY,
	.marks = true, .pointers = true,
};

FIXTURE_VARIANT_ADD(heap, conservative) {
	.kind = BURROW_KIND_CONSERVATIVE, .npages = 64, .marks = true,
};

FIXTURE_VARIANT_ADD(heap, manual) {
	.kind = BURROW_KIND_MANUAL, .npages = 600,
	.flags = BURROW_ALLOC_LAZY,
};

/* More than is left of one arena: the last frame is the next arena's. */
FIXTURE_VARIANT_ADD(heap, in_two_arenas) {
	.kind = BURROW_KIND_SCAN, .npages = BURROW_ARENA_PAGES + 100,
	.flags = BURROW_ALLOC_LAZY, .marks = true, .pointers = true,
};

TEST_F(heap, the_words_of_a_span_come_with_it)
{
	__u32 n = variant->npages, i;
	struct burrow_span_ref ref;
	long expected;

	ASSERT_EQ(0, words_alloc(&self->h, n, variant->kind, variant->flags,
				 &ref));
	/* the heap is empty: it is the first page's place */
	ASSERT_EQ(0, ref.page);
	expected = (n + OWNER_FRAME_PAGES - 1) / OWNER_FRAME_PAGES;
	expected += 1 + variant->marks;
	if (variant->pointers)
		expected += (n + MAP_FRAME_PAGES - 1) / MAP_FRAME_PAGES;
	EXPECT_EQ(expected, umeta_frames(&self->h));
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(there(owner_word(&self->h, i)));
		ASSERT_EQ(variant->pointers,
			  there(map_words(&self->h, BURROW_U_PTR, i)));
	}
	EXPECT_TRUE(there(map_words(&self->h, BURROW_U_ALLOC, 0)));
	EXPECT_EQ(variant->marks, there(map_words(&self->h, BURROW_U_MARK, 0)));
	for (i = 0; i < n; i++)
		*owner_word(&self->h, i) = 1;
	EXPECT_EQ(expected, umeta_frames(&self->h));
}

TEST(without_being_asked_for_none_comes)
{
	struct burrow_span_ref ref;
	struct heap h;

	ASSERT_EQ(0, heap_ready(&h, 1));
	ASSERT_EQ(0, span_alloc(&h, 5, 0, &ref));
	EXPECT_EQ(0, umeta_frames(&h));
}

TEST(a_batch_has_the_words_of_each)
{
	struct burrow_span_ref ref[70];
	struct burrow_span_alloc arg = {
		.flags = BURROW_ALLOC_UWORDS, .spans = U64(ref), .nr = NR(ref),
		.npages = MAP_FRAME_PAGES, .kind = BURROW_KIND_NOSCAN,
	};
	struct heap h;
	__u32 i;

	ASSERT_EQ(0, heap_ready(&h, 1));
	ASSERT_EQ(0, spans_alloc(&h, &arg));
	ASSERT_EQ(NR(ref), arg.out_nr);
	for (i = 0; i < NR(ref); i++) {
		EXPECT_TRUE(there(map_words(&h, BURROW_U_ALLOC, ref[i].page)));
		EXPECT_TRUE(there(map_words(&h, BURROW_U_MARK, ref[i].page)));
	}
}

TEST(where_u_words_are_not_mapped_there_is_no_span)
{
	struct burrow_heap_stats stats;
	struct burrow_span_ref ref;
	struct heap h;

	ASSERT_EQ(0, heap_ready(&h, 1));
	ASSERT_EQ(0, part_unmap(&h, BURROW_MMAP_UMETA, 0));
	EXPECT_EQ(-EFAULT, words_alloc(&h, 1, BURROW_KIND_MANUAL, 0, &ref));
	ASSERT_EQ(0, heap_stats(h.fd, &stats));
	EXPECT_EQ(0, stats.out_spans);
	EXPECT_EQ(0, span_alloc(&h, 1, 0, &ref));
}

/* What is counted once while it is shared counts twice when it was copied. */
static int child_has_its_own(void *arg)
{
	struct burrow_heap_stats before, after;
	struct burrow_span_ref ref;
	struct heap *h = arg;

	CHILD_CHECK(*owner_word(h, 0) == 'p');
	CHILD_CHECK(!heap_stats(h->fd, &before));
	CHILD_CHECK(!words_alloc(h, 1, BURROW_KIND_MANUAL, BURROW_ALLOC_LAZY,
				 &ref));
	CHILD_CHECK(ref.page == 1);
	CHILD_CHECK(!heap_stats(h->fd, &after));
	CHILD_CHECK(after.out_umeta_frames == before.out_umeta_frames);
	/* one of owners, one of alloc bits */
	CHILD_CHECK(after.out_user_frames == before.out_user_frames + 2);
	CHILD_CHECK(*owner_word(h, 0) == 'p');
	*owner_word(h, 0) = 'c';
	*map_words(h, BURROW_U_ALLOC, 1) = 'c';
	before = after;
	CHILD_CHECK(!heap_stats(h->fd, &after));
	CHILD_CHECK(after.out_user_frames == before.out_user_frames);
	return CHILD_OK;
}

TEST(a_child_gets_a_copy_of_its_own_with_the_call)
{
	struct burrow_span_ref ref;
	struct heap h;

	ASSERT_EQ(0, heap_ready(&h, 1));
	ASSERT_EQ(0, words_alloc(&h, 1, BURROW_KIND_MANUAL, 0, &ref));
	ASSERT_EQ(0, ref.page);
	*owner_word(&h, 0) = 'p';
	EXPECT_EQ(CHILD_OK, child_run(child_has_its_own, &h));
	EXPECT_EQ('p', *owner_word(&h, 0));
	EXPECT_EQ(0, *map_words(&h, BURROW_U_ALLOC, 1));
}

TEST_HARNESS_MAIN
