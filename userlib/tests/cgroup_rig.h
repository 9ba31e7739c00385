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

#include "tap.h"

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

/**
 * struct crig_calls - the allocator that meets the limit
 * @alloc:	@n bytes, the @nr-th that is asked for; NULL and ENOMEM
 * @free:	what alloc() gave
 * @is_whole:	every invariant of the heap holds
 * @trim:	what is free goes back
 */
struct crig_calls {
	void *(*alloc)(size_t n, unsigned int nr);
	void (*free)(void *p);
	bool (*is_whole)(void);
	void (*trim)(void);
};

/* Blocks hang on each other, and are filled behind that. */
struct crig_link {
	struct crig_link *next;
	unsigned char fill[];
};

/* Until there is no more; how many. */
static inline unsigned int crig_take_all(const struct crig_calls *c,
					 struct crig_link **head, size_t n)
{
	unsigned int nr = 0;
	struct crig_link *b;

	*head = NULL;
	for (;;) {
		errno = 0;
		b = c->alloc(n, nr);
		if (!b)
			return errno == ENOMEM ? nr : 0;
		b->next = *head;
		memset(b->fill, (unsigned char)nr++, n - sizeof(*b));
		*head = b;
	}
}

static inline bool crig_holds(const struct crig_link *b, size_t n,
			      unsigned char fill)
{
	size_t i;

	for (i = 0; i < n - sizeof(*b); i++)
		if (b->fill[i] != fill)
			return false;
	return true;
}

/* False: one is not as it was. */
static inline bool crig_give_all(const struct crig_calls *c,
				 struct crig_link *b, unsigned int nr, size_t n)
{
	struct crig_link *next;
	bool good = true;

	for (; b; b = next) {
		next = b->next;
		good = good && crig_holds(b, n, (unsigned char)(nr -= 1));
		c->free(b);
	}
	return good && !nr;
}

/**
 * struct crig_seen - what came of a size; said when there is no limit any more
 */
struct crig_seen {
	size_t n;
	unsigned int nr, again;
	bool intact, whole;
};

static inline void crig_meet_the_limit(const struct crig_calls *c,
				       struct crig_seen *w, size_t left)
{
	struct crig_link *all;

	w->nr = crig_take_all(c, &all, w->n);
	w->intact = crig_give_all(c, all, w->nr, w->n);
	w->whole = c->is_whole();
	w->again = crig_take_all(c, &all, w->n);
	w->intact = crig_give_all(c, all, w->again, w->n) && w->intact;
	w->whole = c->is_whole() && w->whole;
	c->trim();
	w->whole = c->is_whole() && w->whole;
	/* else it is not the limit that was met */
	w->whole = w->whole && w->nr * w->n > left / 2 &&
		   w->nr * w->n <= left + (2UL << 20);
}

/* In the program that was run again, with @left bytes: for main(). */
static inline int crig_there(const struct crig_calls *c, size_t left,
			     struct crig_seen *was, unsigned int nr)
{
	bool good = crig_enter();
	unsigned int i;

	c->free(c->alloc(64, 0));
	/* the page of the stack that all of it takes */
	memset(__builtin_alloca(16384), 1, 16384);
	good = good && crig_limit(left);
	for (i = 0; i < nr && good; i++)
		crig_meet_the_limit(c, &was[i], left);
	good = crig_no_limit() && good;
	for (i = 0; i < nr; i++) {
		bool well = was[i].intact && was[i].whole &&
			    was[i].again >= was[i].nr - was[i].nr / 8;

		good = good && well;
		if (!well)
			printf("# %zu bytes left, %u of %zu, then %u, %s, %s\n",
			       left, was[i].nr, was[i].n, was[i].again,
			       was[i].intact ? "intact" : "bad",
			       was[i].whole ? "whole" : "not whole");
	}
	return !good;
}

/* A test's body: the program everywhere at the limit. */
static inline void crig_everywhere(void)
{
	if (!crig_make()) {
		tap_skip("no memory cgroup can be made");
		return;
	}
	EXPECT(crig_run() == CRIG_PLACES);
	EXPECT(crig_nobody_was_killed());
	EXPECT(crig_drop());
}

#endif
