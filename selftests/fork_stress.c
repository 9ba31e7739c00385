// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork_stress: many forks, and forks of a process whose threads do not stop for
 * them.
 */
#include <pthread.h>
#include <time.h>

#include "fork.h"

#define THREADS		4

/*
 * Forks are many where they are quick. Where each takes seconds, on a debug kernel
 * beside other work, ENOUGH of them will do after so long.
 */
#define ENOUGH		8
#define ENOUGH_SECONDS	15

static time_t is_over_at(void)
{
	return time(NULL) + ENOUGH_SECONDS;
}

static bool is_over(time_t at, unsigned int done)
{
	return done >= ENOUGH && time(NULL) > at;
}

FIXTURE(scene) {
	struct scene s;
	__u64 before;
};

FIXTURE_SETUP(scene)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, scene_make(&self->s, TEST_ARENAS));
	self->before = total_frames(&self->s.h);
}

FIXTURE_TEARDOWN(scene)
{
	EXPECT_EQ(0, param_set("reclaim_delay_us", 0));
}

#define FORKS	100

static int child_works(void *arg)
{
	const struct scene *s = arg;
	struct burrow_span_ref n;

	CHILD_CHECK(scene_is_intact(s));
	scene_fill(s, 'a');
	CHILD_CHECK(!span_free(&s->h, 0, s->ref[1]));
	CHILD_CHECK(!span_alloc(&s->h, 8, 0, &n));
	CHILD_CHECK(!span_free(&s->h, BURROW_FREE_RECLAIM, s->ref[2]));
	return CHILD_OK;
}

TEST_F(scene, a_hundred_forks_leave_nothing_behind)
{
	time_t over = is_over_at();
	int i;

	for (i = 0; i < FORKS && !is_over(over, i); i++) {
		ASSERT_EQ(CHILD_OK, child_run(child_works, &self->s));
		ASSERT_EQ(self->before, total_frames(&self->s.h));
		/* sometimes the parent's frames are new ones next time */
		if (i % 3 == 0)
			scene_fill(&self->s, SCENE_BASE);
	}
	EXPECT_TRUE(scene_is_intact(&self->s));
}

/* Works without end and says so; somebody kills it at a random word. */
struct endless {
	struct scene *s;
	int out;
};

static int child_works_on(void *arg)
{
	struct endless *e = arg;
	__u32 n;

	for (n = 0;; n++) {
		struct burrow_span_ref ref;
		__u32 i = n % SCENE_SPANS;

		CHILD_CHECK(write(e->out, "", 1) == 1);
		memset(scene_span(e->s, i), 'a', SPAN_BYTES);
		CHILD_CHECK(!span_alloc(&e->s->h, n % 5 + 1, 0, &ref));
		CHILD_CHECK(write(e->out, "", 1) == 1);
		CHILD_CHECK(range_reclaim(&e->s->h, e->s->ref[i].page, 1) >= 0);
		CHILD_CHECK(!span_free(&e->s->h, n & 1 ? BURROW_FREE_RECLAIM :
				       0, ref));
		/* now and then a child of its own, that is left to itself */
		if (n % 7 == 3 && !fork())
			_exit(CHILD_OK);
	}
	return CHILD_BAD;
}

TEST_F(scene, children_killed_anywhere_leave_nothing_behind)
{
	time_t over = is_over_at();
	unsigned int seed = 1;
	int i;

	for (i = 0; i < FORKS && !is_over(over, i); i++) {
		int left = rand_r(&seed) % 40, pipes[2];
		struct endless e = { .s = &self->s };
		char byte;
		pid_t pid;

		ASSERT_EQ(0, pipe(pipes));
		e.out = pipes[1];
		pid = child_start(child_works_on, &e);
		ASSERT_LT(0, pid);
		close(pipes[1]);
		while (left-- && read(pipes[0], &byte, 1) == 1)
			;
		EXPECT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(CHILD_KILLED + SIGKILL, child_wait(pid));
		/* the end of the pipe: its own children are gone as well */
		while (read(pipes[0], &byte, 1) == 1)
			;
		close(pipes[0]);
		ASSERT_EQ(self->before, total_frames(&self->s.h));
		ASSERT_TRUE(scene_is_intact(&self->s));
	}
}

/*
 * Writers: each has frames of its own and writes them through from front to
 * back, over and over, with the number of the round in each word. A frame seen
 * at an instant has words of one round in front and of the round before behind.
 */
#define SNAPSHOTS	25
#define WRITER_FRAMES	16U
#define WORDS		(FRAME_SIZE / sizeof(__u64))

struct writer {
	struct writers *all;
	__u64 *frames;
	__u64 salt;
};

struct writers {
	struct heap h;
	struct burrow_span_ref span;
	struct writer w[THREADS];
	unsigned int stop;
	unsigned int bad;
};

static __u64 word_of(const struct writer *w, __u64 round, size_t at)
{
	return (round << 20 | at) * 0x9e3779b97f4a7c15ULL ^ w->salt;
}

/* What no write was lost of: only its thread writes it. */
static void frame_check(struct writer *w, const __u64 *p, __u64 round)
{
	size_t i;

	for (i = 0; i < WORDS; i++)
		if (p[i] != word_of(w, round, i))
			__atomic_fetch_add(&w->all->bad, 1, __ATOMIC_RELAXED);
}

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	__u64 round;
	size_t f, i;

	for (round = 1; !__atomic_load_n(&w->all->stop, __ATOMIC_RELAXED);
	     round++) {
		for (f = 0; f < WRITER_FRAMES; f++) {
			volatile __u64 *p = w->frames + f * WORDS;

			for (i = 0; i < WORDS; i++)
				p[i] = word_of(w, round, i);
			frame_check(w, (__u64 *)p, round);
		}
	}
	return NULL;
}

/* A prefix of one round, then the round before. */
static bool frame_is_a_snapshot(const struct writer *w, const __u64 *p)
{
	__u64 round;
	size_t i = 0;

	round = ((p[0] ^ w->salt) * 0xf1de83e19937733dULL) >> 20;
	while (i < WORDS && p[i] == word_of(w, round, i))
		i++;
	if (i == 0)
		return false;
	while (i < WORDS && p[i] == word_of(w, round - 1, i))
		i++;
	return i == WORDS;
}

static int child_sees_a_snapshot(void *arg)
{
	const struct writers *all = arg;
	size_t t, f;

	for (t = 0; t < THREADS; t++) {
		const struct writer *w = &all->w[t];

		for (f = 0; f < WRITER_FRAMES; f++)
			CHILD_CHECK(frame_is_a_snapshot(w, w->frames +
							   f * WORDS));
		/* and a write here is not seen there */
		memset(w->frames, 0, WRITER_FRAMES * FRAME_SIZE);
	}
	return CHILD_OK;
}

static int writers_make(struct writers *all)
{
	size_t t, f, i;
	int r;

	memset(all, 0, sizeof(*all));
	r = heap_ready(&all->h, 1);
	if (!r)
		r = span_alloc(&all->h, THREADS * WRITER_FRAMES /
			       FRAMES_PER_PAGE, 0, &all->span);
	for (t = 0; t < THREADS && !r; t++) {
		struct writer *w = &all->w[t];

		w->all = all;
		w->salt = (t + 1) * 0xd6e8feb86659fd93ULL;
		w->frames = (__u64 *)page_addr(&all->h, all->span.page) +
			    t * WRITER_FRAMES * WORDS;
		for (f = 0; f < WRITER_FRAMES; f++)
			for (i = 0; i < WORDS; i++)
				w->frames[f * WORDS + i] = word_of(w, 0, i);
	}
	return r;
}

TEST(children_of_a_process_that_goes_on_writing_see_whole_frames)
{
	time_t over = is_over_at();
	pthread_t thread[THREADS];
	static struct writers all;
	int i;

	ASSERT_EQ(0, writers_make(&all));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, writer_run,
					    &all.w[i]));
	for (i = 0; i < SNAPSHOTS && !is_over(over, i); i++)
		EXPECT_EQ(CHILD_OK, child_run(child_sees_a_snapshot, &all));
	__atomic_store_n(&all.stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(thread[i], NULL));
	EXPECT_EQ(0, all.bad);
}

/*
 * The first writes after a fork, of all threads to the same frame at once: each
 * counts up in a word of its own, and nobody's counting is lost.
 */
#define RACE_FRAMES	SCENE_FRAMES
#define RACE_COUNTS	32U
#define RACES		20U

struct race {
	char *p;
	pthread_barrier_t start;
	unsigned int at;		/* how many threads are in the frame */
	unsigned int bad;
};

struct racer {
	struct race *race;
	unsigned int number;
};

/* All threads enter a frame together, as closely as they can. */
static void race_gather(struct race *r, unsigned int frame)
{
	__atomic_fetch_add(&r->at, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&r->at, __ATOMIC_ACQUIRE) < (frame + 1) * THREADS)
		sched_yield();
}

static void *racer_run(void *arg)
{
	struct racer *me = arg;
	struct race *r = me->race;
	unsigned int frame, n;

	pthread_barrier_wait(&r->start);
	for (frame = 0; frame < RACE_FRAMES; frame++) {
		volatile __u64 *word = (__u64 *)(r->p + frame * FRAME_SIZE) +
				       me->number;
		__u64 was = *word;

		race_gather(r, frame);
		for (n = 0; n < RACE_COUNTS; n++)
			*word = *word + 1;
		if (*word != was + RACE_COUNTS)
			__atomic_fetch_add(&r->bad, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int race_run(struct race *r)
{
	pthread_t thread[THREADS];
	struct racer racer[THREADS];
	unsigned int i;

	r->at = 0;
	if (pthread_barrier_init(&r->start, NULL, THREADS))
		return -ENOMEM;
	for (i = 0; i < THREADS; i++) {
		racer[i] = (struct racer){ r, i };
		if (pthread_create(&thread[i], NULL, racer_run, &racer[i]))
			return -EAGAIN;
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&r->start);
	return 0;
}

static int child_ends(void *arg)
{
	(void)arg;
	return CHILD_OK;
}

static int child_waits(void *arg)
{
	const struct turns *t = arg;

	turns_keep((struct turns *)t, CHILD);
	return turn_take(t, CHILD) == -EPIPE ? CHILD_OK : CHILD_BAD;
}

static bool race_counts_are(const struct race *r, __u64 want)
{
	unsigned int frame, i;

	for (frame = 0; frame < RACE_FRAMES; frame++)
		for (i = 0; i < THREADS; i++)
			if (((__u64 *)(r->p + frame * FRAME_SIZE))[i] != want)
				return false;
	return true;
}

TEST_F(scene, threads_that_write_one_frame_when_the_child_is_gone_lose_nothing)
{
	struct race race = { .p = self->s.h.window };
	time_t over = is_over_at();
	unsigned int i;

	memset(race.p, 0, RACE_FRAMES * FRAME_SIZE);
	for (i = 0; i < RACES && !is_over(over, i); i++) {
		ASSERT_EQ(CHILD_OK, child_run(child_ends, NULL));
		ASSERT_EQ(0, race_run(&race));
		ASSERT_TRUE(race_counts_are(&race, (i + 1) * RACE_COUNTS));
	}
	EXPECT_EQ(0, race.bad);
}

TEST_F(scene, threads_that_write_one_frame_while_the_child_is_there_lose_nothing)
{
	struct race race = { .p = self->s.h.window };
	time_t over = is_over_at();
	unsigned int i;

	memset(race.p, 0, RACE_FRAMES * FRAME_SIZE);
	for (i = 0; i < RACES && !is_over(over, i); i++) {
		struct turns t;
		pid_t pid;

		ASSERT_EQ(0, turns_make(&t));
		pid = child_start(child_waits, &t);
		ASSERT_LT(0, pid);
		turns_keep(&t, PARENT);
		ASSERT_EQ(0, race_run(&race));
		ASSERT_TRUE(race_counts_are(&race, (i + 1) * RACE_COUNTS));
		close(t.end[PARENT]);
		ASSERT_EQ(CHILD_OK, child_wait(pid));
	}
	EXPECT_EQ(0, race.bad);
}

/*
 * Frames leave the heap while it forks: by call and by the shrinker, which is
 * made to take its time, so that forks meet it half-way.
 */
#define DELAY_US	200
struct churn {
	struct scene *s;
	unsigned int stop;
	unsigned int bad;
};

#define CHURN_SPANS	128U

/* Spans with holes between them: each hole is a claim of its own. */
static int spans_churn_once(const struct heap *h, __u32 flags)
{
	struct burrow_span_ref ref[CHURN_SPANS], even[CHURN_SPANS / 2];
	struct burrow_span_alloc alloc = {
		.spans = U64(ref), .nr = CHURN_SPANS, .npages = 1,
	};
	struct burrow_span_free done;
	__u32 i;
	int r;

	r = spans_alloc(h, &alloc);
	if (r)
		return r;
	for (i = 0; i < NR(even); i++) {
		even[i] = ref[2 * i];
		ref[i] = ref[2 * i + 1];
		*page_addr(h, even[i].page) = '!';
	}
	r = spans_free(h, 0, even, NR(even), &done);
	return r ? r : spans_free(h, flags, ref, NR(even), &done);
}

static void *spans_churn(void *arg)
{
	struct churn *c = arg;
	unsigned int n;

	for (n = 0; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); n++)
		if (spans_churn_once(&c->s->h, n & 1 ? BURROW_FREE_RECLAIM : 0))
			__atomic_fetch_add(&c->bad, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *shrinker_churn(void *arg)
{
	struct churn *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED))
		if (file_write("/proc/sys/vm/drop_caches", "2"))
			__atomic_fetch_add(&c->bad, 1, __ATOMIC_RELAXED);
	return NULL;
}

#define LOOKS		1000000U

/* Pages that a scan of the shrinker has in hand: neither live nor free. */
static bool none_is_claimed(const struct heap *h)
{
	struct burrow_heap_stats stats;

	return !heap_stats(h->fd, &stats) &&
	       stats.out_pages_live + stats.out_pages_free ==
	       BURROW_ARENA_PAGES;
}

static int child_looks_and_frees(void *arg)
{
	const struct scene *s = arg;
	__u32 i;

	CHILD_CHECK(scene_is_intact(s));
	scene_fill(s, 'a');
	CHILD_CHECK(heap_reclaim(&s->h, ~0ULL) >= 0);
	/* what the child's own scans claim comes back; a parent's would not */
	for (i = 0; i < LOOKS && !none_is_claimed(&s->h); i++)
		sched_yield();
	CHILD_CHECK(i < LOOKS);
	for (i = 0; i < SCENE_SPANS; i++)
		CHILD_CHECK(!span_free(&s->h, BURROW_FREE_RECLAIM, s->ref[i]));
	return CHILD_OK;
}

TEST_F(scene, forks_while_frames_come_and_go_are_whole)
{
	struct churn churn = { .s = &self->s };
	time_t over = is_over_at();
	pthread_t spans, shrinker;
	int i;

	ASSERT_EQ(0, param_set("reclaim_delay_us", DELAY_US));
	ASSERT_EQ(0, pthread_create(&spans, NULL, spans_churn, &churn));
	ASSERT_EQ(0, pthread_create(&shrinker, NULL, shrinker_churn, &churn));
	for (i = 0; i < FORKS && !is_over(over, i); i++)
		EXPECT_EQ(CHILD_OK, child_run(child_looks_and_frees, &self->s));
	__atomic_store_n(&churn.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(spans, NULL));
	ASSERT_EQ(0, pthread_join(shrinker, NULL));
	EXPECT_EQ(0, churn.bad);
	EXPECT_TRUE(scene_is_intact(&self->s));
	EXPECT_LE(0, heap_reclaim(&self->s.h, ~0ULL));
	/* slots of the pages that came and went stay: no more than a few */
	EXPECT_GE(self->before + 4, total_frames(&self->s.h));
}

TEST_HARNESS_MAIN
