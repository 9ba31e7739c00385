// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * storm: everything at once on one heap, and a process that is killed in the
 * middle of it.
 *
 *	thread_hand() x3	alloc, free, reclaim, sweep, move, checked (storm.h)
 *	thread_touches()	reads where the others' spans come and go
 *	thread_stacks()		stack spans, and touches of their guards
 *	thread_forks()		children that look, work, and end or are killed
 *	thread_mappings()	arenas that come and go; mprotect, madvise,
 *				munmap and mremap of views
 *	thread_pins()		vmsplice, process_vm_*, io_uring's fixed buffers,
 *				direct I/O where there is a disk (debug kernel)
 *	thread_harvests()	asks what was written
 *	thread_shrinks()	drop_caches
 *	child_hogs()		ordinary memory, in the same memory cgroup
 *
 *	storm [seed=N] [ops=N] [kills=N]
 *
 * The others are in storm_threads.h. What happens depends on the seed and on
 * the scheduler; each thread does a fixed number of deeds, nothing waits for a
 * time.
 */
#include <pthread.h>
#include <sys/random.h>

#include "cgroup.h"
#include "storm_threads.h"

#define CGROUP		"burrow_storm"
#define CGROUP_MAX	(56L << 20)
#define DELAY_US	50
#define HEAP_ARENAS	3U
#define STACK_ARENA	3U

static unsigned int arg_seed, arg_ops = 320, arg_kills = 50;

static bool has_large(const struct hand *hand)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		if (hand->held[i].npages > MAX_PAGES)
			return true;
	return false;
}

static void *thread_hand(void *arg)
{
	struct hand *hand = arg;
	struct storm *s = hand->s;
	unsigned int n;

	for (n = 0; n < s->ops; n++) {
		hand_work(hand);
		/* more than is left of one arena, so in two of them */
		if (hand->id == 0 && n % 64 == 0 && !has_large(hand))
			deed_alloc(hand, 1, LARGE_PAGES);
		if (s->out >= 0 && n % 4 == 0 && write(s->out, "", 1) != 1)
			break;
	}
	hand_check(hand);
	hand_drop(hand);
	return NULL;
}

static void *(* const threads[])(void *) = {
	thread_hand, thread_hand, thread_hand, thread_stacks, thread_forks,
	thread_mappings, thread_pins, thread_harvests, thread_shrinks,
	thread_touches,
};

static int storm_heap(struct storm *s)
{
	struct burrow_arena_add add = {
		.size = sizeof(add), .kind = BURROW_ARENA_STACK,
		.index = STACK_ARENA,
	};
	int r = heap_make(&s->h, TEST_ARENAS);

	if (!r)
		r = arenas_make(&s->h, HEAP_ARENAS);
	if (r >= 0)
		r = call(s->h.fd, BURROW_IOC_ARENA_ADD, &add);
	return r ? r : arena_map(&s->h, STACK_ARENA);
}

static int storm_run(struct storm *s)
{
	static struct hand hand[NR(threads)];
	pthread_t thread[NR(threads)];
	struct burrow_heap_stats stats;
	size_t i;

	CHILD_CHECK(!touch_init());
	CHILD_CHECK(!storm_heap(s));
	for (i = 0; i < NR(threads); i++)
		hand_make(&hand[i], s, i);
	for (i = 0; i < NR(threads); i++)
		CHILD_CHECK(!pthread_create(&thread[i], NULL, threads[i],
					    &hand[i]));
	for (i = 0; i < NR(threads); i++)
		CHILD_CHECK(!pthread_join(thread[i], NULL));
	CHILD_CHECK(!heap_stats(s->h.fd, &stats));
	CHILD_CHECK(stats.out_spans == 0);
	CHILD_CHECK(stats.out_pages_free ==
		    (HEAP_ARENAS + 1) * BURROW_ARENA_PAGES);
	printf("# %llu frames reclaimed, %llu of them under pressure, %llu faults\n",
	       stats.out_nr_reclaimed, stats.out_nr_shrunk,
	       stats.out_nr_faults);
	return s->bad ? CHILD_BAD : CHILD_OK;
}

static struct storm storm;

static int child_storms(void *arg)
{
	struct storm *s = &storm;
	int hog = CHILD_OK;
	pid_t pid = 0;
	int r;

	/* no memory shared with whoever started us, or with our children */
	storm = *(struct storm *)arg;
	if (s->nomem) {
		CHILD_CHECK(!cgroup_enter(CGROUP));
		pid = child_start(child_hogs, s);
	}
	r = storm_run(s);
	if (pid > 0)
		hog = child_wait(pid);
	printf("# %u calls were refused for memory; the hog %s\n", s->refused,
	       hog == CHILD_OK ? "lived" : "was killed");
	fflush(stdout);
	return hog == CHILD_OK || hog == CHILD_KILLED + SIGKILL ? r : CHILD_BAD;
}

FIXTURE(storm) {
	int held;			/* keeps the user and its total */
	__u64 before;
	struct storm s;
};

FIXTURE_SETUP(storm)
{
	self->held = device_open();
	ASSERT_LE(0, self->held);
	self->before = user_frames();
	self->s.ops = arg_ops;
	self->s.seed = arg_seed;
	self->s.out = -1;
	printf("# seed=%u ops=%u kills=%u\n", arg_seed, arg_ops, arg_kills);
	fflush(stdout);
	ASSERT_EQ(0, param_set("reclaim_delay_us", DELAY_US));
}

FIXTURE_TEARDOWN(storm)
{
	EXPECT_EQ(0, param_set("reclaim_delay_us", 0));
}

/* What a scan has in hand when its process dies, it lets go of a bit later. */
static bool frames_come_back(__u64 want)
{
	unsigned int n;

	for (n = 0; n < 100; n++)
		if (user_frames() == want)
			return true;
	return false;
}

TEST_F_TIMEOUT(storm, all_that_a_heap_does_can_be_done_at_once, 1200)
{
	int r = cgroup_make(CGROUP, CGROUP_MAX);

	self->s.nomem = !r;
	if (r)
		TH_LOG("no memory cgroup: no pressure (%s)", strerror(-r));
	EXPECT_EQ(CHILD_OK, child_run(child_storms, &self->s));
	EXPECT_TRUE(frames_come_back(self->before));
	if (!r)
		EXPECT_EQ(0, cgroup_drop(CGROUP));
}

/* All that comes of it is in its process group and has the pipe. */
static int child_storms_endlessly(void *arg)
{
	setpgid(0, 0);
	storm = *(struct storm *)arg;
	return storm_run(&storm);
}

static long long mem_available(void)
{
	char text[2048], *at;

	if (file_read("/proc/meminfo", text, sizeof(text)))
		return -1;
	at = strstr(text, "MemAvailable:");
	return at ? atoll(at + strlen("MemAvailable:")) * 1024 : -1;
}

TEST_F_TIMEOUT(storm, whoever_is_killed_in_it_leaves_nothing_behind, 1200)
{
	long long available = mem_available();
	unsigned int i, chance = arg_seed;

	self->s.ops = ENDLESS;
	for (i = 0; i < arg_kills; i++) {
		unsigned int left = rand_r(&chance) % 24;
		int out[2];
		char byte;
		pid_t pid;

		ASSERT_EQ(0, pipe(out));
		self->s.out = out[1];
		self->s.seed = arg_seed + i;
		pid = child_start(child_storms_endlessly, &self->s);
		ASSERT_LT(0, pid);
		setpgid(pid, pid);
		close(out[1]);
		while (left-- && read(out[0], &byte, 1) == 1)
			;
		EXPECT_EQ(0, kill(-pid, SIGKILL));
		EXPECT_EQ(CHILD_KILLED + SIGKILL, child_wait(pid));
		/* the end of the pipe: all of them are gone */
		while (read(out[0], &byte, 1) == 1)
			;
		close(out[0]);
		ASSERT_TRUE(frames_come_back(self->before))
			TH_LOG("kill %u: %llu frames, not %llu", i,
			       user_frames(), self->before);
	}
	ASSERT_EQ(0, file_write("/proc/sys/vm/drop_caches", "3"));
	/* less than a frame of data from each of their arenas */
	EXPECT_LT(available - 32 * (long long)MB, mem_available());
}

static void arg_take(const char *arg, const char *name, unsigned int *to)
{
	if (!strncmp(arg, name, strlen(name)))
		*to = strtoul(arg + strlen(name), NULL, 10);
}

int main(int argc, char **argv)
{
	int i;

	if (getrandom(&arg_seed, sizeof(arg_seed), GRND_NONBLOCK) < 0)
		arg_seed = getpid();
	arg_seed %= 1000000;
	for (i = 1; i < argc; i++) {
		arg_take(argv[i], "seed=", &arg_seed);
		arg_take(argv[i], "ops=", &arg_ops);
		arg_take(argv[i], "kills=", &arg_kills);
	}
	return test_harness_run(argc, argv);
}
