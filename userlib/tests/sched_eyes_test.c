// SPDX-License-Identifier: MIT
/* What can be seen from outside beside the dump: the trace and the counters. */
#include <fcntl.h>

#include "burrow/io.h"
#include "burrow/time.h"
#include "eyes_rig.h"

/* Is it Go's line for @procs Ps? */
static bool is_trace(const char *line, u32 procs, u64 *ms)
{
	u32 v[6], i, waits;
	int at = 0;

	if (sscanf(line, "SCHED %lums: gomaxprocs=%u idleprocs=%u threads=%u "
		   "spinningthreads=%u needspinning=%u idlethreads=%u "
		   "runqueue=%n", ms, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &at) != 7 || !at || v[0] != procs || v[1] > procs ||
	    v[4] > 1 || v[5] >= v[2])
		return false;
	line += at;
	if (sscanf(line, "%u %n", &waits, &at) != 1 || line[at++] != '[')
		return false;
	for (i = 0; i < procs; i++) {
		line += at;
		if (sscanf(line, i ? " %u%n" : "%u%n", &waits, &at) != 1)
			return false;
	}
	return !strcmp(line + at, "]");
}

static int reads_trace(void *arg)
{
	u64 ms = 1, last = 0;
	char line[4096];
	u32 nr = 0;

	while (nr < 4 && line_get(trace_fd, line, sizeof(line))) {
		if (!EXPECT(is_trace(line, 3, &ms)))
			printf("# %s\n", line);
		EXPECT(nr ? ms >= last + 2 : ms == 0);
		last = ms;
		nr++;
	}
	EXPECT(nr == 4);
	return tap_bad_here != 0;
}

/**
 * struct group - lines between one of Go's and the next		[caller]
 */
struct group {
	u32 ps, ms, gs, waits, self;
};

static void group_add(struct group *n, const char *line)
{
	n->ps += starts(line, "  P") && strstr(line, ": status=") &&
		 strstr(line, " runqsize=");
	n->ms += starts(line, "  M") && strstr(line, ": p=") &&
		 strstr(line, " curg=") && strstr(line, " lockedg=");
	n->gs += starts(line, "  G") && strstr(line, ": status=");
	n->waits += !!strstr(line, ": status=waiting(park) m=nil lockedm=nil");
	n->self += starts(line, "  G1: status=syscall() m=");
}

/* In some group there is a G that waits, and we are in a call. */
static int reads_detail(void *arg)
{
	struct group n = { 0 };
	char line[4096];
	bool good = false;
	u64 at;

	while (!good && line_get(trace_fd, line, sizeof(line))) {
		if (!is_trace(line, 3, &at)) {
			group_add(&n, line);
			continue;
		}
		good = n.ps == 3 && n.ms >= 1 && n.gs == 2 && n.waits == 1 &&
		       n.self == 1;
		EXPECT(!n.ps || n.ps == 3);
		n = (struct group){ 0 };
	}
	return !EXPECT(good);
}

static void waiter(void *arg)
{
	countdown_done(arg);
	bw_park();
}

static int detail_beside_a_waiter(void *arg)
{
	struct countdown here;

	countdown_init(&here, 1);
	bw_go(waiter, &here);
	countdown_wait(&here);
	return reads_detail(arg);
}

/* Its standard error comes back to itself. */
static void run_traced(void *arg)
{
	int fd[2];

	EXPECT(!pipe(fd));
	dup2(fd[1], STDERR_FILENO);
	close(fd[1]);
	trace_fd = fd[0];
	tap_bad_here += !!bw_run((int (*)(void *))arg, NULL);
}

static void a_trace_has_the_words_of_Go(void)
{
	setenv("BURROW_PROCS", "3", 1);
	setenv("BURROW", "schedtrace=2", 1);
	EXPECT(!rig_child(run_traced, (void *)reads_trace, said,
			  sizeof(said)));
	setenv("BURROW", "schedtrace=2,scheddetail=1", 1);
	EXPECT(!rig_child(run_traced, (void *)detail_beside_a_waiter, said,
			  sizeof(said)));
	unsetenv("BURROW");
}

static struct bw_stats now(void)
{
	struct bw_stats s = { .size = sizeof(s) };

	EXPECT(!bw_stats(&s));
	return s;
}

static void counted(void *arg)
{
	struct bw_g *main_g = arg;

	bw_yield();
	bw_block_begin();
	bw_block_end();
	bw_ready(main_g);
	bw_park();
}

static int counts(void *arg)
{
	struct bw_stats a = now(), b;
	struct bw_g *self = bw_self();
	int i;

	for (i = 0; i < 10; i++)
		bw_go(counted, self);
	/* each leaves a token; some find one there already */
	do {
		bw_yield();
		b = now();
	} while (b.parks < a.parks + 10);
	EXPECT(b.procs == 1 && b.threads >= 1);
	EXPECT(a.live == 1 && b.live == 11);
	EXPECT(b.made == a.made + 10 && b.ended == a.ended);
	EXPECT(b.parks == a.parks + 10);
	EXPECT(b.yields >= a.yields + 10);
	EXPECT(b.calls == a.calls + 10);
	EXPECT(b.switches >= a.switches + 20);
	EXPECT(b.threads_made >= 1 && b.threads_woken >= 1);
	return 0;
}

static void counters_count(void)
{
	struct bw_stats s, before;
	u64 big[sizeof(s) / 8 + 4];

	setenv("BURROW_PROCS", "1", 1);
	before = now();
	EXPECT(!bw_run(counts, NULL));
	s = now();
	EXPECT(s.made == before.made + 11 && s.ended == s.made && !s.live);
	unsetenv("BURROW_PROCS");

	/* of another version: less, more, none */
	memset(big, 0xff, sizeof(big));
	((struct bw_stats *)big)->size = 16;
	EXPECT(!bw_stats((struct bw_stats *)big));
	EXPECT(((struct bw_stats *)big)->switches == s.switches);
	EXPECT(big[2] == ~0ULL);
	((struct bw_stats *)big)->size = sizeof(big);
	EXPECT(!bw_stats((struct bw_stats *)big));
	EXPECT(!big[sizeof(s) / 8] && !big[sizeof(s) / 8 + 3]);
	s.size = 4;
	EXPECT(bw_stats(&s) == -EINVAL);
	s.size = 17;
	EXPECT(bw_stats(&s) == -EINVAL);
}

#define MOMENTS	10

static long rung;

static void rings(void *arg)
{
	add(&rung, 1);
}

static void reads_a_byte(void *arg)
{
	char c;

	EXPECT(bw_read(*(int *)arg, &c, 1) == 1);
	add(&rung, 1);
}

static void until_rung(long n)
{
	while (add(&rung, 0) < n)
		bw_sleep(0);
}

static int counts_time_and_descriptors(void *arg)
{
	struct bw_timer *t = bw_timer_make(rings, NULL), *never_due;
	struct bw_stats a = now(), b;
	int fd[2], i;

	rung = 0;
	for (i = 0; i < MOMENTS; i++) {
		EXPECT(bw_timer_start(t, 0) == 0);
		until_rung(i + 1);
	}
	never_due = bw_timer_make(rings, NULL);
	EXPECT(bw_timer_start(never_due, 3600000000000ULL) == 0);
	EXPECT(bw_timer_stop(never_due));
	b = now();
	EXPECT(b.timers == a.timers + MOMENTS + 1);
	EXPECT(b.timers_fired == a.timers_fired + MOMENTS);
	EXPECT(b.io_waits == a.io_waits);
	EXPECT(!pipe2(fd, O_NONBLOCK));
	bw_go(reads_a_byte, &fd[0]);
	until_they_wait(1);
	EXPECT(bw_write(fd[1], "x", 1) == 1);
	until_rung(MOMENTS + 1);
	a = b;
	b = now();
	EXPECT(b.io_waits == a.io_waits + 1);
	EXPECT(b.io_polls > a.io_polls && b.io_events > a.io_events);
	EXPECT(b.timers == a.timers);
	return tap_bad_here != 0;
}

static void timers_and_descriptors_are_counted(void)
{
	setenv("BURROW_PROCS", "1", 1);
	EXPECT(!bw_run(counts_time_and_descriptors, NULL));
	unsetenv("BURROW_PROCS");
}

int main(void)
{
	TEST(a_trace_has_the_words_of_Go);
	TEST(counters_count);
	TEST(timers_and_descriptors_are_counted);
	return tap_end();
}
