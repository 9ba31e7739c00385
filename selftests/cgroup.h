/* SPDX-License-Identifier: MIT */
/*
 * cgroup: memory cgroups, by name, right below the root. A test makes one before the
 * child that enters it, and drops it after that child is gone.
 */
#ifndef BURROW_SELFTEST_CGROUP_H
#define BURROW_SELFTEST_CGROUP_H

#include <sys/stat.h>

#include "burrow_selftest.h"
#include "proc.h"

#define CGROUP_ROOT	"/sys/fs/cgroup"

static inline void cgroup_path(char *path, size_t size, const char *name,
			       const char *file)
{
	snprintf(path, size, CGROUP_ROOT "/%s/%s", name, file);
}

static inline int cgroup_limit(const char *name, long long bytes)
{
	char path[128], text[32];

	cgroup_path(path, sizeof(path), name, "memory.max");
	snprintf(text, sizeof(text), "%lld", bytes);
	return file_write(path, text);
}

/* -errno: there is none to be had. One that is there already will do. */
static inline int cgroup_make(const char *name, long long bytes)
{
	char path[128];

	/* most likely it is there already; if not, there is no memory.max */
	file_write(CGROUP_ROOT "/cgroup.subtree_control", "+memory");
	cgroup_path(path, sizeof(path), name, "");
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	return cgroup_limit(name, bytes);
}

static inline int cgroup_enter(const char *name)
{
	char path[128];

	cgroup_path(path, sizeof(path), name, "cgroup.procs");
	return file_write(path, "0");
}

static inline long long cgroup_used(const char *name)
{
	char path[128], text[32];

	cgroup_path(path, sizeof(path), name, "memory.current");
	return file_read(path, text, sizeof(text)) ? -1 : atoll(text);
}

/* How many of its processes the OOM killer took; -1 when it cannot be told. */
static inline long long cgroup_kills(const char *name)
{
	char path[128], events[512], *at;

	cgroup_path(path, sizeof(path), name, "memory.events");
	if (file_read(path, events, sizeof(events)))
		return -1;
	at = strstr(events, "oom_kill ");
	return at ? atoll(at + strlen("oom_kill ")) : -1;
}

static inline int cgroup_drop(const char *name)
{
	char path[128];

	cgroup_path(path, sizeof(path), name, "");
	return rmdir(path) ? -errno : 0;
}

/* In a test, first. False: there is none to be had, and the test is skipped. */
static inline bool cgroup_begin(struct __test_metadata *_metadata,
				const char *name, long long bytes)
{
	int r = cgroup_make(name, bytes);

	if (r)
		SKIP(return false, "no memory cgroup to be had: %s",
		     strerror(-r));
	return true;
}

/* In a test, last: so many were killed, and all have gone. */
static inline void cgroup_end(struct __test_metadata *_metadata,
			      const char *name, int nr_kills)
{
	EXPECT_EQ(nr_kills, cgroup_kills(name));
	EXPECT_EQ(0, cgroup_drop(name));
}

#endif
