// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * resize: a live span gets longer or shorter, where it is.
 *
 *	SPAN_RESIZE	kmod/ioctl_resize.c	<- here
 */
#include "child.h"
#include "touch.h"

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref a, b;	/* neighbours, four pages each */
};

FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 2));
	ASSERT_EQ(0, span_alloc(&self->h, 4, 0, &self->a));
	ASSERT_EQ(0, span_alloc(&self->h, 4, 0, &self->b));
	ASSERT_EQ(self->a.page + 4, self->b.page);
	memset(page_addr(&self->h, self->a.page), 'a', 4 * BURROW_PAGE_SIZE);
}

FIXTURE_TEARDOWN(heap)
{
}

static int resize(const struct heap *h, struct burrow_span_ref ref,
		  __u32 npages, __u32 flags)
{
	struct burrow_span_resize arg = {
		.size = sizeof(arg), .flags = flags, .span = ref,
		.npages = npages,
	};

	return call(h->fd, BURROW_IOC_SPAN_RESIZE, &arg);
}

static bool is_long(const struct heap *h, struct burrow_span_ref ref, __u32 n)
{
	__u64 word = kword(h, ref.page);
	__u32 i;

	if (burrow_word_tag(word) != BURROW_TAG_HEAD ||
	    burrow_word_low(word) != n || burrow_word_gen(word) != ref.gen)
		return false;
	for (i = 1; i < n; i++)
		if (burrow_word_tag(kword(h, ref.page + i)) != BURROW_TAG_BODY)
			return false;
	return true;
}

static __u64 frames(const struct heap *h)
{
	struct burrow_heap_stats stats;

	return heap_stats(h->fd, &stats) ? ~0ULL : stats.out_frames;
}

static bool all_are(const char *p, char val, size_t n)
{
	return p[0] == val && !memcmp(p, p + 1, n - 1);
}

TEST_F(heap, a_span_grows_over_free_pages_and_keeps_what_is_in_it)
{
	char *p = page_addr(&self->h, self->b.page);
	__u64 before = frames(&self->h);

	memset(p, 'b', 4 * BURROW_PAGE_SIZE);
	ASSERT_EQ(0, resize(&self->h, self->b, 100, 0));
	EXPECT_TRUE(is_long(&self->h, self->b, 100));
	EXPECT_EQ(before + 96 * FRAMES_PER_PAGE, frames(&self->h));
	EXPECT_FALSE(needs_zero(&self->h, self->b));
	EXPECT_TRUE(all_are(p, 'b', 4 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(all_are(p + 4 * BURROW_PAGE_SIZE, 0,
			    96 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(is_long(&self->h, self->a, 4));
}

TEST_F(heap, what_comes_lazily_comes_by_touch)
{
	char *p = page_addr(&self->h, self->b.page);
	__u64 before = frames(&self->h);

	ASSERT_EQ(0, resize(&self->h, self->b, 100, BURROW_RESIZE_LAZY));
	EXPECT_EQ(before, frames(&self->h));
	EXPECT_EQ(0, touch_write(p + 99 * BURROW_PAGE_SIZE, 'b'));
	EXPECT_EQ(before + 1, frames(&self->h));
}

TEST_F(heap, a_span_does_not_grow_over_another)
{
	ASSERT_EQ(-ENOSPC, resize(&self->h, self->a, 5, 0));
	EXPECT_TRUE(is_long(&self->h, self->a, 4));
	ASSERT_EQ(0, span_free(&self->h, 0, self->b));
	ASSERT_EQ(0, resize(&self->h, self->a, 5, 0));
	EXPECT_TRUE(is_long(&self->h, self->a, 5));
}

TEST_F(heap, needzero_is_told_when_it_grows_over_what_was_used)
{
	char *p = page_addr(&self->h, self->b.page);

	memset(p, 'b', BURROW_PAGE_SIZE);
	ASSERT_EQ(0, span_free(&self->h, 0, self->b));
	EXPECT_FALSE(needs_zero(&self->h, self->a));
	ASSERT_EQ(0, resize(&self->h, self->a, 5, 0));
	EXPECT_TRUE(needs_zero(&self->h, self->a));
}

TEST_F(heap, a_span_grows_into_the_next_arena)
{
	__u32 to = 2 * BURROW_ARENA_PAGES - self->b.page;

	ASSERT_EQ(-ENOSPC, resize(&self->h, self->b, to + 1,
				  BURROW_RESIZE_LAZY));
	ASSERT_EQ(0, resize(&self->h, self->b, to, BURROW_RESIZE_LAZY));
	EXPECT_TRUE(is_long(&self->h, self->b, to));
	ASSERT_EQ(0, resize(&self->h, self->b, 1, 0));
	EXPECT_TRUE(is_long(&self->h, self->b, 1));
}

TEST_F(heap, what_a_shorter_span_leaves_is_lazy_and_can_be_had)
{
	struct burrow_span_ref c;
	char *p = page_addr(&self->h, self->b.page);
	__u64 before = frames(&self->h);

	memset(p, 'b', 4 * BURROW_PAGE_SIZE);
	ASSERT_EQ(0, resize(&self->h, self->b, 1, 0));
	EXPECT_TRUE(is_long(&self->h, self->b, 1));
	EXPECT_EQ(0ULL, kword(&self->h, self->b.page + 1));
	EXPECT_TRUE(all_are(p, 'b', BURROW_PAGE_SIZE));
	EXPECT_EQ(before, frames(&self->h));
	ASSERT_EQ(0, span_alloc(&self->h, 3, 0, &c));
	EXPECT_EQ(self->b.page + 1, c.page);
	EXPECT_TRUE(needs_zero(&self->h, c));
	EXPECT_EQ(before, frames(&self->h));
	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, c));
	EXPECT_EQ(SIGSEGV, touch_write(p + BURROW_PAGE_SIZE, 'x'));
	EXPECT_TRUE(all_are(p, 'b', BURROW_PAGE_SIZE));
}

TEST_F(heap, the_same_length_changes_nothing)
{
	ASSERT_EQ(0, resize(&self->h, self->a, 4, 0));
	EXPECT_TRUE(is_long(&self->h, self->a, 4));
}

TEST_F(heap, what_cannot_be_is_refused)
{
	struct burrow_span_ref stack, stale = self->a;
	struct burrow_span_alloc arg = {
		.spans = U64(&stack), .nr = 1, .npages = 8,
		.kind = BURROW_KIND_STACK,
	};
	struct burrow_arena_add add = {
		.size = sizeof(add), .kind = BURROW_ARENA_STACK, .index = 2,
	};

	stale.gen++;
	EXPECT_EQ(-ESTALE, resize(&self->h, stale, 5, 0));
	EXPECT_EQ(-ESTALE, resize(&self->h, (struct burrow_span_ref){
				  self->a.page + 1, self->a.gen }, 5, 0));
	EXPECT_EQ(-ESTALE, resize(&self->h, (struct burrow_span_ref){
				  ~0U, 0 }, 5, 0));
	EXPECT_EQ(-EINVAL, resize(&self->h, self->a, 0, 0));
	EXPECT_EQ(-EINVAL, resize(&self->h, self->a, BURROW_MAX_PAGES, 0));
	EXPECT_EQ(-EOPNOTSUPP, resize(&self->h, self->a, 5, 2));
	ASSERT_EQ(0, call(self->h.fd, BURROW_IOC_ARENA_ADD, &add));
	ASSERT_EQ(0, arena_map(&self->h, 2));
	ASSERT_EQ(0, spans_alloc(&self->h, &arg));
	EXPECT_EQ(-EINVAL, resize(&self->h, stack, 9, 0));
	EXPECT_EQ(-EINVAL, resize(&self->h, stack, 7, 0));
}

TEST_F(heap, huge_spans_change_by_whole_units)
{
	struct burrow_span_ref huge;
	struct burrow_span_alloc arg = {
		.spans = U64(&huge), .nr = 1, .npages = BURROW_HUGE_PAGES,
		.kind = BURROW_KIND_NOSCAN, .flags = BURROW_ALLOC_HUGE,
	};
	struct burrow_arena_add add = {
		.size = sizeof(add), .kind = BURROW_ARENA_HUGE, .index = 2,
	};
	char *p;

	ASSERT_EQ(0, call(self->h.fd, BURROW_IOC_ARENA_ADD, &add));
	ASSERT_EQ(0, arena_map(&self->h, 2));
	ASSERT_EQ(0, spans_alloc(&self->h, &arg));
	p = page_addr(&self->h, huge.page);
	memset(p, 'h', BURROW_HUGE_PAGES * BURROW_PAGE_SIZE);
	EXPECT_EQ(-EINVAL, resize(&self->h, huge, BURROW_HUGE_PAGES + 1, 0));
	ASSERT_EQ(0, resize(&self->h, huge, 2 * BURROW_HUGE_PAGES,
			    BURROW_RESIZE_LAZY));
	EXPECT_EQ(0, touch_write(p + (2 * BURROW_HUGE_PAGES - 1) *
				 BURROW_PAGE_SIZE, 'h'));
	EXPECT_TRUE(all_are(p, 'h', BURROW_HUGE_PAGES * BURROW_PAGE_SIZE));
	ASSERT_EQ(0, resize(&self->h, huge, BURROW_HUGE_PAGES, 0));
	EXPECT_TRUE(is_long(&self->h, huge, BURROW_HUGE_PAGES));
}

static int child_resizes(void *arg)
{
	FIXTURE_DATA(heap) *self = arg;
	char *p = page_addr(&self->h, self->b.page);

	CHILD_CHECK(!resize(&self->h, self->b, 40, 0));
	memset(p, 'c', 40 * BURROW_PAGE_SIZE);
	CHILD_CHECK(!resize(&self->h, self->b, 2, 0));
	CHILD_CHECK(all_are(p, 'c', 2 * BURROW_PAGE_SIZE));
	return CHILD_OK;
}

TEST_F(heap, a_child_resizes_what_is_its_own)
{
	char *p = page_addr(&self->h, self->b.page);

	memset(p, 'b', 4 * BURROW_PAGE_SIZE);
	EXPECT_EQ(CHILD_OK, child_run(child_resizes, self));
	EXPECT_TRUE(is_long(&self->h, self->b, 4));
	EXPECT_TRUE(all_are(p, 'b', 4 * BURROW_PAGE_SIZE));
}

TEST_HARNESS_MAIN
