// SPDX-License-Identifier: MIT
/*
 * oneheap: a program whose malloc and bw_alloc() are of one heap, or not; run by
 * oneheap.sh in each way that the two can come into a process, and in guests.
 *
 *	oneheap [LIBRARY...]	dlopen()s these first: "now:" or "local:" and path;
 *				"run:" and path: that library's bw_run(), in ours
 *
 * Says "one" if there is one window (or one open device), and blocks of both lie
 * in it; else what there is. BURROW=window=1G, so that windows can be told from
 * other mappings.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW	(1UL << 30)

static void *(*alloc)(size_t n);
static void (*give)(void *p);
static void *(*other_malloc)(size_t n);
static void (*other_free)(void *p);

static int fail(const char *what)
{
	printf("%s\n", what);
	exit(1);
}

#ifdef HAS_BURROW
#include "burrow.h"

static void link_burrow(void)
{
	alloc = bw_alloc;
	give = bw_free;
}

static int nothing(void *arg)
{
	return !!arg;
}

static int runs_other(void *path)
{
	int (*run)(int (*fn)(void *arg), void *arg);
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		puts(dlerror());
	*(void **)&run = lib ? dlsym(lib, "bw_run") : NULL;
	return run ? run(nothing, NULL) : 1;
}

static int run_in_run(char *path)
{
	return bw_run(runs_other, path);
}
#else
static void link_burrow(void)
{
}

static int run_in_run(char *path)
{
	return fail(path);
}
#endif

static void open_library(const char *path)
{
	int flags = RTLD_NOW;
	void *lib;

	if (!strncmp(path, "local:", 6))
		flags |= RTLD_LOCAL;
	else
		flags |= RTLD_GLOBAL;
	path = strchr(path, ':') + 1;
	lib = dlopen(path, flags);
	if (!lib)
		fail(dlerror());
	if (dlsym(lib, "bw_alloc")) {
		*(void **)&alloc = dlsym(lib, "bw_alloc");
		*(void **)&give = dlsym(lib, "bw_free");
	}
	if (strstr(path, "burrow-malloc")) {
		*(void **)&other_malloc = dlsym(lib, "malloc");
		*(void **)&other_free = dlsym(lib, "free");
	}
}

/* Mappings of nobody's that begin a window of 1 GiB, or more of one. */
static unsigned int count_windows(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	unsigned int n = 0;
	char line[512], perm[8];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perm) == 3 &&
		    !strcmp(perm, "---p") && end - start > WINDOW / 2)
			n++;
	if (f)
		fclose(f);
	return n;
}

static unsigned int count_devices(void)
{
	char path[64], to[64];
	unsigned int n = 0;
	ssize_t len;
	int fd;

	for (fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, to, sizeof(to) - 1);
		if (len < 0)
			continue;
		to[len] = '\0';
		n += !strcmp(to, "/dev/burrow");
	}
	return n;
}

/* In kernel mode there is one to be open, in user mode none. */
static unsigned int devices_wanted(void)
{
	const char *mode = getenv("BURROW_MODE");

	return mode && !strcmp(mode, "kernel");
}

static int are_near(const void *p, const void *q)
{
	uintptr_t a = (uintptr_t)p, b = (uintptr_t)q;

	return (a < b ? b - a : a - b) < WINDOW;
}

/* Both go on together, and in a child. */
static int churn(void)
{
	void *p[200], *q[200];
	unsigned int i, k;

	for (k = 0; k < 50; k++) {
		for (i = 0; i < 200; i++) {
			size_t n = 1 + i * k * 7 % 3000;

			p[i] = other_malloc(n);
			q[i] = alloc(n);
			if (!p[i] || !q[i])
				return 0;
			memset(p[i], 1, n);
			memset(q[i], 2, n);
		}
		for (i = 0; i < 200; i++) {
			if (*(char *)p[i] != 1 || *(char *)q[i] != 2)
				return 0;
			other_free(p[i]);
			give(q[i]);
		}
	}
	return 1;
}

static int child_is_well(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		void *p = other_malloc(100000);

		memset(p, 1, 100000);
		other_free(p);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return !status;
}

int main(int argc, char **argv)
{
	unsigned int windows, devices;
	void *p, *q;
	int i;

	other_malloc = malloc;
	other_free = free;
	link_burrow();
	if (argc > 1 && !strncmp(argv[1], "run:", 4))
		return run_in_run(argv[1] + 4);
	for (i = 1; i < argc; i++)
		open_library(argv[i]);
	if (!alloc)
		fail("no bw_alloc()");
	p = other_malloc(3000);
	q = alloc(3000);
	windows = count_windows();
	devices = count_devices();
	if (windows != 1 || devices != devices_wanted() || !are_near(p, q) ||
	    !churn() || !child_is_well()) {
		printf("%u windows, %u open devices, malloc %p, bw_alloc %p\n",
		       windows, devices, p, q);
		return 1;
	}
	puts("one");
	return 0;
}
