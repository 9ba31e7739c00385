// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork: a child has a heap of its own, that holds what its parent's held.
 *
 *	fork.c		contents and calls of parent and child
 *	fork_deed.c	what either does to its heap later
 *	fork_life.c	who lives how long, and on what stack
 *	fork_vma.c	what was asked of the mappings before
 *	fork_pin.c	frames that somebody else refers to
 *	fork_ring.c	frames that are pinned for long
 *	fork_limit.c	no memory for the clone
 *	fork_stress.c	many forks, many threads
 *
 * Copying is by frame and on the first write, which is the kernel's affair: all
 * that shows is that reads cost nothing and that no write is seen elsewhere.
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

static unsigned long bytes_sum(const char *p, size_t bytes, size_t step)
{
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i < bytes; i += step)
		sum += ((const volatile char *)p)[i];
	return sum;
}

/* Faults that reading every frame of [p, p + bytes) costs. */
static long faults_of_reading(const char *p, size_t bytes)
{
	long before = minor_faults();

	bytes_sum(p, bytes, FRAME_SIZE);
	return minor_faults() - before;
}

static int child_reads(void *arg)
{
	const struct scene *s = arg;
	struct burrow_heap_stats stats;
	static char warm[2 * FRAME_SIZE];

	/* the child's own code, stack and data come by faults: not now */
	bytes_sum(warm, sizeof(warm), 1);
	faults_of_reading(warm, sizeof(warm));
	CHILD_CHECK(faults_of_reading(warm, sizeof(warm)) == 0);

	CHILD_CHECK(faults_of_reading(s->h.window, SCENE_SPANS * SPAN_BYTES) ==
		    0);
	CHILD_CHECK(faults_of_reading((char *)scene_uword(s, 0), 1) == 0);
	CHILD_CHECK(scene_is_intact(s));
	CHILD_CHECK(!heap_stats(s->h.fd, &stats));
	CHILD_CHECK(stats.out_nr_faults == 0);
	return CHILD_OK;
}

TEST_F(scene, a_child_reads_what_its_parent_had_without_a_fault)
{
	EXPECT_EQ(self->s.h.window, scene_span(&self->s, 0));
	EXPECT_EQ(CHILD_OK, child_run(child_reads, &self->s));
	EXPECT_EQ(0, faults_of_reading(self->s.h.window,
				       SCENE_SPANS * SPAN_BYTES));
	EXPECT_TRUE(scene_is_intact(&self->s));
}

TEST_F(scene, so_does_a_childs_child)
{
	pid_t pid = fork();

	if (!pid)
		_exit(child_run(child_reads, &self->s));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

static int child_writes_first(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	turns_keep(&self->t, CHILD);
	scene_fill(&self->s, 'a');
	CHILD_CHECK(scene_is_full_of(&self->s, 'a'));
	CHILD_CHECK(!turn_give(&self->t, CHILD));
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_full_of(&self->s, 'a'));
	return CHILD_OK;
}

TEST_F(scene, what_the_child_writes_first_stays_the_childs)
{
	pid_t pid = child_start(child_writes_first, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	EXPECT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(scene_is_intact(&self->s));
	scene_fill(&self->s, 'G');
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(scene_is_full_of(&self->s, 'G'));
}

static int child_writes_second(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_intact(&self->s));
	scene_fill(&self->s, 'a');
	CHILD_CHECK(scene_is_full_of(&self->s, 'a'));
	return CHILD_OK;
}

TEST_F(scene, what_the_parent_writes_first_stays_the_parents)
{
	pid_t pid = child_start(child_writes_second, self);

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	scene_fill(&self->s, 'G');
	EXPECT_TRUE(scene_is_full_of(&self->s, 'G'));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(scene_is_full_of(&self->s, 'G'));
}

/* One byte of a frame: the others came along with the copy. */
static int child_writes_a_byte(void *arg)
{
	const struct scene *s = arg;
	char *p = scene_span(s, 3);

	p[FRAME_SIZE + 100] = 1;
	CHILD_CHECK(bytes_are(p, SCENE_BASE + 3, FRAME_SIZE + 100));
	CHILD_CHECK(p[FRAME_SIZE + 100] == 1);
	p += FRAME_SIZE + 101;
	CHILD_CHECK(bytes_are(p, SCENE_BASE + 3,
			      SPAN_BYTES - FRAME_SIZE - 101));
	return CHILD_OK;
}

TEST_F(scene, a_write_of_one_byte_copies_the_rest_of_the_frame)
{
	EXPECT_EQ(CHILD_OK, child_run(child_writes_a_byte, &self->s));
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_EQ(CHILD_OK, child_writes_a_byte(&self->s));
}

static int child_has_the_same_heap(void *arg)
{
	const struct burrow_heap_stats *want = arg;
	struct burrow_heap_stats stats;
	const struct heap *h = (void *)(want + 1);

	CHILD_CHECK(!heap_stats(h->fd, &stats));
	CHILD_CHECK(stats.out_arenas == want->out_arenas);
	CHILD_CHECK(stats.out_arenas_mapped == want->out_arenas_mapped);
	CHILD_CHECK(stats.out_spans == want->out_spans);
	CHILD_CHECK(stats.out_pages_live == want->out_pages_live);
	CHILD_CHECK(stats.out_pages_free == want->out_pages_free);
	CHILD_CHECK(stats.out_pages_lazy == want->out_pages_lazy);
	CHILD_CHECK(stats.out_frames == want->out_frames);
	CHILD_CHECK(stats.out_umeta_frames == want->out_umeta_frames);
	CHILD_CHECK(stats.out_kmeta_bytes == want->out_kmeta_bytes);
	CHILD_CHECK(stats.out_nr_alloc == want->out_nr_alloc);
	CHILD_CHECK(stats.out_nr_free == want->out_nr_free);
	return CHILD_OK;
}

TEST_F(scene, the_childs_counts_are_the_parents)
{
	struct {
		struct burrow_heap_stats stats;
		struct heap h;
	} arg = { .h = self->s.h };

	ASSERT_EQ(0, span_free(&self->s.h, 0, self->s.ref[5]));
	ASSERT_EQ(0, span_free(&self->s.h, BURROW_FREE_RECLAIM,
			       self->s.ref[7]));
	ASSERT_EQ(1, arena_add(&self->s.h, 1));
	ASSERT_EQ(0, arena_map(&self->s.h, 1));
	ASSERT_EQ(0, heap_stats(self->s.h.fd, &arg.stats));
	EXPECT_EQ(CHILD_OK, child_run(child_has_the_same_heap, &arg));
}

/*
 * A frame that two heaps hold is counted once; a copy is one more. What the
 * child needs besides is its tables.
 */
static int child_counts(void *arg)
{
	const struct scene *s = arg;
	struct burrow_heap_stats stats;
	__u64 tables, total;

	CHILD_CHECK(!heap_stats(s->h.fd, &stats));
	tables = stats.out_kmeta_bytes / FRAME_SIZE;
	total = stats.out_user_frames;
	memset(scene_span(s, 0), 1, SPAN_BYTES);
	CHILD_CHECK(total_frames(&s->h) == total + SPAN_BYTES / FRAME_SIZE);
	memset(scene_span(s, 0), 2, SPAN_BYTES);
	CHILD_CHECK(total_frames(&s->h) == total + SPAN_BYTES / FRAME_SIZE);
	/* what is given back was the parent's too, or a copy */
	CHILD_CHECK(!span_free(&s->h, BURROW_FREE_RECLAIM, s->ref[1]));
	CHILD_CHECK(total_frames(&s->h) == total + SPAN_BYTES / FRAME_SIZE);
	CHILD_CHECK(!span_free(&s->h, BURROW_FREE_RECLAIM, s->ref[0]));
	CHILD_CHECK(total_frames(&s->h) == total);
	return tables < CHILD_BAD ? (int)tables : CHILD_BAD;
}

TEST_F(scene, the_users_total_counts_a_shared_frame_once)
{
	__u64 before = total_frames(&self->s.h);
	struct burrow_heap_stats stats;
	pid_t pid;

	ASSERT_EQ(0, heap_stats(self->s.h.fd, &stats));
	EXPECT_EQ(stats.out_kmeta_bytes / FRAME_SIZE,
		  (__u64)child_run(child_counts, &self->s));
	EXPECT_EQ(before, total_frames(&self->s.h));

	pid = child_start(child_writes_second, self);
	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	EXPECT_EQ(before + stats.out_kmeta_bytes / FRAME_SIZE,
		  total_frames(&self->s.h));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_EQ(before, total_frames(&self->s.h));
}

/* Every kind of page a heap can hold: each looks in the child as it did. */
struct variety {
	struct heap h;
	struct burrow_span_ref untouched, half, freed, reclaimed, discarded;
};

static int variety_make(struct variety *v)
{
	int r = heap_ready(&v->h, 1);

	if (!r)
		r = span_alloc(&v->h, 8, BURROW_ALLOC_LAZY, &v->untouched);
	if (!r)
		r = span_alloc(&v->h, 8, BURROW_ALLOC_LAZY, &v->half);
	if (!r)
		r = span_alloc(&v->h, 8, 0, &v->freed);
	if (!r)
		r = span_alloc(&v->h, 8, 0, &v->reclaimed);
	if (!r)
		r = span_alloc(&v->h, 8, 0, &v->discarded);
	if (r)
		return r;
	memset(page_addr(&v->h, v->half.page), 'h', 4 * BURROW_PAGE_SIZE);
	memset(page_addr(&v->h, v->freed.page), 'f', 8 * BURROW_PAGE_SIZE);
	memset(page_addr(&v->h, v->discarded.page), 'd', 8 * BURROW_PAGE_SIZE);
	r = span_free(&v->h, 0, v->freed);
	if (!r)
		r = span_free(&v->h, BURROW_FREE_RECLAIM, v->reclaimed);
	if (!r && range_reclaim(&v->h, v->discarded.page + 2, 3) !=
	    3 * FRAMES_PER_PAGE)
		r = -EIO;
	return r;
}

static int variety_check(void *arg)
{
	const struct variety *v = arg;
	char *half = page_addr(&v->h, v->half.page);
	char *gone = page_addr(&v->h, v->discarded.page);
	struct burrow_span_ref s[2];
	int i;

	CHILD_CHECK(bytes_are(half, 'h', 4 * BURROW_PAGE_SIZE));
	CHILD_CHECK(bytes_are(half + 4 * BURROW_PAGE_SIZE, 0,
			      4 * BURROW_PAGE_SIZE));
	CHILD_CHECK(bytes_are(page_addr(&v->h, v->untouched.page), 0,
			      8 * BURROW_PAGE_SIZE));
	CHILD_CHECK(bytes_are(gone, 'd', 2 * BURROW_PAGE_SIZE));
	CHILD_CHECK(bytes_are(gone + 2 * BURROW_PAGE_SIZE, 0,
			      3 * BURROW_PAGE_SIZE));
	CHILD_CHECK(bytes_are(gone + 5 * BURROW_PAGE_SIZE, 'd',
			      3 * BURROW_PAGE_SIZE));
	CHILD_CHECK(touch(page_addr(&v->h, v->reclaimed.page)) == SIGSEGV);
	CHILD_CHECK(!kword(&v->h, v->freed.page));
	CHILD_CHECK(!kword(&v->h, v->reclaimed.page));

	/* lowest first: the lazy pages with what they hold, then clean ones */
	for (i = 0; i < 2; i++)
		CHILD_CHECK(!span_alloc(&v->h, 8, 0, &s[i]));
	CHILD_CHECK(s[0].page == v->freed.page && needs_zero(&v->h, s[0]));
	CHILD_CHECK(bytes_are(page_addr(&v->h, s[0].page), 'f',
			      8 * BURROW_PAGE_SIZE));
	CHILD_CHECK(s[1].page == v->reclaimed.page);
	CHILD_CHECK(!needs_zero(&v->h, s[1]));
	CHILD_CHECK(bytes_are(page_addr(&v->h, s[1].page), 0,
			      8 * BURROW_PAGE_SIZE));
	memset(page_addr(&v->h, s[0].page), 'x', 16 * BURROW_PAGE_SIZE);
	memset(half, 'x', 8 * BURROW_PAGE_SIZE);
	memset(page_addr(&v->h, v->untouched.page), 'x', 8 * BURROW_PAGE_SIZE);
	memset(gone, 'x', 8 * BURROW_PAGE_SIZE);
	return CHILD_OK;
}

TEST(untouched_free_reclaimed_and_discarded_pages_are_so_in_the_child)
{
	struct variety v;
	int i;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, variety_make(&v));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(CHILD_OK, child_run(variety_check, &v));
	EXPECT_EQ(CHILD_OK, variety_check(&v));
}

static int child_has_an_empty_heap(void *arg)
{
	const struct heap *h = arg;
	struct burrow_span_ref s;

	CHILD_CHECK(touch(h->window) == SIGSEGV);
	CHILD_CHECK(!span_alloc(h, 1, 0, &s));
	memset(page_addr(h, s.page), 1, BURROW_PAGE_SIZE);
	CHILD_CHECK(h->umeta[0] == 0);
	return CHILD_OK;
}

TEST(a_heap_that_was_never_touched_is_inherited_too)
{
	struct heap h;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&h, 2));
	EXPECT_EQ(CHILD_OK, child_run(child_has_an_empty_heap, &h));
	EXPECT_EQ(CHILD_OK, child_has_an_empty_heap(&h));
}

/* K-words: a copy that moves on by itself. */
static int child_changes_its_spans(void *arg)
{
	const struct scene *s = arg;
	struct burrow_span_ref n;
	__u32 i;

	for (i = 0; i < SCENE_SPANS; i++)
		CHILD_CHECK(burrow_word_gen(kword(&s->h, s->ref[i].page)) ==
			    s->ref[i].gen);
	for (i = 0; i < SCENE_SPANS; i += 2)
		CHILD_CHECK(!span_free(&s->h, 0, s->ref[i]));
	CHILD_CHECK(span_free(&s->h, 0, s->ref[0]) == -ESTALE);
	CHILD_CHECK(!span_alloc(&s->h, 1, 0, &n));
	CHILD_CHECK(n.page == s->ref[0].page);
	CHILD_CHECK(burrow_word_low(kword(&s->h, n.page)) == 1);
	return CHILD_OK;
}

TEST_F(scene, spans_come_and_go_on_one_side_only)
{
	__u64 words[SCENE_SPANS * SCENE_PAGES];
	struct scene *s = &self->s;
	__u32 i;

	memcpy(words, (void *)s->h.kmeta, sizeof(words));
	EXPECT_EQ(CHILD_OK, child_run(child_changes_its_spans, s));
	EXPECT_EQ(0, memcmp(words, (void *)s->h.kmeta, sizeof(words)));
	EXPECT_TRUE(scene_is_intact(s));
	for (i = 0; i < SCENE_SPANS; i++)
		EXPECT_EQ(0, span_free(&s->h, 0, s->ref[i]));
}

static int child_keeps_its_spans(void *arg)
{
	FIXTURE_DATA(scene) *self = arg;
	const struct scene *s = &self->s;
	__u32 i;

	turns_keep(&self->t, CHILD);
	CHILD_CHECK(!turn_take(&self->t, CHILD));
	CHILD_CHECK(scene_is_intact(s));
	for (i = 0; i < SCENE_SPANS; i++)
		CHILD_CHECK(!span_free(&s->h, 0, s->ref[i]));
	return CHILD_OK;
}

TEST_F(scene, the_parent_may_free_and_the_child_still_has_it)
{
	pid_t pid = child_start(child_keeps_its_spans, self);
	struct scene *s = &self->s;
	struct burrow_span_ref n;
	__u32 i;

	ASSERT_LT(0, pid);
	turns_keep(&self->t, PARENT);
	for (i = 0; i < SCENE_SPANS; i++)
		EXPECT_EQ(0, span_free(&s->h, BURROW_FREE_RECLAIM, s->ref[i]));
	ASSERT_EQ(0, span_alloc(&s->h, SCENE_SPANS * SCENE_PAGES, 0, &n));
	EXPECT_TRUE(bytes_are(page_addr(&s->h, n.page), 0,
			      SCENE_SPANS * SPAN_BYTES));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(bytes_are(page_addr(&s->h, n.page), 0,
			      SCENE_SPANS * SPAN_BYTES));
}

TEST_HARNESS_MAIN
