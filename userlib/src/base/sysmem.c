// SPDX-License-Identifier: MIT
/* sysmem: see sysmem.h */
#include <sys/mman.h>

#include "sysmem.h"

#define RESERVED	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

void *bw_sys_alloc(size_t bytes)
{
	void *p = mmap(NULL, round_up(bytes, BW_SYS_PAGE),
		       PROT_READ | PROT_WRITE, RESERVED, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void bw_sys_free(void *p, size_t bytes)
{
	if (p)
		munmap(p, round_up(bytes, BW_SYS_PAGE));
}

static void *map_aligned(size_t bytes, size_t align, int prot)
{
	size_t slack = bytes + align - BW_SYS_PAGE;
	char *p = mmap(NULL, slack, prot, RESERVED, -1, 0);
	char *start;

	if (p == MAP_FAILED)
		return NULL;
	start = (char *)round_up((size_t)p, align);
	if (start > p)
		munmap(p, (size_t)(start - p));
	if (start + bytes < p + slack)
		munmap(start + bytes, (size_t)(p + slack - start) - bytes);
	return start;
}

void *bw_sys_alloc_aligned(size_t bytes, size_t align)
{
	return map_aligned(bytes, align, PROT_READ | PROT_WRITE);
}

void *bw_sys_reserve(size_t bytes, size_t align)
{
	return map_aligned(bytes, align, PROT_NONE);
}
