/* SPDX-License-Identifier: MIT */
/*
 * section: where a thread cannot be stopped, because others could not do their
 * work with what it left half done or locked.
 *
 *	bw_lock(), slow paths	bw_section_begin() ... bw_section_end()
 *	leaf functions		BW_LEAF
 *	the stop's handler	sched/stop.c
 *
 * Sections are of two kinds. One that calls others raises a count of its thread.
 * A stop that comes meanwhile is only noted (@asked), and happens when the count
 * is back at 0. A *leaf* has no loop and calls nobody, except in place of its
 * return; all of its code is in one section of the program, so the handler
 * knows it by the address, and whoever stops asks again a moment later. It costs
 * nothing. Sanitizers and -O0 put calls of their own into leaves: there they
 * raise the count as well.
 *
 * X1. Only its thread writes a thread's bw_section; a signal handler of the
 *     thread may come between any two instructions and writes only @asked.
 * X2. Who lowers the count to 0 looks at @asked after it did, and a handler that
 *     sees another count than 0 has set @asked: one of them stops the thread.
 * X3. Sections nest, and each ends in the thread in which it began.
 * X4. A process may have several copies of this (heap/anchor.h). Who stops a
 *     thread looks at the sections of all of them (heap/copy.h).
 *
 * Rejected: a flag in the mcache that each bw_alloc() sets and clears (0.4 ns a
 * call); going back to the beginning of a leaf (compilers reuse the registers
 * that its arguments were in); blocking the signal (two system calls).
 */
#ifndef BW_BASE_SECTION_H
#define BW_BASE_SECTION_H

#include "atomic.h"
#include "types.h"

#ifndef __has_feature
#define __has_feature(x)	(0 && (x))
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
	__has_feature(address_sanitizer) || \
	__has_feature(thread_sanitizer) || !defined(__OPTIMIZE__)
#define BW_LEAF_COUNTS	1
#else
#define BW_LEAF_COUNTS	0
#endif

/* A leaf function; its code is between these two. */
#define BW_LEAF		__attribute__((section("bw_leaf"), noinline))

extern char __start_bw_leaf[] __attribute__((weak, visibility("hidden")));
extern char __stop_bw_leaf[] __attribute__((weak, visibility("hidden")));

/**
 * struct bw_section - of a thread					[owner]
 * @count:	sections it is in
 * @asked:	a stop waits for their end
 */
struct bw_section {
	u32 count;
	u32 asked;
};

extern __thread struct bw_section bw_section
	__attribute__((tls_model("initial-exec")));

/* What is called when a section ends that a stop waited for. */
typedef void bw_section_fn(void);
extern bw_section_fn *bw_section_hook;

__attribute__((noinline)) void bw_section_end_slow(void);

static inline void bw_section_begin(void)
{
	WRITE_ONCE(bw_section.count, bw_section.count + 1);
	/* X2: for the handler of this very thread */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void bw_section_end(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	WRITE_ONCE(bw_section.count, bw_section.count - 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(READ_ONCE(bw_section.asked)))
		bw_section_end_slow();
}

/* At the two ends of a leaf. */
static inline void bw_leaf_begin(void)
{
	if (BW_LEAF_COUNTS)
		bw_section_begin();
}

static inline void bw_leaf_end(void)
{
	if (BW_LEAF_COUNTS)
		bw_section_end();
}

#endif
