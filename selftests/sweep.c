// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * sweep: spans without a mark go, those with one stay, and nobody else's do.
 *
 * Mark bits are the process's own: what the kernel finds there decides which of
 * the spans that the caller names it frees, and never anything more. The tests
 * of racing marks take the answer as it comes and look whether the heap agrees.
 */
#include <pthread.h>

#include "fork.h"
#include "mark.h"
#include "segv.h"

#define MANY	300U
#define PAGES	3U
#define BYTES	(PAGES * BURROW_PAGE_SIZE)

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref ref[MANY];
	__u64 freed[(MANY + 63) / 64];
	struct burrow_span_sweep out;
	struct burrow_heap_stats stats;
};

/* MANY spans, each full of its own byte, no mark set. */
FIXTURE_SETUP(heap)
{
	__u32 i;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 3));
	ASSERT_EQ(0, spans_alloc_swept(&self->h, self->ref, MANY, PAGES, 0));
	for (i = 0; i < MANY; i++) {
		memset(page_addr(&self->h, self->ref[i].page), i % 255 + 1,
		       BYTES);
		marks_clear(&self->h, self->ref[i].page, PAGES);
	}
	memset(self->freed, 0xaa, sizeof(self->freed));
}

FIXTURE_TEARDOWN(heap)
{
}

static bool is_live(const struct heap *h, struct burrow_span_ref s)
{
	__u64 word = kword(h, s.page);

	return burrow_word_tag(word) == BURROW_TAG_HEAD &&
	       burrow_word_gen(word) == s.gen;
}

static bool is_intact(const struct heap *h, const struct burrow_span_ref *ref,
		      __u32 i)
{
	return is_live(h, ref[i]) &&
	       bytes_are(page_addr(h, ref[i].page), i % 255 + 1, BYTES);
}

static __u32 bits_count(const __u64 *bits, __u32 nr)
{
	__u32 i, n = 0;

	for (i = 0; i < nr; i++)
		n += __builtin_popcountll(bits[i]);
	return n;
}

TEST_F(heap, unmarked_spans_go_and_marked_ones_stay)
{
	__u32 i, marked = 0;

	for (i = 0; i < MANY; i += 3, marked++)
		mark_put(&self->h, self->ref[i].page, i * 37 % (PAGES *
			 GRANULES), true);
	ASSERT_EQ(0, spans_sweep(&self->h, 0, self->ref, MANY, self->freed,
				 &self->out));
	EXPECT_EQ(MANY, self->out.out_nr);
	EXPECT_EQ(0, self->out.out_errno);
	EXPECT_EQ(MANY - marked, self->out.out_nr_freed);
	EXPECT_EQ((MANY - marked) * PAGES, self->out.out_pages_freed);
	/* no bit is set behind the last span's */
	EXPECT_EQ(MANY - marked, bits_count(self->freed, NR(self->freed)));
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(i % 3 != 0, bit_is_set(self->freed, i));
		if (i % 3) {
			EXPECT_EQ(0, kword(&self->h, self->ref[i].page));
			EXPECT_EQ(-ESTALE, span_free(&self->h, 0,
						     self->ref[i]));
		} else {
			EXPECT_TRUE(is_intact(&self->h, self->ref, i));
		}
	}
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(marked, self->stats.out_spans);
	EXPECT_EQ(marked * PAGES, self->stats.out_pages_live);
	EXPECT_EQ(MANY - marked, self->stats.out_nr_free);
}

TEST_F(heap, one_mark_anywhere_in_a_span_keeps_it)
{
	static const __u32 at[] = {
		0, 1, 63, 64, 65, GRANULES - 1, GRANULES, 2 * GRANULES - 1,
		2 * GRANULES, PAGES * GRANULES - 64, PAGES * GRANULES - 1,
	};
	__u32 i;

	for (i = 0; i < NR(at); i++) {
		mark_put(&self->h, self->ref[i].page, at[i], true);
		EXPECT_EQ(0, span_sweep(&self->h, 0, self->ref[i]))
			TH_LOG("granule %u", at[i]);
		EXPECT_TRUE(is_intact(&self->h, self->ref, i));
		mark_put(&self->h, self->ref[i].page, at[i], false);
		EXPECT_EQ(1, span_sweep(&self->h, 0, self->ref[i]));
	}
}

TEST_F(heap, marks_of_the_neighbours_keep_nobody_else)
{
	__u32 i, edge = PAGES * GRANULES - 1;

	for (i = 1; i + 1 < MANY; i += 3) {
		ASSERT_EQ(self->ref[i].page + PAGES, self->ref[i + 1].page);
		mark_put(&self->h, self->ref[i - 1].page, edge, true);
		mark_put(&self->h, self->ref[i + 1].page, 0, true);
		EXPECT_EQ(1, span_sweep(&self->h, 0, self->ref[i]));
		EXPECT_EQ(0, span_sweep(&self->h, 0, self->ref[i - 1]));
		EXPECT_EQ(0, span_sweep(&self->h, 0, self->ref[i + 1]));
		EXPECT_TRUE(is_intact(&self->h, self->ref, i - 1));
		EXPECT_TRUE(is_intact(&self->h, self->ref, i + 1));
	}
}

/* Alloc bits, pointer bits and the page's own word say something else. */
TEST_F(heap, only_mark_bits_count)
{
	__u32 page = self->ref[7].page, i;

	for (i = 0; i < PAGES; i++) {
		memset(map_words(&self->h, BURROW_U_ALLOC, page + i), 0xff,
		       BURROW_U_PAGE_BYTES);
		memset(map_words(&self->h, BURROW_U_PTR, page + i), 0xff,
		       BURROW_U_PAGE_BYTES);
		((__u64 *)(self->h.umeta + BURROW_U_OWNER))[page + i] = ~0ULL;
	}
	EXPECT_EQ(1, span_sweep(&self->h, 0, self->ref[7]));
}

TEST_F(heap, the_marks_are_left_as_they_were)
{
	__u64 words[PAGES * MARK_WORDS];
	__u32 page = self->ref[0].page, i;

	mark_put(&self->h, page, 70, true);
	mark_put(&self->h, page, 1500, true);
	memcpy(words, mark_words(&self->h, page), sizeof(words));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, span_sweep(&self->h, BURROW_SWEEP_RECLAIM,
					self->ref[0]));
	EXPECT_EQ(0, memcmp(words, mark_words(&self->h, page), sizeof(words)));
}

/* 32 pages share a frame of mark words; these spans begin in the second. */
TEST_F(heap, mark_words_that_were_never_touched_keep_a_span)
{
	const __u32 n = 4 * MAP_FRAME_PAGES;
	struct burrow_span_ref s;
	struct burrow_span_alloc arg = {
		.flags = BURROW_ALLOC_LAZY, .spans = U64(&s), .nr = 1,
		.npages = n, .align = 1024,
	};
	__u32 hole;

	ASSERT_EQ(0, spans_alloc(&self->h, &arg));
	EXPECT_EQ(0, span_sweep(&self->h, 0, s));
	for (hole = 0; hole < 4; hole++) {
		__u32 i;

		ASSERT_EQ(0, part_unmap(&self->h, BURROW_MMAP_UMETA, 0));
		EXPECT_EQ(0, span_sweep(&self->h, 0, s));
		ASSERT_EQ(0, part_map(&self->h, BURROW_MMAP_UMETA, 0));
		for (i = 0; i < 4; i++)
			if (i != hole)
				marks_clear(&self->h, s.page +
					    i * MAP_FRAME_PAGES,
					    MAP_FRAME_PAGES);
		EXPECT_EQ(0, span_sweep(&self->h, 0, s));
	}
	/* a read is a touch: it finds zeros */
	EXPECT_EQ(0, *(volatile __u64 *)mark_words(&self->h, s.page +
						   3 * MAP_FRAME_PAGES));
	EXPECT_EQ(1, span_sweep(&self->h, 0, s));
}

TEST_F(heap, a_sweep_works_without_a_bitmap)
{
	mark_put(&self->h, self->ref[1].page, 5, true);
	ASSERT_EQ(0, spans_sweep(&self->h, 0, self->ref, MANY, NULL,
				 &self->out));
	EXPECT_EQ(MANY, self->out.out_nr);
	EXPECT_EQ(MANY - 1, self->out.out_nr_freed);
	EXPECT_TRUE(is_intact(&self->h, self->ref, 1));
}

/* Two words, of which the second, or both, cannot be written. */
TEST_F(heap, a_bitmap_that_cannot_be_written_is_EFAULT_and_nothing_is_freed)
{
	char *p = mmap(NULL, 2 * FRAME_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 *const bad[] = {
		(__u64 *)8, (__u64 *)(1UL << 63),
		(__u64 *)0xffff888000000000, (__u64 *)~7UL, (__u64 *)~0UL,
		(__u64 *)(p + FRAME_SIZE), (__u64 *)(p + FRAME_SIZE - 8),
		(__u64 *)(p + FRAME_SIZE - 15),
		(__u64 *)self->h.kmeta,
	};
	size_t i;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, mprotect(p + FRAME_SIZE, FRAME_SIZE, PROT_READ));
	for (i = 0; i < NR(bad); i++)
		EXPECT_EQ(-EFAULT, spans_sweep(&self->h, 0, self->ref, 65,
					       bad[i], &self->out))
			TH_LOG("row %zu", i);
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(MANY, self->stats.out_spans);
	EXPECT_EQ(0, self->stats.out_nr_free);
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(is_intact(&self->h, self->ref, i));
	/* one word is enough for 64 */
	EXPECT_EQ(0, spans_sweep(&self->h, 0, self->ref, 64,
				 (__u64 *)(p + FRAME_SIZE - 8), &self->out));
	EXPECT_EQ(64, self->out.out_nr_freed);
}

TEST_F(heap, every_collected_kind_is_swept_and_no_other)
{
	struct burrow_span_ref s;
	__u32 kind;

	ASSERT_EQ(0, stack_arena_make(&self->h, 3));
	for (kind = 0; kind < BURROW_NR_KINDS; kind++) {
		bool goes = kind != BURROW_KIND_MANUAL &&
			    kind != BURROW_KIND_STACK;
		struct burrow_span_alloc arg = {
			.spans = U64(&s), .nr = 1, .npages = 5, .kind = kind,
		};

		ASSERT_EQ(0, spans_alloc(&self->h, &arg));
		marks_clear(&self->h, s.page, 5);
		EXPECT_EQ(goes ? 1 : -EINVAL, span_sweep(&self->h, 0, s))
			TH_LOG("kind %u", kind);
		EXPECT_EQ(!goes, is_live(&self->h, s));
	}
}

enum trouble { WRONG_KIND, WRONG_GEN, NO_SUCH_ARENA, TWICE };

/* What the vector's sixth element is to be. */
static void trouble_make(const struct heap *h, struct burrow_span_ref *ref,
			 enum trouble what)
{
	switch (what) {
	case WRONG_KIND:
		span_alloc(h, 1, 0, &ref[5]);
		break;
	case WRONG_GEN:
		ref[5].gen++;
		break;
	case NO_SUCH_ARENA:
		ref[5].page = 7 * BURROW_ARENA_PAGES;
		break;
	case TWICE:
		ref[5] = ref[3];
	}
}

TEST_F(heap, a_sweep_stops_at_the_first_bad_span_and_says_where)
{
	static const int errs[] = {
		[WRONG_KIND] = EINVAL, [WRONG_GEN] = ESTALE,
		[NO_SUCH_ARENA] = ESTALE, [TWICE] = ESTALE,
	};
	__u32 what, i;

	for (what = 0; what < NR(errs); what++) {
		struct burrow_span_ref *ref = self->ref + what * 8, good[8];

		memcpy(good, ref, sizeof(good));
		mark_put(&self->h, ref[2].page, 9, true);
		trouble_make(&self->h, ref, what);
		EXPECT_EQ(0, spans_sweep(&self->h, what & 1, ref, 8,
					 self->freed, &self->out));
		EXPECT_EQ(5, self->out.out_nr);
		EXPECT_EQ(errs[what], self->out.out_errno);
		EXPECT_EQ(4, self->out.out_nr_freed);
		EXPECT_EQ(4 * PAGES, self->out.out_pages_freed);
		EXPECT_EQ(0x1b, self->freed[0]);
		for (i = 0; i < 8; i++)
			EXPECT_EQ(i == 2 || i >= 5, is_live(&self->h, good[i]));
		/* alone it is the call's own errno, and nothing is told */
		EXPECT_EQ(-errs[what], span_sweep(&self->h, 0, ref[5]));
	}
}

TEST_F(heap, a_marked_span_may_be_named_twice)
{
	struct burrow_span_ref twice[2] = { self->ref[4], self->ref[4] };

	mark_put(&self->h, twice[0].page, 0, true);
	EXPECT_EQ(0, spans_sweep(&self->h, 0, twice, 2, self->freed,
				 &self->out));
	EXPECT_EQ(2, self->out.out_nr);
	EXPECT_EQ(0, self->out.out_nr_freed);
	EXPECT_TRUE(is_intact(&self->h, self->ref, 4));
}

/* A mark counts in the last granule, in the first, and where nobody looked. */
TEST(a_span_of_many_arenas_is_one_span)
{
	const __u32 n = 2 * BURROW_ARENA_PAGES + 77;
	struct burrow_span_sweep out;
	struct burrow_span_ref s;
	struct heap h;

	ASSERT_EQ(0, heap_ready(&h, 3));
	ASSERT_EQ(0, spans_alloc_swept(&h, &s, 1, n, BURROW_ALLOC_LAZY));
	marks_clear(&h, 0, BURROW_ARENA_PAGES);
	marks_clear(&h, 2 * BURROW_ARENA_PAGES, 77);
	EXPECT_EQ(0, span_sweep(&h, 0, s));
	marks_clear(&h, BURROW_ARENA_PAGES, BURROW_ARENA_PAGES);
	mark_put(&h, s.page, n * GRANULES - 1, true);
	EXPECT_EQ(0, span_sweep(&h, 0, s));
	mark_put(&h, s.page, n * GRANULES - 1, false);
	mark_put(&h, s.page, 0, true);
	EXPECT_EQ(0, span_sweep(&h, 0, s));
	mark_put(&h, s.page, 0, false);
	/* not its granule: behind it */
	mark_put(&h, s.page, n * GRANULES, true);
	ASSERT_EQ(0, spans_sweep(&h, 0, &s, 1, NULL, &out));
	EXPECT_EQ(1, out.out_nr_freed);
	EXPECT_EQ(n, out.out_pages_freed);
	EXPECT_EQ(0, kword(&h, s.page + n - 1));
}

/* Every second span, then the rest: neighbours and such as are none. */
TEST_F(heap, with_RECLAIM_the_frames_go_too)
{
	__u32 i;

	for (i = 0; i < MANY; i += 2)
		mark_put(&self->h, self->ref[i].page, 11, true);
	ASSERT_EQ(0, spans_sweep(&self->h, BURROW_SWEEP_RECLAIM, self->ref,
				 MANY, NULL, &self->out));
	EXPECT_EQ(MANY / 2, self->out.out_nr_freed);
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(0, self->stats.out_pages_lazy);
	EXPECT_EQ(MANY / 2 * PAGES * FRAMES_PER_PAGE, self->stats.out_frames);
	EXPECT_EQ(MANY / 2 * BYTES / 1024, mapping_rss(self->h.window));
	for (i = 0; i < MANY; i += 2) {
		EXPECT_TRUE(is_intact(&self->h, self->ref, i));
		EXPECT_EQ(SIGSEGV, touch(page_addr(&self->h,
						   self->ref[i + 1].page)));
	}
	for (i = 0; i < MANY / 2; i++) {
		self->ref[i] = self->ref[2 * i];
		marks_clear(&self->h, self->ref[i].page, PAGES);
	}
	ASSERT_EQ(0, spans_sweep(&self->h, BURROW_SWEEP_RECLAIM, self->ref,
				 MANY / 2, NULL, &self->out));
	EXPECT_EQ(0, mapping_rss(self->h.window));
}

TEST_F(heap, without_RECLAIM_they_stay_lazy)
{
	ASSERT_EQ(0, spans_sweep(&self->h, 0, self->ref, MANY, NULL,
				 &self->out));
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(MANY * PAGES, self->stats.out_pages_lazy);
	EXPECT_EQ(MANY * PAGES * FRAMES_PER_PAGE, self->stats.out_frames);
	EXPECT_EQ(MANY * BYTES / 1024, mapping_rss(self->h.window));
	/* listed with it: a paced call finds them */
	EXPECT_EQ(MANY * BYTES, heap_reclaim(&self->h, ~0ULL));
	EXPECT_EQ(0, mapping_rss(self->h.window));
}

#define BATCH	4096U

static struct {
	struct burrow_span_ref ref[BATCH];
	__u64 freed[BATCH / 64];
} batch;

/* Words of every look: the answer must be what a plain count of them gives. */
TEST(a_whole_batch_with_garbage_for_marks_is_swept_exactly)
{
	struct burrow_span_sweep out;
	struct burrow_query q;
	unsigned int seed = 5;
	__u32 i, w, want = 0;
	struct heap h;

	ASSERT_EQ(0, heap_ready(&h, 2));
	ASSERT_EQ(0, device_query(h.fd, &q));
	ASSERT_EQ(BATCH, q.out_max_batch);
	ASSERT_EQ(0, spans_alloc_swept(&h, batch.ref, BATCH, 2,
				       BURROW_ALLOC_LAZY));
	for (i = 0; i < BATCH; i++) {
		__u64 *word = mark_words(&h, batch.ref[i].page);

		marks_clear(&h, batch.ref[i].page, 2);
		if (rand_r(&seed) % 2)
			continue;
		for (w = rand_r(&seed) % 5; w < 2 * MARK_WORDS; w += 1 +
		     rand_r(&seed) % 40)
			word[w] = (__u64)rand_r(&seed) << rand_r(&seed) % 40;
	}
	ASSERT_EQ(0, spans_sweep(&h, 0, batch.ref, BATCH, batch.freed, &out));
	EXPECT_EQ(BATCH, out.out_nr);
	EXPECT_EQ(0, out.out_errno);
	for (i = 0; i < BATCH; i++) {
		bool goes = !bits_count(mark_words(&h, batch.ref[i].page),
					2 * MARK_WORDS);

		want += goes;
		ASSERT_EQ(goes, bit_is_set(batch.freed, i));
		ASSERT_EQ(!goes, is_live(&h, batch.ref[i]));
	}
	EXPECT_LT(BATCH / 4, want);
	EXPECT_LT(want, BATCH);
	EXPECT_EQ(want, out.out_nr_freed);
	EXPECT_EQ(2 * want, out.out_pages_freed);
}

/* The marks that count are those of the heap that is swept: the child's. */
static int child_sweeps_half(void *arg)
{
	FIXTURE_DATA(heap) *self = arg;
	__u32 i;

	for (i = 0; i < MANY; i += 2)
		mark_put(&self->h, self->ref[i].page, 3, false);
	CHILD_CHECK(!spans_sweep(&self->h, BURROW_SWEEP_RECLAIM, self->ref,
				 MANY, self->freed, &self->out));
	CHILD_CHECK(self->out.out_nr == MANY);
	CHILD_CHECK(self->out.out_nr_freed == MANY / 2);
	for (i = 0; i < MANY; i++) {
		CHILD_CHECK(bit_is_set(self->freed, i) == !(i & 1));
		CHILD_CHECK(i & 1 ? is_intact(&self->h, self->ref, i) :
				    !kword(&self->h, self->ref[i].page));
	}
	return CHILD_OK;
}

TEST_F(heap, a_child_sweeps_by_its_own_marks_and_only_its_own_spans)
{
	__u32 i;

	for (i = 0; i < MANY; i++)
		mark_put(&self->h, self->ref[i].page, 3, true);
	EXPECT_EQ(CHILD_OK, child_run(child_sweeps_half, self));
	ASSERT_EQ(0, spans_sweep(&self->h, 0, self->ref, MANY, NULL,
				 &self->out));
	EXPECT_EQ(MANY, self->out.out_nr);
	EXPECT_EQ(0, self->out.out_nr_freed);
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(is_intact(&self->h, self->ref, i));
}

static int child_marks_all(void *arg)
{
	FIXTURE_DATA(heap) *self = arg;
	__u32 i;

	for (i = 0; i < MANY; i++)
		mark_put(&self->h, self->ref[i].page, 3, true);
	CHILD_CHECK(!spans_sweep(&self->h, 0, self->ref, MANY, NULL,
				 &self->out));
	CHILD_CHECK(self->out.out_nr_freed == 0);
	for (i = 0; i < MANY; i++)
		CHILD_CHECK(is_intact(&self->h, self->ref, i));
	return CHILD_OK;
}

TEST_F(heap, marks_that_a_child_sets_keep_nothing_of_its_parents)
{
	EXPECT_EQ(CHILD_OK, child_run(child_marks_all, self));
	ASSERT_EQ(0, spans_sweep(&self->h, 0, self->ref, MANY, NULL,
				 &self->out));
	EXPECT_EQ(MANY, self->out.out_nr_freed);
}

struct job {
	struct heap *h;
	__u32 page;
	int done;
};

static void *job_run(void *arg)
{
	struct job *job = arg;

	range_reclaim(job->h, job->page, PAGES);
	__atomic_store_n(&job->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* A claim is wide open for a moment; whoever meets it says EBUSY. */
TEST_F(heap, a_span_that_is_being_discarded_is_EBUSY)
{
	unsigned long long delay;
	__u32 i, busy = 0;

	ASSERT_EQ(0, param_get("reclaim_delay_us", &delay));
	ASSERT_EQ(0, param_set("reclaim_delay_us", 20000));
	for (i = 0; i + 2 < MANY && busy < 3; i += 2) {
		struct job job = { &self->h, self->ref[i + 1].page, 0 };
		pthread_t thread;

		ASSERT_EQ(0, pthread_create(&thread, NULL, job_run, &job));
		while (burrow_word_state(kword(&self->h, job.page)) !=
		       BURROW_SPAN_DISCARDING &&
		       !__atomic_load_n(&job.done, __ATOMIC_ACQUIRE))
			;
		EXPECT_EQ(0, spans_sweep(&self->h, 0, self->ref + i, 2, NULL,
					 &self->out));
		pthread_join(thread, NULL);
		if (self->out.out_nr == 2)
			continue;
		busy++;
		EXPECT_EQ(1, self->out.out_nr);
		EXPECT_EQ(EBUSY, self->out.out_errno);
		EXPECT_EQ(1, self->out.out_nr_freed);
		EXPECT_EQ(1, span_sweep(&self->h, 0, self->ref[i + 1]));
	}
	EXPECT_EQ(3, busy);
	EXPECT_EQ(0, param_set("reclaim_delay_us", delay));
}

TEST_HARNESS_MAIN
