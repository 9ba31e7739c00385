// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork_pin: frames that somebody refers to besides the page tables.
 *
 * Pipes (vmsplice) keep a frame for reading when its process has long let go of
 * it: what others write later must not be seen there. And the kernel writes by
 * itself into memory that it finds read-only.
 */
#include <sys/uio.h>

#include "fork.h"
#include "move.h"

FIXTURE(scene) {
	struct scene s;
	struct turns t;
	int pipe[2];
};

FIXTURE_SETUP(scene)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	ASSERT_EQ(0, turns_make(&self->t));
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(scene)
{
}

/* A reference to the first frame at @p moves into the pipe. */
static int frame_splice(const int *pipe, void *p)
{
	struct iovec iov = { p, FRAME_SIZE };

	return vmsplice(pipe[1], &iov, 1, 0) == (ssize_t)FRAME_SIZE ? 0 :
	       -errno;
}

/* What the pipe holds is a frame of @val. */
static bool pipe_has(const int *pipe, char val)
{
	char buf[FRAME_SIZE];

	return read(pipe[0], buf, sizeof(buf)) == (ssize_t)sizeof(buf) &&
	       bytes_are(buf, val, sizeof(buf));
}

/*
 * The spy puts a frame into the pipe and lets go of it in one of these ways.
 * The victim then writes what the reader of the pipe must not see.
 */
static int lets_go_by_exit(const struct scene *s)
{
	(void)s;
	return 0;
}

static int lets_go_by_munmap(const struct scene *s)
{
	return arena_unmap(&s->h, 0);
}

static int lets_go_by_free(const struct scene *s)
{
	return span_free(&s->h, BURROW_FREE_RECLAIM, s->ref[0]);
}

static int lets_go_by_discard(const struct scene *s)
{
	return range_reclaim(&s->h, s->ref[0].page, SCENE_PAGES) > 0 ? 0 : -EIO;
}

static int lets_go_by_move(const struct scene *s)
{
	struct burrow_span_ref to;
	int r = span_alloc(&s->h, SCENE_PAGES, BURROW_ALLOC_LAZY, &to);

	return r ? r : span_move(&s->h, s->ref[0], to, 0);
}

/* A copy takes its place: nobody has an entry for the frame any more. */
static int lets_go_by_write(const struct scene *s)
{
	*scene_span(s, 0) = 'w';
	*scene_uword(s, 0) = 'w';
	return 0;
}

static int child_lets_go_by_write(void *arg)
{
	return lets_go_by_write(arg) ? CHILD_BAD : CHILD_OK;
}

/* The same, but a third process does it. */
static int lets_go_by_a_siblings_write(const struct scene *s)
{
	return child_run(child_lets_go_by_write, (void *)s);
}

static const struct spy_row {
	const char *name;
	int (*let_go)(const struct scene *s);
} spies[] = {
	{ "exit", lets_go_by_exit },
	{ "munmap", lets_go_by_munmap },
	{ "free", lets_go_by_free },
	{ "discard", lets_go_by_discard },
	{ "move", lets_go_by_move },
	{ "write", lets_go_by_write },
	{ "a sibling's write", lets_go_by_a_siblings_write },
};

struct spy {
	const struct scene *s;
	const struct spy_row *row;
	const int *pipe;
	char *p;
};

static int child_spies(void *arg)
{
	struct spy *spy = arg;

	CHILD_CHECK(!frame_splice(spy->pipe, spy->p));
	CHILD_CHECK(!spy->row->let_go(spy->s));
	return CHILD_OK;
}

/* What the victim does before its write. */
enum before { NOTHING, READ, CALL, NR_BEFORE };

static int victim_writes(const struct scene *s, char *p, enum before before)
{
	struct burrow_heap_stats stats;
	char val;

	if (before == READ && touch_read(p, &val))
		return -EFAULT;
	/* after the last child is gone: a call may end the sharing */
	if (before == CALL && heap_stats(s->h.fd, &stats))
		return -EIO;
	memset(p, '!', FRAME_SIZE);
	return 0;
}

static void spies_see_nothing(struct __test_metadata *_metadata,
			      FIXTURE_DATA(scene) *self, char *p)
{
	struct spy spy = { .s = &self->s, .pipe = self->pipe, .p = p };
	enum before before;
	size_t i;

	for (i = 0; i < NR(spies); i++) {
		for (before = NOTHING; before < NR_BEFORE; before++) {
			memset(p, 'o', FRAME_SIZE);
			spy.row = &spies[i];
			EXPECT_ROW(CHILD_OK, child_run(child_spies, &spy),
				   spies[i].name);
			ASSERT_EQ(0, victim_writes(&self->s, p, before));
			EXPECT_ROW(true, pipe_has(self->pipe, 'o'),
				   spies[i].name);
			EXPECT_TRUE(bytes_are(p, '!', FRAME_SIZE));
		}
	}
}

TEST_F(scene, a_pipe_does_not_show_what_the_parent_writes_after_the_child_let_go)
{
	spies_see_nothing(_metadata, self, scene_span(&self->s, 0));
}

TEST_F(scene, the_same_holds_for_U_words)
{
	spies_see_nothing(_metadata, self, self->s.h.umeta + BURROW_U_OWNER);
}

/* The other way round: the parent keeps the reference, the child writes. */
struct prey {
	FIXTURE_DATA(scene) *self;
	const struct spy_row *row;
	enum before before;
};

static int child_is_spied_on(void *arg)
{
	struct prey *prey = arg;
	struct turns *t = &prey->self->t;
	const struct scene *s = &prey->self->s;

	turns_keep(t, CHILD);
	CHILD_CHECK(!turn_take(t, CHILD));
	CHILD_CHECK(!victim_writes(s, scene_span(s, 0), prey->before));
	CHILD_CHECK(bytes_are(scene_span(s, 0), '!', FRAME_SIZE));
	return CHILD_OK;
}

static int parent_spies(void *arg)
{
	struct prey *prey = arg;
	FIXTURE_DATA(scene) *self = prey->self;
	pid_t pid;

	/* its own frames, that the test's process does not hold too */
	scene_fill(&self->s, 'o');
	pid = child_start(child_is_spied_on, prey);
	CHILD_CHECK(pid > 0);
	turns_keep(&self->t, PARENT);
	CHILD_CHECK(!frame_splice(self->pipe, scene_span(&self->s, 0)));
	CHILD_CHECK(!prey->row->let_go(&self->s));
	CHILD_CHECK(!turn_give(&self->t, PARENT));
	CHILD_CHECK(child_wait(pid) == CHILD_OK);
	CHILD_CHECK(pipe_has(self->pipe, 'o'));
	return CHILD_OK;
}

TEST_F(scene, a_pipe_does_not_show_what_the_child_writes_after_the_parent_let_go)
{
	struct prey prey = { .self = self };
	size_t i;

	for (i = 0; i < NR(spies); i++) {
		prey.row = &spies[i];
		for (prey.before = 0; prey.before < NR_BEFORE; prey.before++)
			EXPECT_ROW(CHILD_OK, child_run(parent_spies, &prey),
				   spies[i].name);
	}
	EXPECT_TRUE(scene_is_intact(&self->s));
}

/* The kernel as writer, into a frame that is shared: @self's or a child's. */
static int write_by_vm_writev(pid_t pid, void *p, char val)
{
	struct iovec from = { &val, 1 }, to = { p, 1 };

	return process_vm_writev(pid, &from, 1, &to, 1, 0) == 1 ? 0 : -errno;
}

static int write_by_proc_mem(pid_t pid, void *p, char val)
{
	char path[32];
	int fd, r;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = pwrite(fd, &val, 1, (off_t)p) == 1 ? 0 : -errno;
	close(fd);
	return r;
}

static int write_by_read(pid_t pid, void *p, char val)
{
	int fd[2], r = -EIO;

	/* only into one's own */
	if (pid != getpid())
		return write_by_proc_mem(pid, p, val);
	if (pipe(fd))
		return -errno;
	if (write(fd[1], &val, 1) == 1 && read(fd[0], p, 1) == 1)
		r = 0;
	close(fd[0]);
	close(fd[1]);
	return r;
}

static const struct writer_row {
	const char *name;
	int (*fn)(pid_t pid, void *p, char val);
} writers[] = {
	{ "process_vm_writev", write_by_vm_writev },
	{ "/proc/PID/mem", write_by_proc_mem },
	{ "read", write_by_read },
};

/* Span i's first byte is to be written by writer i, in the child. */
static int child_is_written_to(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	__u32 i;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	for (i = 0; i < NR(writers); i++) {
		char *p = scene_span(&self->s, i);

		CHILD_CHECK(*p == 'c');
		CHILD_CHECK(bytes_are(p + 1, SCENE_BASE + i, SPAN_BYTES - 1));
	}
	return CHILD_OK;
}

TEST_F(scene, what_the_kernel_writes_into_a_childs_frame_stays_the_childs)
{
	pid_t pid = child_start(child_is_written_to, self);
	__u32 i;

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	for (i = 0; i < NR(writers); i++) {
		EXPECT_ROW(0, writers[i].fn(pid, scene_span(&self->s, i), 'c'),
			   writers[i].name);
		EXPECT_ROW(true, scene_is_intact(&self->s), writers[i].name);
	}
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

static int child_is_not_written_to(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_intact(&self->s));
	return CHILD_OK;
}

TEST_F(scene, what_the_kernel_writes_into_the_parents_frame_stays_the_parents)
{
	pid_t pid = child_start(child_is_not_written_to, self);
	__u32 i;

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	for (i = 0; i < NR(writers); i++) {
		char *p = scene_span(&self->s, i);

		EXPECT_ROW(0, writers[i].fn(getpid(), p, 'p'),
			   writers[i].name);
		EXPECT_ROW('p', *p, writers[i].name);
		EXPECT_TRUE(bytes_are(p + 1, SCENE_BASE + i, SPAN_BYTES - 1));
	}
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

TEST_HARNESS_MAIN
