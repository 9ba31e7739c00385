// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * abi: the shape of the calls. Every ioctl is a row of call.h; a test spoils
 * one thing in each row and looks at the errno that burrow.h promises.
 *
 * What the arguments mean is tested by the other nouns (span.c, park.c, ...);
 * which values are in range by range.c.
 */
#include "call.h"
#include "child.h"

/* A page that can be read and written, with nothing mapped behind it. */
static char *page_at_an_edge(void)
{
	char *p = mmap(NULL, 2 * FRAME_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || munmap(p + FRAME_SIZE, FRAME_SIZE))
		return NULL;
	return p;
}

/* What a call that failed must not have changed. */
static bool same_counts(const struct burrow_heap_stats *a,
			const struct burrow_heap_stats *b)
{
	return a->out_arenas == b->out_arenas &&
	       a->out_arenas_mapped == b->out_arenas_mapped &&
	       a->out_spans == b->out_spans &&
	       a->out_pages_live == b->out_pages_live &&
	       a->out_pages_free == b->out_pages_free &&
	       a->out_threads == b->out_threads;
}

TEST(every_call_takes_the_size_it_was_born_with)
{
	union call_arg arg;
	struct bed bed;
	size_t i;

	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		call_fill(&call_all[i], &bed, &arg);
		EXPECT_ROW(0, call_row(&call_all[i], &bed, &arg),
			   call_all[i].name);
		bed_drop(&bed);
	}
}

TEST(a_struct_shorter_than_its_first_version_is_EINVAL)
{
	union call_arg arg;
	struct bed bed;
	size_t i;
	__u32 size;

	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		for (size = 0; size < call_all[i].size; size++) {
			call_fill(&call_all[i], &bed, &arg);
			arg.size = size;
			EXPECT_ROW(-EINVAL, call_row(&call_all[i], &bed, &arg),
				   call_all[i].name);
		}
		bed_drop(&bed);
	}
}

TEST(an_unknown_tail_of_zeros_is_taken)
{
	static const __u32 more[] = { 1, 7, 8, 100 };
	union call_arg arg;
	struct bed bed;
	size_t i, k;

	for (i = 0; i < NR(call_all); i++) {
		for (k = 0; k < NR(more); k++) {
			ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
			call_fill(&call_all[i], &bed, &arg);
			arg.size += more[k];
			EXPECT_ROW(0, call_row(&call_all[i], &bed, &arg),
				   call_all[i].name);
			bed_drop(&bed);
		}
	}
}

TEST(an_unknown_tail_that_says_something_is_E2BIG)
{
	static const __u32 more[] = { 1, 8, 100 };
	union call_arg arg;
	struct bed bed;
	size_t i, k;

	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		for (k = 0; k < NR(more); k++) {
			call_fill(&call_all[i], &bed, &arg);
			arg.size += more[k];
			arg.raw[arg.size - 1] = 1;
			EXPECT_ROW(-E2BIG, call_row(&call_all[i], &bed, &arg),
				   call_all[i].name);
		}
		bed_drop(&bed);
	}
}

/* Whether the kernel reads such a tail or refuses its size is its choice. */
TEST(a_size_beyond_the_mapping_is_E2BIG_or_EFAULT)
{
	static const __u32 sizes[] = { 8192, 0x7fffffff, 0x80000000, ~0U };
	union call_arg *arg = (void *)page_at_an_edge();
	struct bed bed;
	size_t i, k;

	ASSERT_NE(NULL, arg);
	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		for (k = 0; k < NR(sizes); k++) {
			int r;

			call_fill(&call_all[i], &bed, arg);
			arg->size = sizes[k];
			r = call_row(&call_all[i], &bed, arg);
			EXPECT_TRUE(r == -E2BIG || r == -EFAULT)
				TH_LOG("%s: size %u: %d", call_all[i].name,
				       sizes[k], r);
		}
		bed_drop(&bed);
	}
}

TEST(every_unknown_flag_is_EOPNOTSUPP)
{
	union call_arg arg;
	struct bed bed;
	size_t i;
	int bit;

	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		for (bit = 0; bit < 32; bit++) {
			if (call_all[i].flags & 1U << bit)
				continue;
			call_fill(&call_all[i], &bed, &arg);
			arg.head.flags = 1U << bit;
			EXPECT_ROW(-EOPNOTSUPP,
				   call_row(&call_all[i], &bed, &arg),
				   call_all[i].name);
		}
		bed_drop(&bed);
	}
}

static bool is_known(unsigned int cmd)
{
	size_t i;

	for (i = 0; i < NR(call_all); i++)
		if (call_all[i].cmd == cmd)
			return true;
	return false;
}

TEST(an_unknown_ioctl_is_ENOTTY_set_up_or_not)
{
	union call_arg arg = { .size = sizeof(arg) };
	struct bed bed;
	unsigned int nr;
	int fd = device_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bed_make(&bed, &call_all[0]));
	for (nr = 0; nr < 256; nr++) {
		unsigned int cmd = _IO(BURROW_IOC_MAGIC, nr);

		EXPECT_EQ(-ENOTTY, call(fd, _IO(BURROW_IOC_MAGIC + 1, nr),
					&arg));
		EXPECT_EQ(-ENOTTY, call(fd, _IOWR(BURROW_IOC_MAGIC, nr,
						  union call_arg), &arg));
		if (is_known(cmd))
			continue;
		EXPECT_EQ(-ENOTTY, call(fd, cmd, &arg));
		EXPECT_EQ(-ENOTTY, call(bed.h.fd, cmd, &arg));
	}
}

TEST(an_argument_that_is_no_memory_is_EFAULT)
{
	void *const bad[] = {
		NULL, (void *)8, (void *)0x8000000000000000,
		(void *)0xffff888000000000, (void *)0xffffffff81000000,
		(void *)~7UL, (void *)~0UL,
		place_reserve(FRAME_SIZE, FRAME_SIZE),
	};
	struct bed bed;
	size_t i, k;

	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		for (k = 0; k < NR(bad); k++)
			EXPECT_ROW(-EFAULT,
				   call_row(&call_all[i], &bed, bad[k]),
				   call_all[i].name);
		bed_drop(&bed);
	}
}

TEST(an_argument_that_ends_too_early_is_EFAULT)
{
	char *edge = page_at_an_edge();
	struct burrow_heap_stats before, after;
	union call_arg arg;
	struct bed bed;
	size_t i, have;

	ASSERT_NE(NULL, edge);
	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		heap_stats(bed.h.fd, &before);
		for (have = 1; have < call_all[i].size; have++) {
			char *at = edge + FRAME_SIZE - have;

			call_fill(&call_all[i], &bed, &arg);
			memcpy(at, &arg, have);
			EXPECT_ROW(-EFAULT, call_row(&call_all[i], &bed, at),
				   call_all[i].name);
		}
		heap_stats(bed.h.fd, &after);
		EXPECT_TRUE(same_counts(&before, &after));
		bed_drop(&bed);
	}
}

TEST(an_argument_that_cannot_be_written_is_EFAULT_and_makes_nothing)
{
	union call_arg *arg = (void *)page_at_an_edge();
	struct burrow_heap_stats before, after;
	struct bed bed;
	size_t i;

	ASSERT_NE(NULL, arg);
	for (i = 0; i < NR(call_all); i++) {
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		call_fill(&call_all[i], &bed, arg);
		ASSERT_EQ(0, mprotect(arg, FRAME_SIZE, PROT_READ));
		heap_stats(bed.h.fd, &before);
		EXPECT_ROW(call_all[i].answers ? -EFAULT : 0,
			   call_row(&call_all[i], &bed, arg),
			   call_all[i].name);
		heap_stats(bed.h.fd, &after);
		if (call_all[i].answers && call_all[i].makes)
			EXPECT_TRUE(same_counts(&before, &after))
				TH_LOG("row: %s", call_all[i].name);
		ASSERT_EQ(0, mprotect(arg, FRAME_SIZE,
				      PROT_READ | PROT_WRITE));
		bed_drop(&bed);
	}
}

TEST(a_misaligned_argument_works)
{
	char buf[sizeof(union call_arg) + 8];
	union call_arg arg;
	struct bed bed;
	size_t i;
	int off;

	for (i = 0; i < NR(call_all); i++) {
		for (off = 1; off < 8; off += 2) {
			ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
			call_fill(&call_all[i], &bed, &arg);
			memcpy(buf + off, &arg, sizeof(arg));
			EXPECT_ROW(0, call_row(&call_all[i], &bed, buf + off),
				   call_all[i].name);
			bed_drop(&bed);
		}
	}
}

TEST(before_the_heap_is_set_up_only_QUERY_and_HEAP_SETUP_answer)
{
	union call_arg arg;
	struct bed bed;
	size_t i;

	for (i = 0; i < NR(call_all); i++) {
		int fd = device_open();
		bool answers = call_all[i].cmd == BURROW_IOC_QUERY ||
			       call_all[i].cmd == BURROW_IOC_HEAP_SETUP;

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, bed_make(&bed, &call_all[i]));
		call_fill(&call_all[i], &bed, &arg);
		EXPECT_ROW(answers ? 0 : -ENXIO,
			   call(fd, call_all[i].cmd, &arg), call_all[i].name);
		close(fd);
		bed_drop(&bed);
	}
}

/* It has the file; the heap was set up by its parent alone. */
static int child_calls_all(void *arg)
{
	struct bed bed;
	union call_arg a;
	size_t i;

	for (i = 0; i < NR(call_all); i++) {
		int want = call_all[i].cmd == BURROW_IOC_QUERY ? 0 : -EXDEV;

		/* of its own, to have arguments that are good */
		CHILD_CHECK(!bed_make(&bed, &call_all[i]));
		call_fill(&call_all[i], &bed, &a);
		CHILD_CHECK(call(*(int *)arg, call_all[i].cmd, &a) == want);
		bed_drop(&bed);
	}
	return CHILD_OK;
}

struct late {
	int fd;
	int end[2];
};

static int child_waits(void *arg)
{
	struct late *late = arg;
	char byte;

	close(late->end[1]);
	/* ends when the parent closes its end */
	CHILD_CHECK(read(late->end[0], &byte, 1) == 0);
	return child_calls_all(&late->fd);
}

TEST(from_another_address_space_only_QUERY_answers)
{
	struct late late;
	struct heap h;
	pid_t pid;

	ASSERT_EQ(0, places_reserve(&h, 1));
	h.fd = device_open();
	ASSERT_LE(0, h.fd);
	late.fd = h.fd;
	ASSERT_EQ(0, pipe2(late.end, O_CLOEXEC));
	pid = child_start(child_waits, &late);
	ASSERT_LT(0, pid);
	close(late.end[0]);
	ASSERT_EQ(0, heap_set_up(&h));
	close(late.end[1]);
	EXPECT_EQ(CHILD_OK, child_wait(pid));
}

TEST(a_heap_is_set_up_once)
{
	struct heap h;

	ASSERT_EQ(0, heap_make(&h, TEST_ARENAS));
	EXPECT_EQ(-EEXIST, heap_set_up(&h));
	EXPECT_EQ(0, arena_add(&h, 0));
}

TEST(a_heap_that_was_refused_can_still_be_set_up)
{
	struct heap h, bad;

	ASSERT_EQ(0, places_reserve(&h, TEST_ARENAS));
	h.fd = device_open();
	ASSERT_LE(0, h.fd);
	bad = h;
	bad.window += FRAME_SIZE;
	EXPECT_EQ(-EINVAL, heap_set_up(&bad));
	EXPECT_EQ(0, heap_set_up(&h));
}

TEST(query_tells_the_numbers_of_layout_h)
{
	const __u64 feats = BURROW_FEAT_POPULATE | BURROW_FEAT_RECLAIM |
			    BURROW_FEAT_PARK | BURROW_FEAT_FORK |
			    BURROW_FEAT_SHRINK | BURROW_FEAT_SWEEP |
			    BURROW_FEAT_STACK | BURROW_FEAT_EVENTS |
			    BURROW_FEAT_RESIZE | BURROW_FEAT_MOVE |
			    BURROW_FEAT_UWORDS | BURROW_FEAT_ROOM;
	struct burrow_query q;
	int fd = device_open();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, device_query(fd, &q));
	EXPECT_EQ(BURROW_PAGE_SHIFT, q.out_page_shift);
	EXPECT_EQ(BURROW_ARENA_SHIFT, q.out_arena_shift);
	EXPECT_EQ(BURROW_MAX_ARENAS, q.out_max_arenas);
	EXPECT_LT(1, q.out_max_batch);
	EXPECT_LT(1, q.out_max_threads);
	/* each kernel has these; others may depend on it */
	EXPECT_EQ(feats, q.out_features & feats);
	EXPECT_EQ(0, q.out_pad);
}

TEST(the_file_cannot_be_read_or_written)
{
	char byte = 0;
	int fd = device_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
