// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * harvest: which frames were written since the last look.
 *
 *	HEAP_HARVEST	kmod/written.c	<- here, V1 to V4
 *
 * What a harvest says too little of is lost for whoever relies on it, so each
 * way in which a note could go astray is a test: fork cleans entries, a sibling's
 * reclaim takes them away, mprotect() keeps them from being written, the kernel
 * and devices write without them.
 */
#include <pthread.h>
#include <sys/uio.h>

#include "harvest.h"
#include "uring.h"

FIXTURE(scene) {
	struct scene s;
	struct turns t;
	struct heap *h;
	char *p;			/* a span */
	char *q;			/* another */
};

FIXTURE_SETUP(scene)
{
	struct burrow_query query;
	struct harvest w;
	int fd = device_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, device_query(fd, &query));
	close(fd);
	if (!(query.out_features & BURROW_FEAT_HARVEST))
		SKIP(return, "this machine's kernel cannot tell what was written");
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	ASSERT_EQ(0, turns_make(&self->t));
	self->h = &self->s.h;
	self->p = scene_span(&self->s, 3);
	self->q = scene_span(&self->s, 8) + FRAME_SIZE;
	ASSERT_EQ(0, harvest(self->h, 0, &w));
	ASSERT_TRUE(w.all);
}

FIXTURE_TEARDOWN(scene)
{
}

TEST_F(scene, the_first_says_all_and_the_next_nothing)
{
	EXPECT_TRUE(harvest_is_empty(self->h));
	EXPECT_TRUE(harvest_is_empty(self->h));
}

TEST_F(scene, what_was_written_is_told_once_and_nothing_else)
{
	__u32 i, n;

	for (i = 0; i < SCENE_SPANS; i++) {
		for (n = 0; n < SPAN_BYTES / FRAME_SIZE; n++) {
			char *p = scene_span(&self->s, i) + n * FRAME_SIZE;

			p[(i * 256 + n) % FRAME_SIZE] = 'w';
			ASSERT_TRUE(harvest_is(self->h, p, NULL));
		}
	}
	EXPECT_TRUE(harvest_is_empty(self->h));
}

TEST_F(scene, many_are_told_together)
{
	struct harvest w;
	__u32 i;

	for (i = 0; i < SCENE_SPANS; i++)
		memset(scene_span(&self->s, i), 'w', SPAN_BYTES);
	ASSERT_EQ(0, harvest(self->h, 0, &w));
	EXPECT_EQ(SCENE_FRAMES, w.nr);
	EXPECT_FALSE(w.all);
}

TEST_F(scene, what_is_read_is_not_written)
{
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_TRUE(harvest_is_empty(self->h));
}

TEST_F(scene, a_new_frame_is_told_when_it_is_written)
{
	struct burrow_span_ref ref;
	volatile char *at;

	ASSERT_EQ(0, span_alloc(self->h, 1, BURROW_ALLOC_LAZY, &ref));
	at = page_addr(self->h, ref.page);
	EXPECT_EQ(0, *at);
	EXPECT_TRUE(harvest_is_empty(self->h));
	*at = 'w';
	EXPECT_TRUE(harvest_is(self->h, (char *)at, NULL));
}

static int child_is_told_the_same(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	CHILD_CHECK(harvest_is(self->h, self->p, self->q));
	CHILD_CHECK(harvest_is_empty(self->h));
	return CHILD_OK;
}

TEST_F(scene, what_was_written_before_a_fork_is_told_on_both_sides)
{
	*self->p = 'w';
	*self->q = 'w';
	EXPECT_EQ(CHILD_OK, child_run(child_is_told_the_same, self));
	EXPECT_TRUE(harvest_is(self->h, self->p, self->q));
	EXPECT_TRUE(harvest_is_empty(self->h));
}

static int child_writes_q(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(harvest_is_empty(self->h));
	*self->q = 'c';
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(harvest_is(self->h, self->q, NULL));
	*self->q = 'd';
	CHILD_CHECK(harvest_is(self->h, self->q, NULL));
	return CHILD_OK;
}

TEST_F(scene, what_is_written_after_a_fork_is_told_to_who_wrote_it)
{
	pid_t pid = child_start(child_writes_q, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	*self->p = 'w';
	EXPECT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(harvest_is(self->h, self->p, NULL));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	*self->p = 'x';
	*self->q = 'x';
	EXPECT_TRUE(harvest_is(self->h, self->p, self->q));
}

static int child_gives_p_back(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	/* its pages leave every page table, the parent's too */
	CHILD_CHECK(!span_free(self->h, BURROW_FREE_RECLAIM, self->s.ref[3]));
	return CHILD_OK;
}

/* Written, told, and written once more, before a sibling's reclaim. */
static void p_loses_its_entry(struct __test_metadata *_metadata,
			      FIXTURE_DATA(scene) *self)
{
	pid_t pid = child_start(child_gives_p_back, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	*self->p = 'w';
	/* the copy is told; from here on only its entry knows */
	ASSERT_TRUE(harvest_is(self->h, self->p, NULL));
	*self->p = 'x';
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

TEST_F(scene, a_siblings_reclaim_does_not_lose_what_was_written)
{
	p_loses_its_entry(_metadata, self);
	EXPECT_TRUE(harvest_is(self->h, self->p, NULL));
	EXPECT_EQ('x', *self->p);
	EXPECT_TRUE(harvest_is_empty(self->h));
}

static int child_is_told_p(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	CHILD_CHECK(harvest_is(self->h, self->p, NULL));
	CHILD_CHECK(harvest_is_empty(self->h));
	return CHILD_OK;
}

TEST_F(scene, what_no_entry_knows_any_more_is_told_to_the_next_child)
{
	p_loses_its_entry(_metadata, self);
	EXPECT_EQ(CHILD_OK, child_run(child_is_told_p, self));
	EXPECT_TRUE(harvest_is(self->h, self->p, NULL));
	EXPECT_TRUE(harvest_is_empty(self->h));
}

TEST_F(scene, what_was_written_and_then_made_read_only_is_told)
{
	*self->p = 'w';
	ASSERT_EQ(0, mprotect(self->h->window, BURROW_ARENA_SIZE, PROT_READ));
	EXPECT_TRUE(harvest_is(self->h, self->p, NULL));
	EXPECT_TRUE(harvest_is_empty(self->h));
	ASSERT_EQ(0, mprotect(self->h->window, BURROW_ARENA_SIZE,
			      PROT_READ | PROT_WRITE));
	*self->q = 'w';
	EXPECT_TRUE(harvest_is(self->h, self->q, NULL));
}

TEST_F(scene, what_the_kernel_writes_is_told)
{
	struct iovec from = { "hello", 5 }, to = { self->q, 5 };
	int fd[2];

	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(5, write(fd[1], "hello", 5));
	ASSERT_EQ(5, read(fd[0], self->p, 5));
	ASSERT_EQ(5, process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	EXPECT_TRUE(harvest_is(self->h, self->p, self->q));
	EXPECT_TRUE(harvest_is_empty(self->h));
}

TEST_F(scene, what_is_pinned_is_told_until_once_after_it_is_let_go)
{
	struct uring u;
	int r, i;

	r = uring_make(&u);
	if (!r)
		r = uring_register(&u, self->p, FRAME_SIZE);
	if (r)
		SKIP(return, "no pinned buffers: %s", strerror(-r));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(harvest_is(self->h, self->p, NULL));
	ASSERT_EQ(0, uring_unregister(&u));
	EXPECT_TRUE(harvest_is(self->h, self->p, NULL));
}

TEST_F(scene, bits_that_cannot_be_told_are_told_by_the_next)
{
	struct harvest w;

	*self->p = 'w';
	EXPECT_EQ(-EFAULT, harvest_into(self->h, 0, (void *)8, &w));
	*self->q = 'w';
	EXPECT_TRUE(harvest_is(self->h, self->p, self->q));
	EXPECT_TRUE(harvest_is_empty(self->h));
}

TEST_F(scene, an_arena_without_data_says_all_and_one_that_is_not_there_ENXIO)
{
	struct harvest w;

	EXPECT_EQ(-ENXIO, harvest(self->h, 1, &w));
	EXPECT_EQ(-ENXIO, harvest(self->h, ~0U, &w));
	ASSERT_EQ(1, arena_add(self->h, 1));
	ASSERT_EQ(0, part_map(self->h, BURROW_MMAP_UMETA, 1));
	ASSERT_EQ(0, harvest(self->h, 1, &w));
	EXPECT_TRUE(w.all);
	ASSERT_EQ(0, harvest(self->h, 1, &w));
	EXPECT_TRUE(w.all);
	ASSERT_EQ(0, part_unmap(self->h, BURROW_MMAP_DATA, 0));
	ASSERT_EQ(0, harvest(self->h, 0, &w));
	EXPECT_TRUE(w.all);
	/* what is mapped there next begins anew */
	ASSERT_EQ(0, part_map(self->h, BURROW_MMAP_DATA, 0));
	ASSERT_EQ(0, harvest(self->h, 0, &w));
	EXPECT_TRUE(w.all);
	EXPECT_TRUE(harvest_is_empty(self->h));
}

TEST_F(scene, a_huge_arena_says_all)
{
	struct burrow_arena_add arg = {
		.size = sizeof(arg), .kind = BURROW_ARENA_HUGE, .index = 1,
	};
	struct harvest w;
	int i;

	ASSERT_EQ(0, call(self->h->fd, BURROW_IOC_ARENA_ADD, &arg));
	ASSERT_EQ(0, arena_map(self->h, 1));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, harvest(self->h, 1, &w));
		EXPECT_TRUE(w.all);
		EXPECT_EQ(BURROW_HARVEST_FRAMES, w.nr);
	}
}

static int child_harvests_and_forks(void *arg)
{
	struct harvest w;
	struct scene s;
	pid_t pid;

	(void)arg;
	CHILD_CHECK(!scene_make(&s, TEST_ARENAS));
	CHILD_CHECK(!harvest(&s.h, 0, &w));
	pid = fork();
	CHILD_CHECK(pid >= 0);
	CHILD_CHECK(!harvest(&s.h, 0, &w));
	if (!pid)
		_exit(CHILD_OK);
	return child_wait(pid);
}

TEST_F(scene, the_notes_go_with_the_heap)
{
	__u64 before = user_frames();

	EXPECT_EQ(CHILD_OK, child_run(child_harvests_and_forks, NULL));
	EXPECT_EQ(before, user_frames());
}

/* -- writers that are never told of it -- */

#define WRITERS		3
#define ROUNDS		60

/**
 * struct race - writers and who follows them
 * @shadow:	each frame as it was after it was last told
 * @nr_writes:	how many there were
 */
struct race {
	struct scene *s;
	char *shadow;
	unsigned long nr_writes;
	bool stop;
	bool forks;
};

static char *frame_at(const struct race *r, __u32 i)
{
	return scene_span(r->s, i / (SPAN_BYTES / FRAME_SIZE)) +
	       i % (SPAN_BYTES / FRAME_SIZE) * FRAME_SIZE;
}

/* Each word is written by one thread; the frames by all. */
static void *writer(void *arg)
{
	static unsigned int next;
	unsigned int me = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
	struct race *r = arg;
	__u64 seed = me + 1, n;

	for (n = 0; !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE); n++) {
		__u64 *word;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		word = (__u64 *)frame_at(r, (seed >> 33) % SCENE_FRAMES);
		__atomic_store_n(word + me % WRITERS, n, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&r->nr_writes, n, __ATOMIC_RELAXED);
	return NULL;
}

static int shadow_follow(const struct race *r)
{
	struct harvest w;
	__u32 i;
	int err = harvest(&r->s->h, 0, &w);

	for (i = 0; !err && i < SCENE_FRAMES; i++)
		if (harvest_has(&w, &r->s->h, frame_at(r, i)))
			memcpy(r->shadow + i * FRAME_SIZE, frame_at(r, i),
			       FRAME_SIZE);
	return err;
}

static int child_does_nothing(void *arg)
{
	(void)arg;
	return CHILD_OK;
}

/* How many frames differ in the end, or -errno. */
static int race_run(struct race *r)
{
	pthread_t thread[WRITERS];
	int i, err = 0, nr = 0;

	r->shadow = malloc(SCENE_FRAMES * FRAME_SIZE);
	for (i = 0; i < (int)SCENE_FRAMES; i++)
		memcpy(r->shadow + i * FRAME_SIZE, frame_at(r, i), FRAME_SIZE);
	for (i = 0; i < WRITERS; i++)
		if (pthread_create(&thread[i], NULL, writer, r))
			return -EAGAIN;
	for (i = 0; i < ROUNDS && !err; i++) {
		err = shadow_follow(r);
		if (r->forks && i % 8 == 0)
			err |= child_run(child_does_nothing, NULL);
	}
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	err |= shadow_follow(r);
	for (i = 0; i < (int)SCENE_FRAMES; i++)
		nr += !!memcmp(r->shadow + i * FRAME_SIZE, frame_at(r, i),
			       FRAME_SIZE);
	return err ? -EIO : nr;
}

TEST_F(scene, no_store_is_lost_while_threads_write)
{
	struct race r = { .s = &self->s };

	EXPECT_EQ(0, race_run(&r));
	TH_LOG("%lu stores, %d harvests", r.nr_writes, ROUNDS);
}

TEST_F(scene, no_store_is_lost_while_threads_write_and_others_fork)
{
	struct race r = { .s = &self->s, .forks = true };

	EXPECT_EQ(0, race_run(&r));
	TH_LOG("%lu stores, %d harvests", r.nr_writes, ROUNDS);
}

TEST_HARNESS_MAIN
