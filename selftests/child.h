/* SPDX-License-Identifier: MIT */
/*
 * child: a part of a test that has to be another process.
 *
 *	pid = child_start(fn, arg);	_exit(fn(arg)) in the child
 *	child_wait(pid)			its exit code, or 128 + the signal
 *
 * A child does not assert: CHILD_CHECK() names the line and ends it with an
 * exit code that the test finds.
 */
#ifndef BURROW_SELFTEST_CHILD_H
#define BURROW_SELFTEST_CHILD_H

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <signal.h>

#include "burrow_selftest.h"

#define CHILD_OK	0
#define CHILD_BAD	99
#define CHILD_KILLED	128

#define CHILD_CHECK(cond) child_check(cond, __FILE__, __LINE__, #cond)

static inline void child_check(bool ok, const char *file, int line,
			       const char *cond)
{
	if (ok)
		return;
	fprintf(stderr, "# %s:%d: child: not so: %s (errno %d)\n", file, line,
		cond, errno);
	_exit(CHILD_BAD);
}

static inline pid_t child_start(int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(fn(arg));
}

static inline int child_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) ? CHILD_KILLED + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static inline int child_run(int (*fn)(void *), void *arg)
{
	return child_wait(child_start(fn, arg));
}

static int child_frames(void *arg)
{
	struct burrow_heap_stats stats;
	struct heap h;
	__u64 *frames = arg;

	if (heap_make(&h, 1) || heap_stats(h.fd, &stats))
		return CHILD_BAD;
	*frames = stats.out_user_frames;
	return CHILD_OK;
}

/*
 * The uid's total of frames, as a fresh heap of a fresh process sees it: the
 * same each time as long as nobody keeps anything. ~0 when it cannot be told.
 * The total lives as long as somebody has the device open: from the first call
 * on we do, or what was lost would be forgotten with the last close.
 */
static inline __u64 user_frames(void)
{
	static int kept = -1;
	__u64 *frames, val = ~0ULL;

	if (kept < 0)
		kept = device_open();
	frames = mmap(NULL, FRAME_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (frames == MAP_FAILED)
		return val;
	if (child_run(child_frames, frames) == CHILD_OK)
		val = *frames;
	munmap(frames, FRAME_SIZE);
	return val;
}

#endif
