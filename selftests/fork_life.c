// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork_life: who is forked, on what stack, what it inherits and who ends first.
 */
#include <pthread.h>
#include <spawn.h>
#include <ucontext.h>

#include "fork.h"

FIXTURE(scene) {
	struct scene s;
	struct turns t;
	__u64 before;			/* the total, with nobody forked */
};

FIXTURE_SETUP(scene)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	ASSERT_EQ(0, turns_make(&self->t));
	self->before = total_frames(&self->s.h);
}

FIXTURE_TEARDOWN(scene)
{
}

#define DEPTH	4

/* Each level writes before and after it forks the next. */
struct level {
	const struct scene *s;
	int left;
	char base;
};

static int child_nests(void *arg)
{
	struct level *up = arg, me = { up->s, up->left - 1, up->base + 1 };

	CHILD_CHECK(scene_is_full_of(up->s, up->base));
	scene_fill(me.s, me.base);
	if (me.left)
		CHILD_CHECK(child_run(child_nests, &me) == CHILD_OK);
	CHILD_CHECK(scene_is_full_of(me.s, me.base));
	*scene_span(me.s, 0) = 'z';
	if (me.left) {
		*scene_span(me.s, 0) = me.base;
		CHILD_CHECK(child_run(child_nests, &me) == CHILD_OK);
	}
	return CHILD_OK;
}

TEST_F(scene, each_of_four_nested_forks_has_its_own)
{
	struct level top = { &self->s, DEPTH, SCENE_BASE };

	EXPECT_EQ(CHILD_OK, child_run(child_nests, &top));
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

/* All of one generation hold the same frames, and each writes one of them. */
static int child_writes_one_span(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	const struct scene *s = &self->s;
	__u32 i = self->before;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	memset(scene_span(s, i), '0', SPAN_BYTES);
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(turn_take(&self->t, CHILD) == -EPIPE);
	CHILD_CHECK(bytes_are(scene_span(s, i), '0', SPAN_BYTES));
	memset(scene_span(s, i), SCENE_BASE + i, SPAN_BYTES);
	CHILD_CHECK(scene_is_intact(s));
	return CHILD_OK;
}

TEST_F(scene, children_of_one_parent_do_not_see_each_other)
{
	struct turns t[SCENE_SPANS];
	FIXTURE_DATA(scene) arg = *self;
	pid_t pid[SCENE_SPANS];
	__u32 i;

	for (i = 0; i < SCENE_SPANS; i++) {
		ASSERT_EQ(0, turns_make(&t[i]));
		arg.t = t[i];
		arg.before = i;
		pid[i] = child_start(child_writes_one_span, &arg);
		ASSERT_LT(0, pid[i]);
		turns_keep(&t[i], PARENT);
	}
	for (i = 0; i < SCENE_SPANS; i++) {
		EXPECT_EQ(0, turn_give(&t[i], PARENT));
		EXPECT_EQ(0, turn_take(&t[i], PARENT));
	}
	EXPECT_TRUE(scene_is_intact(&self->s));
	/* later children hold the earlier ones' ends: let go from the last on */
	for (i = SCENE_SPANS; i-- > 0;)
		close(t[i].end[PARENT]);
	for (i = SCENE_SPANS; i-- > 0;)
		EXPECT_EQ(CHILD_OK, child_wait(pid[i]));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

/* A child that outlives its parent reports to its grandparent. */
static int child_is_orphaned(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	pid_t me = getpid();

	if (fork())
		return CHILD_OK;
	turns_keep(&self->t, CHILD);
	/* the parent's address space is gone before it is waited for */
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(getppid() != me);
	CHILD_CHECK(scene_is_intact(&self->s));
	scene_fill(&self->s, 'a');
	CHILD_CHECK(scene_is_full_of(&self->s, 'a'));
	CHILD_CHECK(!span_free(&self->s.h, BURROW_FREE_RECLAIM,
			       self->s.ref[0]));
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	return CHILD_OK;
}

TEST_F(scene, a_child_keeps_its_heap_when_its_parent_exits)
{
	pid_t pid = child_start(child_is_orphaned, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(0, turn_take(&self->t, PARENT));
	/* its end of the socket is closed after its address space is gone */
	EXPECT_EQ(-EPIPE, turn_take(&self->t, PARENT));
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

static int child_writes_all(void *arg)
{
	scene_fill(arg, 'a');
	return CHILD_OK;
}

TEST_F(scene, a_parent_keeps_its_heap_when_its_child_exits)
{
	EXPECT_EQ(CHILD_OK, child_run(child_writes_all, &self->s));
	EXPECT_TRUE(scene_is_intact(&self->s));
	scene_fill(&self->s, 'G');
	EXPECT_TRUE(scene_is_full_of(&self->s, 'G'));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

static int child_unmaps_all(void *arg)
{
	const struct scene *s = arg;

	scene_fill(s, 'a');
	CHILD_CHECK(!arena_unmap(&s->h, 0));
	return CHILD_OK;
}

TEST_F(scene, nothing_is_left_of_a_child_that_unmapped_its_heap_and_exited)
{
	EXPECT_EQ(CHILD_OK, child_run(child_unmaps_all, &self->s));
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

/* A coroutine whose stack is a span; it forks there. */
static struct {
	ucontext_t main, on_stack;
	int child_status;
} co;

static void coroutine(void)
{
	volatile char local[FRAME_SIZE];
	pid_t pid;

	memset((char *)local, 'l', sizeof(local));
	pid = fork();
	if (!pid) {
		if (!bytes_are((char *)local, 'l', sizeof(local)))
			_exit(CHILD_BAD);
		memset((char *)local, 'c', sizeof(local));
		swapcontext(&co.on_stack, &co.main);
		/* not reached: the child ends on the other stack */
		_exit(CHILD_BAD);
	}
	memset((char *)local, 'p', sizeof(local));
	co.child_status = child_wait(pid);
	if (!bytes_are((char *)local, 'p', sizeof(local)))
		co.child_status = CHILD_BAD;
}

TEST_F(scene, a_fork_on_a_stack_in_the_heap_returns_in_both)
{
	pid_t me = getpid();

	ASSERT_EQ(0, getcontext(&co.on_stack));
	co.on_stack.uc_stack.ss_sp = scene_span(&self->s, 2);
	co.on_stack.uc_stack.ss_size = SPAN_BYTES;
	co.on_stack.uc_link = &co.main;
	makecontext(&co.on_stack, coroutine, 0);
	ASSERT_EQ(0, swapcontext(&co.main, &co.on_stack));
	if (getpid() != me)
		_exit(bytes_are(scene_span(&self->s, 3), SCENE_BASE + 3,
				SPAN_BYTES) ? CHILD_OK : CHILD_BAD);
	EXPECT_EQ(CHILD_OK, co.child_status);
}

/* exec: nothing is inherited, and nothing is left behind. */
static int child_execs(void *arg)
{
	const struct scene *s = arg;

	scene_fill(s, 'a');
	execl("/proc/self/exe", "fork_life", "--true", NULL);
	return CHILD_BAD;
}

TEST_F(scene, a_child_that_executes_a_program_leaves_nothing)
{
	EXPECT_EQ(CHILD_OK, child_run(child_execs, &self->s));
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

/* The address space is the parent's: no clone, one heap for both. */
TEST_F(scene, a_vforked_child_works_on_the_parents_heap)
{
	struct burrow_span_ref n = { 0, 0 };
	volatile int r = -1;
	pid_t pid = vfork();

	if (!pid) {
		*scene_span(&self->s, 4) = 'v';
		r = span_alloc(&self->s.h, 1, 0, &n);
		_exit(CHILD_OK);
	}
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_EQ(0, r);
	EXPECT_EQ('v', *scene_span(&self->s, 4));
	EXPECT_EQ(0, span_free(&self->s.h, BURROW_FREE_RECLAIM, n));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

TEST_F(scene, a_spawned_program_changes_nothing)
{
	char * const argv[] = { "fork_life", "--true", NULL };
	struct burrow_heap_stats stats;
	pid_t pid;
	int i;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, posix_spawn(&pid, "/proc/self/exe", NULL, NULL,
					 argv, environ));
		EXPECT_EQ(CHILD_OK, child_wait(pid));
	}
	scene_fill(&self->s, 'G');
	ASSERT_EQ(0, heap_stats(self->s.h.fd, &stats));
	/* no entry was write-protected: only U-words ever came by a fault */
	EXPECT_EQ(stats.out_umeta_frames, stats.out_nr_faults);
	EXPECT_EQ(self->before, stats.out_user_frames);
}

static int child_has_only_mappings(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	struct burrow_heap_stats stats;

	CHILD_CHECK(!close(self->s.h.fd));
	CHILD_CHECK(heap_stats(self->s.h.fd, &stats) == -EBADF);
	CHILD_CHECK(scene_is_intact(&self->s));
	scene_fill(&self->s, 'a');
	CHILD_CHECK(scene_is_full_of(&self->s, 'a'));
	return CHILD_OK;
}

TEST_F(scene, a_child_that_closes_the_descriptor_takes_nothing_from_the_parent)
{
	EXPECT_EQ(CHILD_OK, child_run(child_has_only_mappings, self));
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(0, span_free(&self->s.h, 0, self->s.ref[0]));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

static int child_has_the_descriptor(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	struct burrow_span_ref n;
	__u32 i;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_intact(&self->s));
	for (i = 0; i < SCENE_SPANS; i++)
		CHILD_CHECK(!span_free(&self->s.h, 0, self->s.ref[i]));
	CHILD_CHECK(!span_alloc(&self->s.h, 8, 0, &n));
	CHILD_CHECK(arena_add(&self->s.h, BURROW_ARENA_ANY) == 1);
	CHILD_CHECK(!arena_map(&self->s.h, 1));
	CHILD_CHECK(!span_alloc(&self->s.h, BURROW_ARENA_PAGES,
				BURROW_ALLOC_LAZY, &n));
	*page_addr(&self->s.h, n.page + BURROW_ARENA_PAGES - 1) = 1;
	return CHILD_OK;
}

TEST_F(scene, the_childs_calls_work_when_the_parent_has_closed_and_unmapped)
{
	pid_t pid = child_start(child_has_the_descriptor, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	EXPECT_EQ(0, arena_unmap(&self->s.h, 0));
	EXPECT_EQ(0, close(self->s.h.fd));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

/* A second heap of the child's own, on a file of its own. */
static int child_makes_another_heap(void *arg)
{
	const struct scene *s = arg;
	struct scene own;

	CHILD_CHECK(heap_set_up(&s->h) == -EEXIST);
	CHILD_CHECK(!scene_make(&own, 2));
	scene_fill(&own, 'a');
	CHILD_CHECK(scene_is_intact(s));
	CHILD_CHECK(scene_is_full_of(&own, 'a'));
	return CHILD_OK;
}

TEST_F(scene, a_child_may_have_a_heap_of_its_own_besides)
{
	EXPECT_EQ(CHILD_OK, child_run(child_makes_another_heap, &self->s));
	EXPECT_EQ(self->before, total_frames(&self->s.h));
}

/* The parent's threads are not the child's: neither are their slots. */
static int child_has_no_slots(void *arg)
{
	const struct heap *h = arg;
	int slot;

	CHILD_CHECK(thread_unpark(h, 0) == -ENXIO);
	CHILD_CHECK(thread_park(h, 0, 1) == -ENXIO);
	slot = thread_add(h);
	CHILD_CHECK(slot == 0);
	CHILD_CHECK(!thread_unpark(h, slot));
	CHILD_CHECK(!thread_park(h, slot, 0));
	return CHILD_OK;
}

TEST_F(scene, a_childs_thread_slots_are_its_own)
{
	const struct heap *h = &self->s.h;

	ASSERT_EQ(0, thread_add(h));
	EXPECT_EQ(CHILD_OK, child_run(child_has_no_slots, &self->s.h));
	EXPECT_EQ(-ETIMEDOUT, thread_park(h, 0, 1));
	EXPECT_EQ(0, thread_unpark(h, 0));
	EXPECT_EQ(0, thread_park(h, 0, 0));
}

static void *thread_forks(void *arg)
{
	return (void *)(long)child_run(child_writes_all, arg);
}

TEST_F(scene, a_fork_by_any_thread_is_a_fork)
{
	pthread_t thread;
	void *r;

	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_forks, &self->s));
	ASSERT_EQ(0, pthread_join(thread, &r));
	EXPECT_EQ(CHILD_OK, (long)r);
	EXPECT_TRUE(scene_is_intact(&self->s));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--true"))
		return 0;
	return test_harness_run(argc, argv);
}
