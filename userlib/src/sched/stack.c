// SPDX-License-Identifier: MIT
/*
 * stack: stacks are spans of the heap's stack arenas, with a guard at the low
 * end of each.
 *
 *	| guard 16 KiB | ......... touched as it grows ......... | colour | end |
 *	slot							       slot + 64 KiB
 *
 *	bw_g_get_slow()		g.c
 *	  bw_stacks_make()	<- here: spans, with guards
 *	    span_alloc()	backend: the module's, or user_stack.c
 *	bw_g_put()
 *	  bw_stacks_chill()	<- here: their memory goes back, in few calls
 *
 * These two are all that the rest knows of where stacks come from. A stack stays
 * with its G, so a span is never freed.
 *
 * In kernel mode guards are holes that nothing is ever put in, and the first
 * 4 KiB are there when the call returns. In user mode a guard is a marker (Linux
 * 6.13), or two mappings, while that takes at most half of vm.max_map_count;
 * stacks beyond have none, which is said once. These have a *canary*:
 *
 * F1. The last words of a slot (@end) are of nobody's frames: 0, or CANARY if
 *     the slot has no guard. Whoever runs out of the slot above writes there
 *     first, unless a frame of its own spans them.
 * F2. A G without a guard has the words below its slot looked at whenever it
 *     parks or ends; if they are neither, it is fatal.
 * F3. 0 is good because memory of stacks that are chilled goes.
 *
 * The initial stack pointer is moved down by up to 15 cache lines, by number of
 * the slot: otherwise the tops of all stacks would share a few cache sets.
 *
 * Rejected: a canary at the low end of the slot itself: a page of memory each.
 */
#include <sys/mman.h>

#include "base/sysmem.h"
#include "burrow/layout.h"
#include "heap/pageheap.h"
#include "sched.h"

#define GUARD_BYTES	((size_t)BURROW_GUARD_PAGES * BURROW_PAGE_SIZE)
#define COLOURS		16U
#define LINE		64U
#define CANARY		0x6275727277696e64ULL
#define CANARY_WORDS	(LINE / sizeof(u64))
#define BATCH		64U

static u32 told;			/* that some have no guard [atomic] */

static u32 slot_pages(void)
{
	return (u32)(bw_sched.stack_bytes / BURROW_PAGE_SIZE);
}

/* Up to @nr; *done is how many. -ENOMEM, -ENOSPC */
static int spans_get(struct bw_mheap *h, struct burrow_span_ref *ref, u32 nr,
		     u32 *done)
{
	struct bw_backend *be = bw_mheap_backend(h);
	struct burrow_span_alloc req = {
		.npages = slot_pages(), .align = slot_pages(),
		.kind = BURROW_KIND_STACK,
	};
	int err = be->ops->span_alloc(be, &req, ref, nr, done);

	/* others may have taken all of the arena that we add */
	while (err == -ENOSPC && !*done) {
		err = bw_mheap_arena_add(h, BURROW_ARENA_STACK);
		if (err)
			return err;
		err = be->ops->span_alloc(be, &req, ref, nr, done);
	}
	return *done ? 0 : err;
}

static u64 *canary_of(const char *slot)
{
	return (u64 *)(void *)((char *)slot + bw_sched.stack_bytes) -
	       CANARY_WORDS;
}

void bw_stack_canary(char *slot)
{
	u64 *word = canary_of(slot);
	u32 i;

	for (i = 0; i < CANARY_WORDS; i++)
		WRITE_ONCE(word[i], CANARY);
	if (!xchg(&told, 1))
		bw_note("stacks made from now on have no guard: this system "
			"has no MADV_GUARD_INSTALL and few mappings");
}

bool bw_stack_has_guard(const char *slot)
{
	struct bw_span span;

	return bw_heap_span_of(bw_sched.heap, slot, &span) && span.guarded;
}

/* The neighbour's words are read, whatever is or was there. */
__attribute__((no_sanitize_address, no_sanitize_thread, noinline))
bool bw_stack_is_whole(const char *slot)
{
	const volatile u64 *word = canary_of(slot - bw_sched.stack_bytes);
	u32 i;

	/* below the first of an arena is nothing of ours */
	if ((uintptr_t)slot % BURROW_ARENA_SIZE == 0)
		return true;
	for (i = 0; i < CANARY_WORDS; i++)
		if (word[i] && word[i] != CANARY)
			return false;
	return true;
}

u32 bw_stacks_make(char **slot, u32 nr)
{
	size_t bytes = bw_sched.stack_bytes;
	struct burrow_span_ref ref[BATCH];
	u32 i, done;
	int saved = errno;

	if (spans_get(bw_sched.mheap, ref, min(nr, BATCH), &done))
		done = 0;
	for (i = 0; i < done; i++) {
		slot[i] = bw_heap_addr(bw_sched.heap, ref[i].page);
		bw_valgrind_stack(slot[i] + GUARD_BYTES, slot[i] + bytes);
	}
	errno = saved;
	return done;
}

void bw_stacks_chill(char **slot, u32 nr)
{
	struct bw_backend *be = bw_mheap_backend(bw_sched.mheap);
	u32 pages = slot_pages(), i = 0, k, n, done;
	struct burrow_range range[BATCH];
	u64 frames;

	while (i < nr) {
		n = min(nr - i, BATCH);
		for (k = 0; k < n; k++) {
			size_t off = (size_t)(slot[i + k] -
					      be->window.data);

			range[k] = (struct burrow_range){
				.page = (u32)(off / BURROW_PAGE_SIZE) +
					BURROW_GUARD_PAGES,
				.npages = pages - BURROW_GUARD_PAGES,
			};
		}
		if (be->ops->span_reclaim(be, range, n, &done, &frames))
			return;		/* what stays is only memory */
		i += n;
	}
}

void *bw_stack_top(const char *slot)
{
	size_t bytes = bw_sched.stack_bytes;
	size_t colour = (uintptr_t)slot / bytes % COLOURS * LINE;

	return (char *)slot + bytes - LINE - colour;
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
