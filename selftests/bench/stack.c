// SPDX-License-Identifier: MIT
/*
 * stack: slots of 64 KiB with a guard of 16 KiB, against what a thread library
 * does, and against one mapping with MADV_GUARD_INSTALL (6.13 and later).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "bench.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

#define SLOT	(64 * K)
#define GUARD	(BURROW_GUARD_PAGES * BURROW_PAGE_SIZE)
#define SLOTS	1024U
#define TOP	1U		/* row->arg: the top page is touched */

static char *slot[SLOTS];

static void top_touch(uint32_t i)
{
	slot[i][SLOT - 64] = 1;
}

static void own_map(const struct row *r)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++) {
		slot[i] = mmap(NULL, SLOT, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			       MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (slot[i] == MAP_FAILED ||
		    mprotect(slot[i], GUARD, PROT_NONE))
			die("mmap of a stack");
		if (r->arg == TOP)
			top_touch(i);
	}
}

static void own_unmap(const struct row *r)
{
	uint32_t i;

	(void)r;
	for (i = 0; i < SLOTS; i++)
		if (munmap(slot[i], SLOT))
			die("munmap of a stack");
}

static void area_map(const struct row *r)
{
	uint32_t i;

	anon_map(r);
	for (i = 0; i < SLOTS; i++)
		slot[i] = anon + i * SLOT;
}

static void area_guard(const struct row *r)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++) {
		if (madvise(slot[i], GUARD, MADV_GUARD_INSTALL)) {
			refuse(errno);
			return;
		}
		if (r->arg == TOP)
			top_touch(i);
	}
}

static void area_full(const struct row *r)
{
	uint32_t i;

	area_map(r);
	for (i = 0; i < SLOTS; i++)
		top_touch(i);
}

/* Their guards stay. */
static void area_empty(const struct row *r)
{
	uint32_t i;

	(void)r;
	for (i = 0; i < SLOTS; i++)
		if (madvise(slot[i] + GUARD, SLOT - GUARD, MADV_DONTNEED))
			die("MADV_DONTNEED");
}

static void stack_alloc(const struct row *r)
{
	uint32_t i;

	spans_get(r, r->flags, BURROW_KIND_STACK);
	for (i = 0; r->arg == TOP && i < SLOTS; i++)
		span_addr(i)[SLOT - 64] = 1;
}

/* With frames at their tops that an earlier stack has left. */
static void stack_leave(const struct row *r)
{
	spans_get(r, 0, BURROW_KIND_STACK);
	span_free(r);
}

static void stack_make(const struct row *r)
{
	spans_get(r, 0, BURROW_KIND_STACK);
}

#define BARE	"mmap + mprotect, bare"
#define WITH	"mmap + mprotect, top page"
#define DROP	"munmap each, top page"

#define ROW(n, ba, b, be, ru, af, ar, fl) \
	{ .name = n, .unit = "slot", .units = SLOTS, .base = ba, .span = SLOT, \
	  .total = SLOTS * SLOT, .batch = b, .flags = fl, .before = be, \
	  .run = ru, .after = af, .arg = ar }
#define ALLOC(n, ba, b, be, ar, fl) \
	ROW(n, ba, b, be, stack_alloc, span_free_reclaim, ar, fl)

static const struct row rows[] = {
	ROW(BARE, BARE, 0, NULL, own_map, own_unmap, 0, 0),
	ROW("MADV_GUARD_INSTALL, bare", BARE, 0, area_map, area_guard,
	    anon_unmap, 0, 0),
	ALLOC("burrow x1, bare", BARE, 1, NULL, 0, BURROW_ALLOC_LAZY),
	ALLOC("burrow x64, bare", BARE, 64, NULL, 0, BURROW_ALLOC_LAZY),
	ROW(WITH, WITH, 0, NULL, own_map, own_unmap, TOP, 0),
	ROW("MADV_GUARD_INSTALL, top page", WITH, 0, area_map, area_guard,
	    anon_unmap, TOP, 0),
	ALLOC("burrow x64, top page touched", WITH, 64, NULL, TOP,
	      BURROW_ALLOC_LAZY),
	ALLOC("burrow x1, top page", WITH, 1, NULL, 0, 0),
	ALLOC("burrow x64, top page", WITH, 64, NULL, 0, 0),
	ALLOC("burrow x64, top page there", WITH, 64, stack_leave, 0, 0),
	ROW(DROP, DROP, 0, own_map, own_unmap, NULL, TOP, 0),
	ROW("MADV_DONTNEED each, top page", DROP, 0, area_full, area_empty,
	    anon_unmap, 0, 0),
	ROW("burrow free x64", DROP, 64, stack_make, span_free, take_lazy, 0, 0),
	ROW("burrow free+reclaim x64", DROP, 64, stack_make, span_free_reclaim,
	    NULL, 0, 0),
};

void stack_part(void)
{
	/* all arenas are stack arenas */
	heap_make(0, BURROW_ARENA_STACK, 1);
	rows_measure(rows, NR(rows));
}
