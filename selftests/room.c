// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * room: at the limit of a memory cgroup, where a touch would be killed, calls say
 * ENOMEM first: of U-words, of page tables, of memory that is not the module's.
 * limit.c has the limits of frames.
 */
#include <sched.h>

#include "cgroup.h"
#include "child.h"
#include "uword.h"

#define CGROUP		"burrow_room"
#define CGROUP_MAX	(256L << 20)

/*
 * At the limit of a cgroup: whose turn it is when the last frame goes depends on
 * where the limit is, so it is put to so many places.
 */
#define PLACES		12U
#define LEFT		(512L << 10)
#define MOST		2048U

struct limit {
	long bytes;
	__u32 align;
	__u32 npages;
	__u32 flags;
};

static int take(const struct heap *h, const struct limit *l,
		struct burrow_span_ref *ref)
{
	struct burrow_span_alloc arg = {
		.flags = l->flags, .spans = U64(ref), .nr = 1,
		.npages = l->npages, .align = l->align,
		.kind = BURROW_KIND_NOSCAN,
	};

	return spans_alloc(h, &arg);
}

static void words_write(const struct heap *h, __u32 page)
{
	*owner_word(h, page) = 1;
	*map_words(h, BURROW_U_ALLOC, page) = 1;
	*map_words(h, BURROW_U_MARK, page) = 1;
}

static int child_at_the_limit(void *arg)
{
	static struct burrow_span_ref ref[MOST];
	const struct limit *l = arg;
	struct heap h;
	__u32 nr, i;
	int r = 0;

	memset(ref, 1, sizeof(ref));
	CHILD_CHECK(!cgroup_enter(CGROUP));
	CHILD_CHECK(!heap_ready(&h, TEST_ARENAS));
	CHILD_CHECK(!cgroup_limit(CGROUP, cgroup_used(CGROUP) + l->bytes));
	for (nr = 0; nr < MOST && !r; nr += !r)
		r = take(&h, l, &ref[nr]);
	/* from here on nothing is to be touched for the first time */
	CHILD_CHECK(r == -ENOMEM && nr > 10);
	for (i = 0; i < nr && l->flags & BURROW_ALLOC_UWORDS; i++)
		words_write(&h, ref[i].page);
	/* what is freed can be had again, with all that belongs to it */
	CHILD_CHECK(!span_free(&h, 0, ref[3]));
	CHILD_CHECK(!take(&h, l, &ref[3]));
	return CHILD_OK;
}

/* Memory that is none of the module's: a frame, and now and then a page table. */
static int child_asks_before_it_touches(void *arg)
{
	const struct limit *l = arg;
	struct heap h;
	size_t at = 0, bytes = 64L << 20;
	int r = 0;
	char *p;

	CHILD_CHECK(!cgroup_enter(CGROUP));
	CHILD_CHECK(!heap_ready(&h, 1));
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHILD_CHECK(p != MAP_FAILED);
	madvise(p, bytes, MADV_NOHUGEPAGE);
	CHILD_CHECK(!cgroup_limit(CGROUP, cgroup_used(CGROUP) + l->bytes));
	for (at = 0; at < bytes; at += FRAME_SIZE) {
		r = room(&h, 2 * FRAME_SIZE);
		if (r)
			break;
		p[at] = 1;
	}
	CHILD_CHECK(r == -ENOMEM && at > LEFT / 4);
	/* what goes back is room again */
	CHILD_CHECK(!madvise(p, LEFT / 8, MADV_DONTNEED));
	CHILD_CHECK(!room(&h, 2 * FRAME_SIZE));
	p[0] = 1;
	return CHILD_OK;
}

/* As long as a vector may be: the kernel has to put it somewhere. */
static struct burrow_span_ref many[4096];
static struct burrow_range ranges[NR(many)];
static __u64 swept[NR(many) / 64];

static int child_gives_back(void *arg)
{
	struct burrow_span_sweep sweep = {
		.size = sizeof(sweep), .spans = U64(many), .nr = NR(many),
		.freed = U64(swept),
	};
	struct burrow_span_alloc alloc = {
		.flags = BURROW_ALLOC_LAZY, .spans = U64(many),
		.nr = NR(many), .npages = 1, .kind = BURROW_KIND_NOSCAN,
	};
	struct limit l = { .npages = 1, .align = BURROW_HUGE_PAGES };
	struct burrow_span_reclaim reclaim;
	struct burrow_span_free done;
	struct burrow_span_ref ref;
	const struct limit *at = arg;
	struct heap h;
	__u32 i;

	memset(swept, 1, sizeof(swept));
	CHILD_CHECK(!cgroup_enter(CGROUP));
	CHILD_CHECK(!heap_ready(&h, TEST_ARENAS));
	CHILD_CHECK(!spans_alloc(&h, &alloc) && alloc.out_nr == NR(many));
	for (i = 0; i < NR(many); i++)
		ranges[i] = (struct burrow_range){ many[i].page, 1 };
	CHILD_CHECK(!cgroup_limit(CGROUP, cgroup_used(CGROUP) + at->bytes));
	while (!take(&h, &l, &ref))
		;
	CHILD_CHECK(!ranges_reclaim(&h, ranges, NR(many), &reclaim));
	CHILD_CHECK(reclaim.out_nr == NR(many));
	/* marks that nobody has touched keep them all */
	CHILD_CHECK(!call(h.fd, BURROW_IOC_SPAN_SWEEP, &sweep));
	CHILD_CHECK(sweep.out_nr == NR(many) && !sweep.out_nr_freed);
	CHILD_CHECK(!spans_free(&h, 0, many, NR(many), &done));
	CHILD_CHECK(done.out_nr == NR(many));
	return CHILD_OK;
}

/* Returns how many of the places were good. */
static unsigned int limit_everywhere(int (*fn)(void *), struct limit l)
{
	unsigned int i, good = 0;
	cpu_set_t one;

	/* room is for the CPU that asked */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return 0;
	for (i = 0; i < PLACES; i++) {
		if (cgroup_make(CGROUP, CGROUP_MAX))
			break;
		l.bytes = LEFT + i * FRAME_SIZE;
		good += child_run(fn, &l) == CHILD_OK;
	}
	return good;
}

TEST(at_the_limit_of_a_cgroup_words_are_ENOMEM_and_nobody_is_killed)
{
	/* each has frames of alloc and of mark bits for itself */
	struct limit l = {
		.npages = MAP_FRAME_PAGES,
		.flags = BURROW_ALLOC_LAZY | BURROW_ALLOC_UWORDS,
	};

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	EXPECT_EQ(PLACES, limit_everywhere(child_at_the_limit, l));
	cgroup_end(_metadata, CGROUP, 0);
}

TEST(at_the_limit_of_a_cgroup_page_tables_do_not_have_anybody_killed)
{
	/* each needs a page table of its own */
	struct limit l = { .npages = 1, .align = BURROW_HUGE_PAGES };

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	EXPECT_EQ(PLACES, limit_everywhere(child_at_the_limit, l));
	cgroup_end(_metadata, CGROUP, 0);
}

TEST(who_asks_for_room_before_a_touch_is_not_killed)
{
	struct limit l = { 0 };

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	EXPECT_EQ(PLACES, limit_everywhere(child_asks_before_it_touches, l));
	cgroup_end(_metadata, CGROUP, 0);
}

TEST(at_the_limit_of_a_cgroup_memory_is_given_back_without_asking_for_some)
{
	struct limit l = { 0 };

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	EXPECT_EQ(PLACES, limit_everywhere(child_gives_back, l));
	cgroup_end(_metadata, CGROUP, 0);
}

TEST(room_is_asked_for_in_bytes_and_not_too_many)
{
	struct heap h;

	ASSERT_EQ(0, heap_ready(&h, 1));
	EXPECT_EQ(-EINVAL, room(&h, 0));
	EXPECT_EQ(0, room(&h, 1));
	EXPECT_EQ(0, room(&h, BURROW_MAX_ROOM));
	EXPECT_EQ(-EINVAL, room(&h, BURROW_MAX_ROOM + 1));
	EXPECT_EQ(-EINVAL, room(&h, ~0ULL));
}

TEST_HARNESS_MAIN
