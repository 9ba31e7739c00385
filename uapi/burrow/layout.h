/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * layout: what the kernel and a process share without a system call.
 *
 * A heap is a *window* of address space cut into arenas; every number below
 * follows from an address by shift and mask:
 *
 *	page  = (addr - window) >> BURROW_PAGE_SHIFT	index in the window
 *	arena = page >> BURROW_ARENA_PAGE_SHIFT
 *
 *	data	window + arena * 64 MiB			objects
 *	K-words	kmeta  + arena * BURROW_KMETA_SIZE	kernel writes, process reads
 *	U-words	umeta  + arena * BURROW_UMETA_SIZE	process writes, kernel doubts
 *
 * K-words.  One 64-bit word per page is span table and descriptor in one, so
 * that whoever asks "which span holds this address?" gets a consistent answer
 * from one or two plain loads while the kernel goes on changing other spans:
 *
 *	 63 62 61       44  43   42   41   40   39 37 36 34 33  27 26       0
 *	+-----+-----------+----+-----+----+------+-----+----+-------+---------+
 *	| tag |    gen    | 0  |guard|huge|needz.|state|kind| class | npages  | head
 *	+-----+-----------+----+-----+----+------+-----+----+-------+---------+
 *	| tag |    gen    |                  0                  |  head page  | body
 *	+-----+-----------+-------------------------------------+-------------+
 *
 * L1. A word with tag BURROW_TAG_NONE belongs to no span: the page is free.
 * L2. A span's head word is stored last (release) when it appears. A reader
 *     that finds a body word and then (acquire) a head word of the same gen
 *     that covers the page has found its span; otherwise there is none.
 * L3. gen changes each time a span appears; it is what tells a span from the
 *     next one at the same place.
 * L4. Only the kernel writes K-words (the library in user-only mode: there the
 *     same code of kmod/core does it), always under the heap lock.
 *
 * U-words are zero until the process writes them, have the process as their
 * only writer, and are hints to the kernel: it reads a word once, checks the
 * range and never believes it twice.
 */
#ifndef _UAPI_BURROW_LAYOUT_H
#define _UAPI_BURROW_LAYOUT_H

#include <linux/types.h>

#define BURROW_PAGE_SHIFT	13
#define BURROW_PAGE_SIZE	(1UL << BURROW_PAGE_SHIFT)
#define BURROW_ARENA_SHIFT	26
#define BURROW_ARENA_SIZE	(1UL << BURROW_ARENA_SHIFT)
#define BURROW_ARENA_PAGE_SHIFT	(BURROW_ARENA_SHIFT - BURROW_PAGE_SHIFT)
#define BURROW_ARENA_PAGES	(1U << BURROW_ARENA_PAGE_SHIFT)

/* A window holds at most 1 TiB: page indices fit in 27 bits. */
#define BURROW_MAX_ARENAS	(1U << 14)
#define BURROW_MAX_PAGES	(BURROW_MAX_ARENAS << BURROW_ARENA_PAGE_SHIFT)

#define BURROW_NR_CLASSES	68U

/* What a span is for. The last two are never swept. */
enum burrow_kind {
	BURROW_KIND_NOSCAN,		/* no pointers inside */
	BURROW_KIND_SCAN,		/* the pointer bits say where */
	BURROW_KIND_CONSERVATIVE,	/* every word may be a pointer */
	BURROW_KIND_MANUAL,		/* malloc, regions: freed by hand */
	BURROW_KIND_STACK,		/* slots of a stack arena */
	BURROW_NR_KINDS,
};

/* What an arena's pages are for. A span lies in arenas of one kind. */
enum burrow_arena_kind {
	BURROW_ARENA_HEAP,		/* all but the following */
	BURROW_ARENA_STACK,		/* spans of BURROW_KIND_STACK */
	BURROW_ARENA_HUGE,		/* spans in units of 2 MiB */
	BURROW_NR_ARENA_KINDS,
};

/*
 * The lowest pages of a stack's span are its guard: whoever touches them gets
 * SIGSEGV, as its head word promises with BURROW_W_GUARD.
 */
#define BURROW_GUARD_PAGES	2U

/* In a huge arena memory comes and goes in units of so many pages (2 MiB). */
#define BURROW_HUGE_PAGES	256U

/* What a head word may say of its span. */
enum burrow_span_state {
	BURROW_SPAN_NONE,
	BURROW_SPAN_LIVE,		/* somebody's */
	BURROW_SPAN_DISCARDING,		/* live, its frames are being taken */
	BURROW_SPAN_RECLAIMING,		/* nobody's, its frames are being taken */
	BURROW_NR_SPAN_STATES,
};

/* K-words */
#define BURROW_TAG_NONE		0U
#define BURROW_TAG_HEAD		1U
#define BURROW_TAG_BODY		2U

#define BURROW_W_NPAGES_BITS	27
#define BURROW_W_CLASS_SHIFT	27
#define BURROW_W_CLASS_BITS	7
#define BURROW_W_KIND_SHIFT	34
#define BURROW_W_KIND_BITS	3
#define BURROW_W_STATE_SHIFT	37
#define BURROW_W_STATE_BITS	3
#define BURROW_W_NEEDZERO	(1ULL << 40)
#define BURROW_W_HUGE		(1ULL << 41)
#define BURROW_W_GUARD		(1ULL << 42)
#define BURROW_W_GEN_SHIFT	44
#define BURROW_W_GEN_BITS	18
#define BURROW_W_TAG_SHIFT	62

#define BURROW_GEN_MASK		((1U << BURROW_W_GEN_BITS) - 1)

#define BURROW_KMETA_SHIFT	(BURROW_ARENA_PAGE_SHIFT + 3)
#define BURROW_KMETA_SIZE	(1UL << BURROW_KMETA_SHIFT)

/*
 * U-words of one arena: one bit per 8-byte granule in each of three maps, then
 * one word per page that is the library's own. Only what is touched costs.
 */
#define BURROW_UMETA_SHIFT	22
#define BURROW_UMETA_SIZE	(1UL << BURROW_UMETA_SHIFT)
#define BURROW_U_MAP_SIZE	(BURROW_ARENA_SIZE / 64)
#define BURROW_U_ALLOC		0UL			  /* alloc bits */
#define BURROW_U_MARK		(BURROW_U_MAP_SIZE)	  /* mark bits */
#define BURROW_U_PAGE_BYTES	(BURROW_PAGE_SIZE / 64)	  /* a page's, per map */
#define BURROW_U_PTR		(2 * BURROW_U_MAP_SIZE)	  /* pointer bits */
#define BURROW_U_OWNER		(3 * BURROW_U_MAP_SIZE)	  /* __u64 a page */

static inline __u32 burrow_word_tag(__u64 w)
{
	return (__u32)(w >> BURROW_W_TAG_SHIFT);
}

static inline __u32 burrow_word_gen(__u64 w)
{
	return (__u32)(w >> BURROW_W_GEN_SHIFT) & BURROW_GEN_MASK;
}

/* of a head: pages in the span; of a body: the head's page index */
static inline __u32 burrow_word_low(__u64 w)
{
	return (__u32)w & ((1U << BURROW_W_NPAGES_BITS) - 1);
}

static inline __u32 burrow_word_class(__u64 w)
{
	return (__u32)(w >> BURROW_W_CLASS_SHIFT) &
	       ((1U << BURROW_W_CLASS_BITS) - 1);
}

static inline __u32 burrow_word_kind(__u64 w)
{
	return (__u32)(w >> BURROW_W_KIND_SHIFT) &
	       ((1U << BURROW_W_KIND_BITS) - 1);
}

static inline __u32 burrow_word_state(__u64 w)
{
	return (__u32)(w >> BURROW_W_STATE_SHIFT) &
	       ((1U << BURROW_W_STATE_BITS) - 1);
}

static inline __u64 burrow_word_head(__u32 npages, __u32 cls, __u32 kind,
				     __u32 state, __u32 gen, __u64 flags)
{
	return (__u64)npages |
	       (__u64)cls << BURROW_W_CLASS_SHIFT |
	       (__u64)kind << BURROW_W_KIND_SHIFT |
	       (__u64)state << BURROW_W_STATE_SHIFT |
	       (__u64)(gen & BURROW_GEN_MASK) << BURROW_W_GEN_SHIFT |
	       (__u64)BURROW_TAG_HEAD << BURROW_W_TAG_SHIFT | flags;
}

static inline __u64 burrow_word_body(__u32 head_page, __u32 gen)
{
	return (__u64)head_page |
	       (__u64)(gen & BURROW_GEN_MASK) << BURROW_W_GEN_SHIFT |
	       (__u64)BURROW_TAG_BODY << BURROW_W_TAG_SHIFT;
}

#endif /* _UAPI_BURROW_LAYOUT_H */
