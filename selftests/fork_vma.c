// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork_vma: what mprotect() and madvise() asked of the mappings before a fork.
 */
#include "fork.h"

FIXTURE(scene) {
	struct scene s;
	struct turns t;
};

FIXTURE_SETUP(scene)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	ASSERT_EQ(0, turns_make(&self->t));
}

FIXTURE_TEARDOWN(scene)
{
}

static int data_protect(const struct scene *s, int prot)
{
	return mprotect(s->h.window, BURROW_ARENA_SIZE, prot) ? -errno : 0;
}

/*
 * Entries that became read-only for sharing must not come back writable when
 * the mapping does: the kernel does that to entries that are dirty.
 */
static int child_unprotects(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	const struct scene *s = &self->s;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(touch_write(scene_span(s, 0), 1) == SIGSEGV);
	CHILD_CHECK(scene_is_intact(s));
	CHILD_CHECK(!data_protect(s, PROT_READ | PROT_WRITE));
	scene_fill(s, 'a');
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_full_of(s, 'a'));
	return CHILD_OK;
}

TEST_F(scene, a_heap_protected_before_the_fork_and_opened_after_stays_apart)
{
	const struct scene *s = &self->s;
	pid_t pid;

	ASSERT_EQ(0, data_protect(s, PROT_READ));
	pid = child_start(child_unprotects, self);
	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	EXPECT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(scene_is_intact(s));
	EXPECT_EQ(SIGSEGV, touch_write(scene_span(s, 0), 1));
	ASSERT_EQ(0, data_protect(s, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(scene_is_intact(s));
	scene_fill(s, 'G');
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(scene_is_full_of(s, 'G'));
}

/* Protected and opened while shared, on both sides, in every order. */
static int child_protects_and_unprotects(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	const struct scene *s = &self->s;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!data_protect(s, PROT_NONE));
	CHILD_CHECK(touch(scene_span(s, 0)) == SIGSEGV);
	CHILD_CHECK(!data_protect(s, PROT_READ));
	CHILD_CHECK(!data_protect(s, PROT_READ | PROT_WRITE));
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_intact(s));
	scene_fill(s, 'a');
	return CHILD_OK;
}

TEST_F(scene, a_heap_protected_and_opened_after_the_fork_stays_apart)
{
	const struct scene *s = &self->s;
	pid_t pid = child_start(child_protects_and_unprotects, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	EXPECT_EQ(0, data_protect(s, PROT_READ));
	EXPECT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_EQ(0, data_protect(s, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(scene_is_intact(s));
	scene_fill(s, 'G');
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(scene_is_full_of(s, 'G'));
}

/*
 * MADV_DONTFORK. Three arenas: the scene in the first, a span from the first
 * into the second, one in the third.
 */
struct three {
	struct scene s;
	struct burrow_span_ref across, third;
};

#define ACROSS_PAGES	(BURROW_ARENA_PAGES + 64U)

static int three_make(struct three *t)
{
	struct burrow_span_ref rest;
	int i, r = scene_make(&t->s, TEST_ARENAS);

	for (i = 1; i < 3 && r >= 0; i++) {
		r = arena_add(&t->s.h, i);
		if (r >= 0)
			r = arena_map(&t->s.h, i);
	}
	if (!r)
		r = span_alloc(&t->s.h, ACROSS_PAGES, BURROW_ALLOC_LAZY,
			       &t->across);
	/* what is left of the second arena, so that the next is in the third */
	if (!r)
		r = span_alloc(&t->s.h, 2 * BURROW_ARENA_PAGES -
			       t->across.page - ACROSS_PAGES,
			       BURROW_ALLOC_LAZY, &rest);
	if (!r)
		r = span_alloc(&t->s.h, 4, 0, &t->third);
	if (r)
		return r;
	memset(page_addr(&t->s.h, t->across.page), 'x',
	       BURROW_PAGE_SIZE);
	memset(page_addr(&t->s.h, BURROW_ARENA_PAGES), 'x', BURROW_PAGE_SIZE);
	memset(page_addr(&t->s.h, t->third.page), '3', 4 * BURROW_PAGE_SIZE);
	return t->third.page == 2 * BURROW_ARENA_PAGES ? 0 : -ENOSPC;
}

static int child_misses_the_second_arena(void *arg)
{
	const struct three *t = arg;
	const struct heap *h = &t->s.h;
	struct burrow_heap_stats stats;
	struct burrow_span_ref n;
	__u32 page;

	CHILD_CHECK(touch(page_addr(h, BURROW_ARENA_PAGES)) == SIGSEGV);
	for (page = 0; page < ACROSS_PAGES; page++)
		CHILD_CHECK(!kword(h, t->across.page + page));
	CHILD_CHECK(span_free(h, 0, t->across) == -ESTALE);
	CHILD_CHECK(!heap_stats(h->fd, &stats));
	CHILD_CHECK(stats.out_arenas_mapped == 2);
	CHILD_CHECK(stats.out_spans == SCENE_SPANS + 1);
	CHILD_CHECK(scene_is_intact(&t->s));
	CHILD_CHECK(bytes_are(page_addr(h, t->third.page), '3',
			      4 * BURROW_PAGE_SIZE));
	/* the first arena's part of that span can be had again */
	CHILD_CHECK(!span_alloc(h, 1, 0, &n));
	CHILD_CHECK(n.page == t->across.page);
	CHILD_CHECK(!span_free(h, 0, t->third));
	/* and so can the arena, empty */
	munmap(h->window + BURROW_ARENA_SIZE, BURROW_ARENA_SIZE);
	CHILD_CHECK(!part_map(h, BURROW_MMAP_DATA, 1));
	CHILD_CHECK(!span_alloc(h, BURROW_ARENA_PAGES, BURROW_ALLOC_LAZY, &n));
	CHILD_CHECK(bytes_are(page_addr(h, BURROW_ARENA_PAGES), 0,
			      BURROW_PAGE_SIZE));
	return CHILD_OK;
}

TEST(an_arena_with_MADV_DONTFORK_is_left_out_with_all_its_spans)
{
	struct three t;
	__u64 before;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, three_make(&t));
	before = total_frames(&t.s.h);
	ASSERT_EQ(0, madvise(t.s.h.window + BURROW_ARENA_SIZE,
			     BURROW_ARENA_SIZE, MADV_DONTFORK));
	EXPECT_EQ(CHILD_OK, child_run(child_misses_the_second_arena, &t));
	EXPECT_TRUE(scene_is_intact(&t.s));
	EXPECT_TRUE(bytes_are(page_addr(&t.s.h, t.across.page), 'x',
			      BURROW_PAGE_SIZE));
	EXPECT_EQ(before, total_frames(&t.s.h));
	EXPECT_EQ(0, span_free(&t.s.h, 0, t.across));
}

static int child_has_it_all(void *arg)
{
	const struct three *t = arg;
	const struct heap *h = &t->s.h;

	CHILD_CHECK(scene_is_intact(&t->s));
	CHILD_CHECK(bytes_are(page_addr(h, BURROW_ARENA_PAGES), 'x',
			      BURROW_PAGE_SIZE));
	CHILD_CHECK(!span_free(h, 0, t->across));
	return CHILD_OK;
}

TEST(MADV_DOFORK_takes_that_back)
{
	struct three t;

	ASSERT_EQ(0, three_make(&t));
	ASSERT_EQ(0, madvise(t.s.h.window, 3 * BURROW_ARENA_SIZE,
			     MADV_DONTFORK));
	/* newer kernels leave special mappings as they are */
	if (madvise(t.s.h.window, 3 * BURROW_ARENA_SIZE, MADV_DOFORK) &&
	    errno == EINVAL)
		SKIP(return, "this kernel refuses MADV_DOFORK here");
	EXPECT_EQ(CHILD_OK, child_run(child_has_it_all, &t));
}

static int child_has_no_heap(void *arg)
{
	const struct heap *h = arg;
	struct burrow_heap_stats stats;
	struct burrow_span_ref n;
	int kind;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++)
		CHILD_CHECK(touch(part(h, kind, 0)) == SIGSEGV);
	CHILD_CHECK(heap_stats(h->fd, &stats) == -EXDEV);
	CHILD_CHECK(span_alloc(h, 1, 0, &n) == -EXDEV);
	CHILD_CHECK(heap_set_up(h) == -EXDEV);
	CHILD_CHECK(part_map(h, BURROW_MMAP_DATA, 0) == -EXDEV);
	return CHILD_OK;
}

TEST_F(scene, with_MADV_DONTFORK_on_all_mappings_the_child_has_no_heap)
{
	const struct heap *h = &self->s.h;
	__u64 before = total_frames(h);
	int kind;

	for (kind = 0; kind < BURROW_NR_MMAP_KINDS; kind++)
		ASSERT_EQ(0, madvise(part(h, kind, 0), part_size(kind),
				     MADV_DONTFORK));
	EXPECT_EQ(CHILD_OK, child_run(child_has_no_heap, &self->s.h));
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(before, total_frames(h));
}

static int child_has_no_metadata(void *arg)
{
	const struct scene *s = arg;
	__u32 i;

	CHILD_CHECK(touch((char *)s->h.kmeta) == SIGSEGV);
	CHILD_CHECK(touch(s->h.umeta) == SIGSEGV);
	for (i = 0; i < SCENE_SPANS; i++)
		CHILD_CHECK(bytes_are(scene_span(s, i), SCENE_BASE + i,
				      SPAN_BYTES));
	CHILD_CHECK(!part_map(&s->h, BURROW_MMAP_KMETA, 0));
	CHILD_CHECK(!part_map(&s->h, BURROW_MMAP_UMETA, 0));
	CHILD_CHECK(burrow_word_gen(kword(&s->h, s->ref[0].page)) ==
		    s->ref[0].gen);
	/* U-words have gone with their mapping */
	CHILD_CHECK(*scene_uword(s, 0) == 0);
	for (i = 0; i < SCENE_SPANS; i++)
		CHILD_CHECK(!span_free(&s->h, 0, s->ref[i]));
	return CHILD_OK;
}

TEST_F(scene, metadata_with_MADV_DONTFORK_can_be_mapped_by_the_child)
{
	const struct heap *h = &self->s.h;
	int kind;

	for (kind = BURROW_MMAP_KMETA; kind < BURROW_NR_MMAP_KINDS; kind++)
		ASSERT_EQ(0, madvise(part(h, kind, 0), part_size(kind),
				     MADV_DONTFORK));
	EXPECT_EQ(CHILD_OK, child_run(child_has_no_metadata, &self->s));
	EXPECT_TRUE(scene_is_intact(&self->s));
}

TEST_HARNESS_MAIN
