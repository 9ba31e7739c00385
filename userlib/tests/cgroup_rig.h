/* SPDX-License-Identifier: MIT */
/*
 * cgroup_rig: this program once more, in a memory cgroup that has little left.
 *
 * It is exec'ed, not only forked: what a child has in common with its parent is
 * copied by touch, and at the limit a touch is killed. For the same reason what
 * runs there prints nothing before the limit is off again.
 */
#ifndef BW_TESTS_CGROUP_RIG_H
#define BW_TESTS_CGROUP_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRIG_PATH	"/sys/fs/cgroup/burrow_oom"
#define CRIG_PLACES	4	/* the limit is a frame elsewhere each time */
#define CRIG_BYTES	(8UL << 20)

static inline bool crig_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 &&
		    write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

/* The number behind @key in a file of the cgroup, or the first; -1. */
static inline long long crig_read(const char *file, const char *key)
{
	char path[128], text[512];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), CRIG_PATH "/%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = strstr(text, key);
	return at ? atoll(at + strlen(key)) : -1;
}

static inline bool crig_make(void)
{
	/* it may be there already */
	crig_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	return (!mkdir(CRIG_PATH, 0755) || errno == EEXIST) &&
	       crig_write(CRIG_PATH "/memory.max", "max");
}

/* To open a file takes memory: it is open before there is a limit. */
static int crig_max = -1;

/* In the program that was run again. */
static inline bool crig_enter(void)
{
	cpu_set_t one;

	/* room is for the CPU that asked */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	crig_max = open(CRIG_PATH "/memory.max", O_WRONLY | O_CLOEXEC);
	return crig_max >= 0 && crig_write(CRIG_PATH "/cgroup.procs", "0");
}

/* No more than so many bytes beyond what it has. */
static inline bool crig_limit(size_t bytes)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%lld",
			 crig_read("memory.current", "") + (long long)bytes);

	return pwrite(crig_max, text, (size_t)n, 0) == n;
}

static inline bool crig_no_limit(void)
{
	return pwrite(crig_max, "max", 3, 0) == 3;
}

/* How many of the places ended well, with "cgroup" and bytes as arguments. */
static inline int crig_run(void)
{
	char bytes[32];
	int i, status, good = 0;
	pid_t pid;

	for (i = 0; i < CRIG_PLACES && crig_make(); i++) {
		snprintf(bytes, sizeof(bytes), "%lu",
			 CRIG_BYTES + (unsigned long)i * 4096);
		fflush(stdout);
		pid = fork();
		if (!pid) {
			execl("/proc/self/exe", "test", "cgroup", bytes,
			      (char *)NULL);
			_exit(126);
		}
		if (waitpid(pid, &status, 0) != pid)
			return -1;
		if (!status)
			good++;
		else
			printf("# status %x with %s bytes left\n",
			       (unsigned int)status, bytes);
	}
	return good;
}

static inline bool crig_nobody_was_killed(void)
{
	return !crig_read("memory.events", "oom_kill ");
}

static inline bool crig_drop(void)
{
	return !rmdir(CRIG_PATH);
}

#endif
