// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * stack: spans to run on, in arenas of their own. The lowest pages of each are
 * a guard that nothing can fill: not a touch, not the kernel on somebody's
 * behalf, not what an earlier span left there.
 */
#include <pthread.h>
#include <sys/uio.h>

#include "fork.h"
#include "mark.h"
#include "segv.h"

#define MANY	64U
#define PAGES	8U
#define BYTES	(PAGES * BURROW_PAGE_SIZE)
#define ROOM	(BYTES - GUARD_BYTES)

FIXTURE(stacks) {
	struct heap h;
	struct burrow_span_ref ref[MANY];
	struct burrow_heap_stats stats;
};

/* MANY stacks side by side, in two arenas for stacks. */
FIXTURE_SETUP(stacks)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, stack_heap_ready(&self->h, 2));
	ASSERT_EQ(0, stacks_alloc(&self->h, PAGES, 0, self->ref, MANY));
}

FIXTURE_TEARDOWN(stacks)
{
}

/* Nothing is in the guard, and no byte of it can be had. */
static bool guard_holds(const struct heap *h, struct burrow_span_ref s)
{
	char *guard = stack_guard(h, s);
	size_t at;

	if (frames_present(guard, GUARD_BYTES))
		return false;
	for (at = 0; at < GUARD_BYTES; at += FRAME_SIZE)
		if (touch(guard + at) != SIGSEGV ||
		    touch_write(guard + at + FRAME_SIZE - 1, 1) != SIGSEGV)
			return false;
	return !frames_present(guard, GUARD_BYTES);
}

TEST_F(stacks, a_guard_is_SIGSEGV_and_the_byte_above_it_is_memory)
{
	char *guard, *floor, val;
	__u32 i;

	for (i = 0; i < MANY; i++) {
		guard = stack_guard(&self->h, self->ref[i]);
		floor = stack_floor(&self->h, self->ref[i]);
		EXPECT_EQ(SIGSEGV, touch(guard));
		EXPECT_EQ(SIGSEGV, touch_write(guard, 1));
		EXPECT_EQ(SIGSEGV, touch(floor - 1));
		EXPECT_EQ(SIGSEGV, touch_write(floor - 1, 1));
		EXPECT_EQ(0, touch_read(floor, &val));
		EXPECT_EQ(0, val);
		memset(floor, i + 1, ROOM);
	}
	for (i = 0; i < MANY; i++) {
		EXPECT_TRUE(guard_holds(&self->h, self->ref[i]));
		EXPECT_TRUE(bytes_are(stack_floor(&self->h, self->ref[i]),
				      i + 1, ROOM));
	}
}

TEST_F(stacks, the_head_word_promises_the_guard)
{
	struct burrow_span_ref s = self->ref[3];

	EXPECT_EQ(burrow_word_head(PAGES, 0, BURROW_KIND_STACK,
				   BURROW_SPAN_LIVE, s.gen, BURROW_W_GUARD),
		  kword(&self->h, s.page));
	EXPECT_EQ(burrow_word_body(s.page, s.gen), kword(&self->h, s.page + 1));
}

TEST_F(stacks, the_top_is_there_and_the_rest_comes_by_touch)
{
	char *guard = stack_guard(&self->h, self->ref[0]);
	char *top = stack_top(&self->h, self->ref[0], PAGES);
	char *other = stack_top(&self->h, self->ref[1], PAGES);
	long before, n;

	/* the test's own code comes by faults: not in between */
	EXPECT_TRUE(bytes_are(other - FRAME_SIZE, 0, FRAME_SIZE));
	memset(other - FRAME_SIZE, 1, FRAME_SIZE);
	minor_faults();

	EXPECT_EQ(MANY, frames_present(guard, MANY * BYTES));
	EXPECT_EQ(1, frames_present(top - FRAME_SIZE, FRAME_SIZE));
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(MANY, self->stats.out_frames);
	before = minor_faults();
	EXPECT_TRUE(bytes_are(top - FRAME_SIZE, 0, FRAME_SIZE));
	memset(top - FRAME_SIZE, 1, FRAME_SIZE);
	EXPECT_EQ(before, minor_faults());
	for (n = 2; n <= (long)(ROOM / FRAME_SIZE); n++) {
		top[-n * (long)FRAME_SIZE] = 1;
		EXPECT_EQ(n, frames_present(guard, BYTES));
	}
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(MANY - 1 + ROOM / FRAME_SIZE, self->stats.out_frames);
	EXPECT_EQ(ROOM / FRAME_SIZE - 1, self->stats.out_nr_faults);
}

TEST_F(stacks, a_lazy_stack_has_nothing_and_a_guard_all_the_same)
{
	struct burrow_span_ref s;
	char *floor;

	ASSERT_EQ(0, stacks_alloc(&self->h, PAGES, BURROW_ALLOC_LAZY, &s, 1));
	floor = stack_floor(&self->h, s);
	EXPECT_EQ(0, frames_present(stack_guard(&self->h, s), BYTES));
	EXPECT_TRUE(guard_holds(&self->h, s));
	EXPECT_EQ(0, touch_write(floor + ROOM - 1, 1));
	EXPECT_EQ(1, frames_present(floor, ROOM));
}

TEST_F(stacks, a_stack_has_room_above_its_guard)
{
	struct burrow_span_ref s;
	__u32 n;

	for (n = 0; n <= BURROW_GUARD_PAGES; n++)
		EXPECT_EQ(-EINVAL, stacks_alloc(&self->h, n, 0, &s, 1));
	EXPECT_EQ(0, stacks_alloc(&self->h, n, 0, &s, 1));
	EXPECT_EQ(0, touch_write(stack_floor(&self->h, s), 1));
	EXPECT_TRUE(guard_holds(&self->h, s));
}

/* Pages full of 'x', freed but still there; then stacks with other borders. */
TEST_F(stacks, no_memory_of_before_is_in_a_guard)
{
	static const __u32 sizes[] = { 3, 4, 5, 7, 11, 16, 29, 100 };
	struct burrow_span_ref ref[MANY];
	struct burrow_span_free done;
	char *whole = stack_guard(&self->h, self->ref[0]);
	__u32 i, k, flags = 0;

	for (i = 0; i < MANY; i++)
		memset(stack_floor(&self->h, self->ref[i]), 'x', ROOM);
	ASSERT_EQ(0, spans_free(&self->h, 0, self->ref, MANY, &done));
	for (k = 0; k < NR(sizes); k++, flags ^= BURROW_ALLOC_LAZY) {
		__u32 nr = MANY * PAGES / sizes[k];

		nr = nr < MANY ? nr : MANY;
		ASSERT_EQ(0, stacks_alloc(&self->h, sizes[k], flags, ref, nr));
		EXPECT_EQ(whole, stack_guard(&self->h, ref[0]));
		for (i = 0; i < nr; i++) {
			EXPECT_TRUE(guard_holds(&self->h, ref[i]));
			memset(stack_floor(&self->h, ref[i]), 'x',
			       sizes[k] * BURROW_PAGE_SIZE - GUARD_BYTES);
		}
		for (i = 0; i < nr; i++)
			EXPECT_TRUE(guard_holds(&self->h, ref[i]));
		ASSERT_EQ(0, spans_free(&self->h, 0, ref, nr, &done));
	}
}

/* What is not guard any more is memory; what was left there needs zeroing. */
TEST_F(stacks, a_stack_over_an_old_one_says_what_it_is_made_of)
{
	struct burrow_span_ref wide, s = self->ref[0];
	struct burrow_span_free done;

	memset(stack_floor(&self->h, s), 'x', ROOM);
	ASSERT_EQ(0, spans_free(&self->h, 0, self->ref, 2, &done));
	ASSERT_EQ(0, stacks_alloc(&self->h, 2 * PAGES, BURROW_ALLOC_LAZY,
				  &wide, 1));
	ASSERT_EQ(s.page, wide.page);
	EXPECT_TRUE(needs_zero(&self->h, wide));
	EXPECT_TRUE(bytes_are(stack_floor(&self->h, wide), 'x', ROOM));
	/* the second one's guard, which had none */
	EXPECT_TRUE(bytes_are(stack_guard(&self->h, self->ref[1]), 0,
			      GUARD_BYTES));
	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, wide));
	ASSERT_EQ(0, stacks_alloc(&self->h, PAGES, 0, &s, 1));
	ASSERT_EQ(wide.page, s.page);
	EXPECT_FALSE(needs_zero(&self->h, s));
}

/*
 * The border of two arenas lies behind the guard's first page, its second and
 * the stack's first; memory of an old stack is where the guard will be.
 */
TEST_F(stacks, a_stack_may_cross_arenas_even_with_its_guard)
{
	const __u32 room = BURROW_ARENA_PAGES - MANY * PAGES;
	struct burrow_span_ref low, s;
	__u32 cut;

	for (cut = 1; cut <= 3; cut++) {
		ASSERT_EQ(0, stacks_alloc(&self->h, room - cut - 3,
					  BURROW_ALLOC_LAZY, &low, 1));
		ASSERT_EQ(0, stacks_alloc(&self->h, PAGES, 0, &s, 1));
		ASSERT_EQ(BURROW_ARENA_PAGES - cut - 3, s.page);
		memset(stack_floor(&self->h, s), 'x', ROOM);
		ASSERT_EQ(0, span_free(&self->h, 0, low));
		ASSERT_EQ(0, span_free(&self->h, 0, s));

		ASSERT_EQ(0, stacks_alloc(&self->h, room - cut,
					  BURROW_ALLOC_LAZY, &low, 1));
		ASSERT_EQ(0, stacks_alloc(&self->h, PAGES, 0, &s, 1));
		ASSERT_EQ(BURROW_ARENA_PAGES - cut, s.page);
		EXPECT_TRUE(needs_zero(&self->h, s));
		EXPECT_TRUE(guard_holds(&self->h, s));
		memset(stack_floor(&self->h, s), 'y', ROOM);
		EXPECT_TRUE(guard_holds(&self->h, s));
		ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, s));
		ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, low));
	}
}

TEST(heap_spans_never_come_from_stack_arenas_nor_the_reverse)
{
	static const __u32 all = BURROW_ARENA_PAGES;
	struct burrow_span_ref s, stack;
	struct heap h;

	ASSERT_EQ(0, stack_heap_ready(&h, 1));
	EXPECT_EQ(-ENOSPC, span_alloc(&h, 1, 0, &s));
	ASSERT_EQ(1, arena_add(&h, 1));
	ASSERT_EQ(0, arena_map(&h, 1));
	ASSERT_EQ(0, stack_arena_make(&h, 2));
	/* three neighbours, but not of one kind */
	EXPECT_EQ(-ENOSPC, span_alloc(&h, all + 1, BURROW_ALLOC_LAZY, &s));
	EXPECT_EQ(-ENOSPC, stacks_alloc(&h, all + 1, BURROW_ALLOC_LAZY, &s, 1));
	ASSERT_EQ(0, span_alloc(&h, all, BURROW_ALLOC_LAZY, &s));
	EXPECT_EQ(all, s.page);
	EXPECT_EQ(-ENOSPC, span_alloc(&h, 1, 0, &stack));
	ASSERT_EQ(0, stacks_alloc(&h, all, BURROW_ALLOC_LAZY, &stack, 1));
	EXPECT_EQ(0, stack.page);
	ASSERT_EQ(0, span_free(&h, 0, s));
	ASSERT_EQ(0, stacks_alloc(&h, all, BURROW_ALLOC_LAZY, &stack, 1));
	EXPECT_EQ(2 * all, stack.page);
	EXPECT_EQ(-ENOSPC, stacks_alloc(&h, 3, 0, &stack, 1));
	EXPECT_EQ(0, span_alloc(&h, 1, 0, &s));
	EXPECT_EQ(all, s.page);
}

static void sum_up(void *arg)
{
	volatile unsigned long *sum = arg, local[1024];
	size_t i;

	for (i = 0; i < NR(local); i++)
		local[i] = i;
	for (i = 0; i < NR(local); i++)
		*sum += local[i];
}

TEST_F(stacks, code_runs_on_them_one_after_the_other)
{
	unsigned long sum = 0;
	struct on_stack s = { .fn = sum_up, .arg = &sum };
	__u32 i;

	ASSERT_EQ(0, segv_init());
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, on_stack_run(&s, stack_floor(&self->h,
							  self->ref[i]),
					  ROOM));
	EXPECT_EQ(MANY * 1024UL * 1023 / 2, sum);
}

static bool addr_is_in_guard(const struct heap *h, struct burrow_span_ref s,
			     const char *addr)
{
	return addr >= stack_guard(h, s) && addr < stack_floor(h, s);
}

TEST_F(stacks, an_overflow_is_SIGSEGV_in_the_guard_and_reaches_nobody_else)
{
	volatile unsigned long sum = 0;
	struct on_stack s = { .fn = overflow, .arg = (void *)&sum };
	__u32 i;

	ASSERT_EQ(0, segv_init());
	for (i = 0; i < MANY; i += 2)
		memset(stack_floor(&self->h, self->ref[i]), 'n', ROOM);
	for (i = 1; i < MANY; i += 2) {
		EXPECT_EQ(SIGSEGV, on_stack_run(&s,
						stack_floor(&self->h,
							    self->ref[i]),
						ROOM));
		EXPECT_TRUE(addr_is_in_guard(&self->h, self->ref[i], s.addr));
		EXPECT_EQ(ROOM / FRAME_SIZE,
			  frames_present(stack_guard(&self->h, self->ref[i]),
					 BYTES));
	}
	for (i = 0; i < MANY; i += 2)
		EXPECT_TRUE(bytes_are(stack_floor(&self->h, self->ref[i]), 'n',
				      ROOM));
}

static long memory_file(char *at, size_t n, bool write)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	static char buf[FRAME_SIZE];
	long r;

	if (fd < 0)
		return -errno;
	r = write ? pwrite(fd, buf, n, (off_t)at) :
		    pread(fd, buf, n, (off_t)at);
	r = r < 0 ? -errno : r;
	close(fd);
	return r;
}

static long other_process(char *at, size_t n, bool write)
{
	static char buf[FRAME_SIZE];
	struct iovec local = { buf, n }, remote = { at, n };
	long r;

	r = write ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0) :
		    process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	return r < 0 ? -errno : r;
}

static long pipe_transfer(char *at, size_t n, bool write_there)
{
	char buf[64] = { 0 };
	int end[2];
	long r;

	if (pipe(end))
		return -errno;
	if (write_there) {
		if (write(end[1], buf, sizeof(buf)) != sizeof(buf))
			return -EIO;
		r = read(end[0], at, n < sizeof(buf) ? n : sizeof(buf));
	} else {
		r = write(end[1], at, n);
	}
	r = r < 0 ? -errno : r;
	close(end[0]);
	close(end[1]);
	return r;
}

TEST_F(stacks, the_kernel_fills_no_guard_on_anybodys_behalf)
{
	struct burrow_span_ref s = self->ref[9];
	char *const at[] = {
		stack_guard(&self->h, s),
		stack_guard(&self->h, s) + BURROW_PAGE_SIZE,
		stack_floor(&self->h, s) - 8,
	};
	struct burrow_heap_stats after;
	size_t i;
	int w;

	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	for (i = 0; i < NR(at); i++) {
		for (w = 0; w < 2; w++) {
			EXPECT_EQ(-EFAULT, pipe_transfer(at[i], 8, w));
			EXPECT_EQ(-EFAULT, other_process(at[i], 8, w));
			EXPECT_EQ(-EIO, memory_file(at[i], 8, w));
		}
	}
	EXPECT_EQ(-1, madvise(at[0], GUARD_BYTES, MADV_POPULATE_WRITE));
	EXPECT_EQ(-1, madvise(at[0], GUARD_BYTES, MADV_POPULATE_READ));
	EXPECT_TRUE(guard_holds(&self->h, s));
	ASSERT_EQ(0, heap_stats(self->h.fd, &after));
	EXPECT_EQ(self->stats.out_frames, after.out_frames);
	/* as they would fill what is above it */
	EXPECT_EQ(8, pipe_transfer(stack_floor(&self->h, s), 8, true));
	EXPECT_EQ(8, other_process(stack_floor(&self->h, s) + FRAME_SIZE, 8,
				   true));
	EXPECT_EQ(8, memory_file(stack_floor(&self->h, s) + 2 * FRAME_SIZE, 8,
				 true));
	EXPECT_EQ(4, frames_present(stack_guard(&self->h, s), BYTES));
}

struct toucher {
	struct heap *h;
	__u32 npages;
	unsigned long touches;
	int stop;
};

static void *toucher_run(void *arg)
{
	struct toucher *t = arg;
	__u32 page;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		for (page = 0; page < t->npages; page++)
			touch_write(page_addr(t->h, page) + 100, 't');
		__atomic_fetch_add(&t->touches, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

#define ROUNDS	60U

/* Lazy pages may be touched until the span is there, and then no more. */
TEST_F(stacks, a_touch_at_whatever_moment_leaves_nothing_in_a_guard)
{
	struct toucher t = { .h = &self->h, .npages = 3 * PAGES };
	struct burrow_span_free done;
	struct burrow_span_ref s[2];
	pthread_t thread;
	__u32 i;

	ASSERT_EQ(0, spans_free(&self->h, 0, self->ref, 3, &done));
	ASSERT_EQ(0, pthread_create(&thread, NULL, toucher_run, &t));
	for (i = 0; i < ROUNDS ||
	     __atomic_load_n(&t.touches, __ATOMIC_RELAXED) < ROUNDS; i++) {
		__u32 low = 3 + i % 7;

		ASSERT_EQ(0, stacks_alloc(&self->h, low, 0, &s[0], 1));
		ASSERT_EQ(0, stacks_alloc(&self->h, 3 * PAGES - low,
					  i & 8 ? BURROW_ALLOC_LAZY : 0,
					  &s[1], 1));
		EXPECT_TRUE(guard_holds(&self->h, s[0]));
		EXPECT_TRUE(guard_holds(&self->h, s[1]));
		memset(stack_floor(&self->h, s[1]), 'x', BURROW_PAGE_SIZE);
		ASSERT_EQ(0, spans_free(&self->h, i % 5 ? 0 :
					BURROW_FREE_RECLAIM, s, 2, &done));
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

static int child_runs_on_its_copy(void *arg)
{
	FIXTURE_DATA(stacks) *self = arg;
	volatile unsigned long sum = 0;
	struct on_stack s = { .fn = overflow, .arg = (void *)&sum };
	struct burrow_span_ref n = self->ref[0];

	CHILD_CHECK(guard_holds(&self->h, n));
	CHILD_CHECK(bytes_are(stack_floor(&self->h, n), 'p', ROOM));
	CHILD_CHECK(!segv_init());
	CHILD_CHECK(on_stack_run(&s, stack_floor(&self->h, n), ROOM) ==
		    SIGSEGV);
	CHILD_CHECK(addr_is_in_guard(&self->h, n, s.addr));
	/* the handler of touch() again */
	CHILD_CHECK(!touch_init());
	CHILD_CHECK(!span_free(&self->h, BURROW_FREE_RECLAIM, n));
	CHILD_CHECK(!stacks_alloc(&self->h, PAGES, 0, &n, 1));
	CHILD_CHECK(n.page == self->ref[0].page);
	CHILD_CHECK(guard_holds(&self->h, n));
	CHILD_CHECK(bytes_are(stack_floor(&self->h, n), 0, ROOM));
	return CHILD_OK;
}

TEST_F(stacks, a_child_runs_on_its_own_copy)
{
	struct burrow_span_ref s = self->ref[0];

	memset(stack_floor(&self->h, s), 'p', ROOM);
	EXPECT_EQ(CHILD_OK, child_run(child_runs_on_its_copy, self));
	EXPECT_TRUE(bytes_are(stack_floor(&self->h, s), 'p', ROOM));
	EXPECT_TRUE(guard_holds(&self->h, s));
}

/* fork() returns into the frames of the stack that it was called on. */
static void forks_here(void *arg)
{
	volatile char local[2 * FRAME_SIZE];
	int *status = arg;
	pid_t pid;

	memset((char *)local, 'p', sizeof(local));
	pid = fork();
	if (!pid) {
		if (!bytes_are((char *)local, 'p', sizeof(local)))
			_exit(CHILD_BAD);
		memset((char *)local, 'c', sizeof(local));
		overflow(arg);
	}
	*status = child_wait(pid);
	if (!bytes_are((char *)local, 'p', sizeof(local)))
		*status = CHILD_BAD;
}

TEST_F(stacks, a_fork_on_a_stack_returns_on_both_and_the_childs_may_overflow)
{
	unsigned long status = 0;
	struct on_stack s = { .fn = forks_here, .arg = &status };
	pid_t me = getpid();

	ASSERT_EQ(0, segv_init());
	on_stack_run(&s, stack_floor(&self->h, self->ref[1]), ROOM);
	if (getpid() != me)
		_exit(s.sig == SIGSEGV &&
		      addr_is_in_guard(&self->h, self->ref[1], s.addr) ?
		      CHILD_OK : CHILD_BAD);
	EXPECT_EQ(0, s.sig);
	EXPECT_EQ(CHILD_OK, (int)status);
}

TEST_F(stacks, frames_go_by_range_and_the_guard_stays)
{
	struct burrow_span_ref s = self->ref[5];
	char *floor = stack_floor(&self->h, s);

	memset(floor, 'x', ROOM);
	EXPECT_EQ(3 * FRAMES_PER_PAGE, range_reclaim(&self->h, s.page +
						     BURROW_GUARD_PAGES, 3));
	EXPECT_TRUE(bytes_are(floor, 0, 3 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(bytes_are(floor + 3 * BURROW_PAGE_SIZE, 'x',
			      ROOM - 3 * BURROW_PAGE_SIZE));
	/* with the guard, which has nothing to give */
	EXPECT_EQ(ROOM / FRAME_SIZE, range_reclaim(&self->h, s.page, PAGES));
	EXPECT_TRUE(guard_holds(&self->h, s));
	EXPECT_TRUE(bytes_are(floor, 0, ROOM));
}

TEST_F(stacks, a_sweep_refuses_them)
{
	struct burrow_span_sweep out;
	__u32 i;

	marks_clear(&self->h, self->ref[0].page, MANY * PAGES);
	EXPECT_EQ(-EINVAL, spans_sweep(&self->h, 0, self->ref, MANY, NULL,
				       &out));
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(guard_holds(&self->h, self->ref[i]));
}

TEST_F(stacks, in_bulk_they_go_with_all_their_frames)
{
	struct burrow_span_free done;
	__u32 i;

	for (i = 0; i < MANY; i++)
		memset(stack_floor(&self->h, self->ref[i]), 'x', i % 2 ? ROOM :
		       FRAME_SIZE);
	ASSERT_EQ(0, spans_free(&self->h, BURROW_FREE_RECLAIM, self->ref, MANY,
				&done));
	EXPECT_EQ(MANY, done.out_nr);
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(0, self->stats.out_frames);
	EXPECT_EQ(0, self->stats.out_pages_lazy);
	EXPECT_EQ(0, mapping_rss(self->h.window));
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(SIGSEGV, touch(stack_floor(&self->h, self->ref[i])));
}

TEST_HARNESS_MAIN
