/* SPDX-License-Identifier: MIT */
/*
 * burrow/heap.h: the page heap and parking, for runtimes that bring the rest.
 *
 * A heap is a window of address space cut into arenas of 64 MiB; *spans* of
 * 8 KiB pages are allocated in it, freed, and given back to the system
 * (*reclaimed*). The window's layout, and what can be read without a call, are
 * in <burrow/layout.h>; what errnos mean is in <burrow/burrow.h>.
 *
 * The same calls work in two modes, with the same results: *kernel*, where
 * /dev/burrow keeps the heap, and *user*, where the library does it itself.
 *
 *	A touch of			kernel		user
 *	a live span			works		works
 *	a live stack's guard		SIGSEGV		SIGSEGV where there is
 *							one (@guarded)
 *	a freed span, not reclaimed	undefined	undefined
 *	a reclaimed or unused page	SIGSEGV		undefined
 *	an arena that was not added	SIGSEGV		SIGSEGV
 *
 * Unless it says otherwise, a call may be made by any thread at any time
 * between bw_heap_open() and bw_heap_close() and returns 0 or a negative errno;
 * errno itself says nothing. None is async-signal-safe but bw_heap_span_of(),
 * bw_heap_addr() and bw_parker_unpark(), which also leave errno alone.
 *
 * A child of fork() has the heap as it was, copy on write: contents, spans with
 * their names, U-words, stacks with their guards. From then on the two know
 * nothing of each other. fork() waits for calls of other threads, so that the
 * child finds each of them done or not begun; spans that those threads held stay
 * allocated in the child. Parkers are not inherited, see below.
 *
 *	fork(), a heap to copy		all calls work in the child
 *	fork(), no memory for a copy	fork() succeeds; in the child calls fail
 *					with EXDEV, bw_heap_error() says why
 *	a child made by clone() itself	the same; fork handlers did not run
 *	vfork(), posix_spawn(), exec()	nothing of the heap is touched
 *
 * In a child that has no heap its memory is not to be touched (kernel mode:
 * SIGBUS), and bw_heap_close() lets go of what is left. fork() is not for a
 * signal handler that may have interrupted a call. Handlers of pthread_atfork()
 * that make calls, or wait for a thread that may be in one (a lock held over
 * calls), are registered after bw_heap_open(): then fork() begins with them.
 */
#ifndef BURROW_HEAP_H
#define BURROW_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <burrow/burrow.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bw_heap;

enum bw_mode {
	BW_MODE_AUTO,		/* kernel where it can be had, else user */
	BW_MODE_KERNEL,
	BW_MODE_USER,
};

#define BW_HEAP_VERBOSE	0x1U	/* say what was chosen, and counts */
#define BW_HEAP_VERIFY	0x2U	/* user mode: check after each call */

/**
 * struct bw_heap_opts - what to open
 * @size:	sizeof(struct bw_heap_opts)
 * @mode:	enum bw_mode
 * @flags:	BW_HEAP_*
 * @pad:	0
 * @window:	address space for arenas in bytes, a multiple of 64 MiB, at most
 *		1 TiB: all of it or an error. 0: 256 GiB, or less where an
 *		address space limit leaves no room for that
 * @device:	NULL for /dev/burrow
 */
struct bw_heap_opts {
	uint32_t size;
	uint32_t mode;
	uint32_t flags;
	uint32_t pad;
	uint64_t window;
	const char *device;
};

/*
 * Opens a heap without arenas. With @opts NULL the environment says how:
 * BURROW_MODE=auto|kernel|user and BURROW=key=value,... with the keys verbose,
 * verify, window and device. With @opts the environment is not looked at.
 *
 * Errors: EINVAL for an option that is not allowed; with mode kernel whatever
 * kept the module from being used (ENOENT, EACCES, ENOTTY, EOPNOTSUPP, ...);
 * ENOMEM. bw_heap_error() says which it was, in one line.
 */
int bw_heap_open(struct bw_heap **out, const struct bw_heap_opts *opts);

/*
 * Frees everything in the heap, and the heap; NULL is fine. The caller sees to
 * it that nobody uses the heap, its memory or its parkers any more.
 */
void bw_heap_close(struct bw_heap *heap);

/* "kernel" or "user". */
const char *bw_heap_mode(const struct bw_heap *heap);

/*
 * One line about the last bw_heap_open() or bw_heap_check() of the calling
 * thread, or fork() to it, that failed, "" when none did. Good until the next
 * that fails.
 */
const char *bw_heap_error(void);

/* "ENOSPC" for ENOSPC or -ENOSPC, "OK" for 0; never NULL. Static storage. */
const char *bw_errno_name(int err);

/*
 * Adds an arena at @index, or at the lowest free index for BURROW_ARENA_ANY;
 * *out_index (NULL is fine) says which. Errors: EINVAL, EEXIST; ENOSPC when
 * the window is full; ENOMEM.
 */
int bw_heap_arena_add(struct bw_heap *heap, uint32_t index,
		      uint32_t *out_index);

/*
 * The same with an enum burrow_arena_kind: stacks come from stack arenas, what
 * is allocated with BURROW_ALLOC_HUGE from huge arenas, all else from heap
 * arenas. Also EOPNOTSUPP, an unknown kind.
 */
int bw_heap_arena_add_kind(struct bw_heap *heap, uint32_t kind, uint32_t index,
			   uint32_t *out_index);

/**
 * struct bw_span_want - the spans to allocate
 * @npages:	pages in each
 * @align:	its first page is a multiple of this: 0 or a power of two
 * @kind:	enum burrow_kind, for the span table; BURROW_KIND_STACK also says
 *		where it comes from, see below
 * @cls:	less than BURROW_NR_CLASSES, for the span table
 * @flags:	BURROW_ALLOC_LAZY: pages come with the first touch, otherwise
 *		they are there when the call returns. BURROW_ALLOC_HUGE: memory
 *		in units of 2 MiB where the system has them; @npages is then a
 *		multiple of BURROW_HUGE_PAGES (EINVAL), and so is the first page.
 *		BURROW_ALLOC_UWORDS: in kernel mode U-words that the caller is
 *		going to write to are there, too (<burrow/burrow.h>)
 */
struct bw_span_want {
	uint32_t npages;
	uint32_t align;
	uint16_t kind;
	uint16_t cls;
	uint32_t flags;
};

/*
 * The vector calls do their elements in order and stop at the first that
 * fails. *done (NULL is fine) says how many were done; the result is 0 when
 * that is all of them, otherwise the reason why the next one was not. @nr is
 * at least 1 (EINVAL).
 */

/*
 * Allocates @nr spans at the lowest addresses that fit and names them in
 * @spans. Whether a span is zero: bw_heap_span_of() says needzero where it may
 * not be. Errors: EINVAL, EOPNOTSUPP; ENOSPC when no arena has such a run of
 * pages; ENOMEM.
 */
int bw_heap_span_alloc(struct bw_heap *heap, const struct bw_span_want *want,
		       struct burrow_span_ref *spans, uint32_t nr,
		       uint32_t *done);

/*
 * Stacks grow downwards. A span of BURROW_KIND_STACK lies in a stack arena, has
 * more than BURROW_GUARD_PAGES pages (EINVAL), and these at its low end are a
 * guard: a touch is SIGSEGV. The 4 KiB at its top are there when the call
 * returns, unless @flags has BURROW_ALLOC_LAZY; the rest comes by touch. In user
 * mode a guard takes Linux 6.13 or two mappings of the process. Where these run
 * short stacks are made without: bw_heap_span_of() does not say guarded.
 */

/*
 * Frees spans. Their memory stays with the process, to be used again, unless
 * @flags has BURROW_FREE_RECLAIM. Errors: ESTALE, the span is not live (freed
 * twice, never there); EBUSY, it is being reclaimed by another thread;
 * EOPNOTSUPP, an unknown flag; ENOMEM, in user mode the system does not take
 * the guard of a stack away, which stays as it was.
 */
int bw_heap_span_free(struct bw_heap *heap, uint32_t flags,
		      const struct burrow_span_ref *spans, uint32_t nr,
		      uint32_t *done);

/*
 * Gives the memory of page ranges back to the system. A range lies inside one
 * live span, which reads as zero there afterwards (its owner keeps others from
 * writing to it meanwhile), or in no live span at all. *frames (NULL is fine)
 * counts what was given back, in 4 KiB frames. Errors: EINVAL, an empty range,
 * one outside the window, or parts of units of a live huge span; ESTALE, a
 * range that is neither; EBUSY.
 */
int bw_heap_span_reclaim(struct bw_heap *heap,
			 const struct burrow_range *ranges, uint32_t nr,
			 uint32_t *done, uint64_t *frames);

/**
 * struct bw_swept - what came of a sweep
 * @done:	spans that were looked at
 * @nr_freed:	how many of them are gone
 * @pages_freed: pages in these
 */
struct bw_swept {
	uint32_t done;
	uint32_t nr_freed;
	uint64_t pages_freed;
};

/*
 * Frees those of the spans that have no mark bit set (BURROW_U_MARK in their
 * U-words), with BURROW_SWEEP_RECLAIM in @flags their memory too. Bit i of
 * @freed, whole words for @nr bits, says that spans[i] is gone; NULL is fine,
 * and so it is for @out. Marks are read, not cleared; one that is set during
 * the call may be missed.
 *
 * Mark words that were never touched say "marked" in kernel mode and "not
 * marked" in user mode. A runtime touches or clears the mark words of its spans
 * when marking begins, then both agree.
 *
 * Errors: EINVAL, a span of the kinds manual and stack; ESTALE; EBUSY;
 * EOPNOTSUPP, an unknown flag.
 */
int bw_heap_span_sweep(struct bw_heap *heap, uint32_t flags,
		       const struct burrow_span_ref *spans, uint32_t nr,
		       uint64_t *freed, struct bw_swept *out);

/*
 * Gives back about @bytes of the memory of freed spans, from where spans were
 * freed first (by pieces of 2 MiB); UINT64_MAX is all. *got (NULL is fine) says
 * how much it came to.
 */
int bw_heap_reclaim(struct bw_heap *heap, uint64_t bytes, uint64_t *got);

/**
 * struct bw_span - what the span table says of a span
 * @page:	its first page
 * @npages:	how many
 * @gen:	with @page, its name
 * @kind:	as allocated
 * @cls:	as allocated
 * @needzero:	it may not have been zero when it was allocated
 * @guarded:	its lowest BURROW_GUARD_PAGES are a guard
 */
struct bw_span {
	uint32_t page;
	uint32_t npages;
	uint32_t gen;
	uint16_t kind;
	uint16_t cls;
	bool needzero;
	bool guarded;
};

/*
 * Which live span holds this address? Lock-free, without a system call; any
 * address may be asked about. False: none did, at some moment during the call.
 */
bool bw_heap_span_of(const struct bw_heap *heap, const void *addr,
		     struct bw_span *out);

/* Where a page of the window lies; any number below pages in the window. */
void *bw_heap_addr(const struct bw_heap *heap, uint32_t page);

/* Pages in the window. */
uint32_t bw_heap_window_pages(const struct bw_heap *heap);

/*
 * The U-words of an arena (layout.h): memory for bits and words beside the
 * arena, zero at first, the caller's to use. NULL: no such arena.
 */
void *bw_heap_umeta(const struct bw_heap *heap, uint32_t arena);

/*
 * Counts, consistent in themselves. In user mode out_nr_faults and out_units
 * are 0, and frames are those in memory (not in swap; huge pages bring more than was asked
 * for). @out needs no preparation.
 */
int bw_heap_stats(struct bw_heap *heap, struct burrow_heap_stats *out);

/*
 * Checks the heap's invariants: all of them in user mode, those of its counts
 * in kernel mode. 0, or -EUCLEAN (or -EXDEV, in a child without a heap) and a
 * line in bw_heap_error().
 */
int bw_heap_check(struct bw_heap *heap);

/**
 * struct bw_parker - a place where one thread sleeps until it is woken
 *
 * Holds at most one token. Unpark leaves a token; park takes it, or sleeps
 * until there is one. What the unparker wrote before is visible to who took
 * the token. The fields are the library's.
 *
 * A parker belongs to the process that made it: in a child of fork() its calls
 * fail with EXDEV, whatever it held, and fini only forgets it. The child may
 * make it anew, with init.
 */
struct bw_parker {
	struct bw_heap *heap;
	uint32_t slot;
	uint32_t word;
	uint32_t epoch;
	uint32_t pad;
};

/*
 * Any thread may be the one that parks, one at a time (two are a fatal error).
 * Errors of init: EMFILE, no more slots; ENOMEM. fini: nobody is parked, and
 * each unpark still under way was taken by a park.
 */
int bw_parker_init(struct bw_parker *p, struct bw_heap *heap);
void bw_parker_fini(struct bw_parker *p);

/* Returns with the token; never without. Handlers run, signals do not end it. */
int bw_parker_park(struct bw_parker *p);

/*
 * The same until @deadline, absolute CLOCK_MONOTONIC in ns: ETIMEDOUT when it
 * passed without a token; EINVAL beyond INT64_MAX. 0 is no deadline.
 */
int bw_parker_park_until(struct bw_parker *p, uint64_t deadline);

/* Leaves the token; one that is there already is enough. */
int bw_parker_unpark(struct bw_parker *p);

/* Unparks @to and parks in @p: one system call where both are needed. */
int bw_parker_handover(struct bw_parker *p, struct bw_parker *to,
		       uint64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
