// SPDX-License-Identifier: MIT
/*
 * memlimit: how much memory the heap should stay below: BURROW_MEMLIMIT, or nine
 * tenths of what the memory cgroups of the process allow, the tightest from its
 * own up to the root.
 *
 *	v2	/sys/fs/cgroup/PATH/memory.max		     "max" or bytes
 *	v1	/sys/fs/cgroup/memory/PATH/memory.limit_in_bytes
 *
 * A hierarchy that is mounted elsewhere is not found: then there is no limit.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fmt.h"
#include "base/throw.h"
#include "collector.h"

#define PATH_BYTES	4096U
#define MANY		(1LL << 60)	/* v1's word for no limit is near 2^63 */

/* At most @size - 1 bytes, NUL behind them; false: none. */
static bool slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static s64 limit_in(const char *dir, const char *file)
{
	char path[PATH_BYTES + 64], text[64];
	s64 bytes;

	bw_fmt(path, sizeof(path), "%s/%s", dir, file);
	if (!slurp(path, text, sizeof(text)) || *text < '0' || *text > '9')
		return INT64_MAX;
	bytes = strtoll(text, NULL, 10);
	return bytes >= MANY ? INT64_MAX : bytes;
}

/* From @mount/@path up to @mount. */
static s64 tightest(const char *mount, const char *path, const char *file)
{
	char dir[PATH_BYTES];
	size_t root = strlen(mount);
	s64 least = INT64_MAX, here;
	char *slash;

	bw_fmt(dir, sizeof(dir), "%s%s", mount, path);
	for (;;) {
		here = limit_in(dir, file);
		least = min(least, here);
		slash = strrchr(dir, '/');
		if (strlen(dir) <= root || !slash)
			return least;
		*slash = '\0';
	}
}

/* Lines "0::/path" and "9:memory:/path". */
s64 bw_memlimit_cgroup(const char *cgroups, const char *mount)
{
	char v1[PATH_BYTES], path[PATH_BYTES];
	s64 least = INT64_MAX, here;
	const char *line, *colon, *end;
	size_t len;

	bw_fmt(v1, sizeof(v1), "%s/memory", mount);
	for (line = cgroups; line && *line; line = end ? end + 1 : NULL) {
		bool two = !strncmp(line, "0::", 3);

		end = strchr(line, '\n');
		colon = strstr(line, ":memory:");
		if (two)
			colon = line + 3;
		else if (colon && (!end || colon < end))
			colon += 8;
		else
			continue;
		len = end ? (size_t)(end - colon) : strlen(colon);
		len = min(len, sizeof(path) - 1);
		memcpy(path, colon, len);
		path[len] = '\0';
		here = two ? tightest(mount, path, "memory.max") :
			     tightest(v1, path, "memory.limit_in_bytes");
		least = min(least, here);
	}
	return least;
}

/* "512M"; -1: it is not allowed. */
static s64 size_of(const char *text)
{
	static const char suffix[] = "KMGT";
	const char *at, *which;
	s64 n = 0;

	for (at = text; *at >= '0' && *at <= '9' && n < MANY / 10; at++)
		n = n * 10 + *at - '0';
	which = *at ? strchr(suffix, *at) : NULL;
	if (which && at > text && !at[1] &&
	    n < MANY >> 10 * (which - suffix + 1))
		return n << 10 * (which - suffix + 1);
	return *at || at == text ? -1 : n;
}

s64 bw_memlimit(void)
{
	const char *text = getenv("BURROW_MEMLIMIT");
	char cgroups[PATH_BYTES];
	s64 bytes;

	if (text && *text) {
		bytes = strcmp(text, "off") ? size_of(text) : INT64_MAX;
		if (bytes < 0)
			bw_fatal("BURROW_MEMLIMIT=%s is not allowed; it is off, "
				 "or bytes such as 512M or 4G", text);
		return bytes;
	}
	if (!slurp("/proc/self/cgroup", cgroups, sizeof(cgroups)))
		return INT64_MAX;
	bytes = bw_memlimit_cgroup(cgroups, "/sys/fs/cgroup");
	return bytes == INT64_MAX ? bytes : bytes / 10 * 9;
}
