// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pressure: free memory that a heap still holds (lazy) goes back when somebody
 * needs it: by call, at a control group's limit, and when the whole machine is
 * short. What is in use is never touched.
 */
#include "cgroup.h"
#include "child.h"
#include "proc.h"
#include "touch.h"

#define CGROUP		"burrow_pressure"
#define CGROUP_MAX	(48L << 20)
#define MB		(1UL << 20)
#define SPAN_PAGES	32U		/* 256 KiB */
#define SPAN_BYTES	(SPAN_PAGES * BURROW_PAGE_SIZE)
#define SPAN_FRAMES	(SPAN_PAGES * FRAMES_PER_PAGE)
#define NR_SPANS	160U		/* 40 MiB of a 64 MiB arena */

/*
 * NR_SPANS spans, every fourth kept and filled with its own pattern, the others
 * dirtied and freed: 10 MiB live, 30 MiB lazy.
 */
struct mix {
	struct heap h;
	struct burrow_span_ref ref[NR_SPANS];
};

static bool is_kept(__u32 i)
{
	return i % 4 == 0;
}

static __u64 pattern(__u32 i, size_t word)
{
	return (i + 1) * 0x9e3779b97f4a7c15ULL + word;
}

static int mix_make(struct mix *m)
{
	struct burrow_span_alloc arg = {
		.spans = U64(m->ref), .nr = NR_SPANS, .npages = SPAN_PAGES,
		.kind = BURROW_KIND_MANUAL,
	};
	size_t word;
	__u32 i;
	int r;

	r = heap_ready(&m->h, 1);
	if (!r)
		r = spans_alloc(&m->h, &arg);
	if (r || arg.out_nr != NR_SPANS)
		return r ? r : -ENOSPC;
	for (i = 0; i < NR_SPANS; i++) {
		__u64 *p = (__u64 *)page_addr(&m->h, m->ref[i].page);

		for (word = 0; word < SPAN_BYTES / 8; word++)
			p[word] = pattern(i, word);
	}
	for (i = 0; i < NR_SPANS && !r; i++)
		if (!is_kept(i))
			r = span_free(&m->h, 0, m->ref[i]);
	return r;
}

static bool kept_are_intact(const struct mix *m)
{
	size_t word;
	__u32 i;

	for (i = 0; i < NR_SPANS; i += 4) {
		const __u64 *p = (__u64 *)page_addr(&m->h, m->ref[i].page);

		for (word = 0; word < SPAN_BYTES / 8; word++)
			if (p[word] != pattern(i, word))
				return false;
	}
	return true;
}

static __u64 lazy_pages(const struct mix *m)
{
	struct burrow_heap_stats stats;

	return heap_stats(m->h.fd, &stats) ? ~0ULL : stats.out_pages_lazy;
}

static long long heap_reclaim(const struct heap *h, __u64 bytes)
{
	struct burrow_heap_reclaim arg = {
		.size = sizeof(arg), .bytes = bytes,
	};
	int r = call(h->fd, BURROW_IOC_HEAP_RECLAIM, &arg);

	return r ? r : (long long)arg.out_bytes;
}

TEST(paced_reclaim_gives_back_what_was_asked_and_no_more)
{
	static struct mix m;
	__u64 lazy;

	ASSERT_EQ(0, mix_make(&m));
	lazy = lazy_pages(&m);
	ASSERT_EQ(NR_SPANS / 4 * 3 * SPAN_PAGES, lazy);
	EXPECT_EQ(0, heap_reclaim(&m.h, 0));
	EXPECT_EQ(lazy, lazy_pages(&m));
	/* whole pages: a byte costs one */
	EXPECT_EQ(BURROW_PAGE_SIZE, heap_reclaim(&m.h, 1));
	EXPECT_EQ(3 * MB, heap_reclaim(&m.h, 3 * MB));
	EXPECT_EQ(lazy - 1 - 3 * MB / BURROW_PAGE_SIZE, lazy_pages(&m));
	EXPECT_TRUE(kept_are_intact(&m));
	EXPECT_LT(0, heap_reclaim(&m.h, ~0ULL));
	EXPECT_EQ(0, lazy_pages(&m));
	EXPECT_EQ(0, heap_reclaim(&m.h, ~0ULL));
	EXPECT_TRUE(kept_are_intact(&m));
}

TEST(paced_reclaim_takes_first_what_became_lazy_first)
{
	/* pieces are 2 MiB: eight spans each */
	static struct mix m;
	struct burrow_span_alloc arg = {
		.spans = U64(m.ref), .nr = 32, .npages = SPAN_PAGES,
	};
	char *third;
	__u32 i;

	ASSERT_EQ(0, heap_ready(&m.h, 1));
	ASSERT_EQ(0, spans_alloc(&m.h, &arg));
	third = page_addr(&m.h, m.ref[16].page);
	for (i = 16; i < 24; i++)		/* the third piece first */
		ASSERT_EQ(0, span_free(&m.h, 0, m.ref[i]));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, span_free(&m.h, 0, m.ref[i]));
	EXPECT_EQ(2 * MB, heap_reclaim(&m.h, 2 * MB));
	EXPECT_EQ(0, frames_present(third, 2 * MB));
	EXPECT_EQ(2 * MB / FRAME_SIZE, frames_present(m.h.window, 2 * MB));
}

TEST(a_reclaimed_page_is_zero_when_it_comes_back)
{
	static struct mix m;
	struct burrow_span_ref all;
	__u32 i;

	ASSERT_EQ(0, mix_make(&m));
	EXPECT_LT(0, heap_reclaim(&m.h, ~0ULL));
	for (i = 0; i < NR_SPANS / 4 * 3; i++) {
		ASSERT_EQ(0, span_alloc(&m.h, SPAN_PAGES, 0, &all));
		EXPECT_FALSE(needs_zero(&m.h, all));
		EXPECT_TRUE(bytes_are(page_addr(&m.h, all.page), 0,
				      SPAN_BYTES));
	}
	EXPECT_TRUE(kept_are_intact(&m));
}

TEST(dropping_caches_takes_lazy_memory_of_every_heap)
{
	struct burrow_heap_stats stats;
	static struct mix m;
	int i;

	ASSERT_EQ(0, mix_make(&m));
	/* a pass takes as much as the kernel asks for: some passes */
	for (i = 0; i < 64 && lazy_pages(&m); i++)
		ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(0, lazy_pages(&m));
	ASSERT_EQ(0, heap_stats(m.h.fd, &stats));
	EXPECT_EQ(NR_SPANS / 4 * SPAN_FRAMES, stats.out_frames);
	EXPECT_EQ(NR_SPANS / 4 * 3 * SPAN_FRAMES, stats.out_nr_shrunk);
	EXPECT_TRUE(kept_are_intact(&m));
}

/* Touches @bytes of ordinary memory. */
static bool anon_touch(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (p == MAP_FAILED)
		return false;
	for (i = 0; i < bytes; i += FRAME_SIZE)
		p[i] = 1;
	return true;
}

static int child_under_a_limit(void *arg)
{
	static struct mix m;

	(void)arg;
	CHILD_CHECK(!cgroup_enter(CGROUP));
	CHILD_CHECK(!mix_make(&m));
	/* 48 MiB: 10 live and 30 lazy are there, 28 more are wanted */
	CHILD_CHECK(anon_touch(28 * MB));
	CHILD_CHECK(lazy_pages(&m) < NR_SPANS / 4 * 3 * SPAN_PAGES);
	CHILD_CHECK(kept_are_intact(&m));
	return CHILD_OK;
}

TEST(at_a_cgroups_limit_lazy_memory_goes_before_anybody_is_killed)
{
	__u64 before = user_frames();
	int i;

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	for (i = 0; i < 3; i++)
		EXPECT_EQ(CHILD_OK, child_run(child_under_a_limit, NULL));
	EXPECT_EQ(before, user_frames());
	cgroup_end(_metadata, CGROUP, 0);
}

/* Lazy frames in all arenas, then more ordinary memory than is left. */
static int child_fills_the_machine(void *arg)
{
	static struct burrow_span_ref ref[TEST_ARENAS][255];
	struct burrow_span_alloc want = {
		.nr = 255, .npages = SPAN_PAGES,
	};
	struct burrow_span_free done;
	struct burrow_heap_stats stats;
	static struct mix m;
	__u32 arena;

	CHILD_CHECK(!mix_make(&m));
	for (arena = 1; arena < TEST_ARENAS; arena++) {
		want.spans = U64(ref[arena]);
		CHILD_CHECK(arena_add(&m.h, arena) == (int)arena);
		CHILD_CHECK(!arena_map(&m.h, arena));
		CHILD_CHECK(!spans_alloc(&m.h, &want));
	}
	for (arena = 1; arena < TEST_ARENAS; arena++)
		CHILD_CHECK(!spans_free(&m.h, 0, ref[arena], want.out_nr,
					&done));
	CHILD_CHECK(anon_touch(*(long long *)arg - 224 * MB));
	CHILD_CHECK(!heap_stats(m.h.fd, &stats));
	CHILD_CHECK(stats.out_nr_shrunk > 0);
	CHILD_CHECK(kept_are_intact(&m));
	return CHILD_OK;
}

static long long mem_available(void)
{
	char text[2048], *at;

	if (file_read("/proc/meminfo", text, sizeof(text)))
		return -1;
	at = strstr(text, "MemAvailable:");
	return at ? atoll(at + strlen("MemAvailable:")) * 1024 : -1;
}

/* Can the machine be made short of memory without undue work? */
static bool is_small(long long available)
{
	return available >= (long long)(TEST_ARENAS * BURROW_ARENA_SIZE) &&
	       available <= 4096 * (long long)MB;
}

TEST(when_the_machine_is_short_lazy_memory_goes_first)
{
	long long available = mem_available();

	if (!is_small(available))
		SKIP(return, "wants 512 MiB to 4 GiB of memory, has %lld",
		     available >> 20);
	EXPECT_EQ(CHILD_OK, child_run(child_fills_the_machine, &available));
}

/*
 * What the shrinker is good for: the same programs without it. They are killed
 * for memory that nobody uses.
 */
FIXTURE(shrinker) {
};

FIXTURE_SETUP(shrinker)
{
	ASSERT_EQ(0, param_set("shrink", 0));
}

FIXTURE_TEARDOWN(shrinker)
{
	EXPECT_EQ(0, param_set("shrink", 1));
}

TEST_F(shrinker, without_it_a_cgroups_limit_kills_who_lives_with_it)
{
	__u64 before = user_frames();
	int i;

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, param_set("shrink", 0));
		EXPECT_EQ(CHILD_KILLED + SIGKILL,
			  child_run(child_under_a_limit, NULL));
		EXPECT_EQ(i + 1, cgroup_kills(CGROUP));
		ASSERT_EQ(0, param_set("shrink", 1));
		EXPECT_EQ(CHILD_OK, child_run(child_under_a_limit, NULL));
		EXPECT_EQ(i + 1, cgroup_kills(CGROUP));
	}
	EXPECT_EQ(before, user_frames());
	EXPECT_EQ(0, cgroup_drop(CGROUP));
}

/* Whoever is to die of it asks for that: nobody else must. */
static int child_fills_the_machine_first(void *arg)
{
	CHILD_CHECK(!file_write("/proc/self/oom_score_adj", "1000"));
	return child_fills_the_machine(arg);
}

TEST_F(shrinker, without_it_a_short_machine_kills_who_lives_with_it)
{
	long long available = mem_available();
	__u64 before = user_frames();

	if (!is_small(available))
		SKIP(return, "wants 512 MiB to 4 GiB of memory, has %lld",
		     available >> 20);
	EXPECT_EQ(CHILD_KILLED + SIGKILL,
		  child_run(child_fills_the_machine_first, &available));
	ASSERT_EQ(0, param_set("shrink", 1));
	available = mem_available();
	EXPECT_EQ(CHILD_OK,
		  child_run(child_fills_the_machine_first, &available));
	EXPECT_EQ(before, user_frames());
}

/* Without it drop_caches takes nothing either; what a call asks for it gets. */
TEST_F(shrinker, without_it_reclaim_by_call_works_on)
{
	static struct mix m;
	__u64 lazy;

	ASSERT_EQ(0, mix_make(&m));
	lazy = lazy_pages(&m);
	ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(lazy, lazy_pages(&m));
	EXPECT_EQ(2 * MB, heap_reclaim(&m.h, 2 * MB));
	EXPECT_EQ(lazy - 2 * MB / BURROW_PAGE_SIZE, lazy_pages(&m));
	EXPECT_TRUE(kept_are_intact(&m));
}

/*
 * Two processes with the same mix at the same offsets of the same device. What
 * one of them gives, or has to give, is its own.
 */
static int child_gives_all(void *arg)
{
	static struct mix m;
	__u32 i;

	(void)arg;
	CHILD_CHECK(!mix_make(&m));
	for (i = 0; i < NR_SPANS; i += 8)
		CHILD_CHECK(range_reclaim(&m.h, m.ref[i].page, SPAN_PAGES) ==
			    SPAN_FRAMES);
	CHILD_CHECK(heap_reclaim(&m.h, ~0ULL) > 0);
	for (i = 4; i < NR_SPANS; i += 8)
		CHILD_CHECK(!span_free(&m.h, BURROW_FREE_RECLAIM, m.ref[i]));
	CHILD_CHECK(!arena_unmap(&m.h, 0));
	return CHILD_OK;
}

/* Somebody who shares nothing with the heap made after it, not even by fork. */
struct other {
	int (*gives)(void *arg);
	int go[2];
	pid_t pid;
};

static int child_waits_and_gives(void *arg)
{
	struct other *o = arg;
	char byte;

	CHILD_CHECK(read(o->go[0], &byte, 1) == 1);
	return o->gives(NULL);
}

static int other_start(struct other *o)
{
	if (pipe(o->go))
		return -errno;
	o->pid = child_start(child_waits_and_gives, o);
	return o->pid < 0 ? -errno : 0;
}

TEST(what_one_process_gives_back_is_never_anothers)
{
	struct other other[] = {
		{ .gives = child_gives_all }, { .gives = child_under_a_limit },
	};
	struct burrow_heap_stats was, is;
	static struct mix m;
	size_t i;

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	for (i = 0; i < NR(other); i++)
		ASSERT_EQ(0, other_start(&other[i]));
	ASSERT_EQ(0, mix_make(&m));
	ASSERT_EQ(0, heap_stats(m.h.fd, &was));
	for (i = 0; i < NR(other); i++) {
		EXPECT_EQ(1, write(other[i].go[1], "", 1));
		EXPECT_EQ(CHILD_OK, child_wait(other[i].pid));
		/* not even an entry of a page table is gone */
		EXPECT_EQ(NR_SPANS * SPAN_FRAMES,
			  frames_present(m.h.window, BURROW_ARENA_SIZE));
		ASSERT_EQ(0, heap_stats(m.h.fd, &is));
		EXPECT_EQ(was.out_pages_lazy, is.out_pages_lazy);
		EXPECT_EQ(was.out_frames, is.out_frames);
		EXPECT_EQ(0, is.out_nr_reclaimed);
		EXPECT_TRUE(kept_are_intact(&m));
	}
	cgroup_end(_metadata, CGROUP, 0);
}

TEST_HARNESS_MAIN
