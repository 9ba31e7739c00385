// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * huge: arenas whose memory comes and goes 2 MiB at a time.
 *
 * Where the kernel has no such entries (BURROW_FEAT_HUGE says so) the same tests
 * find the same contents in 4 KiB frames.
 */
#include <sys/prctl.h>
#include <sys/uio.h>

#include "fork.h"

#define UNIT_BYTES	(BURROW_HUGE_PAGES * BURROW_PAGE_SIZE)
#define UNIT_FRAMES	(BURROW_HUGE_PAGES * FRAMES_PER_PAGE)
#define UNITS		3U
#define HUGE_ARENA	1U

FIXTURE(huge) {
	struct heap h;
	struct burrow_span_ref ref[UNITS];
	struct turns t;
	bool has_blocks;
};

static int huge_arena_add(const struct heap *h, __u32 index)
{
	struct burrow_arena_add arg = {
		.size = sizeof(arg),
		.kind = BURROW_ARENA_HUGE,
		.index = index,
	};
	int r = call(h->fd, BURROW_IOC_ARENA_ADD, &arg);

	return r ? r : arena_map(h, index);
}

static int huge_alloc(const struct heap *h, __u32 npages, __u32 flags,
		      struct burrow_span_ref *ref, __u32 nr)
{
	struct burrow_span_alloc arg = {
		.flags = BURROW_ALLOC_HUGE | flags,
		.spans = U64(ref),
		.nr = nr,
		.npages = npages,
		.kind = BURROW_KIND_NOSCAN,
	};
	int r = spans_alloc(h, &arg);

	return r ? r : arg.out_nr == nr ? 0 : -(int)arg.out_errno;
}

/* An ordinary arena, and a huge one with UNITS spans of a unit each. */
FIXTURE_SETUP(huge)
{
	struct burrow_query q;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 1));
	ASSERT_EQ(0, huge_arena_add(&self->h, HUGE_ARENA));
	ASSERT_EQ(0, device_query(self->h.fd, &q));
	ASSERT_EQ(0, turns_make(&self->t));
	self->has_blocks = q.out_features & BURROW_FEAT_HUGE;
	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, self->ref,
				UNITS));
}

FIXTURE_TEARDOWN(huge)
{
}

static char *unit_addr(const struct heap *h, struct burrow_span_ref ref)
{
	return page_addr(h, ref.page);
}

static void units_fill(const struct heap *h, const struct burrow_span_ref *ref,
		       char base)
{
	__u32 i;

	for (i = 0; i < UNITS; i++)
		memset(unit_addr(h, ref[i]), base + i, UNIT_BYTES);
}

static bool units_are(const struct heap *h, const struct burrow_span_ref *ref,
		      char base)
{
	__u32 i;

	for (i = 0; i < UNITS; i++)
		if (!bytes_are(unit_addr(h, ref[i]), base + i, UNIT_BYTES))
			return false;
	return true;
}

static __u64 units_of(const struct heap *h)
{
	struct burrow_heap_stats s;

	return heap_stats(h->fd, &s) ? ~0ULL : s.out_units;
}

static __u64 frames_of(const struct heap *h)
{
	struct burrow_heap_stats s;

	return heap_stats(h->fd, &s) ? ~0ULL : s.out_frames;
}

TEST_F(huge, spans_are_whole_zeroed_units_that_are_there)
{
	__u32 i;

	for (i = 0; i < UNITS; i++) {
		char *p = unit_addr(&self->h, self->ref[i]);

		EXPECT_EQ(0, self->ref[i].page % BURROW_HUGE_PAGES);
		EXPECT_EQ(HUGE_ARENA,
			  self->ref[i].page >> BURROW_ARENA_PAGE_SHIFT);
		EXPECT_EQ((long)UNIT_FRAMES, frames_present(p, UNIT_BYTES));
		EXPECT_TRUE(bytes_are(p, 0, UNIT_BYTES));
		EXPECT_NE(0, kword(&self->h, self->ref[i].page) &
			  BURROW_W_HUGE);
	}
	EXPECT_EQ(UNITS * UNIT_FRAMES, frames_of(&self->h));
	EXPECT_EQ(self->has_blocks ? UNITS : 0, units_of(&self->h));
}

TEST_F(huge, populated_units_are_written_without_a_fault)
{
	static char own[UNIT_BYTES];
	long before;

	/* the program's own pages first */
	memset(own, 'a', sizeof(own));
	minor_faults();
	before = minor_faults();
	units_fill(&self->h, self->ref, 'a');
	EXPECT_EQ(before, minor_faults());
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
}

TEST_F(huge, span_alloc_says_what_is_wrong)
{
	struct burrow_span_alloc arg = {
		.flags = BURROW_ALLOC_HUGE,
		.spans = U64(self->ref),
		.nr = 1,
		.npages = 2 * BURROW_HUGE_PAGES,
		.kind = BURROW_KIND_STACK,
	};

	EXPECT_EQ(-EINVAL, spans_alloc(&self->h, &arg));
	arg.kind = BURROW_KIND_NOSCAN;
	arg.npages++;
	EXPECT_EQ(-EINVAL, spans_alloc(&self->h, &arg));
	arg.npages = BURROW_ARENA_PAGES;
	EXPECT_EQ(-ENOSPC, spans_alloc(&self->h, &arg));
}

TEST_F(huge, spans_of_other_kinds_stay_out)
{
	struct burrow_span_ref ref[2];

	/* all of arena 0, then there is no room, though arena 1 is empty */
	ASSERT_EQ(0, span_alloc(&self->h, BURROW_ARENA_PAGES,
				BURROW_ALLOC_LAZY, &ref[0]));
	EXPECT_EQ(-ENOSPC, span_alloc(&self->h, 1, 0, &ref[1]));
	EXPECT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, &ref[1], 1));
	EXPECT_EQ(HUGE_ARENA, ref[1].page >> BURROW_ARENA_PAGE_SHIFT);
}

TEST_F(huge, a_lazy_unit_comes_with_the_first_touch)
{
	struct burrow_span_ref ref;
	char *p;

	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, BURROW_ALLOC_LAZY,
				&ref, 1));
	p = unit_addr(&self->h, ref);
	EXPECT_EQ(0, frames_present(p, UNIT_BYTES));
	EXPECT_EQ(0, touch_write(p + UNIT_BYTES / 2, 'x'));
	if (self->has_blocks) {
		EXPECT_EQ((long)UNIT_FRAMES, frames_present(p, UNIT_BYTES));
		EXPECT_EQ(UNITS + 1, units_of(&self->h));
	}
	EXPECT_EQ(0, touch_write(p, 'x'));
	EXPECT_EQ(0, p[1]);
}

TEST_F(huge, freed_units_are_lazy_and_tell_needzero)
{
	struct burrow_span_ref ref;

	units_fill(&self->h, self->ref, 'a');
	EXPECT_EQ(0, span_free(&self->h, 0, self->ref[1]));
	EXPECT_EQ(UNITS * UNIT_FRAMES, frames_of(&self->h));
	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, &ref, 1));
	EXPECT_EQ(self->ref[1].page, ref.page);
	EXPECT_TRUE(needs_zero(&self->h, ref));
	EXPECT_EQ(UNITS * UNIT_FRAMES, frames_of(&self->h));
}

TEST_F(huge, a_freed_unit_is_reclaimed_whole)
{
	char *p = unit_addr(&self->h, self->ref[1]);
	struct burrow_span_ref ref;

	units_fill(&self->h, self->ref, 'a');
	ASSERT_EQ(0, span_free(&self->h, 0, self->ref[1]));
	/* no whole unit inside: nothing goes */
	EXPECT_EQ(0, range_reclaim(&self->h, self->ref[1].page + 1,
				   BURROW_HUGE_PAGES - 1));
	EXPECT_EQ(0, range_reclaim(&self->h, self->ref[1].page,
				   BURROW_HUGE_PAGES - 1));
	EXPECT_EQ(0, touch(p));
	EXPECT_EQ((long)UNIT_FRAMES, range_reclaim(&self->h, self->ref[1].page,
						   BURROW_HUGE_PAGES));
	EXPECT_EQ(SIGSEGV, touch(p));
	EXPECT_EQ((UNITS - 1) * UNIT_FRAMES, frames_of(&self->h));
	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, &ref, 1));
	EXPECT_FALSE(needs_zero(&self->h, ref));
	EXPECT_TRUE(bytes_are(p, 0, UNIT_BYTES));
	EXPECT_TRUE(bytes_are(unit_addr(&self->h, self->ref[0]), 'a',
			      UNIT_BYTES));
	EXPECT_TRUE(bytes_are(unit_addr(&self->h, self->ref[2]), 'c',
			      UNIT_BYTES));
}

TEST_F(huge, a_live_unit_is_reclaimed_whole_or_not_at_all)
{
	char *p = unit_addr(&self->h, self->ref[1]);

	units_fill(&self->h, self->ref, 'a');
	EXPECT_EQ(-EINVAL, range_reclaim(&self->h, self->ref[1].page, 1));
	EXPECT_EQ(-EINVAL, range_reclaim(&self->h, self->ref[1].page + 1,
					 BURROW_HUGE_PAGES - 1));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
	EXPECT_EQ((long)UNIT_FRAMES, range_reclaim(&self->h, self->ref[1].page,
						   BURROW_HUGE_PAGES));
	EXPECT_TRUE(bytes_are(p, 0, UNIT_BYTES));
	EXPECT_EQ(0, touch_write(p, 'x'));
}

TEST_F(huge, paced_reclaim_takes_whole_units)
{
	units_fill(&self->h, self->ref, 'a');
	ASSERT_EQ(0, span_free(&self->h, 0, self->ref[0]));
	ASSERT_EQ(0, span_free(&self->h, 0, self->ref[2]));
	EXPECT_EQ((long long)UNIT_BYTES, heap_reclaim(&self->h, FRAME_SIZE));
	EXPECT_EQ((long long)UNIT_BYTES, heap_reclaim(&self->h, ~0ULL));
	EXPECT_EQ(0, heap_reclaim(&self->h, ~0ULL));
	EXPECT_TRUE(bytes_are(unit_addr(&self->h, self->ref[1]), 'b',
			      UNIT_BYTES));
}

TEST_F(huge, a_span_of_many_units_is_one_span)
{
	struct burrow_span_ref ref;
	char *p;

	ASSERT_EQ(0, huge_alloc(&self->h, 4 * BURROW_HUGE_PAGES, 0, &ref, 1));
	p = unit_addr(&self->h, ref);
	memset(p, 'm', 4 * UNIT_BYTES);
	EXPECT_EQ((long)UNIT_FRAMES,
		  range_reclaim(&self->h, ref.page + BURROW_HUGE_PAGES,
				BURROW_HUGE_PAGES));
	EXPECT_TRUE(bytes_are(p, 'm', UNIT_BYTES));
	EXPECT_TRUE(bytes_are(p + UNIT_BYTES, 0, UNIT_BYTES));
	EXPECT_TRUE(bytes_are(p + 2 * UNIT_BYTES, 'm', 2 * UNIT_BYTES));
	EXPECT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, ref));
	EXPECT_EQ(UNITS * UNIT_FRAMES, frames_of(&self->h));
}

TEST_F(huge, without_huge_entries_the_same_memory_is_seen)
{
	struct burrow_span_ref ref;
	char *p;

	units_fill(&self->h, self->ref, 'a');
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	/* what is mapped by a huge entry stays so; this one has none */
	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, &ref, 1));
	p = unit_addr(&self->h, ref);
	EXPECT_TRUE(bytes_are(p, 0, UNIT_BYTES));
	memset(p, 'x', UNIT_BYTES);
	EXPECT_TRUE(bytes_are(p, 'x', UNIT_BYTES));
	EXPECT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, ref));
	EXPECT_EQ(SIGSEGV, touch(p));
	EXPECT_EQ(UNITS * UNIT_FRAMES, frames_of(&self->h));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
}

TEST_F(huge, the_kernel_reads_and_writes_units)
{
	char *p = unit_addr(&self->h, self->ref[0]);
	struct iovec to = { p + UNIT_BYTES / 2, FRAME_SIZE };
	char buf[FRAME_SIZE];
	struct iovec from = { buf, sizeof(buf) };
	int pipe_end[2];

	units_fill(&self->h, self->ref, 'a');
	memset(buf, 'k', sizeof(buf));
	ASSERT_EQ((ssize_t)sizeof(buf),
		  process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	EXPECT_TRUE(bytes_are(to.iov_base, 'k', FRAME_SIZE));
	EXPECT_EQ('a', p[UNIT_BYTES / 2 - 1]);
	ASSERT_EQ(0, pipe(pipe_end));
	ASSERT_EQ((ssize_t)FRAME_SIZE, vmsplice(pipe_end[1], &to, 1, 0));
	/* the pipe keeps it, the heap does not */
	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, self->ref[0]));
	memset(buf, 0, sizeof(buf));
	ASSERT_EQ((ssize_t)sizeof(buf),
		  read(pipe_end[0], buf, sizeof(buf)));
	EXPECT_TRUE(bytes_are(buf, 'k', FRAME_SIZE));
}

TEST_F(huge, units_are_protected_and_opened_again)
{
	char *data = part(&self->h, BURROW_MMAP_DATA, HUGE_ARENA);
	char *p = unit_addr(&self->h, self->ref[1]);

	units_fill(&self->h, self->ref, 'a');
	ASSERT_EQ(0, mprotect(data, BURROW_ARENA_SIZE, PROT_READ));
	EXPECT_EQ(SIGSEGV, touch_write(p, 'x'));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
	ASSERT_EQ(0, mprotect(data, BURROW_ARENA_SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, touch_write(p, 'x'));
	EXPECT_EQ('x', p[0]);
	EXPECT_EQ('b', p[1]);
	ASSERT_EQ(0, madvise(data, BURROW_ARENA_SIZE, MADV_DONTNEED));
	EXPECT_EQ('x', p[0]);
	EXPECT_EQ('c', unit_addr(&self->h, self->ref[2])[1]);
}

TEST_F(huge, a_touch_outside_of_spans_is_SIGSEGV_and_costs_nothing)
{
	char *p = page_addr(&self->h, self->ref[UNITS - 1].page) + UNIT_BYTES;
	__u64 frames = total_frames(&self->h);

	EXPECT_EQ(SIGSEGV, touch(p));
	EXPECT_EQ(SIGSEGV, touch_write(p, 'x'));
	EXPECT_EQ(frames, total_frames(&self->h));
}

struct forked {
	const struct heap *h;
	const struct burrow_span_ref *ref;
	struct turns *t;
};

static int child_writes(void *arg)
{
	struct forked *f = arg;

	turns_keep(f->t, CHILD);
	CHILD_CHECK(units_are(f->h, f->ref, 'a'));
	units_fill(f->h, f->ref, 'p');
	CHILD_CHECK(!turn_give(f->t, CHILD));
	CHILD_CHECK(!turn_take(f->t, CHILD));
	CHILD_CHECK(units_are(f->h, f->ref, 'p'));
	CHILD_CHECK(!span_free(f->h, BURROW_FREE_RECLAIM, f->ref[0]));
	CHILD_CHECK(touch(unit_addr(f->h, f->ref[0])) == SIGSEGV);
	CHILD_CHECK(frames_of(f->h) == (UNITS - 1) * UNIT_FRAMES);
	return CHILD_OK;
}

TEST_F(huge, a_child_has_units_of_its_own)
{
	struct forked f = { &self->h, self->ref, &self->t };
	pid_t pid;

	units_fill(&self->h, self->ref, 'a');
	pid = child_start(child_writes, &f);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
	units_fill(&self->h, self->ref, 'A');
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'A'));
	EXPECT_EQ(UNITS * UNIT_FRAMES, frames_of(&self->h));
}

static int child_reads(void *arg)
{
	struct forked *f = arg;
	__u64 before = total_frames(f->h);

	turns_keep(f->t, CHILD);
	CHILD_CHECK(units_are(f->h, f->ref, 'a'));
	/* reading copies nothing */
	CHILD_CHECK(total_frames(f->h) == before);
	CHILD_CHECK(!turn_give(f->t, CHILD));
	CHILD_CHECK(!turn_take(f->t, CHILD));
	CHILD_CHECK(units_are(f->h, f->ref, 'a'));
	return CHILD_OK;
}

TEST_F(huge, a_parents_write_does_not_show_in_the_child)
{
	struct forked f = { &self->h, self->ref, &self->t };
	pid_t pid;

	units_fill(&self->h, self->ref, 'a');
	pid = child_start(child_reads, &f);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	/* by a huge fault, by a read-only entry, and by the kernel */
	units_fill(&self->h, self->ref, 'A');
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'A'));
}

TEST_F(huge, a_write_after_a_read_copies_too)
{
	struct forked f = { &self->h, self->ref, &self->t };
	pid_t pid;

	units_fill(&self->h, self->ref, 'a');
	pid = child_start(child_reads, &f);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
	units_fill(&self->h, self->ref, 'A');
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'A'));
}

TEST_F(huge, no_frame_is_left_when_parent_and_child_are_gone)
{
	__u64 before = user_frames();
	struct forked f = { &self->h, self->ref, &self->t };
	pid_t pid;

	units_fill(&self->h, self->ref, 'a');
	pid = child_start(child_writes, &f);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_EQ(before, user_frames());
	/* and the parent's go with the arena */
	EXPECT_EQ(0, arena_unmap(&self->h, HUGE_ARENA));
	EXPECT_EQ(0, units_of(&self->h));
	EXPECT_GE(before, user_frames() + UNITS * UNIT_FRAMES);
}

/*
 * Where the kernel has fault injection: no allocation of 2 MiB succeeds for
 * anybody until the fixture goes.
 */
#define FAIL_PAGE_ALLOC	"/sys/kernel/debug/fail_page_alloc/"

static int blocks_fail(bool fail)
{
	static const struct {
		const char *knob, *on, *off;
	} knobs[] = {
		{ FAIL_PAGE_ALLOC "min-order", "9", "1" },
		{ FAIL_PAGE_ALLOC "ignore-gfp-wait", "N", "Y" },
		{ FAIL_PAGE_ALLOC "verbose", "0", "0" },
		{ FAIL_PAGE_ALLOC "times", "-1", "0" },
		{ FAIL_PAGE_ALLOC "probability", "100", "0" },
	};
	size_t i;
	int r = 0;

	/* off the other way round: the next knob must not fail for this one */
	for (i = 0; i < NR(knobs) && !r; i++)
		r = fail ? file_write(knobs[i].knob, knobs[i].on) :
			   file_write(knobs[NR(knobs) - 1 - i].knob,
				      knobs[NR(knobs) - 1 - i].off);
	return r;
}

FIXTURE(blocks) {
	struct heap h;
	struct burrow_span_ref ref[UNITS];
	struct turns t;
	bool failing;
};

/* The first unit has a block, then there are no more. */
FIXTURE_SETUP(blocks)
{
	struct burrow_query q;
	int r;

	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 1));
	ASSERT_EQ(0, huge_arena_add(&self->h, HUGE_ARENA));
	ASSERT_EQ(0, device_query(self->h.fd, &q));
	ASSERT_EQ(0, turns_make(&self->t));
	if (!(q.out_features & BURROW_FEAT_HUGE))
		SKIP(return, "no huge entries on this kernel");
	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, self->ref, 1));
	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, BURROW_ALLOC_LAZY,
				self->ref + 1, UNITS - 1));
	r = blocks_fail(true);
	if (r)
		SKIP(return, "no fault injection: %s", strerror(-r));
	self->failing = true;
}

FIXTURE_TEARDOWN(blocks)
{
	if (self->failing)
		EXPECT_EQ(0, blocks_fail(false));
}

TEST_F(blocks, without_one_span_alloc_is_enomem)
{
	struct burrow_span_ref ref;
	__u64 frames = frames_of(&self->h);

	EXPECT_EQ(-ENOMEM, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, &ref, 1));
	EXPECT_EQ(frames, frames_of(&self->h));
	EXPECT_EQ(1, units_of(&self->h));
}

TEST_F(blocks, without_one_a_touch_brings_a_frame)
{
	char *p = unit_addr(&self->h, self->ref[1]);

	EXPECT_EQ(0, touch_write(p, 'x'));
	EXPECT_EQ(1, frames_present(p, UNIT_BYTES));
	EXPECT_EQ(1, units_of(&self->h));
	units_fill(&self->h, self->ref, 'a');
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
	EXPECT_EQ(UNITS * UNIT_FRAMES, frames_of(&self->h));
	/* frames go together as a block does */
	EXPECT_EQ(-EINVAL, range_reclaim(&self->h, self->ref[1].page, 1));
	EXPECT_EQ(0, span_free(&self->h, 0, self->ref[1]));
	EXPECT_EQ((long)UNIT_FRAMES,
		  range_reclaim(&self->h, self->ref[1].page,
				BURROW_HUGE_PAGES));
	EXPECT_EQ(SIGSEGV, touch(p));
}

TEST_F(blocks, without_one_a_child_gets_its_copy_in_frames)
{
	struct forked f = { &self->h, self->ref, &self->t };
	pid_t pid;

	units_fill(&self->h, self->ref, 'a');
	pid = child_start(child_writes, &f);
	turns_keep(&self->t, PARENT);
	ASSERT_EQ(0, turn_take(&self->t, PARENT));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'a'));
	units_fill(&self->h, self->ref, 'A');
	EXPECT_EQ(0, turn_give(&self->t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_TRUE(units_are(&self->h, self->ref, 'A'));
}

TEST_F(blocks, a_unit_of_frames_gets_a_block_when_it_is_empty_again)
{
	char *p = unit_addr(&self->h, self->ref[1]);
	struct burrow_span_ref ref;

	EXPECT_EQ(0, touch_write(p, 'x'));
	EXPECT_EQ(0, blocks_fail(false));
	EXPECT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, self->ref[1]));
	ASSERT_EQ(0, huge_alloc(&self->h, BURROW_HUGE_PAGES, 0, &ref, 1));
	EXPECT_EQ(self->ref[1].page, ref.page);
	EXPECT_EQ(2, units_of(&self->h));
	EXPECT_EQ((long)UNIT_FRAMES, frames_present(p, UNIT_BYTES));
	EXPECT_TRUE(bytes_are(p, 0, UNIT_BYTES));
}

TEST_HARNESS_MAIN
