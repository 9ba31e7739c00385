// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * reclaim: frames go back to the kernel, and only the right ones.
 *
 * The last tests widen the time between the claim of pages and their unmapping
 * by the module's parameter reclaim_delay_us, and wait for what they want to
 * meet by looking at the K-words, which show the claim.
 */
#include <pthread.h>
#include <sched.h>

#include "child.h"
#include "proc.h"
#include "touch.h"

#define PAGES	256U
#define BYTES	(PAGES * BURROW_PAGE_SIZE)
#define FRAMES	(PAGES * FRAMES_PER_PAGE)

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref below, span, above;
	char *p;
};

/* A span full of 'x' between two neighbours of 'n'. */
FIXTURE_SETUP(heap)
{
	struct heap *h = &self->h;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(h, 1));
	ASSERT_EQ(0, span_alloc(h, 1, 0, &self->below));
	ASSERT_EQ(0, span_alloc(h, PAGES, 0, &self->span));
	ASSERT_EQ(0, span_alloc(h, 1, 0, &self->above));
	self->p = page_addr(h, self->span.page);
	memset(page_addr(h, self->below.page), 'n', BURROW_PAGE_SIZE);
	memset(self->p, 'x', BYTES);
	memset(page_addr(h, self->above.page), 'n', BURROW_PAGE_SIZE);
}

/* Reclaim touched nobody else. */
FIXTURE_TEARDOWN(heap)
{
	EXPECT_TRUE(bytes_are(page_addr(&self->h, self->below.page), 'n',
			      BURROW_PAGE_SIZE));
	EXPECT_TRUE(bytes_are(page_addr(&self->h, self->above.page), 'n',
			      BURROW_PAGE_SIZE));
}

TEST_F(heap, a_live_range_reads_as_zero_and_its_memory_is_gone)
{
	struct burrow_heap_stats stats;
	__u64 word = kword(&self->h, self->span.page);

	EXPECT_EQ((FRAMES + 2 * FRAMES_PER_PAGE) * 4,
		  mapping_rss(self->h.window));
	EXPECT_EQ(FRAMES, range_reclaim(&self->h, self->span.page, PAGES));
	EXPECT_EQ(word, kword(&self->h, self->span.page));
	EXPECT_EQ(2 * FRAMES_PER_PAGE * 4, mapping_rss(self->h.window));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(2 * FRAMES_PER_PAGE, stats.out_frames);
	EXPECT_EQ(FRAMES, stats.out_nr_reclaimed);

	EXPECT_EQ(0, range_reclaim(&self->h, self->span.page, PAGES));
	EXPECT_TRUE(bytes_are(self->p, 0, BYTES));
	memset(self->p, 'x', BYTES);
	EXPECT_TRUE(bytes_are(self->p, 'x', BYTES));
}

TEST_F(heap, part_of_a_live_span_takes_only_that_part)
{
	char *part = self->p + 10 * BURROW_PAGE_SIZE;

	EXPECT_EQ(5 * FRAMES_PER_PAGE,
		  range_reclaim(&self->h, self->span.page + 10, 5));
	EXPECT_TRUE(bytes_are(self->p, 'x', part - self->p));
	EXPECT_TRUE(bytes_are(part, 0, 5 * BURROW_PAGE_SIZE));
	part += 5 * BURROW_PAGE_SIZE;
	EXPECT_TRUE(bytes_are(part, 'x', self->p + BYTES - part));
}

TEST_F(heap, a_span_that_was_reclaimed_while_live_is_clean_afterwards)
{
	struct burrow_span_ref again;

	EXPECT_EQ(FRAMES, range_reclaim(&self->h, self->span.page, PAGES));
	ASSERT_EQ(0, span_free(&self->h, 0, self->span));
	ASSERT_EQ(0, span_alloc(&self->h, PAGES, 0, &again));
	ASSERT_EQ(self->span.page, again.page);
	EXPECT_FALSE(needs_zero(&self->h, again));
	EXPECT_TRUE(bytes_are(self->p, 0, BYTES));
}

TEST_F(heap, free_pages_are_given_back_once)
{
	struct burrow_heap_stats stats;

	ASSERT_EQ(0, span_free(&self->h, 0, self->span));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(PAGES, stats.out_pages_lazy);
	EXPECT_EQ(FRAMES, range_reclaim(&self->h, self->span.page, PAGES));
	EXPECT_EQ(0, range_reclaim(&self->h, self->span.page, PAGES));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(0, stats.out_pages_lazy);
	EXPECT_EQ(2 * FRAMES_PER_PAGE, stats.out_frames);
	EXPECT_EQ(SIGSEGV, touch(self->p));
	EXPECT_EQ(SIGSEGV, touch(self->p + BYTES - 1));
}

TEST_F(heap, freeing_with_reclaim_is_both_in_one)
{
	struct burrow_heap_stats stats;

	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, self->span));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(0, stats.out_pages_lazy);
	EXPECT_EQ(2 * FRAMES_PER_PAGE, stats.out_frames);
	EXPECT_EQ(SIGSEGV, touch(self->p));
}

/* Frames that came one by one count as exactly as those of a batch. */
TEST_F(heap, out_frames_is_exact_where_pages_are_sparse)
{
	struct burrow_span_ref lazy;
	long n = 0;
	size_t off;
	char *p;

	ASSERT_EQ(0, span_alloc(&self->h, PAGES, BURROW_ALLOC_LAZY, &lazy));
	p = page_addr(&self->h, lazy.page);
	for (off = 0; off < BYTES; off += 7 * FRAME_SIZE, n++)
		p[off] = 1;
	EXPECT_EQ(n, range_reclaim(&self->h, lazy.page, PAGES));
	p[5 * FRAME_SIZE] = 1;
	ASSERT_EQ(0, span_free(&self->h, 0, lazy));
	EXPECT_EQ(1, range_reclaim(&self->h, lazy.page, PAGES));
}

TEST_F(heap, a_vector_stops_at_a_bad_range_and_says_where)
{
	const __u32 page = self->span.page;
	const struct burrow_range ranges[] = {
		{ page, 3 }, { page + 3, 1 }, { BURROW_ARENA_PAGES - 9, 9 },
		{ page, PAGES + 1 }, { page + 4, 1 },
	};
	struct burrow_span_reclaim arg;

	EXPECT_EQ(0, ranges_reclaim(&self->h, ranges, NR(ranges), &arg));
	EXPECT_EQ(3, arg.out_nr);
	EXPECT_EQ(ESTALE, arg.out_errno);
	EXPECT_EQ(4 * FRAMES_PER_PAGE, arg.out_frames);
	EXPECT_TRUE(bytes_are(self->p, 0, 4 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(bytes_are(self->p + 4 * BURROW_PAGE_SIZE, 'x',
			      BYTES - 4 * BURROW_PAGE_SIZE));
	EXPECT_EQ(-ESTALE, ranges_reclaim(&self->h, ranges + 3, 1, &arg));
}

/* Two processes, the same offsets in the same device. */
static int child_reclaims(void *arg)
{
	struct burrow_span_ref *theirs = arg;
	struct heap h;
	struct burrow_span_ref s;

	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!span_alloc(&h, theirs->page + PAGES, 0, &s));
	CHILD_CHECK(s.page == 0);
	memset(h.window, 'c', (theirs->page + PAGES) * BURROW_PAGE_SIZE);
	CHILD_CHECK(range_reclaim(&h, 0, theirs->page + PAGES) > 0);
	CHILD_CHECK(!span_free(&h, BURROW_FREE_RECLAIM, s));
	return CHILD_OK;
}

TEST_F(heap, reclaim_never_reaches_another_process)
{
	long before = frames_present(self->p, BYTES);

	EXPECT_EQ(FRAMES, before);
	EXPECT_EQ(CHILD_OK, child_run(child_reclaims, &self->span));
	EXPECT_EQ(before, frames_present(self->p, BYTES));
	EXPECT_TRUE(bytes_are(self->p, 'x', BYTES));
}

#define TOUCHERS	3
#define RACES		20
#define ROUNDS		20
#define TOUCHES		1000UL

/**
 * struct race - a live span, its touchers and a reclaimer
 * @touches:	so far, of all
 * @stop:	the reclaimer is through
 * @bad:	values seen that nobody can have left there
 */
struct race {
	struct heap *h;
	struct burrow_span_ref span;
	char *p;
	unsigned long touches;
	int stop;
	unsigned long bad;
};

struct toucher {
	struct race *race;
	char id;
};

/* Each has its own bytes: there is what it wrote last, or zero. */
static void *toucher_run(void *arg)
{
	struct toucher *t = arg;
	struct race *race = t->race;
	unsigned long n = 0, bad = 0;
	__u32 page;

	while (!__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE)) {
		for (page = 0; page < 16; page++, n++) {
			volatile char *c = race->p +
				page * BURROW_PAGE_SIZE + n % FRAME_SIZE /
				64 * 64 + t->id;
			char seen = *c;

			bad += seen != 0 && seen != t->id;
			*c = t->id;
			seen = *c;
			bad += seen != 0 && seen != t->id;
		}
		__atomic_fetch_add(&race->touches, page, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&race->bad, bad, __ATOMIC_RELAXED);
	return NULL;
}

static int race_run(struct race *race)
{
	struct toucher t[TOUCHERS];
	pthread_t thread[TOUCHERS];
	int i, r = 0;

	for (i = 0; i < TOUCHERS; i++) {
		t[i] = (struct toucher){ race, i + 1 };
		if (pthread_create(&thread[i], NULL, toucher_run, &t[i]))
			return -EAGAIN;
	}
	for (i = 0; i < ROUNDS ||
	     __atomic_load_n(&race->touches, __ATOMIC_RELAXED) < TOUCHES; i++)
		r |= range_reclaim(race->h, race->span.page, 16) < 0;
	__atomic_store_n(&race->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < TOUCHERS; i++)
		pthread_join(thread[i], NULL);
	return r;
}

TEST_F(heap, touchers_of_a_live_span_under_reclaim_see_zero_or_their_own)
{
	struct burrow_heap_stats stats;
	int i;

	memset(self->p, 0, BYTES);
	for (i = 0; i < RACES; i++) {
		struct race race = {
			.h = &self->h, .span = self->span, .p = self->p,
		};

		ASSERT_EQ(0, race_run(&race));
		EXPECT_EQ(0, race.bad);
		/* what the page table maps is what the heap knows of */
		ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
		EXPECT_EQ(stats.out_frames,
			  frames_present(self->h.window, BURROW_ARENA_SIZE));
	}
	EXPECT_EQ(0, span_free(&self->h, 0, self->span));
}

FIXTURE(slow) {
	struct heap h;
	unsigned long long delay;
};

#define DELAY_US	20000
#define TRIES		100

FIXTURE_SETUP(slow)
{
	ASSERT_EQ(0, param_get("reclaim_delay_us", &self->delay));
	ASSERT_EQ(0, param_set("reclaim_delay_us", DELAY_US));
	ASSERT_EQ(0, heap_ready(&self->h, 1));
}

FIXTURE_TEARDOWN(slow)
{
	EXPECT_EQ(0, param_set("reclaim_delay_us", self->delay));
}

/**
 * struct job - one reclaim under way in a thread
 * @done:	it has returned
 * @frames:	what it returned
 */
struct job {
	struct heap *h;
	__u32 page;
	__u32 npages;
	int done;
	long frames;
};

static void *job_run(void *arg)
{
	struct job *job = arg;

	job->frames = range_reclaim(job->h, job->page, job->npages);
	__atomic_store_n(&job->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Waits until the page's word is in @state: false if the job ended before. */
static bool job_meet(struct job *job, __u32 state)
{
	while (burrow_word_state(kword(job->h, job->page)) != state)
		if (__atomic_load_n(&job->done, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/*
 * Lazy pages full of 'x' are under reclaim; an allocation would like to have
 * them. What it gets is elsewhere, or the reclaim is over: in both cases a
 * clean word means zero, and what is written then stays.
 */
TEST_F(slow, a_span_allocated_during_reclaim_never_shares_its_pages)
{
	struct heap *h = &self->h;
	unsigned int met = 0, elsewhere = 0, i;

	for (i = 0; i < TRIES && met < 5; i++) {
		struct burrow_span_ref old, new;
		struct job job = { .h = h, .npages = 32 };
		pthread_t thread;
		char *p;

		ASSERT_EQ(0, span_alloc(h, 32, 0, &old));
		memset(page_addr(h, old.page), 'x', 32 * BURROW_PAGE_SIZE);
		ASSERT_EQ(0, span_free(h, 0, old));
		job.page = old.page;
		ASSERT_EQ(0, pthread_create(&thread, NULL, job_run, &job));
		met += job_meet(&job, BURROW_SPAN_RECLAIMING);
		ASSERT_EQ(0, span_alloc(h, 32, i % 2 ? BURROW_ALLOC_LAZY : 0,
					&new));
		elsewhere += new.page != old.page;
		p = page_addr(h, new.page);
		if (needs_zero(h, new))
			memset(p, 0, 32 * BURROW_PAGE_SIZE);
		EXPECT_TRUE(bytes_are(p, 0, 32 * BURROW_PAGE_SIZE));
		memset(p, 'y', 32 * BURROW_PAGE_SIZE);
		pthread_join(thread, NULL);
		EXPECT_EQ(32 * FRAMES_PER_PAGE, job.frames);
		EXPECT_TRUE(bytes_are(p, 'y', 32 * BURROW_PAGE_SIZE));
		ASSERT_EQ(0, span_free(h, BURROW_FREE_RECLAIM, new));
	}
	EXPECT_LE(5, met);
	EXPECT_LT(0, elsewhere);
}

TEST_F(slow, a_span_under_reclaim_cannot_be_freed_or_is_not_under_it_any_more)
{
	struct heap *h = &self->h;
	unsigned int busy = 0, i;

	for (i = 0; i < TRIES && busy < 3; i++) {
		struct job job = { .h = h, .npages = 8 };
		struct burrow_span_ref s;
		pthread_t thread;
		int r;

		ASSERT_EQ(0, span_alloc(h, 8, 0, &s));
		job.page = s.page;
		ASSERT_EQ(0, pthread_create(&thread, NULL, job_run, &job));
		job_meet(&job, BURROW_SPAN_DISCARDING);
		r = span_free(h, 0, s);
		EXPECT_TRUE(r == 0 || r == -EBUSY);
		busy += r == -EBUSY;
		pthread_join(thread, NULL);
		EXPECT_EQ(8 * FRAMES_PER_PAGE, job.frames);
		if (r)
			EXPECT_EQ(0, span_free(h, 0, s));
	}
	EXPECT_LE(3, busy);
}

/* On one CPU, a frame that is freed is the next one to be given away. */
static int cpu_pin(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	return sched_setaffinity(0, sizeof(one), &one) ? -errno : 0;
}

#define STRANGERS	64U

/*
 * A frame that went back while it could still be written would be somebody
 * else's by now: fresh memory of ours that a write to the span changes.
 */
TEST_F(slow, a_write_during_the_reclaim_of_a_live_span_reaches_nobody_else)
{
	const size_t bytes = STRANGERS * FRAME_SIZE;
	struct heap *h = &self->h;
	struct burrow_span_ref s;
	unsigned int met = 0, i;

	ASSERT_EQ(0, cpu_pin());
	ASSERT_EQ(0, span_alloc(h, 1, 0, &s));
	for (i = 0; i < TRIES && met < 5; i++) {
		struct job job = { .h = h, .page = s.page, .npages = 1 };
		volatile char *p = page_addr(h, s.page);
		char *fresh, seen, last = 1;
		pthread_t thread;

		fresh = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, fresh);
		*p = last;
		ASSERT_EQ(0, pthread_create(&thread, NULL, job_run, &job));
		met += job_meet(&job, BURROW_SPAN_DISCARDING);
		memset(fresh, 0, bytes);
		do {
			*p = last;
			seen = *p;
			EXPECT_TRUE(seen == 0 || seen == last);
			EXPECT_TRUE(bytes_are(fresh, 0, bytes));
			last = last % 100 + 1;
		} while (!__atomic_load_n(&job.done, __ATOMIC_ACQUIRE));
		pthread_join(thread, NULL);
		*p = 'z';
		EXPECT_EQ('z', *p);
		munmap(fresh, bytes);
	}
	EXPECT_LE(5, met);
}

TEST_HARNESS_MAIN
