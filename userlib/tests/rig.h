/* SPDX-License-Identifier: MIT */
/* rig: what several tests need: heaps, children that die, random numbers. */
#ifndef BW_TESTS_RIG_H
#define BW_TESTS_RIG_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "heap/heap.h"
#include "tap.h"

#define RIG_WINDOW	(4ULL << 26)		/* 4 arenas */

/*
 * A backend with a window of 4 arenas, of which it adds @arenas: user mode, or
 * with BURROW_MODE=kernel the module, for tests that fit both.
 */
static inline struct bw_backend *rig_backend(u32 arenas, bool verify)
{
	struct bw_backend *be;
	struct bw_options o;
	u32 i, index;

	bw_options_init(&o);
	o.mode = BW_MODE_USER;
	o.window = RIG_WINDOW;
	o.verify = verify;
	if (bw_options_parse(&o, NULL, getenv("BURROW_MODE")) ||
	    bw_backend_open(&o, &be)) {
		printf("Bail out! %s\n", bw_error_last());
		exit(1);
	}
	for (i = 0; i < arenas; i++)
		EXPECT(!be->ops->arena_add(be, BURROW_ARENA_HEAP,
					   BURROW_ARENA_ANY, &index));
	return be;
}

static inline struct bw_heap *rig_heap(u32 arenas, bool verify)
{
	struct bw_heap *heap;

	if (bw_heap_open_on(rig_backend(arenas, verify), &heap))
		exit(1);
	return heap;
}

/* The mark words of a page of the window. */
static inline u64 *rig_marks(struct bw_heap *heap, u32 page)
{
	char *umeta = bw_heap_umeta(heap,
				    page >> BURROW_ARENA_PAGE_SHIFT);

	return (u64 *)(void *)(umeta + BURROW_U_MARK +
			       page % BURROW_ARENA_PAGES * BURROW_U_PAGE_BYTES);
}

static inline struct bw_span_want rig_want(u32 npages)
{
	return (struct bw_span_want){
		.npages = npages, .kind = BURROW_KIND_MANUAL,
	};
}

/* In a guest, on an emulated machine: tests that go on for long do less. */
static inline bool rig_is_kernel_mode(void)
{
	const char *mode = getenv("BURROW_MODE");

	return mode && !strcmp(mode, "kernel");
}

static inline u64 rig_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* Of the process. */
static inline u32 rig_nr_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	u32 n = 0;
	int c;

	while (f && (c = fgetc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

/* xorshift64*: the same numbers everywhere. */
static inline u64 rig_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

/*
 * All that comes from @fd until its end. Where it is more than @said takes, the
 * middle is left out: who says each second that it still waits may have more to say.
 */
static inline void rig_read(int fd, char *said, size_t size)
{
	size_t half = size / 2, len = 0, gone;
	ssize_t n;

	while ((n = read(fd, said + len, size - 1 - len)) > 0) {
		len += (size_t)n;
		if (len + 1 < size)
			continue;
		gone = (len - half + 1) / 2;
		len -= gone;
		memmove(said + half, said + half + gone, len - half);
	}
	said[len] = '\0';
}

/*
 * Runs @fn in a child; its wait status, and in @said what it wrote to standard
 * error: rig_read().
 */
static inline int rig_child(void (*fn)(void *arg), void *arg, char *said,
			    size_t size)
{
	int fd[2], status = -1;
	pid_t pid;

	fflush(stdout);
	if (pipe(fd))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		/* a shell has what it starts in the background ignore it */
		signal(SIGQUIT, SIG_DFL);
		/* a child that hangs fails */
		alarm(300);
		fn(arg);
		fflush(stdout);
		_exit(tap_bad_here != 0);
	}
	close(fd[1]);
	rig_read(fd[0], said, size);
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status;
}

/* Did @fn end well in a child? What the child said is shown if not. */
static inline bool rig_child_is_well(void (*fn)(void *arg), void *arg)
{
	static char child_said[8000];
	int status = rig_child(fn, arg, child_said, sizeof(child_said));

	if (status)
		printf("# status 0x%x: %s\n", status, child_said);
	return !status;
}

/*
 * Runs @fn in a child, at the same time, for so many @seconds at the most: one that
 * hangs fails. rig_join() says if it was content.
 */
static inline pid_t rig_fork_for(u32 seconds, void (*fn)(void *arg), void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	tap_bad_here = 0;
	alarm(seconds);
	fn(arg);
	fflush(stdout);
	_exit(tap_bad_here != 0);
}

static inline pid_t rig_fork(void (*fn)(void *arg), void *arg)
{
	return rig_fork_for(300, fn, arg);
}

/* Whatever signals come meanwhile. */
static inline bool rig_join(pid_t pid)
{
	int status = -1;
	pid_t ended;

	if (pid <= 0)
		return false;
	while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (status)
		printf("# child's status: %x\n", (unsigned int)status);
	return ended == pid && !status;
}

static inline bool rig_aborted(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
