// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * move_shared: spans that move while others have to do with their frames: a
 * relative after fork, a pin, a pipe, a harvest.
 *
 *	SPAN_MOVE	kmod/ioctl_move.c	<- here
 */
#include <sys/uio.h>

#include "harvest.h"
#include "move.h"
#include "uring.h"

FIXTURE(scene) {
	struct scene s;
	struct turns t;
	struct burrow_span_ref to;	/* for the memory of span 0 */
};

FIXTURE_SETUP(scene)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	ASSERT_EQ(0, turns_make(&self->t));
	ASSERT_EQ(0, span_alloc(&self->s.h, SCENE_PAGES, BURROW_ALLOC_LAZY,
				&self->to));
}

FIXTURE_TEARDOWN(scene)
{
}

/* Span 0 of the scene is where self->to was. */
static int scene_move(FIXTURE_DATA(scene) *self)
{
	struct scene *s = &self->s;
	int r = span_move(&s->h, s->ref[0], self->to, 0);

	if (!r)
		s->ref[0] = self->to;
	return r;
}

static bool span_is(const struct scene *s, __u32 i, char val)
{
	return bytes_are(scene_span(s, i), val, SPAN_BYTES);
}

static int child_looks_and_writes(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	struct scene *s = &self->s;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	/* the parent has moved its own, and written */
	CHILD_CHECK(scene_is_intact(s));
	CHILD_CHECK(touch(page_addr(&s->h, self->to.page)) == 0);
	CHILD_CHECK(bytes_are(page_addr(&s->h, self->to.page), 0, SPAN_BYTES));
	memset(scene_span(s, 0), 'c', SPAN_BYTES);
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(span_is(s, 0, 'c'));
	return CHILD_OK;
}

TEST_F(scene, a_parent_that_moves_shared_frames_and_its_child_stay_apart)
{
	struct scene *s = &self->s;
	__u64 before;
	pid_t pid = child_start(child_looks_and_writes, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	before = total_frames(&s->h);
	ASSERT_EQ(0, scene_move(self));
	/* none was copied */
	EXPECT_EQ(before, total_frames(&s->h));
	EXPECT_TRUE(span_is(s, 0, SCENE_BASE));
	memset(scene_span(s, 0), 'p', SPAN_BYTES / 2);
	ASSERT_EQ(0, turn_give(&self->t, PARENT));
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(bytes_are(scene_span(s, 0), 'p', SPAN_BYTES / 2));
	EXPECT_TRUE(bytes_are(scene_span(s, 0) + SPAN_BYTES / 2, SCENE_BASE,
			      SPAN_BYTES / 2));
	ASSERT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

static int child_moves(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	struct scene *s = &self->s;
	__u64 before = total_frames(&s->h);

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!scene_move(self));
	CHILD_CHECK(before == total_frames(&s->h));
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	/* the parent has written to all of its own */
	CHILD_CHECK(span_is(s, 0, SCENE_BASE));
	memset(scene_span(s, 0), 'c', SPAN_BYTES);
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(span_is(s, 0, 'c'));
	return CHILD_OK;
}

TEST_F(scene, a_child_that_moves_shared_frames_and_its_parent_stay_apart)
{
	const struct scene *s = &self->s;
	pid_t pid = child_start(child_moves, self);
	__u64 before;

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(scene_is_intact(s));
	scene_fill(s, 'a');
	ASSERT_EQ(0, turn_give(&self->t, PARENT));
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(scene_is_full_of(s, 'a'));
	before = total_frames(&s->h);
	ASSERT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	/* what was the child's alone is paid back */
	EXPECT_GT(before, total_frames(&s->h));
}

static int child_reads_and_waits(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_intact(&self->s));
	return CHILD_OK;
}

/* Its mapping does not know that frames may be shared: entries are writable. */
TEST_F(scene, shared_frames_are_copied_where_an_arena_was_kept_from_the_fork)
{
	struct scene *s = &self->s;
	struct burrow_span_ref wall;
	pid_t pid;

	ASSERT_EQ(0, span_free(&s->h, 0, self->to));
	ASSERT_LE(0, arena_add(&s->h, 1));
	ASSERT_EQ(0, arena_map(&s->h, 1));
	/* all that is left of arena 0 */
	ASSERT_EQ(0, span_alloc(&s->h, BURROW_ARENA_PAGES -
				SCENE_SPANS * SCENE_PAGES, BURROW_ALLOC_LAZY,
				&wall));
	ASSERT_EQ(0, span_alloc(&s->h, SCENE_PAGES, BURROW_ALLOC_LAZY,
				&self->to));
	ASSERT_EQ(1U, self->to.page / BURROW_ARENA_PAGES);
	ASSERT_EQ(0, madvise(s->h.window + BURROW_ARENA_SIZE,
			     BURROW_ARENA_SIZE, MADV_DONTFORK));
	pid = child_start(child_reads_and_waits, self);
	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	ASSERT_EQ(0, scene_move(self));
	EXPECT_TRUE(span_is(s, 0, SCENE_BASE));
	memset(scene_span(s, 0), 'p', SPAN_BYTES);
	EXPECT_TRUE(span_is(s, 0, 'p'));
	ASSERT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

static int child_splices_and_moves(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	struct scene *s = &self->s;
	struct iovec iov = { scene_span(s, 0), FRAME_SIZE };

	CHILD_CHECK(vmsplice(self->t.end[CHILD], &iov, 1, 0) ==
		    (ssize_t)FRAME_SIZE);
	CHILD_CHECK(!scene_move(self));
	CHILD_CHECK(span_is(s, 0, SCENE_BASE));
	return CHILD_OK;
}

TEST_F(scene, what_a_child_kept_in_a_pipe_and_moved_is_not_written_later)
{
	struct scene *s = &self->s;
	char buf[FRAME_SIZE];
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	self->t.end[CHILD] = pipes[1];
	ASSERT_EQ(CHILD_OK, child_run(child_splices_and_moves, self));
	/* sole holder of the frame but for the pipe */
	ASSERT_EQ(0, scene_move(self));
	memset(scene_span(s, 0), 'v', SPAN_BYTES);
	ASSERT_EQ((ssize_t)FRAME_SIZE, read(pipes[0], buf, FRAME_SIZE));
	EXPECT_TRUE(bytes_are(buf, SCENE_BASE, FRAME_SIZE));
	EXPECT_TRUE(span_is(s, 0, 'v'));
}

/* A pipe holds the frame itself, wherever its page table entry is. */
TEST_F(scene, who_reads_a_frame_otherwise_goes_on_reading_it_where_it_is_now)
{
	struct scene *s = &self->s;
	struct iovec iov = { scene_span(s, 0), FRAME_SIZE };
	char buf[FRAME_SIZE];
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ((ssize_t)FRAME_SIZE, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(0, scene_move(self));
	memset(scene_span(s, 0), 'n', SPAN_BYTES);
	ASSERT_EQ((ssize_t)FRAME_SIZE, read(pipes[0], buf, FRAME_SIZE));
	EXPECT_TRUE(bytes_are(buf, 'n', FRAME_SIZE));
}

TEST_F(scene, io_goes_on_with_the_frames_it_was_begun_with)
{
	struct scene *s = &self->s;
	char *old = scene_span(s, 0), text[64];
	int file = memfd_create("move", MFD_CLOEXEC), r;
	struct uring u;

	r = uring_make(&u);
	if (!r)
		r = uring_register(&u, old, SPAN_BYTES);
	if (r)
		SKIP(return, "no fixed buffers: %s", strerror(-r));
	memset(text, 'i', sizeof(text));
	ASSERT_EQ((ssize_t)sizeof(text), pwrite(file, text, sizeof(text), 0));
	ASSERT_EQ(0, scene_move(self));
	/* by the address at which it was registered */
	ASSERT_EQ((int)sizeof(text), uring_read_fixed(&u, file,
						      old + FRAME_SIZE,
						      sizeof(text)));
	EXPECT_TRUE(bytes_are(scene_span(s, 0) + FRAME_SIZE, 'i',
			      sizeof(text)));
	EXPECT_TRUE(bytes_are(scene_span(s, 0), SCENE_BASE, FRAME_SIZE));
	EXPECT_EQ(0, uring_unregister(&u));
	EXPECT_EQ(0, span_free(&s->h, BURROW_FREE_RECLAIM, s->ref[0]));
}

/* All frames of span 0 and no others. */
static bool harvest_is_span(const struct scene *s)
{
	struct harvest w;
	size_t at;

	if (harvest(&s->h, 0, &w) || w.all ||
	    w.nr != SCENE_PAGES * FRAMES_PER_PAGE)
		return false;
	for (at = 0; at < SPAN_BYTES; at += FRAME_SIZE)
		if (!harvest_has(&w, &s->h, scene_span(s, 0) + at))
			return false;
	return true;
}

TEST_F(scene, what_has_moved_is_told_as_written_where_it_is_now)
{
	struct scene *s = &self->s;
	struct burrow_query query;
	struct harvest w;

	ASSERT_EQ(0, device_query(s->h.fd, &query));
	if (!(query.out_features & BURROW_FEAT_HARVEST))
		SKIP(return, "no harvest on this kernel");
	ASSERT_EQ(0, harvest(&s->h, 0, &w));
	ASSERT_TRUE(w.all);
	ASSERT_TRUE(harvest_is_empty(&s->h));
	ASSERT_EQ(0, scene_move(self));
	EXPECT_TRUE(harvest_is_span(s));
	/* that took the dirty bits of the old entries along */
	EXPECT_TRUE(harvest_is_empty(&s->h));
	*scene_span(s, 0) = 'w';
	EXPECT_TRUE(harvest_is(&s->h, scene_span(s, 0), NULL));
	/* what is written when it moves is written there */
	memset(scene_span(s, 0), 'w', SPAN_BYTES);
	ASSERT_EQ(0, span_alloc(&s->h, SCENE_PAGES, BURROW_ALLOC_LAZY,
				&self->to));
	ASSERT_EQ(0, scene_move(self));
	EXPECT_TRUE(harvest_is_span(s));
	EXPECT_TRUE(harvest_is_empty(&s->h));
}

TEST_HARNESS_MAIN
