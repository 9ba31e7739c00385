// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * hostile: U-words are the process's own, whatever it writes there. The same
 * work is done beside well-behaved U-words, beside garbage, and beside threads
 * that never stop writing garbage: the kernel answers alike each time.
 *
 * A sweep is what U-words are there for: its answer follows from them, so it
 * is not part of that work. But whatever they say, it takes whole spans, each
 * once, and only those that it was told.
 */
#include <pthread.h>

#include "mark.h"
#include "touch.h"

#define ARENAS		2U
#define STEPS		400U
#define SLOTS		64U

/* xorshift: the same numbers for the same seed, everywhere. */
static __u64 next_random(__u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/**
 * struct trace - what the kernel answered, step by step
 * @sum:	of every answer
 * @word:	the first span's K-word in each step
 * @bad:	memory or words that were not as they have to be
 */
struct trace {
	__u64 sum;
	__u64 word[STEPS];
	__u32 bad;
};

static void trace_add(struct trace *t, __u64 val)
{
	t->sum = t->sum * 6364136223846793005ULL + val + 1;
}

struct work {
	struct heap *h;
	struct burrow_span_ref ref[SLOTS];
	__u32 npages[SLOTS];	/* 0: none */
	__u64 seed;
};

static void slot_fill(struct work *w, __u32 i, __u32 r, struct trace *t)
{
	struct burrow_span_alloc arg = {
		.flags = r & 1 ? BURROW_ALLOC_LAZY : 0,
		.spans = U64(&w->ref[i]), .nr = 1,
		.npages = r % 29 + 1,
		.align = 1U << (r / 29 % 4),
		.kind = r / 256 % BURROW_KIND_STACK,
		.cls = r / 1024 % BURROW_NR_CLASSES,
	};
	size_t bytes = arg.npages * BURROW_PAGE_SIZE;
	char *p;

	trace_add(t, spans_alloc(w->h, &arg));
	if (arg.out_nr != 1)
		return;
	w->npages[i] = arg.npages;
	p = page_addr(w->h, w->ref[i].page);
	t->bad += !needs_zero(w->h, w->ref[i]) && !bytes_are(p, 0, bytes);
	memset(p, i + 1, bytes);
}

static void slot_empty(struct work *w, __u32 i, __u32 r, struct trace *t)
{
	t->bad += !bytes_are(page_addr(w->h, w->ref[i].page), i + 1,
			     w->npages[i] * BURROW_PAGE_SIZE);
	trace_add(t, span_free(w->h, r & 2 ? BURROW_FREE_RECLAIM : 0,
			       w->ref[i]));
	trace_add(t, span_free(w->h, 0, w->ref[i]));
	w->npages[i] = 0;
}

static void slot_reclaim(struct work *w, __u32 i, struct trace *t)
{
	char *p = page_addr(w->h, w->ref[i].page);

	trace_add(t, range_reclaim(w->h, w->ref[i].page, 1));
	t->bad += !bytes_are(p, 0, BURROW_PAGE_SIZE);
	memset(p, i + 1, BURROW_PAGE_SIZE);
}

static void work_run(struct heap *h, struct trace *t)
{
	struct work w = { .h = h, .seed = 88172645463325252ULL };
	struct burrow_heap_stats stats;
	__u32 step;

	memset(t, 0, sizeof(*t));
	for (step = 0; step < STEPS; step++) {
		__u32 r = next_random(&w.seed) >> 20, i = r % SLOTS;

		if (!w.npages[i])
			slot_fill(&w, i, r / SLOTS, t);
		else if (r & 0x10000)
			slot_reclaim(&w, i, t);
		else
			slot_empty(&w, i, r / SLOTS, t);
		t->word[step] = kword(h, w.ref[i].page);
		trace_add(t, t->word[step]);
	}
	heap_stats(h->fd, &stats);
	trace_add(t, stats.out_spans);
	trace_add(t, stats.out_pages_live);
	trace_add(t, stats.out_pages_free);
	trace_add(t, stats.out_pages_lazy);
	trace_add(t, stats.out_frames);
	trace_add(t, stats.out_nr_reclaimed);
}

enum garbage { GARBAGE_ONES, GARBAGE_RANDOM };

static void u_words_fill(struct heap *h, enum garbage with, __u64 seed)
{
	size_t i, n = ARENAS * BURROW_UMETA_SIZE / sizeof(__u64);
	volatile __u64 *word = (__u64 *)h->umeta;

	for (i = 0; i < n; i++)
		word[i] = with == GARBAGE_ONES ? ~0ULL : next_random(&seed);
}

FIXTURE(heap) {
	struct heap h;
	struct trace want, got;
};

/* Each test compares with a heap whose U-words nobody touched. */
FIXTURE_SETUP(heap)
{
	struct heap quiet;

	ASSERT_EQ(0, heap_ready(&quiet, ARENAS));
	work_run(&quiet, &self->want);
	ASSERT_EQ(0, self->want.bad);
	ASSERT_EQ(0, heap_ready(&self->h, ARENAS));
}

FIXTURE_TEARDOWN(heap)
{
	EXPECT_EQ(self->want.sum, self->got.sum);
	EXPECT_EQ(0, memcmp(self->want.word, self->got.word,
			    sizeof(self->want.word)));
	EXPECT_EQ(0, self->got.bad);
}

TEST_F(heap, two_quiet_heaps_answer_alike)
{
	work_run(&self->h, &self->got);
}

TEST_F(heap, u_words_of_all_ones_change_no_answer)
{
	u_words_fill(&self->h, GARBAGE_ONES, 0);
	work_run(&self->h, &self->got);
}

TEST_F(heap, random_u_words_change_no_answer)
{
	u_words_fill(&self->h, GARBAGE_RANDOM, 1234567);
	work_run(&self->h, &self->got);
}

TEST_F(heap, absent_u_words_change_no_answer)
{
	__u32 i;

	for (i = 0; i < ARENAS; i++)
		ASSERT_EQ(0, part_unmap(&self->h, BURROW_MMAP_UMETA, i));
	work_run(&self->h, &self->got);
}

struct scribbler {
	struct heap *h;
	__u64 seed;
	unsigned long words;
	int stop;
};

static void *scribbler_run(void *arg)
{
	struct scribbler *s = arg;
	size_t n = ARENAS * BURROW_UMETA_SIZE / sizeof(__u64);
	volatile __u64 *word = (__u64 *)s->h->umeta;

	do {
		__u64 r = next_random(&s->seed);

		word[r % n] = r;
		s->words++;
	} while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE));
	return NULL;
}

TEST_F(heap, u_words_that_change_all_the_time_change_no_answer)
{
	struct scribbler s[2] = {
		{ .h = &self->h, .seed = 3 }, { .h = &self->h, .seed = 5 },
	};
	pthread_t thread[2];
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, scribbler_run,
					    &s[i]));
	work_run(&self->h, &self->got);
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&s[i].stop, 1, __ATOMIC_RELEASE);
		pthread_join(thread[i], NULL);
		EXPECT_LT(0, s[i].words);
	}
}

/* A thread that tries to write K-words meets SIGSEGV, while they change. */
static void *forger_run(void *arg)
{
	struct scribbler *s = arg;
	size_t n = ARENAS * BURROW_ARENA_PAGES;

	do {
		char *at = (char *)&s->h->kmeta[next_random(&s->seed) % n];

		if (touch_write(at, 1) == SIGSEGV)
			s->words++;
		else
			break;
	} while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE));
	return NULL;
}

TEST_F(heap, k_words_under_attack_change_no_answer)
{
	struct scribbler s = { .h = &self->h, .seed = 7 };
	pthread_t thread;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, pthread_create(&thread, NULL, forger_run, &s));
	work_run(&self->h, &self->got);
	EXPECT_EQ(0, __atomic_load_n(&s.stop, __ATOMIC_RELAXED));
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_LT(0, s.words);
}

#define SWEPT		256U
#define SWEPT_PAGES	2U
#define SWEPT_BYTES	(SWEPT_PAGES * BURROW_PAGE_SIZE)

/**
 * struct sweeps - spans, threads that change their marks, threads that sweep
 * @gone:	how often each span was said to be freed
 * @stop:	enough: the sweepers may stop
 */
struct sweeps {
	struct heap h;
	struct burrow_span_ref ref[SWEPT];
	__u32 gone[SWEPT];
	__u32 nr_gone;
	int stop;
	__u32 bad;
};

struct sweeper {
	struct sweeps *all;
	__u32 flags;
	__u64 seed;
};

static int sweeps_make(struct sweeps *s)
{
	__u32 i;
	int r;

	r = heap_ready(&s->h, ARENAS);
	if (!r)
		r = spans_alloc_swept(&s->h, s->ref, SWEPT, SWEPT_PAGES, 0);
	for (i = 0; i < SWEPT && !r; i++) {
		memset(page_addr(&s->h, s->ref[i].page), i % 127 + 1,
		       SWEPT_BYTES);
		marks_clear(&s->h, s->ref[i].page, SWEPT_PAGES);
	}
	return r;
}

static bool swept_is_there(const struct sweeps *s, __u32 i)
{
	__u64 word = kword(&s->h, s->ref[i].page);

	return burrow_word_tag(word) == BURROW_TAG_HEAD &&
	       burrow_word_gen(word) == s->ref[i].gen;
}

static bool swept_is_intact(const struct sweeps *s, __u32 i)
{
	return swept_is_there(s, i) &&
	       bytes_are(page_addr(&s->h, s->ref[i].page), i % 127 + 1,
			 SWEPT_BYTES);
}

/* Garbage everywhere keeps all; then zeros give away what is named, no more. */
TEST(a_sweep_beside_garbage_takes_only_what_it_was_told)
{
	static struct sweeps s;
	struct burrow_span_sweep out;
	__u32 i;

	ASSERT_EQ(0, sweeps_make(&s));
	for (i = GARBAGE_ONES; i <= GARBAGE_RANDOM; i++) {
		u_words_fill(&s.h, i, 99);
		ASSERT_EQ(0, spans_sweep(&s.h, 0, s.ref, SWEPT, NULL, &out));
		EXPECT_EQ(SWEPT, out.out_nr);
		EXPECT_EQ(0, out.out_nr_freed);
	}
	for (i = 0; i < SWEPT; i++)
		marks_clear(&s.h, s.ref[i].page, SWEPT_PAGES);
	ASSERT_EQ(0, spans_sweep(&s.h, BURROW_SWEEP_RECLAIM, s.ref + 100, 50,
				 NULL, &out));
	EXPECT_EQ(50, out.out_nr_freed);
	for (i = 0; i < SWEPT; i++)
		EXPECT_EQ(i < 100 || i >= 150, swept_is_intact(&s, i));
}

/* Sets and clears one mark of one span after the other, and other bits too. */
static void *marker_run(void *arg)
{
	struct sweeper *m = arg;
	struct sweeps *s = m->all;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		__u64 r = next_random(&m->seed) >> 8;
		__u32 page = s->ref[r % SWEPT].page;

		mark_put(&s->h, page, 77, r >> 20 & 1);
		map_words(&s->h, BURROW_U_ALLOC, page)[r >> 24 & 7] = r;
		map_words(&s->h, BURROW_U_PTR, page)[r >> 27 & 7] = r;
	}
	return NULL;
}

/* What one call said of ref[0], ref[1], ...: those that are gone leave. */
static __u32 sweeper_note(struct sweeper *w, struct burrow_span_ref *ref,
			  __u32 *index, __u32 nr, const __u64 *freed,
			  const struct burrow_span_sweep *out)
{
	__u32 i, left = 0;

	for (i = 0; i < nr; i++) {
		bool took = i < out->out_nr && bit_is_set(freed, i);

		/* the next one was somebody else's */
		if (i == out->out_nr)
			continue;
		if (took) {
			__atomic_fetch_add(&w->all->gone[index[i]], 1,
					   __ATOMIC_RELAXED);
			__atomic_fetch_add(&w->all->nr_gone, 1,
					   __ATOMIC_RELAXED);
			continue;
		}
		ref[left] = ref[i];
		index[left++] = index[i];
	}
	return left;
}

/* All that it thinks is there, over and over, until most are gone. */
static void *sweeper_run(void *arg)
{
	struct sweeper *w = arg;
	struct burrow_span_ref ref[SWEPT];
	__u64 freed[SWEPT / 64] = { 0 };
	__u32 index[SWEPT], nr = SWEPT, i;
	struct burrow_span_sweep out;

	memcpy(ref, w->all->ref, sizeof(ref));
	for (i = 0; i < SWEPT; i++)
		index[i] = i;
	while (nr && __atomic_load_n(&w->all->nr_gone, __ATOMIC_RELAXED) <
	       SWEPT / 4 * 3) {
		int r = spans_sweep(&w->all->h, w->flags, ref, nr, freed, &out);

		if (r)
			out.out_nr = 0;
		else
			r = -(int)out.out_errno;
		if (r && r != -ESTALE) {
			__atomic_fetch_add(&w->all->bad, 1, __ATOMIC_RELAXED);
			break;
		}
		nr = sweeper_note(w, ref, index, nr, freed, &out);
	}
	return NULL;
}

TEST(spans_swept_by_two_beside_racing_marks_go_once_or_stay_whole)
{
	static struct sweeps s;
	struct sweeper t[4] = {
		{ &s, 0, 11 }, { &s, BURROW_SWEEP_RECLAIM, 13 },
		{ &s, 0, 17 }, { &s, 0, 19 },
	};
	struct burrow_heap_stats stats;
	pthread_t thread[4];
	__u32 i, left = 0;

	ASSERT_EQ(0, sweeps_make(&s));
	for (i = 0; i < SWEPT; i++)
		mark_put(&s.h, s.ref[i].page, 77, true);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, i < 2 ?
					    sweeper_run : marker_run, &t[i]));
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		if (i == 1)
			__atomic_store_n(&s.stop, 1, __ATOMIC_RELEASE);
	}
	EXPECT_EQ(0, s.bad);
	for (i = 0; i < SWEPT; i++) {
		ASSERT_GE(1, s.gone[i]);
		ASSERT_EQ(!s.gone[i], swept_is_there(&s, i));
		ASSERT_TRUE(s.gone[i] || swept_is_intact(&s, i));
		left += !s.gone[i];
	}
	ASSERT_EQ(0, heap_stats(s.h.fd, &stats));
	EXPECT_EQ(SWEPT - left, s.nr_gone);
	EXPECT_EQ(s.nr_gone, stats.out_nr_free);
	EXPECT_EQ(left, stats.out_spans);
	EXPECT_EQ(left * SWEPT_PAGES, stats.out_pages_live);
}

TEST_HARNESS_MAIN
