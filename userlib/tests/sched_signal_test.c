// SPDX-License-Identifier: MIT
/*
 * Stops and signals of the program's: nobody keeps the stop's signal away, calls
 * that it interrupts are restarted, other signals arrive, and fork() goes on.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sched_rig.h"

static long end, alive;
static int fd[2];

static long get(const long *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static void wait_alive(long n)
{
	while (get(&alive) != n)
		bw_yield();
}

static void stop_often(int n)
{
	while (n--) {
		bw_world_stop("test");
		bw_world_start();
	}
}

static bool is_blocked(void)
{
	sigset_t now;

	EXPECT(!pthread_sigmask(SIG_SETMASK, NULL, &now));
	return sigismember(&now, BW_STOP_SIGNAL);
}

/* Older C libraries have none: ours is there all the same. */
static int pwait2(int ep, struct epoll_event *ev, int nr,
		  const struct timespec *timeout, const sigset_t *set)
{
	extern int epoll_pwait2(int fd, struct epoll_event *events, int n,
				const struct timespec *t, const sigset_t *s);

	return epoll_pwait2(ep, ev, nr, timeout, set);
}

/* All that programs do to be left alone, one after the other. */
static void blocks_all(void *arg)
{
	struct timespec none = { .tv_nsec = 1 };
	struct epoll_event ev;
	sigset_t all;
	int ep, sfd;

	sigfillset(&all);
	bw_lock_thread();
	EXPECT(!sigprocmask(SIG_BLOCK, &all, NULL));
	EXPECT(!is_blocked());
	EXPECT(!sigprocmask(SIG_SETMASK, &all, NULL));
	EXPECT(!is_blocked());
	EXPECT(!pthread_sigmask(SIG_SETMASK, &all, NULL));
	EXPECT(!is_blocked());
	sfd = signalfd(-1, &all, SFD_NONBLOCK);
	EXPECT(sfd >= 0);
	EXPECT(!sigaction(BW_STOP_SIGNAL, NULL, &(struct sigaction){ 0 }));
	EXPECT(signal(BW_STOP_SIGNAL, SIG_IGN) == SIG_ERR && errno == EINVAL);
	ep = epoll_create1(0);
	add(&alive, 1);
	while (!get(&end)) {
		EXPECT(ppoll(NULL, 0, &none, &all) >= -1);
		EXPECT(pselect(0, NULL, NULL, NULL, &none, &all) >= -1);
		EXPECT(epoll_pwait(ep, &ev, 1, 0, &all) >= -1);
		EXPECT(pwait2(ep, &ev, 1, &none, &all) >= -1);
	}
	/* in calls that end by a signal alone: the stop's */
	EXPECT(ppoll(NULL, 0, NULL, &all) == -1 && errno == EINTR);
	EXPECT(pwait2(ep, &ev, 1, NULL, &all) == -1 && errno == EINTR);
	close(sfd);
	close(ep);
	sigemptyset(&all);
	EXPECT(!sigprocmask(SIG_SETMASK, &all, NULL));
	bw_unlock_thread();
	add(&alive, -1);
}

static int masks(void *arg)
{
	end = 0;
	bw_go(blocks_all, NULL);
	wait_alive(1);
	stop_often(RIG_SLOW ? 60 : 300);
	add(&end, 1);
	while (get(&alive))
		stop_often(1);
	return 0;
}

static void no_mask_keeps_a_stop_away(void)
{
	if (BW_ASAN || BW_TSAN) {
		tap_skip("a sanitizer has these names itself");
		return;
	}
	run_it(masks);
}

/* read() and write() are restarted; nobody sees EINTR. */
static void reads(void *arg)
{
	char c;

	add(&alive, 1);
	bw_block_begin();
	EXPECT(read(fd[0], &c, 1) == 1);
	bw_block_end();
	add(&alive, -1);
}

static int interrupted(void *arg)
{
	int i;

	EXPECT(!pipe(fd));
	for (i = 0; i < 4; i++)
		bw_go(reads, NULL);
	wait_alive(4);
	/* a thread sanitizer keeps signals away from read() */
	stop_often(BW_TSAN ? 0 : RIG_SLOW ? 40 : 200);
	EXPECT(write(fd[1], "xxxx", 4) == 4);
	wait_alive(0);
	close(fd[0]);
	close(fd[1]);
	return 0;
}

static void a_read_that_a_stop_interrupts_is_restarted(void)
{
	run_it(interrupted);
}

/* Signals of the program arrive while the world is stopped again and again. */
#define SIGNALS	(RIG_SLOW ? 50 : 200)

static long handled;

static void on_usr1(int sig)
{
	add(&handled, 1);
}

static void *sends(void *arg)
{
	long i;

	for (i = 0; i < SIGNALS; i++) {
		kill(getpid(), SIGUSR1);
		while (get(&handled) <= i)
			sched_yield();
	}
	add(&end, 1);
	return NULL;
}

static int delivered(void *arg)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	pthread_t t;

	end = 0;
	sigaction(SIGUSR1, &sa, NULL);
	EXPECT(!pthread_create(&t, NULL, sends, NULL));
	while (!get(&end)) {
		stop_often(1);
		bw_yield();
	}
	pthread_join(t, NULL);
	EXPECT(get(&handled) == SIGNALS);
	return 0;
}

static void signals_of_the_program_arrive_between_stops(void)
{
	if (BW_TSAN) {
		tap_skip("a thread sanitizer keeps signals in Gs that wait");
		return;
	}
	run_it(delivered);
}

/* Children are made while others stop the world; they allocate, and exit. */
static void forks(void *arg)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		pid = fork();
		if (!pid) {
			void *p = malloc(100);

			_exit(p ? 7 : 1);
		}
		bw_block_begin();
		while (waitpid(pid, &status, 0) != pid)
			;
		bw_block_end();
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
	add(&alive, -1);
}

static int fork_and_stop(void *arg)
{
	alive = 2;
	bw_go(forks, NULL);
	bw_go(forks, NULL);
	while (get(&alive)) {
		stop_often(1);
		bw_yield();
	}
	return 0;
}

static void children_are_made_while_the_world_is_stopped(void)
{
	if (BW_TSAN) {
		tap_skip("a thread sanitizer follows no fork() with threads");
		return;
	}
	run_it(fork_and_stop);
}

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	alarm(280);
	TEST(no_mask_keeps_a_stop_away);
	TEST(a_read_that_a_stop_interrupts_is_restarted);
	TEST(signals_of_the_program_arrive_between_stops);
	TEST(children_are_made_while_the_world_is_stopped);
	return tap_end();
}
