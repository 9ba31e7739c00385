// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork_ring: frames that are pinned for long, as io_uring does with registered
 * buffers. They may be written to at any time: that must reach the process that
 * pinned them, and it alone. (From 6.12 on; before, no buffer of a device's
 * mapping is accepted, and the tests say so.)
 */
#include "fork.h"
#include "uring.h"

/* A scene, a ring, and a file whose first frame is full of 'f'. */
FIXTURE(ring) {
	struct scene s;
	struct turns t;
	struct uring u;
	int file;
	char *p;			/* a span, to be pinned */
	int why_not;			/* such buffers cannot be pinned here */
};

FIXTURE_SETUP(ring)
{
	char buf[FRAME_SIZE];

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	ASSERT_EQ(0, turns_make(&self->t));
	self->p = scene_span(&self->s, 0);
	self->file = memfd_create("file", MFD_CLOEXEC);
	ASSERT_LE(0, self->file);
	memset(buf, 'f', sizeof(buf));
	ASSERT_EQ(FRAME_SIZE, write(self->file, buf, sizeof(buf)));
	self->why_not = uring_make(&self->u);
	if (!self->why_not)
		self->why_not = uring_register(&self->u, self->p, SPAN_BYTES);
	if (!self->why_not)
		ASSERT_EQ(0, uring_unregister(&self->u));
}

FIXTURE_TEARDOWN(ring)
{
}

static int child_is_not_read_into(void *arg)
{
	FIXTURE_DATA(ring) *self = arg;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_intact(&self->s));
	scene_fill(&self->s, 'a');
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_full_of(&self->s, 'a'));
	return CHILD_OK;
}

TEST_F(ring, what_arrives_in_a_buffer_pinned_before_the_fork_is_the_parents)
{
	pid_t pid;

	if (self->why_not)
		SKIP(return, "no pinned buffers: %s", strerror(-self->why_not));
	ASSERT_EQ(0, uring_register(&self->u, self->p, SPAN_BYTES));
	pid = child_start(child_is_not_read_into, self);
	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(100, uring_read_fixed(&self->u, self->file, self->p, 100));
	EXPECT_TRUE(bytes_are(self->p, 'f', 100));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_EQ(200, uring_read_fixed(&self->u, self->file, self->p, 200));
	EXPECT_TRUE(bytes_are(self->p, 'f', 200));
	EXPECT_TRUE(bytes_are(self->p + 200, SCENE_BASE, SPAN_BYTES - 200));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

/*
 * After the fork the parent's entry is read-only, its frame is not shared: the
 * parent's write must go to the frame that is pinned, not to a copy.
 */
TEST_F(ring, a_buffer_pinned_before_the_fork_stays_the_parents_memory)
{
	pid_t pid;
	int i;

	if (self->why_not)
		SKIP(return, "no pinned buffers: %s", strerror(-self->why_not));
	ASSERT_EQ(0, uring_register(&self->u, self->p, SPAN_BYTES));
	pid = child_start(child_is_not_read_into, self);
	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	for (i = 0; i < 2; i++) {
		memset(self->p, 'p', SPAN_BYTES);
		EXPECT_EQ(100, uring_read_fixed(&self->u, self->file, self->p,
						100));
		EXPECT_TRUE(bytes_are(self->p, 'f', 100));
		EXPECT_TRUE(bytes_are(self->p + 100, 'p', SPAN_BYTES - 100));
		EXPECT_EQ(0, turn_give(&self->t, PARENT));
		if (!i)
			EXPECT_EQ(0, turn_take(&self->t, PARENT));
	}
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	memset(self->p, 'p', SPAN_BYTES);
	EXPECT_EQ(100, uring_read_fixed(&self->u, self->file, self->p, 100));
	EXPECT_TRUE(bytes_are(self->p, 'f', 100));
	EXPECT_EQ(0, uring_unregister(&self->u));
}

static int child_discards(void *arg)
{
	const struct scene *s = arg;

	CHILD_CHECK(range_reclaim(&s->h, s->ref[0].page, SCENE_PAGES) > 0);
	return CHILD_OK;
}

/* The child's reclaim takes out the parent's entries as well: no copy either. */
TEST_F(ring, a_childs_reclaim_does_not_part_the_parent_from_its_pinned_buffer)
{
	int i;

	if (self->why_not)
		SKIP(return, "no pinned buffers: %s", strerror(-self->why_not));
	ASSERT_EQ(0, uring_register(&self->u, self->p, SPAN_BYTES));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(CHILD_OK, child_run(child_discards, &self->s));
		memset(self->p, 'p', SPAN_BYTES);
		EXPECT_EQ(100, uring_read_fixed(&self->u, self->file, self->p,
						100));
		EXPECT_TRUE(bytes_are(self->p, 'f', 100));
		EXPECT_TRUE(bytes_are(self->p + 100, 'p', SPAN_BYTES - 100));
	}
}

static int child_is_there(void *arg)
{
	const struct scene *s = arg;

	return scene_is_intact(s) ? CHILD_OK : CHILD_BAD;
}

static int child_unmaps_all(void *arg)
{
	const struct scene *s = arg;

	CHILD_CHECK(!arena_unmap(&s->h, 0));
	return CHILD_OK;
}

/* Long-term pins are refused while frames may be shared: no longer. */
TEST_F(ring, when_all_children_are_gone_the_next_call_ends_the_sharing)
{
	static int (* const child[])(void *) = {
		child_is_there, child_unmaps_all,
	};
	struct burrow_heap_stats stats;
	size_t i;

	if (self->why_not)
		SKIP(return, "no pinned buffers: %s", strerror(-self->why_not));
	for (i = 0; i < NR(child); i++) {
		ASSERT_EQ(CHILD_OK, child_run(child[i], &self->s));
		EXPECT_EQ(0, heap_stats(self->s.h.fd, &stats));
		EXPECT_EQ(0, uring_register(&self->u, self->p, SPAN_BYTES));
		EXPECT_EQ(100, uring_read_fixed(&self->u, self->file, self->p,
						100));
		EXPECT_TRUE(bytes_are(self->p, 'f', 100));
		EXPECT_EQ(0, uring_unregister(&self->u));
		memset(self->p, SCENE_BASE, SPAN_BYTES);
		EXPECT_TRUE(scene_is_intact(&self->s));
	}
}

TEST_F(ring, in_the_child_the_parents_ring_does_not_reach_its_frames)
{
	pid_t pid;

	if (self->why_not)
		SKIP(return, "no pinned buffers: %s", strerror(-self->why_not));
	ASSERT_EQ(0, uring_register(&self->u, self->p, SPAN_BYTES));
	pid = fork();
	if (!pid) {
		/* the child's view came by faults: so does its own child's */
		pid = fork();
		if (!pid)
			_exit(child_is_there(&self->s));
		scene_fill(&self->s, 'a');
		_exit(child_wait(pid));
	}
	memset(self->p, 'p', SPAN_BYTES);
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(bytes_are(self->p, 'p', SPAN_BYTES));
}

TEST_HARNESS_MAIN
