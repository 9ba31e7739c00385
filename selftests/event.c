// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * event: a heap tells its process that it grew beyond its soft limit, and that
 * it had to give memory away. Nothing fails because of either.
 *
 *	HEAP_LIMIT	beyond how much
 *	poll, epoll	POLLPRI while there is an event
 *	HEAP_EVENTS	which, and they are gone
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "fork.h"

#define PAGES	32U
#define FRAMES	(PAGES * FRAMES_PER_PAGE)

static int limit_set(const struct heap *h, __u64 bytes)
{
	struct burrow_heap_limit arg = { .size = sizeof(arg), .bytes = bytes };

	return call(h->fd, BURROW_IOC_HEAP_LIMIT, &arg);
}

/* BURROW_EVENT_*, or -errno. */
static int events_take(const struct heap *h)
{
	struct burrow_heap_events arg = { .size = sizeof(arg) };
	int r = call(h->fd, BURROW_IOC_HEAP_EVENTS, &arg);

	return r ? r : (int)arg.out_events;
}

/* What poll() says now. */
static int polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLPRI | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

FIXTURE(heap) {
	struct heap h;
	struct burrow_span_ref span;
	struct burrow_heap_stats stats;
	char *p;
};

/* A span without memory: each frame comes when a test wants it. */
FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, heap_ready(&self->h, 1));
	ASSERT_EQ(0, span_alloc(&self->h, PAGES, BURROW_ALLOC_LAZY,
				&self->span));
	self->p = page_addr(&self->h, self->span.page);
}

FIXTURE_TEARDOWN(heap)
{
}

static void frames_touch(char *p, __u32 nr)
{
	while (nr--)
		p[nr * FRAME_SIZE] = 1;
}

static long frames_drop(const struct heap *h, struct burrow_span_ref s)
{
	return range_reclaim(h, s.page, PAGES);
}

TEST_F(heap, a_quiet_heap_has_no_events_and_no_limit)
{
	EXPECT_EQ(0, polled(self->h.fd));
	EXPECT_EQ(0, events_take(&self->h));
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(0, self->stats.out_limit);
}

TEST_F(heap, one_frame_more_than_the_limit_is_an_event)
{
	ASSERT_EQ(0, limit_set(&self->h, 10 * FRAME_SIZE));
	frames_touch(self->p, 10);
	EXPECT_EQ(0, polled(self->h.fd));
	EXPECT_EQ(0, events_take(&self->h));
	frames_touch(self->p, 11);
	EXPECT_EQ(POLLPRI, polled(self->h.fd));
	/* to look is not to take */
	EXPECT_EQ(POLLPRI, polled(self->h.fd));
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
	EXPECT_EQ(0, polled(self->h.fd));
	EXPECT_EQ(0, events_take(&self->h));
}

TEST_F(heap, beyond_the_limit_there_is_no_second_event)
{
	ASSERT_EQ(0, limit_set(&self->h, 5 * FRAME_SIZE));
	frames_touch(self->p, 6);
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
	frames_touch(self->p, 50);
	EXPECT_EQ(0, events_take(&self->h));
	EXPECT_EQ(0, polled(self->h.fd));
	/* fewer, but still beyond */
	EXPECT_EQ(20, range_reclaim(&self->h, self->span.page, 10));
	frames_touch(self->p, 50);
	EXPECT_EQ(0, events_take(&self->h));
}

TEST_F(heap, below_and_beyond_again_is_another_event)
{
	int i;

	ASSERT_EQ(0, limit_set(&self->h, 5 * FRAME_SIZE));
	for (i = 0; i < 5; i++) {
		frames_touch(self->p, 6);
		EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
		EXPECT_EQ(6, frames_drop(&self->h, self->span));
		EXPECT_EQ(0, events_take(&self->h));
		EXPECT_EQ(0, polled(self->h.fd));
	}
}

/* However they come: with the span, in a batch. */
TEST_F(heap, frames_that_come_with_a_span_count)
{
	struct burrow_span_ref s;

	ASSERT_EQ(0, limit_set(&self->h, FRAMES * FRAME_SIZE));
	ASSERT_EQ(0, span_alloc(&self->h, PAGES, 0, &s));
	EXPECT_EQ(0, events_take(&self->h));
	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, s));
	ASSERT_EQ(0, span_alloc(&self->h, PAGES + 1, 0, &s));
	EXPECT_EQ(POLLPRI, polled(self->h.fd));
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
	/* lazy ones are still there */
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	ASSERT_EQ(0, span_alloc(&self->h, PAGES + 1, 0, &s));
	EXPECT_EQ(0, events_take(&self->h));
}

TEST_F(heap, frames_of_U_words_count_and_those_of_K_words_do_not)
{
	__u32 i;

	ASSERT_EQ(0, limit_set(&self->h, 3 * FRAME_SIZE));
	for (i = 0; i < BURROW_ARENA_PAGES; i += 512)
		kword(&self->h, i);
	frames_touch(self->p, 1);
	frames_touch(self->h.umeta, 2);
	EXPECT_EQ(0, events_take(&self->h));
	frames_touch(self->h.umeta, 3);
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
	ASSERT_EQ(0, part_unmap(&self->h, BURROW_MMAP_UMETA, 0));
	frames_touch(self->p, 3);
	EXPECT_EQ(0, events_take(&self->h));
	frames_touch(self->p, 4);
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
}

TEST_F(heap, a_limit_below_what_is_used_is_told_at_once)
{
	frames_touch(self->p, 8);
	ASSERT_EQ(0, limit_set(&self->h, 8 * FRAME_SIZE));
	EXPECT_EQ(0, polled(self->h.fd));
	ASSERT_EQ(0, limit_set(&self->h, 8 * FRAME_SIZE - 1));
	EXPECT_EQ(POLLPRI, polled(self->h.fd));
	/* an event stays until it is taken */
	ASSERT_EQ(0, limit_set(&self->h, 0));
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
	EXPECT_EQ(0, polled(self->h.fd));
}

TEST_F(heap, a_limit_of_0_is_none_and_a_new_one_takes_the_place_of_the_old)
{
	ASSERT_EQ(0, limit_set(&self->h, 1));
	ASSERT_EQ(0, limit_set(&self->h, 0));
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(0, self->stats.out_limit);
	frames_touch(self->p, FRAMES);
	EXPECT_EQ(0, events_take(&self->h));
	ASSERT_EQ(0, limit_set(&self->h, ~0ULL));
	EXPECT_EQ(0, events_take(&self->h));
	ASSERT_EQ(0, limit_set(&self->h, 64 * FRAME_SIZE));
	ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
	EXPECT_EQ(64 * FRAME_SIZE, self->stats.out_limit);
	EXPECT_EQ(0, events_take(&self->h));
}

TEST_F(heap, an_event_that_cannot_be_told_stays)
{
	struct burrow_heap_events *arg;

	arg = mmap(NULL, FRAME_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, arg);
	arg->size = sizeof(*arg);
	ASSERT_EQ(0, mprotect(arg, FRAME_SIZE, PROT_READ));
	ASSERT_EQ(0, limit_set(&self->h, 1));
	EXPECT_EQ(-EFAULT, call(self->h.fd, BURROW_IOC_HEAP_EVENTS, arg));
	EXPECT_EQ(0, polled(self->h.fd));
	frames_touch(self->p, 1);
	EXPECT_EQ(-EFAULT, call(self->h.fd, BURROW_IOC_HEAP_EVENTS, arg));
	EXPECT_EQ(-EFAULT, call(self->h.fd, BURROW_IOC_HEAP_EVENTS, NULL));
	EXPECT_EQ(POLLPRI, polled(self->h.fd));
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
}

static int epoll_on(int fd, __u32 events)
{
	struct epoll_event ev = { .events = events };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	return ep;
}

/* What is there now, or 0. */
static int epoll_now(int ep)
{
	struct epoll_event ev = { 0 };
	int n = epoll_wait(ep, &ev, 1, 0);

	return n < 0 ? -errno : n ? (int)ev.events : 0;
}

TEST_F(heap, epoll_tells_a_level_as_long_as_it_is_there_and_an_edge_once)
{
	int level = epoll_on(self->h.fd, EPOLLPRI);
	int edge = epoll_on(self->h.fd, EPOLLPRI | EPOLLET);
	int i;

	ASSERT_LE(0, level);
	ASSERT_LE(0, edge);
	ASSERT_EQ(0, limit_set(&self->h, 4 * FRAME_SIZE));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, epoll_now(level));
		EXPECT_EQ(0, epoll_now(edge));
		frames_touch(self->p, 5);
		EXPECT_EQ(EPOLLPRI, epoll_now(edge));
		EXPECT_EQ(0, epoll_now(edge));
		EXPECT_EQ(EPOLLPRI, epoll_now(level));
		EXPECT_EQ(EPOLLPRI, epoll_now(level));
		EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
		EXPECT_EQ(0, epoll_now(level));
		EXPECT_EQ(5, frames_drop(&self->h, self->span));
	}
}

TEST_F(heap, lazy_memory_that_had_to_go_is_an_event)
{
	struct burrow_span_ref s;
	int i;

	ASSERT_EQ(0, span_alloc(&self->h, 4 * PAGES, 0, &s));
	/* what is in use does not go, and tells nothing */
	ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(0, events_take(&self->h));
	/* what the process gives itself it knows */
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	EXPECT_LT(0, heap_reclaim(&self->h, ~0ULL));
	EXPECT_EQ(0, events_take(&self->h));

	ASSERT_EQ(0, span_alloc(&self->h, 4 * PAGES, 0, &s));
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	for (i = 0; i < 64; i++) {
		ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "2"));
		ASSERT_EQ(0, heap_stats(self->h.fd, &self->stats));
		if (!self->stats.out_pages_lazy)
			break;
	}
	EXPECT_EQ(8U * PAGES, self->stats.out_nr_shrunk);
	EXPECT_EQ(POLLPRI, polled(self->h.fd));
	/* both at once are taken at once */
	ASSERT_EQ(0, limit_set(&self->h, 1));
	frames_touch(self->p, 1);
	EXPECT_EQ(BURROW_EVENT_PRESSURE | BURROW_EVENT_LIMIT,
		  events_take(&self->h));
	EXPECT_EQ(0, events_take(&self->h));
}

TEST(an_empty_file_polls_as_an_error)
{
	int fd = device_open();

	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLERR, polled(fd));
}

struct stranger {
	struct heap h;
	struct turns t;
};

/* It had the file before there was a heap. */
static int child_is_a_stranger(void *arg)
{
	struct stranger *s = arg;

	turns_keep(&s->t, CHILD);
	CHILD_CHECK(polled(s->h.fd) == POLLERR);
	CHILD_CHECK(!turn_take(&s->t, CHILD));
	CHILD_CHECK(polled(s->h.fd) == POLLERR);
	CHILD_CHECK(events_take(&s->h) == -EXDEV);
	CHILD_CHECK(limit_set(&s->h, 1) == -EXDEV);
	return CHILD_OK;
}

TEST(in_another_address_space_the_file_polls_as_an_error)
{
	struct burrow_heap_stats stats;
	struct stranger s;
	pid_t pid;

	ASSERT_EQ(0, places_reserve(&s.h, 1));
	s.h.fd = device_open();
	ASSERT_LE(0, s.h.fd);
	ASSERT_EQ(0, turns_make(&s.t));
	pid = child_start(child_is_a_stranger, &s);
	ASSERT_LT(0, pid);
	turns_keep(&s.t, PARENT);
	ASSERT_EQ(0, heap_set_up(&s.h));
	ASSERT_EQ(0, arenas_make(&s.h, 1));
	ASSERT_EQ(0, limit_set(&s.h, 1));
	frames_touch(s.h.umeta, 1);
	EXPECT_EQ(0, turn_give(&s.t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	EXPECT_EQ(POLLPRI, polled(s.h.fd));
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&s.h));
	ASSERT_EQ(0, heap_stats(s.h.fd, &stats));
	EXPECT_EQ(0, stats.out_limit);
}

static int child_has_events_of_its_own(void *arg)
{
	FIXTURE_DATA(heap) *self = arg;

	CHILD_CHECK(!heap_stats(self->h.fd, &self->stats));
	CHILD_CHECK(self->stats.out_limit == 20 * FRAME_SIZE);
	/* the parent's is not taken over */
	CHILD_CHECK(polled(self->h.fd) == 0);
	CHILD_CHECK(events_take(&self->h) == 0);
	frames_touch(self->p, 20);
	CHILD_CHECK(polled(self->h.fd) == 0);
	frames_touch(self->p, 21);
	CHILD_CHECK(polled(self->h.fd) == POLLPRI);
	CHILD_CHECK(events_take(&self->h) == BURROW_EVENT_LIMIT);
	CHILD_CHECK(!limit_set(&self->h, 0));
	/* left behind: nobody's */
	CHILD_CHECK(!limit_set(&self->h, 1));
	return CHILD_OK;
}

TEST_F(heap, a_child_inherits_the_limit_and_has_its_own_events)
{
	ASSERT_EQ(0, limit_set(&self->h, 20 * FRAME_SIZE));
	frames_touch(self->p, 19);
	EXPECT_EQ(CHILD_OK, child_run(child_has_events_of_its_own, self));
	EXPECT_EQ(0, polled(self->h.fd));
	frames_touch(self->p, 21);
	EXPECT_EQ(POLLPRI, polled(self->h.fd));
	EXPECT_EQ(21, frames_drop(&self->h, self->span));
	/* one that is there stays the parent's, whatever the child takes */
	EXPECT_EQ(CHILD_OK, child_run(child_has_events_of_its_own, self));
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
}

static int child_begins_beyond(void *arg)
{
	FIXTURE_DATA(heap) *self = arg;

	CHILD_CHECK(polled(self->h.fd) == POLLPRI);
	CHILD_CHECK(events_take(&self->h) == BURROW_EVENT_LIMIT);
	return CHILD_OK;
}

TEST_F(heap, a_child_that_begins_beyond_the_limit_is_told)
{
	ASSERT_EQ(0, limit_set(&self->h, 20 * FRAME_SIZE));
	frames_touch(self->p, 30);
	EXPECT_EQ(BURROW_EVENT_LIMIT, events_take(&self->h));
	EXPECT_EQ(CHILD_OK, child_run(child_begins_beyond, self));
	EXPECT_EQ(0, events_take(&self->h));
}

/**
 * struct sleeper - a thread that waits for events without a deadline
 * @ep:		an epoll descriptor, or -1: poll() itself
 * @tid:	its own, when it is about to
 * @rounds:	how often
 * @taken:	events it had, in order
 */
struct sleeper {
	struct heap *h;
	int ep;
	pid_t tid;
	__u32 rounds;
	__u32 done;
	int taken[8];
};

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;
	struct pollfd p = { .fd = s->h->fd, .events = POLLPRI };
	struct epoll_event ev;
	__u32 i;

	__atomic_store_n(&s->tid, (pid_t)syscall(SYS_gettid),
			 __ATOMIC_RELEASE);
	for (i = 0; i < s->rounds; i++) {
		if (s->ep < 0)
			poll(&p, 1, -1);
		else
			epoll_wait(s->ep, &ev, 1, -1);
		s->taken[i % NR(s->taken)] = events_take(s->h);
		__atomic_store_n(&s->done, i + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static bool sleeper_is_done(const struct sleeper *s)
{
	return __atomic_load_n(&s->done, __ATOMIC_ACQUIRE) == s->rounds;
}

/* Until it sleeps in the kernel, as /proc says, or is through. */
static void sleep_await(const struct sleeper *s)
{
	char path[64], text[256], *state = NULL;
	pid_t id;

	while (!(id = __atomic_load_n(&s->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", id);
	while (!sleeper_is_done(s) && (!state || state[2] != 'S')) {
		sched_yield();
		state = file_read(path, text, sizeof(text)) ? NULL :
			strrchr(text, ')');
	}
}

static void by_fault(FIXTURE_DATA(heap) *self)
{
	limit_set(&self->h, 2 * FRAME_SIZE);
	frames_touch(self->p, 3);
}

static void by_alloc(FIXTURE_DATA(heap) *self)
{
	struct burrow_span_ref s;

	limit_set(&self->h, FRAMES * FRAME_SIZE);
	span_alloc(&self->h, PAGES + 1, 0, &s);
}

static void by_limit(FIXTURE_DATA(heap) *self)
{
	frames_touch(self->p, 3);
	limit_set(&self->h, FRAME_SIZE);
}

static void by_shrinker(FIXTURE_DATA(heap) *self)
{
	struct burrow_span_ref s;
	int i;

	span_alloc(&self->h, 4 * PAGES, 0, &s);
	span_free(&self->h, 0, s);
	for (i = 0; i < 64 && !heap_stats(self->h.fd, &self->stats) &&
	     self->stats.out_pages_lazy; i++)
		file_write("/proc/sys/vm/drop_caches", "2");
}

static const struct {
	const char *name;
	void (*raise)(FIXTURE_DATA(heap) *self);
	int want;
} causes[] = {
	{ "fault", by_fault, BURROW_EVENT_LIMIT },
	{ "alloc", by_alloc, BURROW_EVENT_LIMIT },
	{ "limit", by_limit, BURROW_EVENT_LIMIT },
	{ "shrinker", by_shrinker, BURROW_EVENT_PRESSURE },
};

TEST_F(heap, who_sleeps_in_poll_or_epoll_is_woken_by_each_cause)
{
	pthread_t thread;
	size_t i;

	for (i = 0; i < 2 * NR(causes); i++) {
		struct sleeper s = { .h = &self->h, .ep = -1, .rounds = 1 };

		if (i & 1)
			s.ep = epoll_on(self->h.fd, EPOLLPRI | EPOLLET);
		frames_drop(&self->h, self->span);
		ASSERT_EQ(0, limit_set(&self->h, 0));
		ASSERT_EQ(0, pthread_create(&thread, NULL, sleeper_run, &s));
		sleep_await(&s);
		causes[i / 2].raise(self);
		pthread_join(thread, NULL);
		EXPECT_ROW(causes[i / 2].want, s.taken[0], causes[i / 2].name);
		close(s.ep);
	}
}

#define ROUNDS	500U

/* A wake-up that is lost leaves both waiting; the harness ends it. */
TEST_F(heap, no_event_is_lost_between_two_threads)
{
	struct sleeper s = { .h = &self->h, .ep = -1, .rounds = ROUNDS };
	pthread_t thread;
	__u32 i;

	ASSERT_EQ(0, limit_set(&self->h, 3 * FRAME_SIZE));
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleeper_run, &s));
	for (i = 0; i < ROUNDS; i++) {
		frames_touch(self->p, 4);
		while (__atomic_load_n(&s.done, __ATOMIC_ACQUIRE) != i + 1)
			sched_yield();
		EXPECT_EQ(BURROW_EVENT_LIMIT, s.taken[i % NR(s.taken)]);
		EXPECT_EQ(4, frames_drop(&self->h, self->span));
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, events_take(&self->h));
}

/*
 * A child's event wakes the queue that its parent sleeps on: he looks, finds
 * nothing of his own and sleeps on.
 */
struct family {
	struct heap *h;
	char *p;
	struct turns t;
};

static int child_raises(void *arg)
{
	struct family *f = arg;

	turns_keep(&f->t, CHILD);
	frames_touch(f->p, 3);
	CHILD_CHECK(polled(f->h->fd) == POLLPRI);
	CHILD_CHECK(!turn_give(&f->t, CHILD));
	CHILD_CHECK(!turn_take(&f->t, CHILD));
	CHILD_CHECK(events_take(f->h) == BURROW_EVENT_LIMIT);
	return CHILD_OK;
}

TEST_F(heap, a_childs_event_ends_no_sleep_of_its_parents)
{
	struct sleeper s = { .h = &self->h, .ep = -1, .rounds = 1 };
	struct family f = { .h = &self->h, .p = self->p };
	pthread_t thread;
	pid_t pid;

	ASSERT_EQ(0, limit_set(&self->h, 2 * FRAME_SIZE));
	ASSERT_EQ(0, turns_make(&f.t));
	ASSERT_EQ(0, pthread_create(&thread, NULL, sleeper_run, &s));
	sleep_await(&s);
	pid = child_start(child_raises, &f);
	ASSERT_LT(0, pid);
	turns_keep(&f.t, PARENT);
	EXPECT_EQ(0, turn_take(&f.t, PARENT));
	sleep_await(&s);
	EXPECT_FALSE(sleeper_is_done(&s));
	EXPECT_EQ(0, turn_give(&f.t, PARENT));
	EXPECT_EQ(CHILD_OK, child_wait(pid));
	frames_touch(self->p, 3);
	pthread_join(thread, NULL);
	EXPECT_EQ(BURROW_EVENT_LIMIT, s.taken[0]);
}

TEST_HARNESS_MAIN
