// SPDX-License-Identifier: MIT
/*
 * stack: slots of address space, a guard at the low end of each.
 *
 *	| guard 16 KiB | .......... touched as it grows ......... | colour |
 *	slot							      slot + 64 KiB
 *
 *	bw_g_get_slow()		g.c
 *	  bw_stacks_make()	<- here: the next slots of a chunk, with guards
 *	bw_g_put()
 *	  bw_stacks_chill()	<- here: their memory goes back, in few calls
 *
 * These two are all that the rest knows of where stacks come from. Here it is
 * private memory in chunks of 64 MiB, which merge to one mapping.
 *
 * What makes a guard, by preference: MADV_GUARD_INSTALL (Linux 6.13), page
 * table entries that cost no mapping; mprotect(), two mappings each, while that
 * takes at most half of vm.max_map_count; nothing, which is said once. A guard
 * stays when the memory above it goes.
 *
 * The initial stack pointer is moved down by up to 15 cache lines, by number of
 * the slot: otherwise the tops of all stacks would share a few cache sets.
 *
 * Rejected for now: stack spans of the backend. A heap is not in the child
 * after fork(), and a G that forks stands on its stack.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sysmem.h"
#include "sched.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

#define CHUNK_BYTES		(64UL << 20)
#define GUARD_BYTES		(16UL << 10)
#define COLOURS			16U
#define DEFAULT_MAX_MAP_COUNT	65530U

enum guard { UNKNOWN, MARKER, FENCE, NONE };

/**
 * struct chunks - where the next slot comes from
 * @lock:	for all of it
 * @next:	the next slot						[lock]
 * @end:	of the chunk						[lock]
 * @how:	guards							[lock]
 * @fences:	mprotect()s left					[lock]
 */
static struct chunks {
	struct bw_lock lock;
	char *next;
	char *end;
	enum guard how;
	u32 fences;
} chunks = { .lock.rank = BW_RANK_STACKS };

static u32 max_map_count(void)
{
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[24] = "";
	long value = 0;

	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) > 0)
			value = strtol(text, NULL, 10);
		close(fd);
	}
	return value > 0 && value <= INT32_MAX ? (u32)value :
						 DEFAULT_MAX_MAP_COUNT;
}

static int chunk_make_locked(void)
{
	char *p = bw_sys_reserve(CHUNK_BYTES, bw_sched.stack_bytes);

	if (!p)
		return -ENOMEM;
	if (mprotect(p, CHUNK_BYTES, PROT_READ | PROT_WRITE)) {
		munmap(p, CHUNK_BYTES);
		return -ENOMEM;
	}
	/* a huge page under a stack would be 2 MiB for one that uses 4 KiB */
	madvise(p, CHUNK_BYTES, MADV_NOHUGEPAGE);
	chunks.next = p;
	chunks.end = p + CHUNK_BYTES;
	return 0;
}

static void guard_none_locked(void)
{
	chunks.how = NONE;
	bw_note("stacks made from now on have no guard: this system has no "
		"MADV_GUARD_INSTALL and few mappings");
}

/* Makes the guard of a slot, as it can be had. -ENOMEM */
static int guard_set_locked(char *slot)
{
	if (chunks.how == UNKNOWN || chunks.how == MARKER) {
		if (!madvise(slot, GUARD_BYTES, MADV_GUARD_INSTALL)) {
			chunks.how = MARKER;
			return 0;
		}
		if (errno != EINVAL)
			return -ENOMEM;
		chunks.how = FENCE;
		chunks.fences = max_map_count() / 4;
	}
	if (chunks.how == FENCE) {
		if (chunks.fences && !mprotect(slot, GUARD_BYTES, PROT_NONE))
			chunks.fences--;
		else
			guard_none_locked();
	}
	return 0;
}

int bw_stacks_make(char **slot, u32 nr)
{
	size_t bytes = bw_sched.stack_bytes;
	int saved = errno, err = 0;
	u32 i;

	bw_lock(&chunks.lock);
	for (i = 0; i < nr && !err; i++) {
		if (chunks.next == chunks.end)
			err = chunk_make_locked();
		if (!err)
			err = guard_set_locked(chunks.next);
		if (err)
			break;
		slot[i] = chunks.next;
		chunks.next += bytes;
		bw_valgrind_stack(slot[i] + GUARD_BYTES, slot[i] + bytes);
	}
	bw_unlock(&chunks.lock);
	errno = saved;
	return err;
}

/* In ascending order: insertion into gaps that shrink. */
static void sort(char **slot, u32 nr)
{
	u32 gap, i, k;

	for (gap = nr / 2; gap; gap /= 2)
		for (i = gap; i < nr; i++) {
			char *it = slot[i];

			for (k = i; k >= gap && slot[k - gap] > it; k -= gap)
				slot[k] = slot[k - gap];
			slot[k] = it;
		}
}

void bw_stacks_chill(char **slot, u32 nr)
{
	size_t bytes = bw_sched.stack_bytes;
	int saved = errno;
	u32 i, n;

	sort(slot, nr);
	for (i = 0; i < nr; i += n) {
		for (n = 1; i + n < nr && slot[i + n] == slot[i] + n * bytes;)
			n++;
		madvise(slot[i], n * bytes, MADV_DONTNEED);
	}
	errno = saved;
}

void *bw_stack_top(const char *slot)
{
	size_t bytes = bw_sched.stack_bytes;
	size_t colour = (uintptr_t)slot / bytes % COLOURS * 64;

	return (char *)slot + bytes - colour;
}

bool bw_stack_guards(const char *slot, const void *addr)
{
	return (uintptr_t)addr - (uintptr_t)slot < GUARD_BYTES;
}

size_t bw_stack_usable(void)
{
	return bw_sched.stack_bytes - GUARD_BYTES;
}

__attribute__((no_sanitize_address, no_sanitize_thread))
size_t bw_stack_peak_of(const char *slot)
{
	const char *low = slot + GUARD_BYTES, *end = slot +
						     bw_sched.stack_bytes;
	const u64 *word;
	u8 there[256];

	/* absent pages were never touched; reading one would make it there */
	if (mincore((void *)low, (size_t)(end - low), there))
		return 0;
	for (; low < end && !(there[(low - slot - GUARD_BYTES) / 4096] & 1);)
		low += BW_SYS_PAGE;
	for (word = (const u64 *)(const void *)low;
	     (const char *)word < end && !*(const volatile u64 *)word;)
		word++;
	return (size_t)(end - (const char *)word);
}
