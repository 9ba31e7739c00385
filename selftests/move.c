// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * move: the memory of one span becomes another's.
 *
 *	SPAN_MOVE	kmod/ioctl_move.c	<- here
 *
 * With relatives, pins and harvests: move_shared.c; everything at once: storm.c.
 */
#include <pthread.h>

#include "fork.h"
#include "move.h"

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref a, b;	/* four pages with 'a', ten without */
};

FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 4));
	ASSERT_EQ(0, span_alloc(&self->h, 4, 0, &self->a));
	ASSERT_EQ(0, span_alloc(&self->h, 10, BURROW_ALLOC_LAZY, &self->b));
	memset(page_addr(&self->h, self->a.page), 'a', 4 * BURROW_PAGE_SIZE);
}

FIXTURE_TEARDOWN(heap)
{
}

static __u64 frames(const struct heap *h)
{
	struct burrow_heap_stats stats;

	return heap_stats(h->fd, &stats) ? ~0ULL : stats.out_frames;
}

TEST_F(heap, what_is_in_a_span_is_in_the_other_and_its_old_place_is_gone)
{
	char *old = page_addr(&self->h, self->a.page);
	char *new = page_addr(&self->h, self->b.page);
	struct burrow_heap_stats was, is;

	ASSERT_EQ(0, heap_stats(self->h.fd, &was));
	ASSERT_EQ(0, span_move(&self->h, self->a, self->b, BURROW_MOVE_LAZY));
	ASSERT_EQ(0, heap_stats(self->h.fd, &is));
	EXPECT_EQ(was.out_frames, is.out_frames);
	EXPECT_EQ(was.out_spans - 1, is.out_spans);
	EXPECT_EQ(was.out_nr_free + 1, is.out_nr_free);
	EXPECT_EQ(0ULL, is.out_pages_lazy);
	EXPECT_EQ(0ULL, kword(&self->h, self->a.page));
	EXPECT_EQ(SIGSEGV, touch(old));
	EXPECT_EQ(SIGSEGV, touch_write(old + 4 * BURROW_PAGE_SIZE - 1, 'x'));
	EXPECT_TRUE(bytes_are(new, 'a', 4 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(bytes_are(new + 4 * BURROW_PAGE_SIZE, 0,
			      6 * BURROW_PAGE_SIZE));
	EXPECT_EQ(-ESTALE, span_free(&self->h, 0, self->a));
	EXPECT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, self->b));
	EXPECT_EQ(was.out_frames - 4 * FRAMES_PER_PAGE, frames(&self->h));
}

TEST_F(heap, nobody_takes_a_fault_for_what_has_moved)
{
	char *new = page_addr(&self->h, self->b.page);
	struct burrow_heap_stats was, is;

	ASSERT_EQ(0, span_move(&self->h, self->a, self->b, BURROW_MOVE_LAZY));
	ASSERT_EQ(0, heap_stats(self->h.fd, &was));
	EXPECT_EQ((long)(4 * FRAMES_PER_PAGE),
		  frames_present(new, 10 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(bytes_are(new, 'a', 4 * BURROW_PAGE_SIZE));
	memset(new, 'w', 4 * BURROW_PAGE_SIZE);
	ASSERT_EQ(0, heap_stats(self->h.fd, &is));
	EXPECT_EQ(was.out_nr_faults, is.out_nr_faults);
}

TEST_F(heap, what_the_longer_span_has_more_is_there_unless_it_is_to_be_lazy)
{
	char *new = page_addr(&self->h, self->b.page);
	__u64 before = frames(&self->h);

	ASSERT_EQ(0, span_move(&self->h, self->a, self->b, 0));
	EXPECT_EQ(before + 6 * FRAMES_PER_PAGE, frames(&self->h));
	EXPECT_EQ((long)(10 * FRAMES_PER_PAGE),
		  frames_present(new, 10 * BURROW_PAGE_SIZE));
}

TEST_F(heap, pages_that_were_never_touched_stay_so)
{
	struct burrow_span_ref from, to;
	__u64 before;
	__u32 i;
	char *p;

	ASSERT_EQ(0, span_alloc(&self->h, 700, BURROW_ALLOC_LAZY, &from));
	ASSERT_EQ(0, span_alloc(&self->h, 701, BURROW_ALLOC_LAZY, &to));
	p = page_addr(&self->h, from.page);
	for (i = 0; i < 700; i += 7)
		p[i * BURROW_PAGE_SIZE + i] = 1 + i % 100;
	before = frames(&self->h);
	ASSERT_EQ(0, span_move(&self->h, from, to, BURROW_MOVE_LAZY));
	EXPECT_EQ(before, frames(&self->h));
	p = page_addr(&self->h, to.page);
	EXPECT_EQ(100, frames_present(p, 700 * BURROW_PAGE_SIZE));
	for (i = 0; i < 700; i++)
		EXPECT_EQ(i % 7 ? 0 : 1 + i % 100, p[i * BURROW_PAGE_SIZE + i]);
}

TEST_F(heap, what_was_at_the_new_place_is_gone)
{
	struct burrow_span_ref from;
	char *new = page_addr(&self->h, self->b.page);
	__u64 before;

	ASSERT_EQ(0, span_alloc(&self->h, 4, BURROW_ALLOC_LAZY, &from));
	*page_addr(&self->h, from.page + 2) = 'f';
	memset(new, 'b', 10 * BURROW_PAGE_SIZE);
	before = frames(&self->h);
	ASSERT_EQ(0, span_move(&self->h, from, self->b, BURROW_MOVE_LAZY));
	EXPECT_EQ(before - 4 * FRAMES_PER_PAGE, frames(&self->h));
	EXPECT_TRUE(bytes_are(new, 0, 2 * BURROW_PAGE_SIZE));
	EXPECT_EQ('f', new[2 * BURROW_PAGE_SIZE]);
	new[2 * BURROW_PAGE_SIZE] = 0;
	EXPECT_TRUE(bytes_are(new, 0, 4 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(bytes_are(new + 4 * BURROW_PAGE_SIZE, 'b',
			      6 * BURROW_PAGE_SIZE));
}

/* Frames that an earlier span left there are told of by needzero. */
TEST_F(heap, what_an_earlier_span_left_at_the_new_place_does_not_come_back)
{
	char *new = page_addr(&self->h, self->b.page);
	struct burrow_span_ref from, to;

	memset(new, 'b', 10 * BURROW_PAGE_SIZE);
	ASSERT_EQ(0, span_free(&self->h, 0, self->b));
	ASSERT_EQ(0, span_alloc(&self->h, 10, BURROW_ALLOC_LAZY, &to));
	ASSERT_EQ(self->b.page, to.page);
	ASSERT_TRUE(needs_zero(&self->h, to));
	ASSERT_EQ(0, span_alloc(&self->h, 10, BURROW_ALLOC_LAZY, &from));
	ASSERT_EQ(0, span_move(&self->h, from, to, 0));
	EXPECT_TRUE(bytes_are(new, 0, 10 * BURROW_PAGE_SIZE));
}

static bool words_are(const struct heap *h, struct burrow_span_ref ref,
		      __u32 npages, bool fill)
{
	__u64 *p = (__u64 *)page_addr(h, ref.page);
	const size_t step = FRAME_SIZE / 8;
	size_t i;

	for (i = 0; i < npages * FRAMES_PER_PAGE; i++) {
		if (fill)
			p[i * step + i % step] = i + 1;
		else if (p[i * step + i % step] != i + 1)
			return false;
	}
	return true;
}

TEST_F(heap, spans_move_from_arena_to_arena_wherever_they_begin)
{
	const __u32 n = BURROW_ARENA_PAGES - 100;
	struct burrow_span_ref from, to, wall;
	__u64 before;

	/* the first in arenas 0 and 1, the second in 1 and 2, both oddly */
	ASSERT_EQ(0, span_alloc(&self->h, 601, BURROW_ALLOC_LAZY, &wall));
	ASSERT_EQ(0, span_alloc(&self->h, n, BURROW_ALLOC_LAZY, &from));
	ASSERT_EQ(0, span_alloc(&self->h, 3, BURROW_ALLOC_LAZY, &wall));
	ASSERT_EQ(0, span_alloc(&self->h, n, BURROW_ALLOC_LAZY, &to));
	ASSERT_EQ(0U, from.page / BURROW_ARENA_PAGES);
	ASSERT_EQ(1U, (from.page + n - 1) / BURROW_ARENA_PAGES);
	ASSERT_EQ(1U, to.page / BURROW_ARENA_PAGES);
	ASSERT_EQ(2U, (to.page + n - 1) / BURROW_ARENA_PAGES);
	words_are(&self->h, from, n, true);
	before = frames(&self->h);
	ASSERT_EQ(0, span_move(&self->h, from, to, 0));
	EXPECT_TRUE(words_are(&self->h, to, n, false));
	EXPECT_EQ(before, frames(&self->h));
	/* and on, to one that is longer, but not back */
	ASSERT_EQ(0, span_alloc(&self->h, n + 1, BURROW_ALLOC_LAZY, &from));
	ASSERT_EQ(-EINVAL, span_move(&self->h, from, to, 0));
	ASSERT_EQ(0, span_move(&self->h, to, from, BURROW_MOVE_LAZY));
	EXPECT_TRUE(words_are(&self->h, from, n, false));
	EXPECT_EQ(before, frames(&self->h));
}

TEST_F(heap, what_cannot_be_is_refused)
{
	struct burrow_span_ref stack, huge, stale = self->a;
	struct burrow_span_alloc a_stack = {
		.spans = U64(&stack), .nr = 1, .npages = 20,
		.kind = BURROW_KIND_STACK,
	};
	struct burrow_span_alloc a_huge = {
		.spans = U64(&huge), .nr = 1, .npages = BURROW_HUGE_PAGES,
		.kind = BURROW_KIND_NOSCAN,
		.flags = BURROW_ALLOC_HUGE | BURROW_ALLOC_LAZY,
	};
	struct burrow_arena_add add = {
		.size = sizeof(add), .kind = BURROW_ARENA_STACK, .index = 4,
	};
	const struct heap *h = &self->h;

	stale.gen++;
	EXPECT_EQ(-ESTALE, span_move(h, stale, self->b, 0));
	EXPECT_EQ(-ESTALE, span_move(h, self->a, stale, 0));
	stale = (struct burrow_span_ref){ self->a.page + 1, self->a.gen };
	EXPECT_EQ(-ESTALE, span_move(h, stale, self->b, 0));
	stale = (struct burrow_span_ref){ ~0U, ~0U };
	EXPECT_EQ(-ESTALE, span_move(h, stale, self->b, 0));
	EXPECT_EQ(-ESTALE, span_move(h, self->a, stale, 0));
	EXPECT_EQ(-EINVAL, span_move(h, self->a, self->a, 0));
	EXPECT_EQ(-EINVAL, span_move(h, self->b, self->a, 0));
	EXPECT_EQ(-EOPNOTSUPP, span_move(h, self->a, self->b, 2));
	ASSERT_EQ(0, call(h->fd, BURROW_IOC_ARENA_ADD, &add));
	ASSERT_EQ(0, arena_map(h, 4));
	ASSERT_EQ(0, spans_alloc(h, &a_stack));
	EXPECT_EQ(-EINVAL, span_move(h, self->a, stack, 0));
	EXPECT_EQ(-EINVAL, span_move(h, stack, self->b, 0));
	add = (struct burrow_arena_add){
		.size = sizeof(add), .kind = BURROW_ARENA_HUGE, .index = 5,
	};
	ASSERT_EQ(0, call(h->fd, BURROW_IOC_ARENA_ADD, &add));
	ASSERT_EQ(0, arena_map(h, 5));
	ASSERT_EQ(0, spans_alloc(h, &a_huge));
	EXPECT_EQ(-EINVAL, span_move(h, self->a, huge, 0));
	EXPECT_EQ(-EINVAL, span_move(h, huge, self->b, 0));
	EXPECT_TRUE(bytes_are(page_addr(h, self->a.page), 'a',
			      4 * BURROW_PAGE_SIZE));
}

#define BOUNCES		60U
#define BOUNCE_PAGES	300U

struct bounce {
	struct heap h;
	struct burrow_span_ref from;
	bool over;
};

/* Two places take turns: what moved away is allocated and moved to. */
static int bounce(struct bounce *b, unsigned int times)
{
	struct burrow_span_ref to;
	int r = 0;

	while (times-- && !r) {
		r = span_alloc(&b->h, BOUNCE_PAGES, BURROW_ALLOC_LAZY, &to);
		if (!r)
			r = span_move(&b->h, b->from, to, BURROW_MOVE_LAZY);
		if (!r)
			b->from = to;
	}
	return r;
}

static int bounce_make(struct bounce *b)
{
	int r = heap_ready(&b->h, 1);

	if (!r)
		r = span_alloc(&b->h, BOUNCE_PAGES, 0, &b->from);
	if (!r)
		words_are(&b->h, b->from, BOUNCE_PAGES, true);
	return r;
}

/* Reads all over both places: what is there, or SIGSEGV. */
static void *thread_touches(void *arg)
{
	struct bounce *b = arg;
	const size_t nr = 2 * BOUNCE_PAGES * FRAMES_PER_PAGE;
	unsigned long bad = 0, i;
	size_t at = 0;

	while (!__atomic_load_n(&b->over, __ATOMIC_RELAXED)) {
		for (i = 0; i < 64; i++, at = (at + 769) % nr) {
			int sig = touch(b->h.window + at * FRAME_SIZE);

			bad += sig && sig != SIGSEGV;
		}
	}
	return (void *)bad;
}

static void *thread_reclaims(void *arg)
{
	struct bounce *b = arg;
	long long r = 0;

	while (!__atomic_load_n(&b->over, __ATOMIC_RELAXED) && r >= 0)
		r = heap_reclaim(&b->h, ~0ULL);
	return r < 0 ? (void *)(long)r : NULL;
}

/* A touch between two pieces may bring a frame: that one is no part of it. */
TEST(a_span_keeps_what_is_in_it_whoever_touches_its_places_meanwhile)
{
	struct burrow_heap_stats stats;
	static struct bounce b;
	pthread_t thread[3];
	void *bad;
	int i;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, bounce_make(&b));
	ASSERT_EQ(0, pthread_create(&thread[0], NULL, thread_touches, &b));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, thread_touches, &b));
	ASSERT_EQ(0, pthread_create(&thread[2], NULL, thread_reclaims, &b));
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(0, bounce(&b, BOUNCES / 6));
		EXPECT_TRUE(words_are(&b.h, b.from, BOUNCE_PAGES, false));
	}
	__atomic_store_n(&b.over, true, __ATOMIC_RELAXED);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &bad));
		EXPECT_EQ(NULL, bad);
	}
	EXPECT_TRUE(words_are(&b.h, b.from, BOUNCE_PAGES, false));
	EXPECT_EQ(0, span_free(&b.h, 0, b.from));
	EXPECT_LE(0, heap_reclaim(&b.h, ~0ULL));
	ASSERT_EQ(0, heap_stats(b.h.fd, &stats));
	EXPECT_EQ(0ULL, stats.out_frames);
	EXPECT_EQ(0ULL, stats.out_spans);
}

#define MEDDLE_PAGES	300U

/* What others may do to spans that they have no business with. */
static int meddle(const struct heap *h, unsigned int what, __u32 page)
{
	struct burrow_span_ref ref = { page, burrow_word_gen(kword(h, page)) };
	struct burrow_span_ref other = {
		MEDDLE_PAGES, burrow_word_gen(kword(h, MEDDLE_PAGES)),
	};
	struct burrow_span_resize longer = {
		.size = sizeof(longer), .span = ref,
		.npages = MEDDLE_PAGES - what % 2,
	};

	switch (what % 5) {
	case 0:
		return span_free(h, what % 2 ? BURROW_FREE_RECLAIM : 0, ref);
	case 1:
		return call(h->fd, BURROW_IOC_SPAN_RESIZE, &longer);
	case 2:
		return span_move(h, other, ref, 0);
	case 3:
		touch_write(page_addr(h, page + 100), 'm');
		return 0;
	default:
		return range_reclaim(h, page + what % MEDDLE_PAGES, 1);
	}
}

static bool is_an_answer(int r)
{
	return r >= 0 || r == -EBUSY || r == -ESTALE || r == -EINVAL ||
	       r == -ENOSPC;
}

static void *thread_meddles(void *arg)
{
	struct bounce *b = arg;
	unsigned int chance = 1, n = 0;
	unsigned long bad = 0;

	while (!__atomic_load_n(&b->over, __ATOMIC_RELAXED)) {
		int r = meddle(&b->h, rand_r(&chance),
			       n++ % 2 * MEDDLE_PAGES);

		bad += !is_an_answer(r);
	}
	return (void *)bad;
}

static int child_is_meddled_with(void *arg)
{
	struct burrow_span_ref from, to;
	static struct bounce b;
	pthread_t thread;
	unsigned int i;
	void *bad;

	(void)arg;
	CHILD_CHECK(!touch_init());
	CHILD_CHECK(!heap_ready(&b.h, 1));
	CHILD_CHECK(!pthread_create(&thread, NULL, thread_meddles, &b));
	for (i = 0; i < BOUNCES; i++) {
		CHILD_CHECK(is_an_answer(span_alloc(&b.h, MEDDLE_PAGES, i % 2,
						    &from)));
		touch_write(page_addr(&b.h, from.page), 'w');
		CHILD_CHECK(is_an_answer(span_alloc(&b.h, MEDDLE_PAGES,
						    BURROW_ALLOC_LAZY, &to)));
		CHILD_CHECK(is_an_answer(span_move(&b.h, from, to, 0)));
		CHILD_CHECK(is_an_answer(span_free(&b.h, 0, from)));
		CHILD_CHECK(is_an_answer(span_free(&b.h, 0, to)));
	}
	__atomic_store_n(&b.over, true, __ATOMIC_RELAXED);
	CHILD_CHECK(!pthread_join(thread, &bad));
	CHILD_CHECK(!bad);
	return CHILD_OK;
}

TEST(a_span_that_moves_can_be_meddled_with_and_nothing_is_lost)
{
	__u64 before = user_frames();

	EXPECT_EQ(CHILD_OK, child_run(child_is_meddled_with, NULL));
	EXPECT_EQ(before, user_frames());
}

static int child_bounces(void *arg)
{
	int out = *(int *)arg;
	struct bounce b = { .over = false };

	CHILD_CHECK(!bounce_make(&b));
	do {
		CHILD_CHECK(!bounce(&b, 1));
	} while (write(out, "", 1) == 1);
	return CHILD_BAD;
}

TEST(whoever_is_killed_while_a_span_moves_leaves_nothing_behind)
{
	__u64 before = user_frames();
	int i;

	for (i = 0; i < 8; i++) {
		int out[2], left = i;
		char byte;
		pid_t pid;

		ASSERT_EQ(0, pipe(out));
		pid = child_start(child_bounces, &out[1]);
		ASSERT_LT(0, pid);
		close(out[1]);
		while (left-- >= 0)
			ASSERT_EQ(1, read(out[0], &byte, 1));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(CHILD_KILLED + SIGKILL, child_wait(pid));
		close(out[0]);
	}
	EXPECT_EQ(before, user_frames());
}

TEST_HARNESS_MAIN
