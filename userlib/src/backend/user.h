/* SPDX-License-Identifier: MIT */
/*
 * user: the backend that is its own kernel.
 *
 *	user.c		life, arenas, counts
 *	user_span.c	spans: kmod/core under a lock
 *	user_stack.c	spans to run on, and their guards
 *	user_sweep.c	spans without a mark
 *	user_resize.c	spans that get longer or shorter
 *	user_reclaim.c	what goes back to the system, and what goes first
 *	user_frame.c	frames: madvise() and mincore()
 *	user_filled.c	pages that have them
 *	user_park.c	thread slots: futexes
 *	user_fork.c	what a child has
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
 *     in kernel mode. The price is one more VMA, and a copy at each fork()
 *     (user_fork.c).
 * U5. Nobody can be asked whether U-words have memory: mark bits that were
 *     never touched read as zero and say "not marked", where the module takes
 *     them for marked. A runtime that touches or clears the mark words of its
 *     spans when marking begins sees no difference.
 * U6. A guard needs the system's help and may be refused: the head word of a
 *     stack without one does not have BURROW_W_GUARD (user_stack.c).
 * U7. A huge arena asks for transparent huge pages and takes what it gets:
 *     whether units are blocks is not known, and none are counted.
 *
 * Q1. A page is *filled* if all of it was populated and nothing of it has gone since:
 *     it was not reclaimed, not moved to or from, and no child shares its frames. Who
 *     gets it need not populate it.
 * Q2. A filled page is resident.
 *
 * Z1. A piece of 2 MiB with a lazy page in it is listed in @pieces, oldest
 *     first, as in the module.
 */
#ifndef BW_BACKEND_USER_H
#define BW_BACKEND_USER_H

#include "backend.h"
#include "base/lock.h"
#include "core/coreheap.h"

/* The module's limits, so that what fits one fits the other. */
#define BW_USER_MAX_BATCH	4096U
#define BW_USER_MAX_THREADS	65536U

/* Spans allocated under one hold of the lock; claims that end together. */
#define BW_USER_GROUP		64U

#define BW_USER_SLOT_BYTES \
	(BW_USER_MAX_THREADS * sizeof(struct bw_user_slot))

#define BW_PIECE_PAGES		((2U << 20) >> BURROW_PAGE_SHIFT)

/* One thread slot, alone on its cache line. */
struct bw_user_slot {
	u32 word;			/* user_park.c		[atomic] */
} __aligned(64);

/* A place in the list of pieces; 0 and 0 for a piece that is not in it. */
struct bw_piece {
	u32 prev;
	u32 next;
};

/**
 * struct bw_guards - how stacks are guarded (user_stack.c)		[pages]
 * @probed:	whether the system knows markers has been found out
 * @markers:	by page table entries, at no cost
 * @together:	... and many in one call
 * @nr_fences:	guards that are mappings of their own
 * @max_fences:	how many of these there may be
 * @told:	that there are stacks without a guard
 */
struct bw_guards {
	bool probed;
	bool markers;
	bool together;
	bool told;
	u32 nr_fences;
	u32 max_fences;
};

/**
 * struct bw_user_arena - an arena					[pages]
 * @core:	what the core keeps of it
 * @fenced:	a bit per page: a guard that is a mapping begins there
 * @moved:	a bit per page: a span begins there that was moved to its place
 * @filled:	a bit per page: Q1
 */
struct bw_user_arena {
	struct bw_core_arena core;
	u64 fenced[BW_ARENA_WORDS];
	u64 moved[BW_ARENA_WORDS];
	u64 filled[BW_ARENA_WORDS];
};

/**
 * struct bw_user - a heap in this process
 * @be:		what every backend has
 * @verify:	check the core after each change		[const]
 * @verbose:	say what is not as one would expect		[const]
 * @kwords:	K-words of all arenas, writable			[const]
 * @mapped_once: they are where they are read, and only there	[const]
 * @mapped_twice: some are in both places				[lock]
 * @core_mem:	the core's tables				[const]
 * @arenas:	which arenas there are changes under it and @pages
 * @pages:	of the core
 * @core:	the page heap					[pages]
 * @nr_alloc:	spans ever allocated				[pages]
 * @nr_free:	spans ever freed				[pages]
 * @nr_reclaimed: frames ever reclaimed				[pages]
 * @nr_moved:	spans that are a mapping of their own (user_resize.c)	[pages]
 * @pieces:	where pages became lazy				[pages]
 * @guards:	see above					[pages]
 * @slots:	of the two below
 * @nr_slots:	how many are in use				[slots]
 * @slot_hint:	none below is free				[slots]
 * @slot:	BW_USER_MAX_THREADS of them			[const]
 * @copy:	K-words for the child, NULL if there are none	[user_fork.c]
 * @copied:	of so many arenas				[user_fork.c]
 */
struct bw_user {
	struct bw_backend be;
	bool verify;
	bool verbose;
	bool mapped_once;
	bool mapped_twice;
	u64 *kwords;
	void *core_mem;

	struct bw_lock arenas;
	struct bw_lock pages;
	struct bw_core core;
	u64 nr_alloc;
	u64 nr_free;
	u64 nr_reclaimed;
	u32 nr_moved;
	struct bw_piece *pieces;
	struct bw_guards guards;

	struct bw_lock slots;
	u32 nr_slots;
	u32 slot_hint;
	struct bw_user_slot *slot;

	u64 *copy;
	u32 copied;
};

static inline struct bw_user *bw_to_user(struct bw_backend *be)
{
	return container_of(be, struct bw_user, be);
}

/* All of them, free. */
void bw_user_locks_init(struct bw_user *u);

/* K-words of @nr arenas once more, at their place and read-only (U4). */
int bw_user_kmeta_map(struct bw_user *u, u32 index, u32 nr);

/* With @pages held, after a change: throws if verify finds the core broken. */
void bw_user_verify_locked(struct bw_user *u);

/**
 * struct bw_claims - pages between a _begin and an _end of the core	[caller]
 * @nr:		how many
 * @renew:	what is claimed is to be mapped anew (user_resize.c)
 * @frames:	given back so far
 * @claim:	in the order in which they were claimed
 */
struct bw_claims {
	u32 nr;
	bool renew;
	u64 frames;
	struct bw_claim {
		struct bw_run run;	/* what the core calls it */
		u32 page;		/* what of it is taken */
		u32 npages;
		bool discard;		/* of a live span */
	} claim[BW_USER_GROUP];
};

/* user_span.c */
int bw_user_span_alloc(struct bw_backend *be,
		       const struct burrow_span_alloc *req,
		       struct burrow_span_ref *spans, u32 nr, u32 *done);
int bw_user_span_free(struct bw_backend *be, u32 flags,
		      const struct burrow_span_ref *spans, u32 nr, u32 *done);
/*
 * Takes up to @nr spans off the core; @got says how many, the errno why no
 * more.
 */
int bw_user_take_locked(struct bw_user *u, struct bw_span_req *req,
			struct burrow_span_ref *ref, u32 nr, u32 *got);
/* Takes back what nobody has heard of yet. */
void bw_user_untake(struct bw_user *u, const struct burrow_span_ref *ref,
		    u32 nr);
/*
 * Frees a span that has no guard and, unless @cl is NULL, claims its pages. May
 * drop the lock when the span is gone.
 */
int bw_user_free_locked(struct bw_user *u, const struct burrow_span_ref *ref,
			struct bw_claims *cl, u32 *npages);

/* user_stack.c */
/* A stack arena is there, its data at @data, nobody uses it yet. */
void bw_guards_probe(struct bw_user *u, char *data);
/*
 * Allocates up to @nr stacks, BW_USER_GROUP at most. Fewer without an errno:
 * try again.
 */
int bw_stacks_alloc(struct bw_user *u, struct bw_span_req *want,
		    bool lazy, struct burrow_span_ref *ref, u32 nr, u32 *full);
/* Frees some of @nr spans, of which the first is live and has a guard. */
int bw_stacks_free_locked(struct bw_user *u, const struct burrow_span_ref *ref,
			  u32 nr, struct bw_claims *cl, u32 *done);

/* user_sweep.c */
int bw_user_span_sweep(struct bw_backend *be, u32 flags,
		       const struct burrow_span_ref *spans, u32 nr, u64 *freed,
		       u32 *done, u32 *nr_freed, u64 *pages);

/* user_resize.c */
int bw_user_span_resize(struct bw_backend *be, u32 flags,
			struct burrow_span_ref *ref, u32 npages);
/* Is the span that begins there a mapping of its own. */
bool bw_user_is_moved_locked(const struct bw_user *u, u32 page);
/*
 * What such a span left behind, all of it or its end, is free now: it is mapped
 * anew, for which the lock is dropped. @cl: the caller's claims, or NULL.
 */
void bw_user_left_locked(struct bw_user *u, u32 page, u32 npages,
			 struct bw_claims *cl, bool whole);
/* Zero, and nothing but what a new arena has there. */
void bw_user_renew(char *at, size_t bytes);

/* user_reclaim.c */
int bw_user_span_reclaim(struct bw_backend *be,
			 const struct burrow_range *ranges, u32 nr,
			 u32 *done, u64 *frames);
int bw_user_lazy_reclaim(struct bw_backend *be, u64 bytes, u64 *got);
/* Claims what is lazy in the range, @most pages of it; may drop the lock. */
void bw_claim_free_locked(struct bw_user *u, struct bw_claims *cl, u32 page,
			  u32 npages, u32 most);
/* Takes the frames of all claims, without the lock, and ends them. */
void bw_claims_flush_locked(struct bw_user *u, struct bw_claims *cl);
/* The list of pieces, empty; where there are lazy pages; does Z1 hold. */
size_t bw_pieces_bytes(const struct bw_window *w);
void bw_pieces_init(struct bw_user *u);
void bw_lazy_note_locked(struct bw_user *u, u32 page, u32 npages);
bool bw_pieces_are_good_locked(const struct bw_user *u);

/* user_frame.c: all of whole pages; no lock needed */
/* There are frames when it returns 0; -ENOMEM. What is there is kept. */
int bw_frames_populate(char *at, size_t bytes);
void bw_frames_touch(char *at, size_t bytes);
u64 bw_frames_count(char *at, size_t bytes);
/* Reads as zero from here on, at no cost in memory where that can be had. */
void bw_frames_take(char *at, size_t bytes);

/* From the first page that is not filled to the last; 0: they all are. */
struct bw_missing {
	u32 page;
	u32 npages;
};

/* user_filled.c: Q1 of pages that nobody else gives or takes meanwhile. */
struct bw_missing bw_filled_missing_locked(const struct bw_user *u, u32 page,
					   u32 npages);
void bw_filled_set_locked(struct bw_user *u, u32 page, u32 npages);
void bw_filled_clear_locked(struct bw_user *u, u32 page, u32 npages);
/* No page is: fork() has all frames shared. No call is under way. */
void bw_filled_forget_locked(struct bw_user *u);
/* Does Q2 hold. */
bool bw_filled_are_good_locked(const struct bw_user *u);

/* user_fork.c */
const char *bw_user_fork(struct bw_backend *be, enum bw_fork_step step);

/* user_park.c */
int bw_user_thread_add(struct bw_backend *be, u32 *slot);
int bw_user_thread_del(struct bw_backend *be, u32 slot);
int bw_user_park(struct bw_backend *be, u32 slot, u64 deadline, u32 swap);
int bw_user_unpark(struct bw_backend *be, u32 slot);

#endif
