/* SPDX-License-Identifier: MIT */
/*
 * user: the backend that is its own kernel.
 *
 *	user.c		life, arenas, counts
 *	user_span.c	spans: kmod/core under a lock
 *	user_frame.c	frames: madvise() and mincore()
 *	user_park.c	thread slots: futexes
 *
 * Same words, same errnos as the module, from the same core. What differs, and
 * what no caller may build on:
 *
 * U1. There is no fault handler to ask. Free pages stay accessible: the default
 *     pays no mprotect() and no VMA for each hole, and a stray touch of them
 *     goes unseen.
 * U2. For the same reason a page is *resident* in the core's sense from the
 *     moment a span gets it, touched or not, until it is reclaimed as a free
 *     page; a live span's page that was reclaimed stays resident, as its owner
 *     may touch it again unseen. So needzero is never clear for memory that
 *     somebody may have written to; it may be set for memory that is zero.
 * U3. Counts of frames are mincore()'s answer for resident pages: what is in
 *     memory, not in swap, and also what a huge page brought unasked.
 * U4. K-words are mapped twice: once for the core, and once read-only at the
 *     place layout.h says, so that a stray store by the process is SIGSEGV as
 *     in kernel mode. The price is one more VMA.
 */
#ifndef BW_BACKEND_USER_H
#define BW_BACKEND_USER_H

#include "backend.h"
#include "base/lock.h"
#include "core/coreheap.h"

/* The module's limits, so that what fits one fits the other. */
#define BW_USER_MAX_BATCH	4096U
#define BW_USER_MAX_THREADS	65536U

/* One thread slot, alone on its cache line. */
struct bw_user_slot {
	u32 word;			/* user_park.c		[atomic] */
} __aligned(64);

/**
 * struct bw_user - a heap in this process
 * @be:		what every backend has
 * @verify:	check the core after each change		[const]
 * @kwords:	K-words of all arenas, writable			[const]
 * @core_mem:	the core's tables				[const]
 * @arenas:	which arenas there are changes under it and @pages
 * @pages:	of the core
 * @core:	the page heap					[pages]
 * @nr_alloc:	spans ever allocated				[pages]
 * @nr_free:	spans ever freed				[pages]
 * @nr_reclaimed: frames ever reclaimed				[pages]
 * @slots:	of the two below
 * @nr_slots:	how many are in use				[slots]
 * @slot_hint:	none below is free				[slots]
 * @slot:	BW_USER_MAX_THREADS of them			[const]
 */
struct bw_user {
	struct bw_backend be;
	bool verify;
	u64 *kwords;
	void *core_mem;

	struct bw_lock arenas;
	struct bw_lock pages;
	struct bw_core core;
	u64 nr_alloc;
	u64 nr_free;
	u64 nr_reclaimed;

	struct bw_lock slots;
	u32 nr_slots;
	u32 slot_hint;
	struct bw_user_slot *slot;
};

static inline struct bw_user *bw_to_user(struct bw_backend *be)
{
	return container_of(be, struct bw_user, be);
}

/* With @pages held, after a change: throws if verify finds the core broken. */
void bw_user_verify_locked(struct bw_user *u);

/* user_span.c */
int bw_user_span_alloc(struct bw_backend *be,
		       const struct burrow_span_alloc *req,
		       struct burrow_span_ref *spans, u32 nr, u32 *done);
int bw_user_span_free(struct bw_backend *be, u32 flags,
		      const struct burrow_span_ref *spans, u32 nr, u32 *done);
int bw_user_span_reclaim(struct bw_backend *be,
			 const struct burrow_range *ranges, u32 nr,
			 u32 *done, u64 *frames);

/* user_frame.c: all of whole pages; no lock needed */
/* There are frames when it returns 0; -ENOMEM. What is there is kept. */
int bw_frames_populate(char *at, size_t bytes);
u64 bw_frames_count(char *at, size_t bytes);
/* Reads as zero from here on, at no cost in memory where that can be had. */
void bw_frames_take(char *at, size_t bytes);

/* user_park.c */
int bw_user_thread_add(struct bw_backend *be, u32 *slot);
int bw_user_thread_del(struct bw_backend *be, u32 slot);
int bw_user_park(struct bw_backend *be, u32 slot, u64 deadline, u32 swap);
int bw_user_unpark(struct bw_backend *be, u32 slot);

#endif
