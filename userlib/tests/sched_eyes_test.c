// SPDX-License-Identifier: MIT
/* What can be seen from outside: the trace, the dump, the counters. */
#include <fcntl.h>

#include "burrow/io.h"
#include "burrow/time.h"
#include "burrow/trace.h"
#include "sched/eyes.h"
#include "sched_rig.h"

static char said[1 << 18];

static void run_fn(void *arg)
{
	exit(bw_run((int (*)(void *))arg, NULL));
}

static int child_run(int (*fn)(void *arg))
{
	return rig_child(run_fn, (void *)fn, said, sizeof(said));
}

/* The next whole line of @fd without its end; a G may wait for it. */
static bool line_get(int fd, char *line, size_t size)
{
	size_t n = 0;
	char c;

	bw_block_begin();
	while (read(fd, &c, 1) == 1 && c != '\n')
		if (n + 1 < size)
			line[n++] = c;
	bw_block_end();
	line[n] = '\0';
	return n;
}

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

static int trace_fd;

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

static bool starts(const char *line, const char *what)
{
	return !strncmp(line, what, strlen(what));
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

/* Three calls that are no tail calls, and then a wait. */
static long depth;

__attribute__((noinline)) static void third(void)
{
	bw_park();
	add(&depth, 1);
}

__attribute__((noinline)) static void second(int n)
{
	volatile char room[300];

	room[n] = 1;
	third();
	add(&depth, room[n]);
}

static void sleepy(void *arg)
{
	second((int)(long)arg);
	add(&depth, 1);
}

static int never[2];

__attribute__((noinline)) static void reads(void)
{
	char c;

	bw_block_begin();
	add(&depth, read(never[0], &c, 1));
	bw_block_end();
}

static void blocked(void *arg)
{
	reads();
	add(&depth, 1);
}

static void look_for(struct bw_g *g, void *arg)
{
	u32 *nr = arg;
	u32 state = READ_ONCE(g->state);

	*nr += state == BW_G_PARKED || state == BW_G_BLOCKED;
}

static void until_they_wait(u32 want)
{
	u32 nr;

	do {
		bw_yield();
		nr = 0;
		bw_g_each(look_for, &nr);
	} while (nr < want);
}

/*
 * To the process. A thread sanitizer keeps signals until the thread comes to a
 * call that it knows, which one that sleeps in a futex does not.
 */
static void quit_signal(void)
{
	if (BW_TSAN)
		pthread_kill(pthread_self(), SIGQUIT);
	else
		kill(getpid(), SIGQUIT);
}

static int asks_to_quit(void *arg)
{
	EXPECT(!pipe(never));
	bw_go_named("sleepy", sleepy, (void *)7);
	bw_go_named("reader", blocked, NULL);
	until_they_wait(2);
	quit_signal();
	while (bw_self())
		bw_yield();
	return 0;
}

/* @what, then @and in the same block of lines. */
static bool tells(const char *what, const char *const *and)
{
	const char *at = strstr(said, what), *end;

	if (!at)
		return false;
	end = strstr(at, "\nburrow:");
	for (; *and; and++) {
		at = strstr(at, *and);
		if (!at || (end && at > end))
			return false;
	}
	return true;
}

static void check_dump(void)
{
	static const char *const parked[] = {
		"started with sleepy (sched_eyes_test)", "third+0x", "second+0x",
		"sleepy+0x", "bw_g_main+0x", NULL
	};
	static const char *const call[] = {
		" on thread ", "started with blocked", "reads+0x", "blocked+0x",
		NULL
	};

	bool good = EXPECT(tells("'sleepy' parked (park) for ", parked));

	good &= EXPECT(tells("'reader' in a call for ", call));
	good &= EXPECT(strstr(said, "G 1 'main' running on thread "));
	good &= EXPECT(strstr(said, "burrow: 3 Gs\n"));
	if (!good)
		printf("# said: %s\n", said);
}

static void SIGQUIT_shows_every_G_and_ends_with_status_2(void)
{
	int status = child_run(asks_to_quit);

	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	check_dump();
}

/* Loops without a call, on a G's stack and on a thread's own. */
static u32 looping;

__attribute__((noinline)) static void loops_in(void)
{
	__atomic_add_fetch(&looping, 1, __ATOMIC_SEQ_CST);
	while (load_seq(&looping))
		bw_cpu_relax();
}

__attribute__((noinline)) static void loops_deep(int n)
{
	volatile char room[500];

	room[n] = 1;
	loops_in();
	add(&depth, room[n]);
}

static void looper(void *arg)
{
	loops_deep((int)(long)arg);
	add(&depth, 1);
}

static void *attached_looper(void *arg)
{
	EXPECT(!bw_thread_attach());
	looper(arg);
	return NULL;
}

static void *attached_parker(void *arg)
{
	EXPECT(!bw_thread_attach());
	__atomic_add_fetch(&looping, 1, __ATOMIC_SEQ_CST);
	second((int)(long)arg);
	return NULL;
}

/* Nobody's thread, once all are where they are to be seen. */
static void *quits_when_all_loop(void *arg)
{
	while (load_seq(&looping) < 4)
		sched_yield();
	quit_signal();
	return NULL;
}

static int quits_beside_loops(void *arg)
{
	pthread_t t;

	bw_go_named("looper", looper, (void *)5);
	EXPECT(!pthread_create(&t, NULL, attached_looper, (void *)6));
	EXPECT(!pthread_create(&t, NULL, attached_parker, (void *)7));
	while (load_seq(&looping) < 3)
		bw_yield();
	until_they_wait(1);
	EXPECT(!pthread_create(&t, NULL, quits_when_all_loop, NULL));
	loops_deep(8);
	return 0;
}

/* @of: what its lines begin with. */
static bool tells_of_loop(const char *of, const char *outermost)
{
	const char *const frames[] = {
		"loops_in", "loops_deep", outermost, NULL
	};
	static const char *const none[] = { NULL };

	return tells(of, BW_TSAN ? none : frames);
}

static void a_G_that_runs_is_shown_where_it_is(void)
{
	static const char *const parked[] = {
		"started with a thread of its own", "third+0x", "second+0x",
		"attached_parker+0x", NULL
	};
	int status;
	bool good;

	setenv("BURROW_PROCS", "3", 1);
	status = child_run(quits_beside_loops);
	unsetenv("BURROW_PROCS");
	good = EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 2);
	good &= EXPECT(tells_of_loop("'looper' running", "looper+0x"));
	good &= EXPECT(tells_of_loop("'main' running", "quits_beside_loops"));
	good &= EXPECT(BW_TSAN || strstr(said, "attached_looper+0x"));
	good &= EXPECT(BW_TSAN || tells(" parked (park)", parked));
	if (!good)
		printf("# said: %s\n", said);
}

__attribute__((noinline)) static void dumps_itself(int n)
{
	volatile char room[100];

	room[n] = 2;
	bw_dump();
	add(&depth, room[n]);
}

static int is_dumped_by_itself(void *arg)
{
	dumps_itself(1);
	return 3;
}

static void a_dump_shows_its_own_caller(void)
{
	static const char *const frames[] = {
		"dumps_itself", "is_dumped_by_itself", NULL
	};
	int status = child_run(is_dumped_by_itself);

	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	if (!EXPECT(tells("'main' running", frames)))
		printf("# said: %s\n", said);
}

/* The dump was written: its last line came. */
static int goes_on(void *arg)
{
	char line[4096];

	EXPECT(!pipe(never));
	bw_go_named("sleepy", sleepy, (void *)7);
	bw_go_named("reader", blocked, NULL);
	until_they_wait(2);
	quit_signal();
	while (line_get(trace_fd, line, sizeof(line)) &&
	       !strstr(line, "3 Gs"))
		;
	EXPECT(strstr(line, "burrow: 3 Gs"));
	return 7;
}

static void run_goes_on(void *arg)
{
	int fd[2];

	EXPECT(!pipe(fd));
	dup2(fd[1], STDERR_FILENO);
	trace_fd = fd[0];
	EXPECT(bw_run(goes_on, NULL) == 7);
}

static void the_process_goes_on_where_that_is_asked_for(void)
{
	setenv("BURROW", "sigquit=go-on", 1);
	EXPECT(!rig_child(run_goes_on, NULL, said, sizeof(said)));
	unsetenv("BURROW");
}

static volatile int theirs;

static void on_quit(int sig)
{
	theirs++;
}

static int quits_and_returns(void *arg)
{
	quit_signal();
	return 0;
}

static void run_with_handler(void *arg)
{
	signal(SIGQUIT, arg ? SIG_IGN : on_quit);
	EXPECT(!bw_run(quits_and_returns, NULL));
	while (!arg && !theirs)
		sched_yield();
}

static int nothing(void *arg)
{
	return 0;
}

static void run_nothing_and_quit(void *arg)
{
	bw_run(nothing, NULL);
	quit_signal();
	for (;;)
		pause();
}

static void who_had_the_signal_keeps_it(void)
{
	int status;

	EXPECT(!rig_child(run_with_handler, NULL, said, sizeof(said)));
	EXPECT(!said[0]);
	EXPECT(!rig_child(run_with_handler, said, said, sizeof(said)));
	EXPECT(!said[0]);
	/* and without a run it ends the process as ever */
	status = rig_child(run_nothing_and_quit, NULL, said, sizeof(said));
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
	/* an emulator says so */
	EXPECT(!said[0] || starts(said, "qemu: "));
}

/* Gs that come, go, wait and move while they are looked at. */
#define BUSY	(RIG_SLOW ? 300 : 3000)

static long dumps;

static void busy_child(void *arg)
{
	bw_yield();
}

static void busy_parent(void *arg)
{
	int i;

	for (i = 0; i < 4; i++) {
		bw_go_named("child", busy_child, NULL);
		bw_yield();
	}
	bw_ready(bw_self());
	second(i);
	countdown_done(arg);
}

static void *dumper(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE)) {
		bw_dump();
		add(&dumps, 1);
	}
	return NULL;
}

static int under_dumps(void *arg)
{
	struct countdown c;
	pthread_t t;
	int i, end = 0;

	countdown_init(&c, BUSY);
	pthread_create(&t, NULL, dumper, &end);
	for (i = 0; i < BUSY; i++)
		EXPECT(!bw_go(busy_parent, &c));
	countdown_wait(&c);
	while (!add(&dumps, 0))
		bw_yield();
	__atomic_store_n(&end, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	return 0;
}

static void run_under_dumps(void *arg)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	EXPECT(!bw_run(under_dumps, NULL));
}

static void a_dump_may_be_made_while_everything_runs(void)
{
	setenv("BURROW_PROCS", "4", 1);
	EXPECT(!rig_child(run_under_dumps, NULL, said, sizeof(said)));
	unsetenv("BURROW_PROCS");
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
	TEST(SIGQUIT_shows_every_G_and_ends_with_status_2);
	TEST(a_G_that_runs_is_shown_where_it_is);
	TEST(a_dump_shows_its_own_caller);
	TEST(the_process_goes_on_where_that_is_asked_for);
	TEST(who_had_the_signal_keeps_it);
	TEST(a_dump_may_be_made_while_everything_runs);
	TEST(counters_count);
	TEST(timers_and_descriptors_are_counted);
	return tap_end();
}
