// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork_limit: no memory for the clone. Either fork() itself fails, or the child
 * is there without a heap: its mappings are SIGBUS and its calls EXDEV, and
 * what it can still read is what its parent had. The parent never notices.
 */
#include <sys/syscall.h>

#include "cgroup.h"
#include "fork.h"

#define CGROUP		"burrow_fork"
#define MB		(1UL << 20)
#define UID		12345

/* How a child ends here, if not in CHILD_BAD. */
#define CHILD_IS_DEAD	7

/* A byte of the scene is what it was, or out of reach; never anything else. */
static bool is_right_or_gone(const char *p, char want)
{
	char val;
	int sig = touch_read(p, &val);

	return sig ? sig == SIGBUS : val == want;
}

static int child_is_dead_or_well(void *arg)
{
	const struct scene *s = arg;
	struct burrow_heap_stats stats;
	struct burrow_span_ref n;
	int r = heap_stats(s->h.fd, &stats);
	size_t at;
	pid_t pid;
	__u32 i;

	if (!r) {
		CHILD_CHECK(scene_is_intact(s));
		CHILD_CHECK(stats.out_spans == SCENE_SPANS);
		return CHILD_OK;
	}
	CHILD_CHECK(r == -EXDEV);
	CHILD_CHECK(span_alloc(&s->h, 1, 0, &n) == -EXDEV);
	CHILD_CHECK(span_free(&s->h, 0, s->ref[0]) == -EXDEV);
	CHILD_CHECK(heap_set_up(&s->h) == -EXDEV);
	CHILD_CHECK(part_map(&s->h, BURROW_MMAP_DATA, 1) == -EXDEV);
	for (i = 0; i < SCENE_SPANS; i++)
		for (at = 0; at < SPAN_BYTES; at += FRAME_SIZE / 2)
			CHILD_CHECK(is_right_or_gone(scene_span(s, i) + at,
						     SCENE_BASE + i));
	/* its own child finds no more than it did */
	pid = fork();
	if (!pid)
		_exit(heap_stats(s->h.fd, &stats) == -EXDEV ? CHILD_OK :
							      CHILD_BAD);
	CHILD_CHECK(child_wait(pid) == CHILD_OK);
	for (i = 0; i < SCENE_SPANS; i++)
		CHILD_CHECK(touch_write(scene_span(s, i), '!') == SIGBUS);
	CHILD_CHECK(touch_write((char *)scene_uword(s, 0), 1) == SIGBUS);
	return CHILD_IS_DEAD;
}

/* After a fork that failed the parent is what it was, and can fork again. */
static int parent_goes_on(struct scene *s)
{
	struct burrow_span_ref n;

	CHILD_CHECK(scene_is_intact(s));
	scene_fill(s, 'G');
	CHILD_CHECK(scene_is_full_of(s, 'G'));
	scene_fill(s, SCENE_BASE);
	CHILD_CHECK(!span_alloc(&s->h, 1, BURROW_ALLOC_LAZY, &n));
	CHILD_CHECK(!span_free(&s->h, BURROW_FREE_RECLAIM, n));
	return CHILD_OK;
}

/* 64 arenas' tables are 4 MiB and more: what fork() itself needs is less. */
#define MANY_ARENAS	64U

static int child_forks_at_its_limit(void *arg)
{
	struct scene s;
	__u32 i;
	int k;

	(void)arg;
	CHILD_CHECK(!touch_init());
	CHILD_CHECK(!cgroup_enter(CGROUP));
	CHILD_CHECK(!scene_make(&s, MANY_ARENAS));
	for (i = 1; i < MANY_ARENAS; i++) {
		CHILD_CHECK(arena_add(&s.h, i) == (int)i);
		CHILD_CHECK(!arena_map(&s.h, i));
	}
	for (k = 0; k < 3; k++) {
		CHILD_CHECK(!cgroup_limit(CGROUP, cgroup_used(CGROUP) +
					  2 * MB));
		CHILD_CHECK(child_run(child_is_dead_or_well, &s) ==
			    CHILD_IS_DEAD);
		CHILD_CHECK(!parent_goes_on(&s));
		CHILD_CHECK(!cgroup_limit(CGROUP, cgroup_used(CGROUP) +
					  64 * MB));
		CHILD_CHECK(child_run(child_is_dead_or_well, &s) == CHILD_OK);
	}
	return CHILD_OK;
}

TEST(at_a_memory_cgroups_limit_the_child_has_no_heap_and_nobody_is_killed)
{
	__u64 before = user_frames();

	if (!cgroup_begin(_metadata, CGROUP, 128 * MB))
		return;
	EXPECT_EQ(CHILD_OK, child_run(child_forks_at_its_limit, NULL));
	EXPECT_EQ(before, user_frames());
	cgroup_end(_metadata, CGROUP, 0);
}

FIXTURE(user) {
	unsigned long long frames;
	struct scene s;
};

/* A heap that an ordinary user pays for, in a process that can set limits. */
FIXTURE_SETUP(user)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, param_get("user_limit_pages", &self->frames));
	ASSERT_EQ(0, setresuid(UID, UID, 0));
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	ASSERT_EQ(0, setresuid(0, 0, 0));
}

FIXTURE_TEARDOWN(user)
{
	EXPECT_EQ(0, param_set("user_limit_pages", self->frames));
}

TEST_F(user, a_clone_that_the_users_total_has_no_room_for_is_dead)
{
	struct scene *s = &self->s;
	struct burrow_heap_stats stats;
	__u64 before = total_frames(&s->h), tables, k;

	ASSERT_EQ(0, heap_stats(s->h.fd, &stats));
	EXPECT_GT(~0ULL, stats.out_user_limit);
	tables = stats.out_kmeta_bytes / FRAME_SIZE;
	for (k = 0; k < 2 * tables; k++) {
		int want = k < tables ? CHILD_IS_DEAD : CHILD_OK;

		ASSERT_EQ(0, param_set("user_limit_pages", before + k));
		EXPECT_EQ(want, child_run(child_is_dead_or_well, s))
			TH_LOG("with room for %llu frames of %llu", k, tables);
		ASSERT_EQ(0, param_set("user_limit_pages", before + 64));
		EXPECT_EQ(CHILD_OK, parent_goes_on(s));
		EXPECT_EQ(before, total_frames(&s->h))
			TH_LOG("after room for %llu frames of %llu", k, tables);
	}
}

/* Room for the clone and for so many copies, not for all. */
#define COPIES	10U

static int child_writes_too_much(void *arg)
{
	const struct scene *s = arg;
	size_t n = 0;

	while (!touch_write(s->h.window + n * FRAME_SIZE, '!'))
		n++;
	CHILD_CHECK(touch_write(s->h.window + n * FRAME_SIZE, '!') == SIGBUS);
	CHILD_CHECK(n == COPIES);
	/* what could not be written can be read, and is right */
	CHILD_CHECK(bytes_are(s->h.window + n * FRAME_SIZE,
			      SCENE_BASE + n * FRAME_SIZE / SPAN_BYTES,
			      FRAME_SIZE));
	/* a frame given back is another's copy */
	CHILD_CHECK(range_reclaim(&s->h, s->ref[0].page, 1) ==
		    FRAMES_PER_PAGE);
	CHILD_CHECK(!touch_write(s->h.window + n * FRAME_SIZE, '!'));
	return CHILD_OK;
}

TEST_F(user, a_copy_beyond_the_total_is_SIGBUS_and_the_frame_stays_shared)
{
	struct scene *s = &self->s;
	struct burrow_heap_stats stats;
	__u64 before = total_frames(&s->h);

	ASSERT_EQ(0, heap_stats(s->h.fd, &stats));
	ASSERT_EQ(0, param_set("user_limit_pages", before + COPIES +
			       stats.out_kmeta_bytes / FRAME_SIZE));
	EXPECT_EQ(CHILD_OK, child_run(child_writes_too_much, s));
	EXPECT_TRUE(scene_is_intact(s));
	EXPECT_EQ(before, total_frames(&s->h));
	/* no child, no copies: the parent's writes cost nothing */
	ASSERT_EQ(0, param_set("user_limit_pages", before));
	scene_fill(s, 'G');
	EXPECT_TRUE(scene_is_full_of(s, 'G'));
	EXPECT_EQ(before, total_frames(&s->h));
}

/* Forks with the n-th allocation failing. @hit: there were as many. */
static pid_t fork_failing(int fd, unsigned int n, bool *hit)
{
	pid_t pid;
	int r;

	*hit = false;
	r = failure_begin(fd, n);
	if (r)
		return r;
	pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		return 0;
	if (pid < 0)
		pid = -errno;
	*hit = failure_end(fd);
	return pid;
}

FIXTURE(failure) {
	struct scene s;
	int fd;				/* or why there are no failures */
};

FIXTURE_SETUP(failure)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, 2));
	self->fd = failures_prepare();
}

FIXTURE_TEARDOWN(failure)
{
}

TEST_F_TIMEOUT(failure, whichever_allocation_of_a_fork_fails_the_parent_is_whole,
	       1200)
{
	__u64 before = total_frames(&self->s.h);
	unsigned int n, failed = 0, dead = 0, well = 0;
	bool hit = true;

	if (self->fd < 0)
		SKIP(return, "no fault injection: %s", strerror(-self->fd));
	for (n = 1; hit; n++) {
		pid_t pid = fork_failing(self->fd, n, &hit);
		int status;

		if (!pid)
			_exit(child_is_dead_or_well(&self->s));
		if (pid < 0) {
			failed++;
		} else {
			status = child_wait(pid);
			dead += status == CHILD_IS_DEAD;
			well += status == CHILD_OK;
			EXPECT_TRUE(status == CHILD_IS_DEAD ||
				    status == CHILD_OK)
				TH_LOG("allocation %u: status %d", n, status);
		}
		ASSERT_EQ(CHILD_OK, parent_goes_on(&self->s));
		ASSERT_EQ(before, total_frames(&self->s.h))
			TH_LOG("allocation %u", n);
	}
	TH_LOG("%u allocations: %u forks failed, %u children without a heap, %u with",
	       n - 2, failed, dead, well);
	EXPECT_LT(0, failed);
	EXPECT_LT(0, dead);
	EXPECT_LT(0, well);
}

TEST_HARNESS_MAIN
