// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ahead: a large span that is written in order gets its next frames by the batch,
 * and nobody else gets any that he did not touch.
 */
#include "burrow_selftest.h"
#include "child.h"
#include "proc.h"
#include "touch.h"

#define LONG		300U	/* pages of a span that is written in order */
#define SHORT		128U	/* the longest that gets nothing */
#define AHEAD		32U	/* frames */

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref span;
	char *p;
};

FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 2));
	ASSERT_EQ(0, span_alloc(&self->h, LONG, BURROW_ALLOC_LAZY,
				&self->span));
	self->p = page_addr(&self->h, self->span.page);
}

FIXTURE_TEARDOWN(heap)
{
}

static void write_frames(char *p, __u32 first, __u32 nr)
{
	for (; nr--; first++)
		p[first * FRAME_SIZE] = 'w';
}

static long present(const char *p, __u32 npages)
{
	return frames_present(p, npages * BURROW_PAGE_SIZE);
}

/* What the heap has in all: entries go at a fork, frames do not. */
static long frames(const struct heap *h)
{
	struct burrow_heap_stats stats;
	int r = heap_stats(h->fd, &stats);

	return r ? r : (long)stats.out_frames;
}

TEST_F(heap, what_is_written_in_order_comes_by_the_batch)
{
	struct burrow_heap_stats was, is;

	write_frames(self->p, 0, AHEAD);
	EXPECT_EQ((long)AHEAD, present(self->p, LONG));
	ASSERT_EQ(0, heap_stats(self->h.fd, &was));
	write_frames(self->p, AHEAD, 1);
	EXPECT_EQ(2L * AHEAD, present(self->p, LONG));
	write_frames(self->p, AHEAD, AHEAD);
	ASSERT_EQ(0, heap_stats(self->h.fd, &is));
	EXPECT_EQ(was.out_nr_faults + 1, is.out_nr_faults);
	EXPECT_EQ(was.out_frames + AHEAD, is.out_frames);
	EXPECT_TRUE(bytes_are(self->p + AHEAD * FRAME_SIZE + 1, 0,
			      FRAME_SIZE - 1));
}

TEST_F(heap, frames_are_zero_when_they_come_ahead_where_others_were)
{
	struct burrow_span_ref s;

	memset(self->p, 'o', LONG * BURROW_PAGE_SIZE);
	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, self->span));
	ASSERT_EQ(0, span_alloc(&self->h, LONG, BURROW_ALLOC_LAZY, &s));
	ASSERT_EQ(self->span.page, s.page);
	ASSERT_FALSE(needs_zero(&self->h, s));
	write_frames(self->p, 0, AHEAD + 1);
	EXPECT_TRUE(bytes_are(self->p + (AHEAD + 1) * FRAME_SIZE, 0,
			      (AHEAD - 1) * FRAME_SIZE));
}

TEST_F(heap, nothing_comes_beyond_the_span)
{
	__u32 nr = LONG * FRAMES_PER_PAGE;
	struct burrow_span_ref next;
	char *p;

	ASSERT_EQ(0, span_alloc(&self->h, LONG, BURROW_ALLOC_LAZY, &next));
	ASSERT_EQ(self->span.page + LONG, next.page);
	p = page_addr(&self->h, next.page);
	write_frames(self->p, 0, nr);
	EXPECT_EQ((long)nr, present(self->p, LONG));
	EXPECT_EQ(0, present(p, LONG));
	/* nor is what is before a span its own beginning */
	write_frames(p, 0, 1);
	EXPECT_EQ(1, present(p, LONG));
}

TEST_F(heap, nothing_comes_by_a_read)
{
	write_frames(self->p, 0, AHEAD);
	EXPECT_EQ(0, self->p[AHEAD * FRAME_SIZE]);
	EXPECT_EQ((long)AHEAD + 1, present(self->p, LONG));
}

TEST_F(heap, nothing_comes_where_frames_before_it_are_missing)
{
	write_frames(self->p, 0, 5);
	write_frames(self->p, 6, AHEAD - 1);
	EXPECT_EQ(5L + AHEAD - 1, present(self->p, LONG));
	write_frames(self->p, 5 + AHEAD, 1);
	EXPECT_EQ(5L + AHEAD, present(self->p, LONG));
	write_frames(self->p, LONG, 1);
	EXPECT_EQ(6L + AHEAD, present(self->p, LONG));
}

TEST_F(heap, nothing_comes_to_a_short_span)
{
	struct burrow_span_ref s;
	char *p;

	ASSERT_EQ(0, span_alloc(&self->h, SHORT, BURROW_ALLOC_LAZY, &s));
	p = page_addr(&self->h, s.page);
	write_frames(p, 0, AHEAD + 1);
	EXPECT_EQ((long)AHEAD + 1, present(p, SHORT));
}

TEST_F(heap, what_is_there_already_ends_a_batch)
{
	write_frames(self->p, AHEAD + 3, 1);
	write_frames(self->p, 0, AHEAD + 1);
	EXPECT_EQ(AHEAD + 4L, present(self->p, LONG));
	EXPECT_EQ('w', self->p[(AHEAD + 3) * FRAME_SIZE]);
}

static char *at_parent;

/* In a child all that is there is shared, and what comes is its own. */
static int child_writes_on(void *arg)
{
	(void)arg;
	CHILD_CHECK(at_parent[AHEAD * FRAME_SIZE] == 'w');
	write_frames(at_parent, 2 * AHEAD, AHEAD);
	CHILD_CHECK(present(at_parent, LONG) == 3L * AHEAD);
	memset(at_parent, 'c', 3 * AHEAD * FRAME_SIZE);
	return CHILD_OK;
}

TEST_F(heap, a_child_that_writes_on_has_frames_of_its_own)
{
	long before;

	at_parent = self->p;
	memset(self->p, 'w', 2 * AHEAD * FRAME_SIZE);
	before = frames(&self->h);
	ASSERT_EQ(CHILD_OK, child_run(child_writes_on, NULL));
	EXPECT_EQ(before, frames(&self->h));
	EXPECT_TRUE(bytes_are(self->p, 'w', 2 * AHEAD * FRAME_SIZE));
	write_frames(self->p, 2 * AHEAD, 1);
	EXPECT_EQ(before + AHEAD, frames(&self->h));
	EXPECT_TRUE(bytes_are(self->p + 2 * AHEAD * FRAME_SIZE + 1, 0,
			      AHEAD * FRAME_SIZE - 1));
}

#define LIMIT_FRAMES	4096U
#define LEFT		2U	/* pages */

/* Fewer frames than a batch are left to its user. */
static int child_at_its_limit(void *arg)
{
	struct burrow_span_ref s, hog[LIMIT_FRAMES];
	__u32 nr = 0, i;
	struct heap h;
	long before;
	char *p;

	(void)arg;
	CHILD_CHECK(!setresuid(12345, 12345, 12345));
	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!span_alloc(&h, LONG, BURROW_ALLOC_LAZY, &s));
	p = page_addr(&h, s.page);
	write_frames(p, 0, AHEAD);
	while (nr < LIMIT_FRAMES && !span_alloc(&h, 1, 0, &hog[nr]))
		nr++;
	CHILD_CHECK(nr > LEFT && nr < LIMIT_FRAMES);
	for (i = 0; i < LEFT; i++)
		CHILD_CHECK(!span_free(&h, BURROW_FREE_RECLAIM, hog[i]));
	before = frames(&h);
	for (i = 0; i < LEFT * FRAMES_PER_PAGE; i++)
		CHILD_CHECK(!touch_write(p + (AHEAD + i) * FRAME_SIZE, 'w'));
	CHILD_CHECK(frames(&h) == before + (long)i);
	CHILD_CHECK(touch_write(p + (AHEAD + i) * FRAME_SIZE, 'w') == SIGBUS);
	return CHILD_OK;
}

TEST(at_a_limit_each_frame_comes_alone_while_there_is_one)
{
	unsigned long long limit;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, param_get("user_limit_pages", &limit));
	ASSERT_EQ(0, param_set("user_limit_pages", LIMIT_FRAMES));
	EXPECT_EQ(CHILD_OK, child_run(child_at_its_limit, NULL));
	EXPECT_EQ(0, param_set("user_limit_pages", limit));
}

TEST_HARNESS_MAIN
