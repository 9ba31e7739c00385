// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pressure: free memory that a heap still holds (lazy) goes back when somebody
 * needs it: by call, at a control group's limit, and when the whole machine is
 * short. What is in use is never touched.
 */
#include <sys/stat.h>

#include "child.h"
#include "proc.h"
#include "touch.h"

#define CGROUP		CGROUP_ROOT "/burrow_pressure"
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
	CHILD_CHECK(!file_write(CGROUP "/cgroup.procs", "0"));
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
	char events[512], *kills;
	int i;

	file_write(CGROUP_ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		SKIP(return, "no memory cgroup to be had: %s", strerror(errno));
	ASSERT_EQ(0, file_write(CGROUP "/memory.max", "50331648"));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(CHILD_OK, child_run(child_under_a_limit, NULL));
	ASSERT_EQ(0, file_read(CGROUP "/memory.events", events,
			       sizeof(events)));
	kills = strstr(events, "oom_kill ");
	ASSERT_NE(NULL, kills);
	EXPECT_EQ(0, atoi(kills + strlen("oom_kill ")));
	EXPECT_EQ(before, user_frames());
	EXPECT_EQ(0, rmdir(CGROUP));
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

TEST(when_the_machine_is_short_lazy_memory_goes_first)
{
	long long available = mem_available();

	if (available < (long long)(TEST_ARENAS * BURROW_ARENA_SIZE) ||
	    available > 4096 * (long long)MB)
		SKIP(return, "wants 512 MiB to 4 GiB of memory, has %lld",
		     available >> 20);
	EXPECT_EQ(CHILD_OK, child_run(child_fills_the_machine, &available));
}

TEST_HARNESS_MAIN
