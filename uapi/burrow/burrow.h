/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * burrow: the ioctls of /dev/burrow.
 *
 * Life of a file descriptor:
 *
 *	open()		an empty file; only QUERY and HEAP_SETUP answer
 *	HEAP_SETUP	binds the heap to the caller's address space
 *	ARENA_ADD	reserves an arena and its metadata
 *	mmap() x3	data, K-words and U-words of that arena, each once, each at
 *			its fixed place; the data mapping makes its pages usable
 *	SPAN_* THREAD_*	the work
 *	munmap()	of the data frees every span that touches the arena; when
 *			the last of the three is gone the arena is gone
 *	close()		takes nothing away that is still mapped
 *
 * The heap belongs to the address space that set it up; fork gives the child a
 * copy-on-write clone, a heap of its own on the same descriptor. In any other
 * address space (after exec, or whoever was passed the descriptor) all but QUERY
 * is EXDEV. Memory goes back when it is unmapped or the address space ends,
 * whoever else holds the file.
 *
 * Extension rule: a struct starts with its size. A larger struct than the
 * kernel knows is fine while the unknown tail is zero (else E2BIG); a smaller
 * one than the first version of the call is EINVAL. Unknown flags are
 * EOPNOTSUPP. There is no version number: QUERY tells feature bits.
 *
 * Vector calls do the elements in order and stop at the first that fails. If
 * it is the first, the call fails with its errno. Otherwise the call succeeds,
 * out_nr says how many were done and out_errno why the next was not.
 *
 * What each errno means, everywhere:
 *
 *	EFAULT		an argument's memory cannot be read or written, or the
 *			arena's mapping is not the one the kernel made
 *	E2BIG		the struct has a non-zero tail this kernel does not know
 *	EINVAL		a field is out of its range
 *	EOPNOTSUPP	a flag, kind or mode this kernel does not know
 *	ENOTTY		an ioctl this kernel does not know
 *	EXDEV		the caller's address space is not the heap's
 *	ENXIO		no heap, no such arena or no such thread slot
 *	EEXIST		the heap or the arena is there already
 *	EBUSY		another call is at work on this span or slot
 *	ENOSPC		no mapped arena has such a run of free pages, or the
 *			window has no place for another arena
 *	ENOMEM		memory, memory cgroup or the user's total is exhausted
 *	EMFILE		(open, THREAD_ADD) too many of them
 *	ESTALE		no live span with that page and generation
 *	ETIMEDOUT	the deadline passed
 *	EINTR		a signal came first
 */
#ifndef _UAPI_BURROW_BURROW_H
#define _UAPI_BURROW_BURROW_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "layout.h"

#define BURROW_DEVICE		"/dev/burrow"
#define BURROW_IOC_MAGIC	0xb7

/* mmap offset: kind in the high bits, index * 64 MiB below, for each kind. */
#define BURROW_MMAP_KIND_SHIFT	44
enum burrow_mmap_kind {
	BURROW_MMAP_DATA,
	BURROW_MMAP_KMETA,
	BURROW_MMAP_UMETA,
	BURROW_NR_MMAP_KINDS,
};

#define BURROW_MMAP_OFFSET(kind, off) \
	(((__u64)(kind) << BURROW_MMAP_KIND_SHIFT) | (__u64)(off))

/* QUERY: answers from any address space, with or without a heap. */
#define BURROW_FEAT_POPULATE	(1ULL << 0)	/* pages come with the span */
#define BURROW_FEAT_RECLAIM	(1ULL << 1)
#define BURROW_FEAT_PARK	(1ULL << 2)
#define BURROW_FEAT_FORK	(1ULL << 3)	/* a child has a clone */
#define BURROW_FEAT_SHRINK	(1ULL << 4)	/* lazy memory goes under pressure */
#define BURROW_FEAT_SWEEP	(1ULL << 5)
#define BURROW_FEAT_STACK	(1ULL << 6)	/* stack arenas */
#define BURROW_FEAT_EVENTS	(1ULL << 7)	/* soft limit, poll() */
#define BURROW_FEAT_HUGE	(1ULL << 8)	/* huge arenas have 2 MiB entries */
#define BURROW_FEAT_HARVEST	(1ULL << 9)	/* x86-64 */
#define BURROW_FEAT_RESIZE	(1ULL << 10)
#define BURROW_FEAT_MOVE	(1ULL << 11)
#define BURROW_FEAT_UWORDS	(1ULL << 12)	/* they come with the span, too */
#define BURROW_FEAT_ROOM	(1ULL << 13)

struct burrow_query {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 out_features;		/* BURROW_FEAT_* */
	__u32 out_page_shift;
	__u32 out_arena_shift;
	__u32 out_max_arenas;
	__u32 out_max_batch;		/* elements of one vector call */
	__u32 out_max_threads;		/* thread slots of one heap */
	__u32 out_pad;
};

/*
 * HEAP_SETUP: where the process has reserved address space. All three places
 * are multiples of what one arena takes there (window: 64 MiB), do not overlap
 * and lie in user space; window_size is a multiple of 64 MiB, 1 TiB at most.
 */
struct burrow_heap_setup {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 window;
	__u64 window_size;
	__u64 kmeta;
	__u64 umeta;
};

#define BURROW_ARENA_ANY	(~0U)

/* ARENA_ADD: the arena at this index, or the lowest index that is free. */
struct burrow_arena_add {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 kind;			/* enum burrow_arena_kind */
	__u32 index;			/* or BURROW_ARENA_ANY */
	__u32 out_index;
	__u32 out_pad;
};

/* A span by name: the page index of its head and its generation. */
struct burrow_span_ref {
	__u32 page;
	__u32 gen;
};

struct burrow_range {
	__u32 page;
	__u32 npages;
};

/*
 * SPAN_ALLOC: nr spans of npages each, class and kind for the span table. The
 * pages are mapped when the call returns, unless BURROW_ALLOC_LAZY asks for
 * them to come with the first touch. Whether the memory is zero is in the head
 * word (BURROW_W_NEEDZERO: it may hold what an earlier span left).
 */
#define BURROW_ALLOC_LAZY	(1U << 0)
#define BURROW_ALLOC_HUGE	(1U << 1)
#define BURROW_ALLOC_UWORDS	(1U << 2)

struct burrow_span_alloc {
	__u32 size;
	__u32 flags;
	__u64 spans;			/* struct burrow_span_ref[nr], written */
	__u32 nr;
	__u32 npages;
	__u32 align;			/* in pages: 0 or a power of two */
	__u16 kind;
	__u16 cls;
	__u32 out_nr;
	__u32 out_errno;
};

/*
 * With BURROW_ALLOC_HUGE spans come from huge arenas: npages is a multiple of
 * BURROW_HUGE_PAGES, so is the first page. Where the kernel can (BURROW_FEAT_HUGE)
 * 2 MiB of them are one block of memory behind one entry; ENOMEM may mean that
 * there is no such block. Live ranges are reclaimed in whole units only
 * (EINVAL), free ones as far as whole units lie inside.
 *
 * With BURROW_ALLOC_UWORDS the U-words that a runtime writes to are there when the
 * call returns, also with BURROW_ALLOC_LAZY: the owner words of the pages; alloc
 * bits, and mark bits where the kind is swept, in the place of a span's first page;
 * for BURROW_KIND_SCAN the pointer bits of all. What else there is comes by touch,
 * which at the limit of a memory cgroup is no call that says ENOMEM.
 *
 * Spans of BURROW_KIND_STACK come from stack arenas, are at least three pages
 * long and grow downwards: the lowest BURROW_GUARD_PAGES are SIGSEGV, the 4 KiB
 * at the top are there when the call returns (without BURROW_ALLOC_LAZY), the
 * rest comes by touch.
 */

/*
 * SPAN_FREE: the spans are gone; their frames stay (they are *lazy*) until a
 * new span takes them over or they are reclaimed, with BURROW_FREE_RECLAIM at
 * once.
 */
#define BURROW_FREE_RECLAIM	(1U << 0)

struct burrow_span_free {
	__u32 size;
	__u32 flags;
	__u64 spans;			/* const struct burrow_span_ref[nr] */
	__u32 nr;
	__u32 out_nr;
	__u32 out_errno;
	__u32 out_pad;
};

/*
 * SPAN_RECLAIM: gives the frames of each range back to the kernel. A range is
 * either inside one live span, which then reads as zero, or wholly free.
 */
struct burrow_span_reclaim {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 ranges;			/* const struct burrow_range[nr] */
	__u32 nr;
	__u32 out_nr;
	__u32 out_errno;
	__u32 out_pad;
	__u64 out_frames;		/* 4 KiB frames given back */
};

/*
 * SPAN_SWEEP: frees those of the spans that have no mark bit set, with
 * BURROW_SWEEP_RECLAIM their frames too. Bits that were never touched (their
 * U-words have no memory) count as set. The marks are read, not cleared. Spans
 * of the kinds manual and stack are EINVAL. Bit i of freed says that spans[i] is
 * gone.
 */
#define BURROW_SWEEP_RECLAIM	(1U << 0)

struct burrow_span_sweep {
	__u32 size;
	__u32 flags;
	__u64 spans;			/* const struct burrow_span_ref[nr] */
	__u64 freed;			/* __u64[(nr + 63) / 64], written, or 0 */
	__u32 nr;
	__u32 out_nr;			/* looked at */
	__u32 out_errno;
	__u32 out_nr_freed;
	__u64 out_pages_freed;		/* 8 KiB */
};

/*
 * SPAN_RESIZE: a live span becomes npages long where it is, and keeps its name
 * and what is in it. Longer: ENOSPC unless the pages behind it are free; they are
 * mapped when the call returns, unless BURROW_RESIZE_LAZY, and the head word says
 * needzero if one of them may be other than zero. Shorter: its last pages are
 * free, and lazy. Stacks are EINVAL, in huge arenas what are not whole units.
 */
#define BURROW_RESIZE_LAZY	(1U << 0)

struct burrow_span_resize {
	__u32 size;
	__u32 flags;
	struct burrow_span_ref span;
	__u32 npages;
	__u32 pad;			/* 0 */
};

/*
 * SPAN_MOVE: the memory of the span from, with what is in it, becomes that of the
 * span to, page by page from the front, without a copy; from is free then, and
 * its place has no memory. to is another span, as long or longer (EINVAL); what it
 * had in those pages is gone. What it has beyond is mapped when the call returns,
 * unless BURROW_MOVE_LAZY. All of it is done or nothing; until then both are
 * EBUSY to others, and what is read at either place is undefined. I/O under way
 * goes on with the memory it began with. Stacks and spans in huge arenas are
 * EINVAL.
 */
#define BURROW_MOVE_LAZY	(1U << 0)

struct burrow_span_move {
	__u32 size;
	__u32 flags;
	struct burrow_span_ref from;
	struct burrow_span_ref to;
};

/*
 * Thread slots: places to park in. A slot holds at most one token and at most
 * one sleeper. UNPARK leaves a token or wakes the sleeper with it; PARK takes
 * the token or sleeps until there is one.
 */
struct burrow_thread_add {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 out_slot;
	__u32 out_pad;
};

struct burrow_thread_del {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 slot;			/* EBUSY while somebody sleeps in it */
	__u32 pad;			/* 0 */
};

/*
 * PARK with BURROW_PARK_SWAP unparks wake_slot first: a hand-over in one call.
 * deadline is absolute CLOCK_MONOTONIC, in ns, 0 for none. A signal ends the
 * call with EINTR, or restarts it where SA_RESTART says so and no swap was
 * asked for.
 */
#define BURROW_PARK_SWAP	(1U << 0)

struct burrow_thread_park {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 wake_slot;		/* 0 without BURROW_PARK_SWAP */
	__u64 deadline;
};

struct burrow_thread_unpark {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 slot;
	__u32 pad;			/* 0 */
};

/* STATS: counts of this heap, taken under its lock, consistent in themselves. */
struct burrow_heap_stats {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 out_arenas;		/* added */
	__u32 out_arenas_mapped;
	__u64 out_spans;		/* live */
	__u64 out_pages_live;		/* 8 KiB, in live spans */
	__u64 out_pages_free;
	__u64 out_pages_lazy;		/* of the free ones: with frames */
	__u64 out_frames;		/* 4 KiB frames of the data */
	__u64 out_umeta_frames;		/* 4 KiB frames of U-words */
	__u64 out_kmeta_bytes;		/* K-words and the kernel's own tables */
	__u64 out_nr_alloc;		/* since the set-up: spans */
	__u64 out_nr_free;
	__u64 out_nr_reclaimed;		/* frames, however */
	__u64 out_nr_shrunk;		/* of these, under memory pressure */
	__u64 out_nr_faults;
	__u64 out_user_frames;		/* all heaps of this uid, metadata too */
	__u64 out_user_limit;		/* ~0 where there is none */
	__u64 out_limit;		/* bytes, 0 where there is none */
	__u64 out_units;		/* 2 MiB blocks among the frames */
	__u32 out_threads;		/* slots */
	__u32 out_pad;
};

/*
 * HEAP_RECLAIM: gives about so many bytes of lazy memory back, from where pages
 * became lazy first. ~0 is all.
 */
struct burrow_heap_reclaim {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 bytes;
	__u64 out_bytes;
};

/*
 * HEAP_LIMIT: a soft limit, in bytes of memory behind data and U-words; 0 for
 * none. Nothing fails beyond it: it raises an event. A child inherits it.
 */
struct burrow_heap_limit {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 bytes;
};

/*
 * HEAP_EVENTS: what happened since the last such call. While there is an event
 * the descriptor polls as POLLPRI, in the address space whose heap it is.
 */
#define BURROW_EVENT_LIMIT	(1U << 0)	/* came to be beyond the limit */
#define BURROW_EVENT_PRESSURE	(1U << 1)	/* lazy memory had to go */

struct burrow_heap_events {
	__u32 size;
	__u32 flags;			/* 0 */
	__u32 out_events;		/* BURROW_EVENT_* */
	__u32 out_pad;
};

/*
 * HEAP_HARVEST: which 4 KiB frames of an arena were written since the last such
 * call for it; writers notice nothing. A frame may be looked at once the call has
 * returned: whatever is written from then on is in the next harvest. Bit i of
 * bits is the frame at i * 4 KiB. The first call says "all", so it does for a
 * huge arena, and for one whose data is not mapped. A frame that is new is zero
 * and not written; one that was discarded, or that the kernel may be writing to
 * for somebody (I/O under way), is told as written more often than it is; one that
 * was moved is written where it is now. A child has its parent's bits, as of the
 * fork.
 */
#define BURROW_HARVEST_FRAMES	(BURROW_ARENA_SIZE / 4096)
#define BURROW_HARVEST_WORDS	(BURROW_HARVEST_FRAMES / 64)

struct burrow_heap_harvest {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 bits;			/* __u64[BURROW_HARVEST_WORDS], written */
	__u32 arena;
	__u32 out_nr;			/* bits that are set */
	__u32 out_all;			/* 1: all of them, because nothing is known */
	__u32 out_pad;
};

/*
 * HEAP_ROOM: is there room for so many bytes of whatever memory the caller is going
 * to touch next? ENOMEM where the touch would call the OOM killer of a memory
 * cgroup. Nothing is kept: another process or thread may be there first.
 */
#define BURROW_MAX_ROOM		(1UL << 16)

struct burrow_heap_room {
	__u32 size;
	__u32 flags;			/* 0 */
	__u64 bytes;			/* 1 to BURROW_MAX_ROOM */
};

/* No size in the number: it stays the same when the struct grows. */
#define BURROW_IOC_QUERY		_IO(BURROW_IOC_MAGIC, 0x00)
#define BURROW_IOC_HEAP_SETUP		_IO(BURROW_IOC_MAGIC, 0x01)
#define BURROW_IOC_HEAP_STATS		_IO(BURROW_IOC_MAGIC, 0x02)
#define BURROW_IOC_HEAP_RECLAIM		_IO(BURROW_IOC_MAGIC, 0x03)
#define BURROW_IOC_HEAP_LIMIT		_IO(BURROW_IOC_MAGIC, 0x04)
#define BURROW_IOC_HEAP_EVENTS		_IO(BURROW_IOC_MAGIC, 0x05)
#define BURROW_IOC_HEAP_HARVEST		_IO(BURROW_IOC_MAGIC, 0x06)
#define BURROW_IOC_HEAP_ROOM		_IO(BURROW_IOC_MAGIC, 0x07)
#define BURROW_IOC_ARENA_ADD		_IO(BURROW_IOC_MAGIC, 0x08)
#define BURROW_IOC_SPAN_ALLOC		_IO(BURROW_IOC_MAGIC, 0x10)
#define BURROW_IOC_SPAN_FREE		_IO(BURROW_IOC_MAGIC, 0x11)
#define BURROW_IOC_SPAN_RECLAIM		_IO(BURROW_IOC_MAGIC, 0x12)
#define BURROW_IOC_SPAN_SWEEP		_IO(BURROW_IOC_MAGIC, 0x13)
#define BURROW_IOC_SPAN_RESIZE		_IO(BURROW_IOC_MAGIC, 0x14)
#define BURROW_IOC_SPAN_MOVE		_IO(BURROW_IOC_MAGIC, 0x15)
#define BURROW_IOC_THREAD_ADD		_IO(BURROW_IOC_MAGIC, 0x20)
#define BURROW_IOC_THREAD_DEL		_IO(BURROW_IOC_MAGIC, 0x21)
#define BURROW_IOC_THREAD_PARK		_IO(BURROW_IOC_MAGIC, 0x22)
#define BURROW_IOC_THREAD_UNPARK	_IO(BURROW_IOC_MAGIC, 0x23)

#endif /* _UAPI_BURROW_BURROW_H */
