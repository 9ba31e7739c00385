/* SPDX-License-Identifier: MIT */
/*
 * backend: the seam between the library and whoever keeps the page heap.
 *
 *	bw_heap_*, bw_parker_*	heap/
 *	  struct bw_backend_ops	<- here
 *	    dev.c		the module, by ioctls of /dev/burrow
 *	    user*.c		kmod/core, mmap, madvise and futex
 *	    failnth.c		for tests: another backend, one step of which fails
 *	  fork.c		a child of fork() inherits all of them
 *
 * Kernel mode and user mode differ below this line and nowhere else.
 *
 * Results are 0 or a negative errno and mean what burrow/burrow.h says of
 * them. A vector call does its elements in order and stops at the first that
 * fails: *done is how many were done, the result why the next one was not (an
 * ioctl says the same in another shape).
 *
 * A child of fork() has the heap as it was, apart from its parent's from then
 * on, without the thread slots. Where that could not be had (@lost), and in a
 * child that a bare clone() made, every call but close is -EXDEV.
 */
#ifndef BW_BACKEND_BACKEND_H
#define BW_BACKEND_BACKEND_H

#include "base/options.h"
#include "burrow/burrow.h"
#include "gate.h"
#include "window.h"

#define BW_NO_SLOT	(~0U)

/* What span_resize may do. */
#define BW_RESIZE_LAZY	(1U << 0)	/* new pages come by touch */
#define BW_RESIZE_MOVE	(1U << 1)	/* to another place, if there is need */

enum bw_fork_step {
	BW_FORK_PREPARE,
	BW_FORK_PARENT,
	BW_FORK_CHILD,
};

/* A vector call takes at least so many elements: the bits of a word. */
#define BW_MIN_BATCH	64U

struct bw_backend;

struct bw_backend_ops {
	/* The heap, its memory and its reservation go. Nobody uses them. */
	void (*close)(struct bw_backend *be);

	/*
	 * An arena at @index or the lowest free one (BURROW_ARENA_ANY), with
	 * data, U-words and K-words mapped. All or nothing.
	 * -EOPNOTSUPP kind; -EINVAL index; -EEXIST; -ENOSPC; -ENOMEM
	 */
	int (*arena_add)(struct bw_backend *be, u32 kind, u32 index,
			 u32 *out_index);

	/*
	 * @req: npages, align, kind, cls and flags; @nr up to max_batch. Pages
	 * are populated unless flags has BURROW_ALLOC_LAZY; of a stack the 4
	 * KiB at the top.
	 * -EINVAL; -EOPNOTSUPP kind or flag; -ENOSPC; -ENOMEM
	 */
	int (*span_alloc)(struct bw_backend *be,
			  const struct burrow_span_alloc *req,
			  struct burrow_span_ref *spans, u32 nr, u32 *done);

	/* -EINVAL nr; -EOPNOTSUPP flag; -ESTALE; -EBUSY; -ENOMEM a guard */
	int (*span_free)(struct bw_backend *be, u32 flags,
			 const struct burrow_span_ref *spans, u32 nr,
			 u32 *done);

	/*
	 * Each range inside one live span, or in none. *frames counts 4 KiB
	 * frames given back.
	 * -EINVAL nr, range; -ESTALE; -EBUSY
	 */
	int (*span_reclaim)(struct bw_backend *be,
			    const struct burrow_range *ranges, u32 nr,
			    u32 *done, u64 *frames);

	/*
	 * Frees those of the spans that have no mark bit. *done were looked at;
	 * *nr_freed of them are gone, with *pages pages, and bit i of @freed
	 * (NULL, or @nr bits in whole words) says which.
	 * -EINVAL nr, kind; -EOPNOTSUPP flag; -ESTALE; -EBUSY
	 */
	int (*span_sweep)(struct bw_backend *be, u32 flags,
			  const struct burrow_span_ref *spans, u32 nr,
			  u64 *freed, u32 *done, u32 *nr_freed, u64 *pages);

	/*
	 * A live span, the caller's alone, becomes @npages long. Where it does
	 * not fit it moves, if it may, with what is in it, and *span is its
	 * new name; who knows the old one has nothing. In huge arenas whole
	 * units.
	 * -EINVAL npages, a stack; -ESTALE; -EBUSY; -ENOSPC there or in the
	 * window; -ENOMEM; -EOPNOTSUPP flag, or the backend cannot do that
	 */
	int (*span_resize)(struct bw_backend *be, u32 flags,
			   struct burrow_span_ref *span, u32 npages);

	/* About so many bytes of lazy memory, oldest first; *got were had. */
	int (*lazy_reclaim)(struct bw_backend *be, u64 bytes, u64 *got);

	/*
	 * Is there room for so many bytes, BURROW_MAX_ROOM at most, that the
	 * caller is about to touch? 0: yes, and another may be there first;
	 * -ENOMEM; -EOPNOTSUPP: who touches will see.
	 */
	int (*room)(struct bw_backend *be, u64 bytes);

	int (*stats)(struct bw_backend *be, struct burrow_heap_stats *out);

	/* The lowest free slot. -EMFILE; -ENOMEM */
	int (*thread_add)(struct bw_backend *be, u32 *slot);

	/* -ENXIO; -EBUSY: somebody sleeps in it */
	int (*thread_del)(struct bw_backend *be, u32 slot);

	/*
	 * Takes the slot's token or sleeps until there is one; 0 only with a
	 * token. Once the caller is the slot's sleeper, @swap is unparked,
	 * unless it is BW_NO_SLOT; whatever ends the sleep, that was done once.
	 * @deadline: absolute CLOCK_MONOTONIC ns, 0 for none.
	 * Before it: -EINVAL deadline; -ENXIO slot; -EBUSY another sleeper.
	 * -ENXIO swap; -ETIMEDOUT; -EINTR
	 */
	int (*park)(struct bw_backend *be, u32 slot, u64 deadline, u32 swap);

	/* -ENXIO */
	int (*unpark)(struct bw_backend *be, u32 slot);

	/* Does it all hold? 0, a number that says what does not, or -errno. */
	int (*check)(struct bw_backend *be);

	/*
	 * fork() is about to be, and was: no call is under way from the first
	 * step to the last (gate.h), and the window's page is restored for the
	 * child when the answer is NULL. What it is else says why the child
	 * has no heap. Not for callers.
	 */
	const char *(*fork)(struct bw_backend *be, enum bw_fork_step step);
};

/**
 * struct bw_backend - what every backend has
 * @ops:	what it does						[const]
 * @mode:	"kernel" or "user"					[const]
 * @max_batch:	elements of one vector call, BW_MIN_BATCH or more	[const]
 * @max_threads: thread slots						[const]
 * @bulk_sweep:	of spans that a collector has swept span_sweep() is how they
 *		go: the kernel looks at their mark bits itself		[const]
 * @window:	see window.h						[const]
 * @lost:	why this process, a child, has not got the heap, or NULL
 *								[const]
 * @epoch:	how many forks this process is away from the one that opened
 *		it: what one process has and its child has not (thread slots)
 *		remembers it; set while there is one thread	[atomic]
 * @gate:	calls that change something pass it
 * @forking:	the fork under way takes it along		[fork.c]
 * @next:	of all there are				[fork.c]
 */
struct bw_backend {
	const struct bw_backend_ops *ops;
	const char *mode;
	u32 max_batch;
	u32 max_threads;
	bool bulk_sweep;
	struct bw_window window;
	const char *lost;
	u32 epoch;

	struct bw_gate gate;
	bool forking;
	struct bw_backend *next;
};

/*
 * Each opens one backend: 0, or a negative errno and a line for
 * bw_error_last(). bw_backend_open() is the choice between the first two, as
 * the options say.
 */
int bw_backend_open_dev(const struct bw_options *o, struct bw_backend **out);
int bw_backend_open_user(const struct bw_options *o, struct bw_backend **out);
int bw_backend_open(const struct bw_options *o, struct bw_backend **out);

/*
 * Wraps @inner, which the wrapper then closes, so that step number @nth (from
 * 1) fails with @err. A step is a call that may fail, or one element of a
 * vector call; elements before it are done. With @nth 0 none fails.
 */
int bw_backend_open_failnth(struct bw_backend *inner, u64 nth, int err,
			    struct bw_backend **out);
/* Steps so far. */
u64 bw_backend_failnth_steps(struct bw_backend *be);
/* While nobody calls: steps count from 1 again, and @nr of them fail from @nth. */
void bw_backend_failnth_again(struct bw_backend *be, u64 nth, u64 nr, int err);

#endif
