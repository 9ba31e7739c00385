/* SPDX-License-Identifier: MIT */
/*
 * proc: what the kernel's own files say and can be told: /proc, the module's
 * parameters, and failures to order.
 */
#ifndef BURROW_SELFTEST_PROC_H
#define BURROW_SELFTEST_PROC_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PARAMETERS	"/sys/module/burrow/parameters/"
#define MODULE_FILE	"/burrow.ko"

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

/*
 * Failures to order: the n-th point of this thread that can fail does. Slab and
 * page allocations and accesses to user memory count alike (fail-nth).
 */
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGE	"/sys/kernel/debug/fail_page_alloc/"

/* Every kind of allocation, and quietly; the descriptor, or why not. */
static inline int failures_prepare(void)
{
	int fd, r = file_write(FAILSLAB "ignore-gfp-wait", "N");

	if (!r)
		r = file_write(FAIL_PAGE "ignore-gfp-wait", "N");
	if (!r)
		r = file_write(FAIL_PAGE "min-order", "0");
	if (!r)
		r = file_write(FAILSLAB "verbose", "0");
	if (!r)
		r = file_write(FAIL_PAGE "verbose", "0");
	if (r)
		return r;
	/* not every kernel that has the others has it */
	file_write("/sys/kernel/debug/fail_usercopy/verbose", "0");
	fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* From now on, until failure_end(). */
static inline int failure_begin(int fd, unsigned int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", n);
	return pwrite(fd, text, strlen(text), 0) < 0 ? -errno : 0;
}

/* Were there as many points? The reading of the answer may be the n-th. */
static inline bool failure_end(int fd)
{
	char text[16] = "";
	bool hit;

	hit = pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
	if (pwrite(fd, "0", 1, 0) < 0)
		return false;
	return hit;
}

#endif
