/* SPDX-License-Identifier: MIT */
/*
 * mspan: what the library knows of a span.
 *
 *	page heap	mspan_get/put		FREE, SPARE, OWNED
 *	mcentral	whose objects come and go	PARTIAL, FULL
 *	  its sweep	off its list meanwhile		AWAY
 *	mcache		one thread takes from it	CACHED
 *	large		one object		LARGE
 *
 *	      get             mcentral_swap
 *	FREE -----> OWNED -----------------> CACHED <-----------.
 *	  ^  ^        | ^                      | mcentral_swap  |
 *	  |  |    put | | last object freed    v                |
 *	  |  '------- | '----------- PARTIAL, FULL -------------'
 *	  |           v              a free moves FULL to PARTIAL
 *	  '-------- SPARE --> OWNED (get)
 *	PARTIAL, FULL --> AWAY --> PARTIAL, FULL, CACHED, OWNED: a sweep (E4)
 *	OWNED <--> LARGE: large.c, with its one object
 *
 * A descriptor is never moved nor unmapped: who holds a stale pointer to one
 * finds another span's, takes its lock and looks.
 *
 * Which slots are taken is said by bits, dense, by object index: slot i is bit i
 * of @alloc, at the place in the U-words that the span's first page has. While
 * the span is CACHED, the 64 slots of one *window* are in @free_bits instead,
 * the other way round, where their owner takes them without looking further.
 *
 * O1. @free_bits is 0 where the span is not CACHED; a set bit is a free slot of
 *     the window. In @alloc the window's word is as it was when it was loaded.
 * O2. While CACHED, @alloc is the owner's and others put what they free in
 *     @freed; else @alloc changes under the lock and @freed is empty.
 * O3. @nalloc counts the bits of @alloc, except while CACHED.
 * O4. @needzero is set before a slot that was used is free again: where it is
 *     clear, all free slots are zero.
 * O5. The owner words of the pages name the span from get to put, and no longer.
 *
 * Publishing (the collector asks while the owner goes on): a slot's memory is
 * ready before the bit that says so, stored with release, whichever bit that is.
 * Between two windows @window is BW_NO_WINDOW, and counts up, so that
 * bw_mspan_is_allocated() knows which window the bits it read belong to.
 * Rejected: one limit below which all is allocated. Explicit frees make holes.
 */
#ifndef BW_HEAP_MSPAN_H
#define BW_HEAP_MSPAN_H

#include <assert.h>

#include "backend/backend.h"
#include "base/atomic.h"
#include "base/lock.h"
#include "sizeclass.h"

struct bw_mcache;
struct bw_mheap;

enum bw_mspan_state {
	BW_MSPAN_FREE,		/* a descriptor without a span */
	BW_MSPAN_SPARE,		/* the page heap keeps it for the next get */
	BW_MSPAN_OWNED,		/* whoever got it does with it what he likes */
	BW_MSPAN_CACHED,
	BW_MSPAN_PARTIAL,
	BW_MSPAN_FULL,
	BW_MSPAN_AWAY,		/* off its list, to be swept */
	BW_MSPAN_LARGE,
	BW_NR_MSPAN_STATES,
};

/* What a marker that finds a pointer into a span does. */
enum bw_scan {
	BW_SCAN_NEVER,		/* nothing: there is no object of the collector's */
	BW_SCAN_NONE,		/* marks the object, and does not look into it */
	BW_SCAN_WORDS,		/* looks at each word */
	BW_SCAN_BITS,		/* at those that have a pointer bit */
};

/* Span classes: size class and kind. Stacks have none. */
#define BW_NR_SPANCLASSES	(BURROW_KIND_STACK * BURROW_NR_CLASSES)
/* Blocks that tiny objects share (class 0 of noscan would be unused). */
#define BW_SC_TINY		(BURROW_KIND_NOSCAN * BURROW_NR_CLASSES)
#define BW_TINY_CLASS		2U	/* their size class: 16 bytes */

static inline u32 bw_spanclass(u32 cls, u32 kind)
{
	return kind * BURROW_NR_CLASSES + cls;
}

/* @window: which 64 slots, below a count of how often it was changed. */
#define BW_NO_WINDOW		0xffU
#define BW_WINDOW_STEP		0x100U

struct bw_list {
	struct bw_list *next;
	struct bw_list *prev;
};

/**
 * struct bw_mspan - a span
 * @free_bits:	free slots of the window (O1)		[owner mcache, atomic]
 * @wbase:	where the window's slots begin			[owner mcache]
 * @first:	of malloc's spans: no word of @alloc before it has room	[depot]
 * @window:	see above				[owner mcache, atomic]
 * @cache:	whose it is while CACHED			[lock, atomic]
 * @elem_size:	bytes of a slot					[get]
 * @divmul:	see sizeclass.h					[get]
 * @nelems:	slots						[get]
 * @needzero:	O4: the owner's while CACHED, else		[lock]
 * @scan:	enum bw_scan: what the collector does with it	[lock, atomic]
 * @base:	its first slot					[get]
 * @alloc:	a bit a slot					O2
 * @freed:	what others freed while it is CACHED		[lock]
 * @nr_freed:	how many that are				[lock, atomic]
 * @lock:	see above
 * @nalloc:	slots in use (O3)				[lock]
 * @state:	enum bw_mspan_state				[lock, atomic]
 * @bucket:	which list of its mcentral			[mcentral]
 * @again:	a window behind has free slots			[owner mcache]
 * @spanclass:	size class and kind, or BW_SC_TINY		[get]
 * @cls:	size class					[get]
 * @kind:	enum burrow_kind				[get]
 * @sweepgen:	against the heap's (h): h is swept, h-2 is not (sweep.h)
 *								[lock]
 * @special:	has objects whose end somebody waits for: frees are exact [atomic]
 * @npages:	pages						[get]
 * @ref:	its name for the backend			[get]
 * @link:	of mcentral, or the holder's			[state]
 *
 * [get]: changes only while the page heap has the span, under the lock.
 */
struct bw_mspan {
	u64 free_bits;
	char *wbase;
	u64 *alloc;
	u32 first;
	u32 window;
	struct bw_mcache *cache;
	u64 elem_size;
	char *base;
	u32 divmul;
	u16 nelems;
	bool needzero;
	u8 scan;

	u64 *freed;
	struct bw_list link;
	struct burrow_span_ref ref;
	struct bw_lock lock;
	u32 npages;
	u16 sweepgen;
	u16 special;
	u16 nalloc;
	u16 nr_freed;
	u16 spanclass : 9;
	u16 cls : 7;
	u8 state;
	u8 bucket : 3;
	u8 again : 1;
	u8 kind : 4;
} __aligned(64);

static_assert(offsetof(struct bw_mspan, freed) == 64,
	      "what malloc and free read is one cache line");
static_assert(sizeof(struct bw_mspan) == 128, "and what else there is another");

static inline void bw_list_init(struct bw_list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool bw_list_is_empty(const struct bw_list *head)
{
	return head->next == head;
}

static inline void bw_list_add(struct bw_list *head, struct bw_list *item)
{
	item->next = head->next;
	item->prev = head;
	head->next->prev = item;
	head->next = item;
}

static inline void bw_list_del(struct bw_list *item)
{
	item->next->prev = item->prev;
	item->prev->next = item->next;
	bw_list_init(item);
}

static inline struct bw_mspan *bw_mspan_of_link(struct bw_list *link)
{
	return container_of(link, struct bw_mspan, link);
}

static inline u32 bw_mspan_words(const struct bw_mspan *s)
{
	return (s->nelems + 63U) / 64;
}

/* The slots that word @w has: the last word may have fewer than 64. */
static inline u64 bw_mspan_mask(const struct bw_mspan *s, u32 w)
{
	u32 n = s->nelems - w * 64;

	return n >= 64 ? ~0ULL : (1ULL << n) - 1;
}

/* Stores of the owner, in the order that bw_mspan_is_allocated() asks for. */
#define bw_publish(p, v)	smp_store_release(p, v)
/* pairs with bw_publish() */
#define bw_published(p)		smp_load_acquire(p)

static inline bool bw_kind_is_collected(u32 kind)
{
	return kind < BURROW_KIND_MANUAL;
}

/* The span is formatted: from now on what its kind says. */
static inline u32 bw_scan_of(u32 state, u32 kind)
{
	if (state < BW_MSPAN_CACHED || !bw_kind_is_collected(kind))
		return BW_SCAN_NEVER;
	return kind == BURROW_KIND_NOSCAN ? BW_SCAN_NONE :
	       kind == BURROW_KIND_SCAN ? BW_SCAN_BITS : BW_SCAN_WORDS;
}

/* With the lock. */
static inline void bw_mspan_set_state(struct bw_mspan *s, u32 state)
{
	u8 scan = (u8)bw_scan_of(state, s->kind);

	WRITE_ONCE(s->state, (u8)state);
	if (READ_ONCE(s->scan) == scan)
		return;
	/* pairs with bw_mspan_scan(): the marker finds it formatted */
	smp_store_release(&s->scan, scan);
}

static inline u32 bw_mspan_scan(const struct bw_mspan *s)
{
	/* pairs with bw_mspan_set_state() */
	return smp_load_acquire(&s->scan); /* see above */
}

/*
 * Index of the slot that begins at @p, or -1 where none does. The span is
 * small: its size fits 32 bits.
 */
static inline s32 bw_mspan_index(const struct bw_mspan *s, const void *p)
{
	size_t off = (size_t)((const char *)p - s->base);
	u32 i;

	if (off >= s->elem_size * s->nelems)
		return -1;
	if (s->nelems == 1)
		return off ? -1 : 0;
	i = bw_class_div((u32)off, s->divmul);
	return i * s->elem_size == off ? (s32)i : -1;
}

/* So many slots of that size, all free, in a span of which @s has the pages. */
void bw_mspan_format(struct bw_mspan *s, u32 nelems, u64 elem_size,
		     u32 divmul);

/* With the lock: what others freed is free (mcache_free.c). */
void bw_mspan_fold_freed_locked(struct bw_mspan *s);

/* Is the slot an object, as far as the owner has published? Any thread. */
bool bw_mspan_is_allocated(const struct bw_mspan *s, u32 i);

/* With the lock: how many objects; what is in somebody's hand counts. */
u32 bw_mspan_count_locked(const struct bw_mspan *s);

/* With the lock: 0, or the number of the O that does not hold. */
int bw_mspan_check_locked(const struct bw_mspan *s);

/* For messages and tools. */
const char *bw_mspan_state_name(u32 state);
const char *bw_kind_name(u32 kind);

/* "burrow: fatal: bw_free(...): ..." naming span, class and index. */
__noreturn __cold void bw_mspan_bad_free(const struct bw_mspan *s,
					 const void *p, const char *why);

/* What an mcache has where it has no span: nothing is free, nothing fits. */
extern struct bw_mspan bw_mspan_none;

#endif
