/* SPDX-License-Identifier: MIT */
/*
 * proc: what the kernel's own files say: /proc, the module's parameters and
 * control groups.
 */
#ifndef BURROW_SELFTEST_PROC_H
#define BURROW_SELFTEST_PROC_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PARAMETERS	"/sys/module/burrow/parameters/"
#define MODULE_FILE	"/burrow.ko"
#define CGROUP_ROOT	"/sys/fs/cgroup"

/* The first @size - 1 bytes of a file as a string; -errno. */
static inline int file_read(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

static inline int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n >= 0)
		n = n == (ssize_t)strlen(text) ? 0 : -EIO;
	else
		n = -errno;
	close(fd);
	return n;
}

static inline int param_get(const char *name, unsigned long long *val)
{
	char path[128], text[64];
	int r;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	r = file_read(path, text, sizeof(text));
	if (!r)
		*val = strtoull(text, NULL, 0);
	return r;
}

static inline int param_set(const char *name, unsigned long long val)
{
	char path[128], text[64];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	snprintf(text, sizeof(text), "%llu", val);
	return file_write(path, text);
}

/*
 * KiB of the mapping that begins at @start, counted by a walk of its page
 * table; -1 if there is none. (VmRSS is a sum of per-thread or per-CPU counts
 * that lag behind: frames of an ioctl may not show until the next faults.)
 */
static inline long mapping_rss(const void *start)
{
	unsigned long from, to;
	long kib = -1;
	int inside = 0;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from == (unsigned long)start;
		else if (inside && sscanf(line, "Rss: %ld kB", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib;
}

/* Frames that the page table shows in [p, p + bytes); -errno. */
static inline long frames_present(const void *p, size_t bytes)
{
	size_t first = (uintptr_t)p / 4096, nr = bytes / 4096, i;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	long found = 0;
	uint64_t e[512];

	if (fd < 0)
		return -errno;
	while (nr) {
		size_t n = nr < 512 ? nr : 512;

		if (pread(fd, e, n * sizeof(*e), first * sizeof(*e)) !=
		    (ssize_t)(n * sizeof(*e))) {
			found = -EIO;
			break;
		}
		for (i = 0; i < n; i++)
			found += e[i] >> 63;
		first += n;
		nr -= n;
	}
	close(fd);
	return found;
}

/* Faults without I/O that this thread took so far. */
static inline long minor_faults(void)
{
	struct rusage ru;

	return getrusage(RUSAGE_THREAD, &ru) ? -errno : ru.ru_minflt;
}

#endif
