// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * limit: what happens when memory, or somebody's share of it, runs out. Calls
 * say ENOMEM (a touch is SIGBUS), nothing is lost, and what is given back can
 * be had again. Nobody else notices.
 */
#include <grp.h>

#include "cgroup.h"
#include "child.h"
#include "proc.h"
#include "touch.h"

#define CGROUP		"burrow_limit"
#define CGROUP_MAX	(32L << 20)

/* 64 spans of 512 KiB: 32 MiB, more than any limit below leaves. */
#define BATCH		64U
#define BATCH_PAGES	64U
#define BATCH_FRAMES	(BATCH * BATCH_PAGES * FRAMES_PER_PAGE)
#define SPAN_BYTES	(BATCH_PAGES * BURROW_PAGE_SIZE)

static int batch_alloc(const struct heap *h, struct burrow_span_ref *refs,
		       struct burrow_span_alloc *arg)
{
	*arg = (struct burrow_span_alloc) {
		.spans = U64(refs), .nr = BATCH, .npages = BATCH_PAGES,
	};
	return spans_alloc(h, arg);
}

/*
 * Takes memory until there is no more, gives it back and takes some again, as
 * every limit must allow.
 */
static int meet_the_limit(const struct heap *h)
{
	struct burrow_span_ref refs[BATCH], one;
	struct burrow_heap_stats stats;
	struct burrow_span_alloc arg;
	struct burrow_span_free done;
	__u32 i, nr;

	CHILD_CHECK(!batch_alloc(h, refs, &arg));
	nr = arg.out_nr;
	CHILD_CHECK(nr > 0 && nr < BATCH);
	CHILD_CHECK(arg.out_errno == ENOMEM);
	CHILD_CHECK(!heap_stats(h->fd, &stats));
	CHILD_CHECK(stats.out_spans == nr);
	CHILD_CHECK(stats.out_pages_live == nr * BATCH_PAGES);
	/* no room for a first one is the call's own error */
	CHILD_CHECK(span_alloc(h, 4 * BATCH_PAGES, 0, &one) == -ENOMEM);
	for (i = 0; i < nr; i++)
		CHILD_CHECK(bytes_are(page_addr(h, refs[i].page), 0,
				      SPAN_BYTES));
	CHILD_CHECK(!spans_free(h, BURROW_FREE_RECLAIM, refs, nr, &done));
	CHILD_CHECK(done.out_nr == nr);
	/* what the failed calls took off is lazy: it goes back as well */
	CHILD_CHECK(range_reclaim(h, 0, BURROW_ARENA_PAGES) >= 0);
	CHILD_CHECK(!heap_stats(h->fd, &stats));
	CHILD_CHECK(stats.out_spans == 0 && stats.out_frames == 0);
	CHILD_CHECK(!batch_alloc(h, refs, &arg));
	CHILD_CHECK(arg.out_nr + 2 >= nr);
	return CHILD_OK;
}

static int child_in_cgroup(void *arg)
{
	struct heap h;

	(void)arg;
	CHILD_CHECK(!cgroup_enter(CGROUP));
	CHILD_CHECK(!heap_ready(&h, 1));
	return meet_the_limit(&h);
}

TEST(at_the_limit_of_a_memory_cgroup_the_call_is_ENOMEM_and_nobody_is_killed)
{
	__u64 before = user_frames();
	int i;

	if (!cgroup_begin(_metadata, CGROUP, CGROUP_MAX))
		return;
	for (i = 0; i < 3; i++)
		EXPECT_EQ(CHILD_OK, child_run(child_in_cgroup, NULL));
	EXPECT_EQ(before, user_frames());
	cgroup_end(_metadata, CGROUP, 0);
}

FIXTURE(user) {
	unsigned long long frames, opens;
};

FIXTURE_SETUP(user)
{
	ASSERT_EQ(0, param_get("user_limit_pages", &self->frames));
	ASSERT_EQ(0, param_get("user_max_opens", &self->opens));
}

FIXTURE_TEARDOWN(user)
{
	EXPECT_EQ(0, param_set("user_limit_pages", self->frames));
	EXPECT_EQ(0, param_set("user_max_opens", self->opens));
}

#define UID_A		12345
#define UID_B		12346
#define LIMIT_FRAMES	4096U

/* From root to an ordinary user, for good. */
static int user_become(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

static int child_meets_its_limit(void *arg)
{
	struct burrow_heap_stats stats;
	struct heap h;

	CHILD_CHECK(!user_become(*(uid_t *)arg));
	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!heap_stats(h.fd, &stats));
	CHILD_CHECK(stats.out_user_limit == LIMIT_FRAMES);
	CHILD_CHECK(!meet_the_limit(&h));
	CHILD_CHECK(!heap_stats(h.fd, &stats));
	CHILD_CHECK(stats.out_user_frames <= LIMIT_FRAMES);
	return CHILD_OK;
}

TEST_F(user, beyond_the_total_of_a_user_the_call_is_ENOMEM)
{
	uid_t uid = UID_A;
	int i;

	ASSERT_EQ(0, param_set("user_limit_pages", LIMIT_FRAMES));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(CHILD_OK, child_run(child_meets_its_limit, &uid));
}

/* The total is one over all heaps and processes of the user. */
struct hog {
	uid_t uid;
	int ready[2], go[2];
};

static int child_hogs(void *arg)
{
	struct burrow_span_ref refs[BATCH];
	struct burrow_span_alloc alloc;
	struct hog *hog = arg;
	struct heap h;
	char byte;

	close(hog->go[1]);
	CHILD_CHECK(!user_become(hog->uid));
	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!batch_alloc(&h, refs, &alloc));
	CHILD_CHECK(alloc.out_errno == ENOMEM);
	CHILD_CHECK(write(hog->ready[1], "", 1) == 1);
	CHILD_CHECK(read(hog->go[0], &byte, 1) == 0);
	return CHILD_OK;
}

static int child_is_crowded_out(void *arg)
{
	struct burrow_span_ref s;
	struct heap h;
	int r;

	CHILD_CHECK(!user_become(*(uid_t *)arg));
	r = heap_ready(&h, 1);
	if (!r)
		r = span_alloc(&h, BATCH_PAGES, 0, &s);
	CHILD_CHECK(r == -ENOMEM);
	return CHILD_OK;
}

TEST_F(user, the_total_counts_every_heap_of_the_user_and_no_other_users)
{
	struct hog hog = { .uid = UID_A };
	uid_t same = UID_A, other = UID_B;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, param_set("user_limit_pages", LIMIT_FRAMES));
	ASSERT_EQ(0, pipe(hog.ready));
	ASSERT_EQ(0, pipe(hog.go));
	pid = child_start(child_hogs, &hog);
	ASSERT_LT(0, pid);
	close(hog.ready[1]);
	ASSERT_EQ(1, read(hog.ready[0], &byte, 1));
	EXPECT_EQ(CHILD_OK, child_run(child_is_crowded_out, &same));
	EXPECT_EQ(CHILD_OK, child_run(child_meets_its_limit, &other));
	close(hog.go[1]);
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_EQ(CHILD_OK, child_run(child_meets_its_limit, &same));
}

static int child_touches_too_much(void *arg)
{
	struct burrow_span_ref s;
	struct heap h;
	size_t n, frames = BATCH_FRAMES;
	int sig = 0;
	char *p;

	CHILD_CHECK(!touch_init());
	CHILD_CHECK(!user_become(*(uid_t *)arg));
	CHILD_CHECK(!heap_ready(&h, 1));
	CHILD_CHECK(!span_alloc(&h, BATCH * BATCH_PAGES, BURROW_ALLOC_LAZY,
				&s));
	p = page_addr(&h, s.page);
	for (n = 0; n < frames && !sig; n++)
		sig = touch_write(p + n * FRAME_SIZE, 1);
	CHILD_CHECK(sig == SIGBUS);
	CHILD_CHECK(n > 1 && n <= LIMIT_FRAMES);
	CHILD_CHECK(range_reclaim(&h, s.page, 16) == 16 * FRAMES_PER_PAGE);
	CHILD_CHECK(!touch_write(p + (n - 1) * FRAME_SIZE, 1));
	return CHILD_OK;
}

TEST_F(user, a_touch_beyond_the_total_is_SIGBUS)
{
	uid_t uid = UID_A;

	ASSERT_EQ(0, param_set("user_limit_pages", LIMIT_FRAMES));
	EXPECT_EQ(CHILD_OK, child_run(child_touches_too_much, &uid));
}

static int child_has_no_room_for_metadata(void *arg)
{
	struct heap h;

	CHILD_CHECK(!user_become(*(uid_t *)arg));
	CHILD_CHECK(!heap_make(&h, TEST_ARENAS));
	CHILD_CHECK(arena_add(&h, 0) == -ENOMEM);
	/* a window of 1 TiB has tables of more than a frame */
	h.fd = device_open();
	CHILD_CHECK(h.fd >= 0);
	h.window = (char *)(1UL << 40);
	h.nr_arenas = BURROW_MAX_ARENAS;
	h.kmeta = (void *)(4UL << 40);
	h.umeta = (char *)(5UL << 40);
	CHILD_CHECK(heap_set_up(&h) == -ENOMEM);
	return CHILD_OK;
}

TEST_F(user, metadata_counts)
{
	uid_t uid = UID_A;

	ASSERT_EQ(0, param_set("user_limit_pages", 2));
	EXPECT_EQ(CHILD_OK, child_run(child_has_no_room_for_metadata, &uid));
}

TEST_F(user, who_may_lock_memory_has_no_total)
{
	struct burrow_span_ref refs[BATCH];
	struct burrow_heap_stats stats;
	struct burrow_span_alloc arg;
	struct heap h;

	ASSERT_EQ(0, param_set("user_limit_pages", LIMIT_FRAMES));
	ASSERT_EQ(0, heap_ready(&h, 1));
	ASSERT_EQ(0, heap_stats(h.fd, &stats));
	EXPECT_EQ(~0ULL, stats.out_user_limit);
	EXPECT_EQ(0, batch_alloc(&h, refs, &arg));
	EXPECT_EQ(BATCH, arg.out_nr);
}

static int child_sees_the_default(void *arg)
{
	struct burrow_heap_stats stats;
	struct heap h;
	__u64 quarter;

	CHILD_CHECK(!user_become(*(uid_t *)arg));
	CHILD_CHECK(!heap_make(&h, 1));
	CHILD_CHECK(!heap_stats(h.fd, &stats));
	quarter = sysconf(_SC_PHYS_PAGES) / 4;
	CHILD_CHECK(stats.out_user_limit == quarter);
	return CHILD_OK;
}

TEST_F(user, the_total_is_a_quarter_of_memory_unless_it_is_set)
{
	uid_t uid = UID_A;

	ASSERT_EQ(0, param_set("user_limit_pages", 0));
	EXPECT_EQ(CHILD_OK, child_run(child_sees_the_default, &uid));
}

#define OPENS	10000U

static int descriptors_raise(void)
{
	struct rlimit limit = { 2 * OPENS, 2 * OPENS };

	return setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0;
}

struct opener {
	uid_t uid;
	unsigned long long bound;
};

static int child_opens_too_many(void *arg)
{
	struct opener *o = arg;
	static int fd[OPENS];
	unsigned int n = 0, i;

	CHILD_CHECK(!descriptors_raise());
	CHILD_CHECK(!user_become(o->uid));
	while (n < OPENS && (fd[n] = device_open()) >= 0)
		n++;
	CHILD_CHECK(n == o->bound);
	CHILD_CHECK(fd[n] == -EMFILE);
	CHILD_CHECK(device_open() == -EMFILE);
	for (i = 0; i < 3; i++) {
		close(fd[i]);
		fd[i] = device_open();
		CHILD_CHECK(fd[i] >= 0);
		CHILD_CHECK(device_open() == -EMFILE);
	}
	return CHILD_OK;
}

TEST_F(user, opens_are_bounded_and_come_back)
{
	struct opener o = { UID_A, self->opens };
	int i;

	ASSERT_GT(OPENS, self->opens);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(CHILD_OK, child_run(child_opens_too_many, &o));
	o.bound = 10;
	ASSERT_EQ(0, param_set("user_max_opens", o.bound));
	EXPECT_EQ(CHILD_OK, child_run(child_opens_too_many, &o));
}

static int child_has_many_heaps(void *arg)
{
	struct heap h;
	unsigned int i;

	(void)arg;
	CHILD_CHECK(!descriptors_raise());
	CHILD_CHECK(!places_reserve(&h, 1));
	for (i = 0; i < OPENS; i++) {
		h.fd = device_open();
		CHILD_CHECK(h.fd >= 0);
		CHILD_CHECK(!heap_set_up(&h));
	}
	/* the last of them is as good as the first */
	CHILD_CHECK(!arenas_make(&h, 1));
	return CHILD_OK;
}

TEST_F(user, ten_thousand_heaps_of_one_process_come_and_go)
{
	__u64 before = user_frames();

	EXPECT_EQ(CHILD_OK, child_run(child_has_many_heaps, NULL));
	EXPECT_EQ(before, user_frames());
}

TEST_HARNESS_MAIN
