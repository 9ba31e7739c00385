// SPDX-License-Identifier: MIT
/*
 * anon: anonymous memory, by the calls that mainline has for it. In 4 KiB pages
 * unless it says huge.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "bench.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

char *anon;

void anon_map(const struct row *r)
{
	anon = mmap(NULL, r->total, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (anon == MAP_FAILED)
		die("mmap");
	if (madvise(anon, r->total, MADV_NOHUGEPAGE))
		die("MADV_NOHUGEPAGE");
}

void anon_map_huge(const struct row *r)
{
	anon = reserve(r->total, 2 * M);
	if (mprotect(anon, r->total, PROT_READ | PROT_WRITE) ||
	    madvise(anon, r->total, MADV_HUGEPAGE))
		die("huge pages");
}

void anon_touch(const struct row *r)
{
	size_t i;

	for (i = 0; i < r->total; i += FRAME)
		anon[i] = 1;
}

void anon_full(const struct row *r)
{
	anon_map(r);
	anon_touch(r);
}

void anon_full_huge(const struct row *r)
{
	anon_map_huge(r);
	anon_touch(r);
}

void anon_populate(const struct row *r)
{
	size_t i;

	for (i = 0; i < r->total; i += r->span)
		if (madvise(anon + i, r->span, MADV_POPULATE_WRITE))
			die("MADV_POPULATE_WRITE");
}

/* r->arg is what to advise. */
void anon_madvise(const struct row *r)
{
	size_t i;

	for (i = 0; i < r->total; i += r->span)
		if (madvise(anon + i, r->span, r->arg))
			die("madvise");
}

void anon_unmap(const struct row *r)
{
	if (munmap(anon, r->total))
		die("munmap");
}
