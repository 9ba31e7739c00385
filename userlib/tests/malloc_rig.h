/* SPDX-License-Identifier: MIT */
/*
 * malloc_rig: tests of malloc come in two builds. Linked to the rooms they call
 * bw_mem_*() and look inside; compiled with BW_MALLOC_INTERPOSE they call malloc()
 * and run with libburrow-malloc.so preloaded (preload.sh).
 */
#ifndef BW_TESTS_MALLOC_RIG_H
#define BW_TESTS_MALLOC_RIG_H

#include "malloc/entry.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#ifdef BW_MALLOC_INTERPOSE
/* Only the page heap's own options look inside then. */
static inline bool mrig_is_good(void)
{
	return true;
}
#else
#include "malloc/boot.h"
#include "malloc/depot.h"

static inline bool mrig_is_good(void)
{
	int front = bw_front_check(&bw_front), depot = bw_depots_check();

	if (front || depot)
		printf("# F%d, D%d does not hold\n", front, depot);
	return !front && !depot;
}
#endif

/* Somebody hears of each object: valgrind, a sanitizer, BURROW=clobberfree=1. */
static inline bool mrig_is_watched(void)
{
#ifdef BW_MALLOC_INTERPOSE
	return getenv("BURROW");
#else
	return bw_boot_heap()->hooks;
#endif
}

/* The page heap too: nobody else may be calling. */
static inline bool mrig_heap_is_good(void)
{
#ifndef BW_MALLOC_INTERPOSE
	int bad = bw_mheap_check(bw_boot_heap());

	if (bad)
		printf("# bw_mheap_check() says %d\n", bad);
	if (bad)
		return false;
#endif
	return mrig_is_good();
}

static inline uint64_t mrig_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ULL;
}

/* In a guest, on an emulated machine: less of what takes many system calls. */
static inline bool mrig_is_guest(void)
{
	const char *mode = getenv("BURROW_MODE");

	return mode && !strcmp(mode, "kernel");
}

/* Mostly small, now and then up to @most. */
static inline size_t mrig_size(uint64_t *state, size_t most)
{
	uint64_t r = mrig_random(state);
	unsigned int shift = (unsigned int)(r % 20);
	size_t n = 1 + (r >> 8) % (16UL << shift);

	return n <= most ? n : 1 + n % most;
}

static inline void mrig_fill(void *p, size_t n, unsigned char value)
{
	if (p)
		memset(p, value, n);
}

static inline bool mrig_holds(const void *p, size_t n, unsigned char value)
{
	const unsigned char *c = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (c[i] != value)
			return false;
	return true;
}

/*
 * Runs this program again with @arg, and BURROW set to @burrow; its wait status,
 * and in @said what it wrote to standard error.
 */
static inline int mrig_again(const char *arg, const char *burrow, char *said,
			     size_t size)
{
	int fd[2], status = -1;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe(fd))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		setenv("BURROW", burrow, 1);
		execl("/proc/self/exe", "test", arg, (char *)NULL);
		_exit(126);
	}
	close(fd[1]);
	while (len + 1 < size && (n = read(fd[0], said + len,
					   size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status;
}

static inline bool mrig_ended_well(int status)
{
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

#endif
