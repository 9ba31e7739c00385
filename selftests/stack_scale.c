// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * stack_scale: a million stacks of 64 KiB, one page touched in each of a
 * hundred thousand.
 *
 * A stack and its guard cost no VMA: there is one per arena, 977 of them. What
 * is touched costs its frame, and the page table of the 2 MiB around it twice
 * (the kernel's and ours); an arena costs 100 KiB. So the whole takes
 *
 *	977 * 100 KiB + 100,000 * 4 KiB + 3,125 * 2 * 4 KiB = 520 MiB
 *
 * which a guest of 2 GiB has to spare, a debug kernel's too. BURROW_SCALE=N in
 * the environment makes it N times smaller, for a machine with less memory or
 * time; the rig's kernels that are slow (burrow.slow=) take a tenth.
 */
#include "child.h"
#include "proc.h"
#include "segv.h"

#define STACKS		1000000U
#define TOUCHED		100000U
#define PAGES		8U
#define BYTES		(PAGES * BURROW_PAGE_SIZE)
#define ROOM		(BYTES - GUARD_BYTES)
#define PER_ARENA	(BURROW_ARENA_PAGES / PAGES)
#define BATCH		4096U
#define KIB		1024ULL
#define ARENA_COST	(100 * KIB)
#define STACK_COST	(4 * KIB + 2 * 4 * KIB / 32)

struct crowd {
	struct heap h;
	struct burrow_span_ref *ref;
	__u32 nr;
	__u32 nr_touched;
	__u32 nr_arenas;
};

static __u32 scale(void)
{
	const char *wish = getenv("BURROW_SCALE");
	char text[1024];

	if (wish && atoi(wish) > 0)
		return atoi(wish);
	if (!file_read("/proc/cmdline", text, sizeof(text)) &&
	    strstr(text, "burrow.slow="))
		return 10;
	return 1;
}

/* A number of KiB in a file of /proc, in bytes; 0 if it is not there. */
static unsigned long long proc_bytes(const char *path, const char *name)
{
	char text[4096], *at;

	if (file_read(path, text, sizeof(text)))
		return 0;
	at = strstr(text, name);
	return at ? strtoull(at + strlen(name), NULL, 10) * KIB : 0;
}

static unsigned long long rss(void)
{
	return proc_bytes("/proc/self/smaps_rollup", "Rss:");
}

static long vmas_count(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	long n = 0;
	int c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

/* Data only: nobody here reads K-words or writes U-words. */
static int crowd_make(struct crowd *c)
{
	int r = heap_make(&c->h, c->nr_arenas);
	__u32 i, n;

	for (i = 0; i < c->nr_arenas && !r; i++) {
		struct burrow_arena_add arg = {
			.size = sizeof(arg),
			.kind = BURROW_ARENA_STACK,
			.index = i,
		};

		r = call(c->h.fd, BURROW_IOC_ARENA_ADD, &arg);
		if (!r)
			r = part_map(&c->h, BURROW_MMAP_DATA, i);
	}
	for (i = 0; i < c->nr && !r; i += n) {
		n = c->nr - i < BATCH ? c->nr - i : BATCH;
		r = stacks_alloc(&c->h, PAGES, BURROW_ALLOC_LAZY, c->ref + i,
				 n);
	}
	return r;
}

static int crowd_free(struct crowd *c)
{
	struct burrow_span_free done;
	__u32 i, n;
	int r = 0;

	for (i = 0; i < c->nr && !r; i += n) {
		n = c->nr - i < BATCH ? c->nr - i : BATCH;
		r = spans_free(&c->h, BURROW_FREE_RECLAIM, c->ref + i, n,
			       &done);
		if (!r && done.out_nr != n)
			r = -(int)done.out_errno;
	}
	return r;
}

/* The first words of a stack that somebody runs on. */
static __u32 *crowd_word(const struct crowd *c, __u32 i)
{
	return (__u32 *)(stack_top(&c->h, c->ref[i], PAGES) - 64);
}

/* Each of the first ones is another; how many are not what was written. */
static __u32 crowd_touch(const struct crowd *c)
{
	__u32 i, bad = 0;

	for (i = 0; i < c->nr_touched; i++)
		*crowd_word(c, i) = i + 1;
	for (i = 0; i < c->nr_touched; i++)
		bad += *crowd_word(c, i) != i + 1;
	return bad;
}

FIXTURE(crowd) {
	struct crowd c;
	struct burrow_heap_stats stats;
	__u64 user_before;
	long vmas;
};

FIXTURE_SETUP(crowd)
{
	struct crowd *c = &self->c;
	unsigned long long total;
	__u32 by = scale();

	c->nr = STACKS / by;
	c->nr_touched = TOUCHED / by;
	c->nr_arenas = (c->nr + PER_ARENA - 1) / PER_ARENA;
	total = c->nr_arenas * ARENA_COST + c->nr_touched * STACK_COST;
	if (proc_bytes("/proc/meminfo", "MemTotal:") < total * 3 / 2)
		SKIP(return, "wants %llu MiB of memory; BURROW_SCALE=10 less",
		     total * 3 / 2 >> 20);
	self->user_before = user_frames();
	c->ref = calloc(c->nr, sizeof(*c->ref));
	ASSERT_NE(NULL, c->ref);
	/* touched here, so that it does not count later */
	memset(c->ref, 0xee, c->nr * sizeof(*c->ref));
	ASSERT_EQ(0, segv_init());
	self->vmas = vmas_count();
	ASSERT_EQ(0, crowd_make(c));
}

FIXTURE_TEARDOWN(crowd)
{
	if (!self->c.ref)
		return;
	EXPECT_EQ(0, munmap(self->c.h.window,
			    self->c.nr_arenas * BURROW_ARENA_SIZE));
	close(self->c.h.fd);
	EXPECT_EQ(self->user_before, user_frames());
}

/* The places that were reserved are three more. */
TEST_F(crowd, a_million_stacks_take_a_VMA_per_arena_and_the_frames_touched)
{
	const __u64 bytes = self->c.nr_touched * FRAME_SIZE, slack = 1 << 20;
	struct crowd *c = &self->c;
	unsigned long long before;

	EXPECT_GE(self->vmas + c->nr_arenas + 3, vmas_count());
	before = rss();
	EXPECT_EQ(0, crowd_touch(c));
	EXPECT_LE(before + bytes, rss());
	EXPECT_GE(before + bytes + slack, rss());
	EXPECT_GE(self->vmas + c->nr_arenas + 3, vmas_count());
	ASSERT_EQ(0, heap_stats(c->h.fd, &self->stats));
	EXPECT_EQ(c->nr, self->stats.out_spans);
	EXPECT_EQ(c->nr_touched, self->stats.out_frames);

	ASSERT_EQ(0, crowd_free(c));
	ASSERT_EQ(0, heap_stats(c->h.fd, &self->stats));
	EXPECT_EQ(0, self->stats.out_spans);
	EXPECT_EQ(0, self->stats.out_frames);
	EXPECT_EQ(0, self->stats.out_pages_lazy);
	EXPECT_GE(before + slack, rss());
}

TEST_F(crowd, each_of_a_million_stacks_ends_at_its_own_guard)
{
	const struct crowd *c = &self->c;
	const __u32 some[] = {
		0, 1, PER_ARENA - 1, PER_ARENA, c->nr / 2, c->nr - 1,
	};
	volatile unsigned long sum = 0;
	struct on_stack s = { .fn = overflow, .arg = (void *)&sum };
	size_t i;

	for (i = 0; i < NR(some); i++) {
		char *guard = stack_guard(&c->h, c->ref[some[i]]);

		EXPECT_EQ(SIGSEGV, on_stack_run(&s, guard + GUARD_BYTES, ROOM));
		EXPECT_TRUE(s.addr >= guard && s.addr < guard + GUARD_BYTES)
			TH_LOG("stack %u", some[i]);
		EXPECT_EQ(ROOM / FRAME_SIZE, frames_present(guard, BYTES));
	}
	ASSERT_EQ(0, heap_stats(c->h.fd, &self->stats));
	EXPECT_EQ(NR(some) * ROOM / FRAME_SIZE, self->stats.out_frames);
}

TEST_HARNESS_MAIN
