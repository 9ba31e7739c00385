// SPDX-License-Identifier: MIT
/* The dump: every G, where it is and what it waits for, and who may ask for it. */
#include <fcntl.h>

#include "eyes_rig.h"

static void run_fn(void *arg)
{
	exit(bw_run((int (*)(void *))arg, NULL));
}

static int child_run(int (*fn)(void *arg))
{
	return rig_child(run_fn, (void *)fn, said, sizeof(said));
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
		"started with sleepy (sched_dump_test)", "third+0x", "second+0x",
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

int main(void)
{
	TEST(SIGQUIT_shows_every_G_and_ends_with_status_2);
	TEST(a_G_that_runs_is_shown_where_it_is);
	TEST(a_dump_shows_its_own_caller);
	TEST(the_process_goes_on_where_that_is_asked_for);
	TEST(who_had_the_signal_keeps_it);
	TEST(a_dump_may_be_made_while_everything_runs);
	return tap_end();
}
