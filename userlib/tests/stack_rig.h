/* SPDX-License-Identifier: MIT */
/*
 * stack_rig: what tests of stacks and their guards need.
 *
 * The program's madvise(), process_madvise() and mprotect() stand in for those of
 * the C library and refuse when they are told to. Where the system knows no markers
 * they are played by fences, so that the calls are the same everywhere.
 */
#ifndef BW_TESTS_STACK_RIG_H
#define BW_TESTS_STACK_RIG_H

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "backend/user.h"
#include "rig.h"

#define INSTALL		102
#define REMOVE		103
#define POPULATE_WRITE	23
#define DONTNEED_LOCKED	24

#define FENCES		(-2)	/* mprotect(PROT_NONE) */
#define UNFENCES	(-3)	/* mprotect() back */

/* From call number @from on (from 1), calls of this kind fail with @err. */
static struct {
	int call;
	int err;
	u32 from;
	u32 calls;
} refuse;

static bool no_markers;		/* this system is to have none */
static bool idle_markers;	/* ... and takes them, and does nothing */
static bool no_together;		/* ... and no process_madvise() */
static u32 nr_installs;
static u32 nr_together;

static inline bool is_refused(int call)
{
	if (refuse.err && call == refuse.call &&
	    __atomic_add_fetch(&refuse.calls, 1, __ATOMIC_RELAXED) >=
	    refuse.from) {
		errno = refuse.err;
		return true;
	}
	return false;
}

static inline void refuse_from(int call, int err, u32 from)
{
	refuse.call = call;
	refuse.err = err;
	refuse.from = from;
	refuse.calls = 0;
}

int mprotect(void *at, size_t bytes, int prot)
{
	if (is_refused(prot == PROT_NONE ? FENCES : UNFENCES))
		return -1;
	return (int)syscall(SYS_mprotect, at, bytes, prot);
}

int madvise(void *at, size_t bytes, int advice)
{
	int err;

	/* what was locked goes no more than what was not */
	if (is_refused(advice == DONTNEED_LOCKED ? MADV_DONTNEED : advice))
		return -1;
	if (no_markers && (advice == INSTALL || advice == REMOVE)) {
		errno = EINVAL;
		return -1;
	}
	if (idle_markers && (advice == INSTALL || advice == REMOVE))
		return 0;
	err = (int)syscall(SYS_madvise, at, bytes, advice);
	if (advice == INSTALL)
		fetch_add_relaxed(&nr_installs, 1);
	if (!err || errno != EINVAL || (advice != INSTALL && advice != REMOVE))
		return err;
	/* a marker leaves no memory behind */
	if (advice == INSTALL)
		syscall(SYS_madvise, at, bytes, MADV_DONTNEED);
	return (int)syscall(SYS_mprotect, at, bytes, advice == INSTALL ?
			    PROT_NONE : PROT_READ | PROT_WRITE);
}

/* Guards many at a time; by the system, unless one is to be refused. */
ssize_t process_madvise(int pid, const struct iovec *at, size_t nr, int advice,
			unsigned int flags)
{
	ssize_t bytes = -1;
	size_t i;

	if (no_markers || no_together || idle_markers) {
		errno = EBADF;
		return -1;
	}
	if (!refuse.err)
		bytes = syscall(SYS_process_madvise, pid, at, nr, advice, flags);
	if (bytes >= 0) {
		fetch_add_relaxed(&nr_together, (u32)nr);
		fetch_add_relaxed(&nr_installs, (u32)nr);
		return bytes;
	}
	for (i = 0, bytes = 0; i < nr; i++) {
		if (madvise(at[i].iov_base, at[i].iov_len, advice))
			break;
		bytes += (ssize_t)at[i].iov_len;
	}
	fetch_add_relaxed(&nr_together, (u32)i);
	return i ? bytes : -1;
}

static struct bw_heap *heap;

static inline u64 *words(u32 page)
{
	return bw_heap_addr(heap, page);
}

static inline struct bw_span_want want_stack(u32 npages)
{
	return (struct bw_span_want){
		.npages = npages, .kind = BURROW_KIND_STACK,
	};
}

/* A heap arena, then @stacks stack arenas. */
static inline struct bw_heap *stack_heap(bool markers, u32 stacks)
{
	struct bw_heap *h;
	u32 i;

	refuse.err = 0;
	no_markers = !markers;
	h = rig_heap(1, true);
	for (i = 1; i <= stacks; i++)
		EXPECT(!bw_heap_arena_add_kind(h, BURROW_ARENA_STACK, i,
					       NULL));
	return h;
}

static __thread sigjmp_buf back;
static __thread bool armed;

/* A signal that no test asked for ends the program. */
static inline void on_segv(int sig)
{
	if (armed)
		siglongjmp(back, sig);
	signal(sig, SIG_DFL);
}

/* Does a load from, and a store to, this address give SIGSEGV? */
static inline bool is_forbidden(volatile u64 *at)
{
	struct sigaction sa = { .sa_handler = on_segv };
	volatile u32 hits = 0;

	sigaction(SIGSEGV, &sa, NULL);
	armed = true;
	if (!sigsetjmp(back, 1))
		(void)*at;
	else
		hits++;
	if (!sigsetjmp(back, 1))
		*at = 1;
	else
		hits++;
	armed = false;
	EXPECT(hits != 1);
	return hits == 2;
}

static inline bool guard_is_good(u32 page)
{
	volatile u64 *lo = words(page);
	volatile u64 *hi = words(page + BURROW_GUARD_PAGES);

	return is_forbidden(lo) && is_forbidden(lo + 512) &&
	       is_forbidden(hi - 1) && !is_forbidden(hi);
}

static inline bool is_guarded(u32 page)
{
	struct bw_span s;

	return bw_heap_span_of(heap, words(page), &s) && s.guarded;
}

static inline bool range_is(u32 page, u32 npages, u8 value)
{
	const u8 *p = bw_heap_addr(heap, page);
	u32 i;

	for (i = 0; i < npages * BURROW_PAGE_SIZE; i++)
		if (p[i] != value)
			return false;
	return true;
}

static inline void fill(u32 page, u32 npages, u8 value)
{
	memset(words(page), value, npages * BURROW_PAGE_SIZE);
}

/* Nothing is lost: there are just so many. */
static inline void expect_counts(u32 spans, u32 nr_fences)
{
	struct burrow_heap_stats s;

	EXPECT(!bw_heap_stats(heap, &s) && s.out_spans == spans);
	EXPECT(s.out_nr_alloc - s.out_nr_free == spans);
	EXPECT(bw_to_user(heap->be)->guards.nr_fences == nr_fences);
	EXPECT(!bw_heap_check(heap));
}

#endif
