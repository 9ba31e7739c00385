/* SPDX-License-Identifier: MIT */
/*
 * front: what a thread has at hand, and the fast ends of malloc() and free().
 *
 *	malloc(), free()		malloc/entry.c
 *	  front_take(), front_give()	<- here: a magazine of free slots per class
 *	    bw_front_take_slow(), ...	malloc/front.c: the spare one, the depot
 *	      bw_depot_get/put()	malloc/depot.c: magazines for everybody
 *		bw_mspan_get/put()	heap/pageheap.c
 *	    bw_block_*()		malloc/block.c: more than 256 KiB
 *
 * Slots of one class that are free and at hand are in two magazines (mag.h): the
 * *bin* is worked on, the *spare* is full or blank. A bin that runs full changes
 * places with a blank spare, and one that runs empty with a full one. So only who
 * fills or drains two of them in a row goes to the depot, where one is exchanged
 * for another.
 *
 * F1. @low <= @top <= @end; the bin has the slots in (@low, @top], its magazine
 *     begins a word below @low, and takes @end - @low. Or all three are NULL.
 * F2. A spare has no slots, or as many as it takes.
 * F3. A thread that is not READY has no magazines: each call goes the slow way.
 *     So has every thread where the heap checks each call (BURROW=verify=1 or
 *     clobberfree=1).
 * F4. Bin 0 has none either: what is of class 0 is not from here.
 *
 * Only its thread touches a front: no lock, no atomics. All of it is thread-local
 * memory of the initial-exec model, there before the thread's first instruction
 * and zero, which is a good front with nothing in it.
 */
#ifndef BW_MALLOC_FRONT_H
#define BW_MALLOC_FRONT_H

#include "heap/pageheap.h"
#include "mag.h"

#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif
enum bw_front_state {
	BW_FRONT_NEW,		/* the thread's first call is still to come */
	BW_FRONT_BUSY,		/* it is being set up: calls are our own */
	BW_FRONT_READY,
	BW_FRONT_LATE,		/* the thread ends: nothing stays here */
};

/**
 * struct bw_bin - what a thread has of a class			[owner]
 * @top:	the last slot that came in
 * @low:	where @top is when there is none
 * @end:	where it is when there is no room
 * @spare:	the other magazine, or NULL
 */
struct bw_bin {
	void **top;
	void **low;
	void **end;
	struct bw_mag *spare;
};

/**
 * struct bw_front - see above					[owner]
 * @bin:	by class
 * @state:	enum bw_front_state
 * @rounds:	how often the thread's destructor was put off
 * @tick:	trips to the depot
 * @asked:	bw_front_asked, when it last gave back all it had
 */
struct bw_front {
	struct bw_bin bin[BW_MALLOC_CLASSES];
	u8 state;
	u8 rounds;
	u32 tick;
	u32 asked;
} __aligned(64);

static_assert(sizeof(struct bw_bin) == BW_BIN_BYTES,
	      "the tables of class.c count on it");

extern __thread struct bw_front bw_front __hidden
	__attribute__((tls_model("initial-exec")));

/**
 * struct bw_pages - a byte per page of the window
 * @base:	of the window						[const]
 * @nr:		its pages; 0 until there is a heap			[const]
 * @cls:	the class of the malloc span that has the page, else 0
 *					[whoever owns the span, atomic]
 *
 * 64 pages, half a megabyte of blocks, to a cache line; the owner word and the
 * descriptor behind it would be two lines for each span. Rejected: the K-word
 * of the page, which names the class in the first page of a span alone.
 */
struct bw_pages {
	uintptr_t base;
	size_t nr;
	u8 *cls;
};

extern struct bw_pages bw_pages __hidden;

/* Where a fast end had nothing, or no room. The first may be NULL: no memory. */
void *bw_front_take_slow(u32 off);
void bw_front_give_slow(void *p, u32 cls);

/* All of the calling thread's goes to the depot. */
void bw_front_flush(struct bw_front *f);
/*
 * The same, and all other threads' with their next trips there: nobody can look into
 * the front of a thread that goes on, and one that waits has no trips.
 */
void bw_fronts_flush(void);
/* And all of the depot's to the page heap, which has no memory. */
void bw_front_relieve(void);
/* The number of the F that does not hold, or 0. */
int bw_front_check(const struct bw_front *f);

/* The class of the span at @p, 0 where there is none of ours. */
static __always_inline u32 bw_pages_class(const void *p)
{
	size_t page = ((uintptr_t)p - bw_pages.base) >> BURROW_PAGE_SHIFT;

	return likely(page < bw_pages.nr) ? READ_ONCE(bw_pages.cls[page]) : 0;
}

/* @off: of a bin, as from bw_malloc_bin_of(). */
static __always_inline void *front_take(u32 off)
{
	struct bw_bin *bin = (struct bw_bin *)(void *)((char *)&bw_front + off);
	void **top = bin->top;

	if (unlikely(top == bin->low))
		return bw_front_take_slow(off);
	bin->top = top - 1;
	return *top;
}

/*
 * A second free in a row is seen here, others where slots go back to spans. At
 * @low is a word of the magazine that is no address.
 */
static __always_inline void front_give(void *p)
{
	u32 cls = bw_pages_class(p);
	struct bw_bin *bin = &bw_front.bin[cls];
	void **top = bin->top;

	if (unlikely(top == bin->end || *top == p)) {
		bw_front_give_slow(p, cls);
		return;
	}
	top[1] = p;
	bin->top = top + 1;
}

#endif
