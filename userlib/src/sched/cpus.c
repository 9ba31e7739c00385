// SPDX-License-Identifier: MIT
/*
 * cpus: how many CPUs the process may use: those of its affinity, or fewer where
 * a cgroup above it has a quota.
 *
 * /proc/self/cgroup says where the process is in each hierarchy, and
 * /proc/self/mountinfo where that is mounted, and from which directory on. From
 * there up to the mount point every directory may have a quota; the tightest
 * counts.
 *
 *	v2	cpu.max			"max 100000" or "150000 100000"
 *	v1	cpu.cfs_quota_us	-1 or a number
 *		cpu.cfs_period_us
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fmt.h"
#include "sched.h"

#define PATH_BYTES	4096U
#define FILE_BYTES	(256U << 10)

/* At most @size - 1 bytes, NUL behind them; false: none. */
static bool slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return false;
	while (n > 0 && len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	buf[len] = '\0';
	return len > 0;
}

static bool read_in(const char *dir, const char *file, char *buf, size_t size)
{
	char path[PATH_BYTES + 32];

	bw_fmt(path, sizeof(path), "%s/%s", dir, file);
	return slurp(path, buf, size);
}

/* CPUs that one directory allows, rounded up; 0: no limit. */
static u32 quota_of(const char *dir)
{
	long long quota = 0, period = 0;
	char text[64];

	if (read_in(dir, "cpu.max", text, sizeof(text))) {
		if (sscanf(text, "%lld %lld", &quota, &period) != 2)
			return 0;
	} else if (read_in(dir, "cpu.cfs_quota_us", text, sizeof(text))) {
		quota = atoll(text);
		if (read_in(dir, "cpu.cfs_period_us", text, sizeof(text)))
			period = atoll(text);
	}
	if (quota <= 0 || period <= 0)
		return 0;
	return (u32)min((quota + period - 1) / period,
			(long long)BW_MAX_PROCS);
}

static u32 tighter(u32 a, u32 b)
{
	return !a || (b && b < a) ? b : a;
}

/* From @dir upwards, no further than its first @root bytes. */
static u32 walk_up(char *dir, size_t root)
{
	u32 least = quota_of(dir);
	char *slash;

	while (strlen(dir) > root) {
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < root)
			break;
		*slash = '\0';
		least = tighter(least, quota_of(dir));
	}
	return least;
}

/* Does a comma-separated list hold this word? */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);
	const char *at = list;

	while ((at = strstr(at, word))) {
		if ((at == list || at[-1] == ',') &&
		    (at[len] == ',' || !at[len]))
			return true;
		at += len;
	}
	return false;
}

/**
 * struct place - where the process is in a hierarchy			[caller]
 * @v2:		path there, or NULL
 * @v1:		path in that of the cpu controller, or NULL
 */
struct place {
	char *v2;
	char *v1;
};

/* Lines "0::/path" and "4:cpu,cpuacct:/path". */
static struct place place_of(char *cgroup)
{
	struct place at = { .v2 = NULL };
	char *line, *save;

	for (line = strtok_r(cgroup, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *list = strchr(line, ':'), *path;

		path = list ? strchr(list + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		list++;
		if (!*list)
			at.v2 = path;
		else if (has_word(list, "cpu"))
			at.v1 = path;
	}
	return at;
}

/* A mount of the hierarchy: @root of it is seen at @point. */
static u32 quota_under(const char *root, const char *point, const char *path)
{
	size_t len = strlen(root);
	char dir[PATH_BYTES];

	if (!path)
		return 0;
	if (len == 1)
		len = 0;
	if (strncmp(path, root, len) || (path[len] && path[len] != '/'))
		path = "";
	else
		path += len;
	if (!strcmp(path, "/"))
		path = "";
	bw_fmt(dir, sizeof(dir), "%s%s", point, path);
	return walk_up(dir, strlen(point));
}

/* "36 35 0:30 /root /point rw,nosuid - cgroup2 cgroup rw" */
static u32 quota_by_mount(char *line, const struct place *at)
{
	char *tail = strstr(line, " - "), *root, *point, *type, *super, *save;

	if (!tail)
		return 0;
	*tail = '\0';
	strtok_r(line, " ", &save);
	strtok_r(NULL, " ", &save);
	strtok_r(NULL, " ", &save);
	root = strtok_r(NULL, " ", &save);
	point = strtok_r(NULL, " ", &save);
	type = strtok_r(tail + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	super = strtok_r(NULL, " ", &save);
	if (!root || !point || !type || !super)
		return 0;
	if (!strcmp(type, "cgroup2"))
		return quota_under(root, point, at->v2);
	if (!strcmp(type, "cgroup") && has_word(super, "cpu"))
		return quota_under(root, point, at->v1);
	return 0;
}

u32 bw_cpus_quota(const char *dir)
{
	char *mounts = malloc(FILE_BYTES), *line, *save;
	char cgroup[PATH_BYTES];
	struct place at;
	u32 least = 0;

	if (mounts && read_in(dir, "cgroup", cgroup, sizeof(cgroup)) &&
	    read_in(dir, "mountinfo", mounts, FILE_BYTES)) {
		at = place_of(cgroup);
		for (line = strtok_r(mounts, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			least = tighter(least, quota_by_mount(line, &at));
	}
	free(mounts);
	return least;
}

u32 bw_cpus(void)
{
	u32 nr = 1, quota = bw_cpus_quota("/proc/self");
	size_t cpus = 1U << 13;
	cpu_set_t *set = CPU_ALLOC(cpus);

	if (set && !sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set))
		nr = (u32)CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set);
	CPU_FREE(set);
	nr = min(nr, BW_MAX_PROCS);
	return quota && quota < nr ? quota : nr;
}
