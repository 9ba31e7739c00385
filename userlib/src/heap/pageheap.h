/* SPDX-License-Identifier: MIT */
/*
 * pageheap: spans for whoever cuts them up, from the backend and back to it.
 *
 *	mcentral, large, regions, malloc
 *	  bw_mspan_get/put()		<- here: descriptors, owners, spares
 *	    be->ops->span_alloc/free	backend/backend.h
 *
 * Spans of a size class are fetched in batches that grow with demand, up to an
 * eighth of what is used, and some that come back are kept as *spares*, a few of
 * class 0 too: a call into the backend costs more than the span. What is kept is
 * bounded (H3).
 *
 * Memory of spans that went back to the backend stays with the process, lazy,
 * until it *decays*: every BW_DECAY_NS a put gives back what was not needed at
 * the peak of the last two periods. Where there is a collector its thread does
 * that, little by little. bw_mheap_scavenge() gives back at once.
 *
 * H1. The arenas that bw_mheap_arena_add() added are those below @limit. The backend
 *     gives pages of one to anybody before we have said so: he waits for it, as what
 *     is not below @limit is no object to bw_free(), a barrier and the collector.
 * H2. An owner word is a descriptor's address, or 0.
 * H3. @spare_pages <= max(BW_SPARE_MIN, @used_pages / 8) after each put, stuck
 *     spans not counted.
 * H4. A span that the backend would not take back is on @stuck and nobody's; it
 *     is tried again. No failure loses a span.
 * H5. Whoever holds @arenas and @lock finds the page heap as it should be, and no
 *     lock of a span held by it: that is all that fork() needs of it. Spans that
 *     are on their way to the backend or from it are lost to the child.
 */
#ifndef BW_HEAP_PAGEHEAP_H
#define BW_HEAP_PAGEHEAP_H

#include "base/options.h"
#include "heap.h"
#include "gcstate.h"
#include "mcentral.h"
#include "mspan.h"

#define BW_MSPAN_CHUNK		256U	/* descriptors in one piece */
#define BW_SPARE_MIN		512U	/* pages: 4 MiB */
#define BW_SPARE_LOOK		16U	/* spares a get looks at */
#define BW_BATCH_MAX		64U	/* spans of one call */
#define BW_BATCH_PAGES		64U	/* and pages, if it is more than one */
#define BW_BATCH_FRESH		16U	/* where none has memory */
#define BW_LAZY_PAGES		128U	/* larger spans are populated by touch */
#define BW_HUGE_WINDOW		(64 * BURROW_ARENA_PAGES)
#define BW_DECAY_NS		1000000000ULL

/**
 * struct bw_spares - spans kept for one span class			[lock]
 * @head:	the last one first
 * @nr:		how many
 * @batch:	how many to fetch next time
 */
struct bw_spares {
	struct bw_list head;
	u32 nr;
	u32 batch;
};

/* Descriptors, and for each the words of its @freed, touched when needed. */
struct bw_mspan_chunk {
	struct bw_mspan span[BW_MSPAN_CHUNK];
	u64 freed[BW_MSPAN_CHUNK][BW_SPAN_SLOTS / 64];
	struct bw_mspan_chunk *next;
	u32 used;
};

/* What a page's word in @classes is made of. */
#define BW_CLASS_UNIT		4U
#define BW_CLASS_PAGE		1024U
static_assert(BURROW_KIND_MANUAL * BURROW_NR_CLASSES * BW_CLASS_UNIT <=
	      BW_CLASS_PAGE, "a span class of the collector's and a page");

/* How far from its span's first page the page is. */
static inline __attribute__((always_inline)) u32 bw_page_offset(u32 word)
{
	return word / BW_CLASS_PAGE << BURROW_PAGE_SHIFT;
}

/**
 * struct bw_mspan_map - which span holds an address
 * @base:	of the window						[const]
 * @umeta:	its U-words						[const]
 * @limit:	bytes of it that are arenas (H1)			[atomic]
 * @classes:	a word a page, where objects may be freed without a look at their
 *		span: BW_CLASS_UNIT times the span class, plus BW_CLASS_PAGE times
 *		which page of its span it is; elsewhere 0
 *						[whoever has the span, atomic]
 */
struct bw_mspan_map {
	char *base;
	char *umeta;
	size_t limit;
	u16 *classes;
};

/**
 * struct bw_mheap - a heap of spans
 * @map:	from an address to its span
 * @be:		who keeps the pages					[const]
 * @pub:	the same as a struct bw_heap, see bw_mheap_heap()	[const]
 * @verify:	check structures on slow paths				[const]
 * @clobberfree: fill what is freed					[const]
 * @guard:	large objects end at a guard page			[const]
 * @efence:	freed spans are not to be touched			[const]
 * @closes:	for that, address ranges are closed (user mode)		[const]
 * @hooks:	somebody wants to hear of each object; only the heap of the
 *		process has them, see mcache.h				[const]
 * @large:	whoever has the lock of a large object's span is inside: fork()
 *		waits until nobody is
 * @mending:	one at a time sees to what fork() left (rank MHEAP_OPEN)
 * @mended:	@epoch of the backend for which that was done	[mending, atomic]
 * @sweepgen:	see struct bw_mspan; goes up by 2 a cycle		[atomic]
 * @arenas:	one at a time adds an arena
 * @lock:	of what follows
 * @chunks:	all descriptors there are
 * @unused:	descriptors without a span, by @link
 * @stuck:	H4
 * @spares:	by span class
 * @spare_pages: in spares
 * @stuck_pages: in stuck spans
 * @used_pages:	in spans that somebody got
 * @lazy_pages:	at most so many free pages have memory
 * @peak:	highest @used_pages of this and of the last period
 * @retain:	pages that are kept whatever the peaks were
 * @decayed:	when the period began, CLOCK_MONOTONIC		[lock, atomic]
 * @puts:	since the clock was read
 * @central:	by span class						[own locks]
 * @gc:		see there
 */
struct bw_mheap {
	struct bw_mspan_map map;
	struct bw_backend *be;
	struct bw_heap pub;
	bool verify;
	bool clobberfree;
	bool guard;
	bool efence;
	bool closes;
	bool hooks;
	struct bw_gate large;
	struct bw_lock mending;
	u32 mended;
	u32 sweepgen;

	struct bw_lock arenas;
	struct bw_lock lock;
	struct bw_mspan_chunk *chunks;
	struct bw_list unused;
	struct bw_list stuck;
	struct bw_spares spares[BW_NR_SPANCLASSES];
	u64 spare_pages;
	u64 stuck_pages;
	u64 used_pages;
	u64 lazy_pages;
	u64 peak[2];
	u64 retain;
	u64 decayed;
	u32 puts;

	struct bw_mcentral central[BW_NR_SPANCLASSES];
	struct bw_gcstate gc;
};

/* A heap on a backend, which it closes in the end; of @o the debug options. */
int bw_mheap_open_on(struct bw_backend *be, const struct bw_options *o,
		     struct bw_mheap **out);

/* Nobody uses it or its memory any more. */
void bw_mheap_close(struct bw_mheap *h);

/*
 * The heap of the process, opened with the options of the environment by the
 * first call. -ENOMEM: try again; others: what BURROW or BURROW_MODE asks for
 * cannot be had. A line for bw_error_last() with each.
 */
int bw_mheap_get(struct bw_mheap **out);

/* The same. NULL: no memory for it, try again; all else is fatal. */
struct bw_mheap *bw_mheap(void);

/* The same if it is there, without opening it. */
struct bw_mheap *bw_mheap_peek(void);

/*
 * What @addr is to the heap of the process, in words: their length, 0 where it has
 * nothing to do with it. For signal handlers.
 */
size_t bw_mheap_explain(const void *addr, char *buf, size_t size);

/* Objects in it may, or may not any more, be freed without a look at it. */
void bw_classes_set(struct bw_mheap *h, const struct bw_mspan *s, bool fast);

/* From now on each free in this span is exact, and told of. */
void bw_mspan_set_special(struct bw_mheap *h, struct bw_mspan *s);

/* For who needs spans of other kinds, or thread slots, of the same heap. */
static inline struct bw_backend *bw_mheap_backend(struct bw_mheap *h)
{
	return h->be;
}

/* For parkers (bw_parker_init()) and statistics. Nobody closes it. */
static inline struct bw_heap *bw_mheap_heap(struct bw_mheap *h)
{
	return &h->pub;
}

/* True if the memory of the heap is this process's: not in a child of fork(). */
static inline bool bw_mheap_is_ours(const struct bw_mheap *h)
{
	return bw_window_is_ours(&h->be->window);
}

/*
 * A span of @npages, its first page a multiple of @align (0, or a power of
 * two), OWNED by the caller, one slot of its size, owner words set. @cls and
 * @kind are what the span table says of it; all spans of one class (but 0) and
 * kind should have one length, for they are fetched and kept for each other.
 * @needzero says whether the memory may be other than zero. The memory is there
 * unless the span is longer than BW_LAZY_PAGES: then it comes by touch.
 * NULL: no memory, or no room in the window.
 */
struct bw_mspan *bw_mspan_get(struct bw_mheap *h, u32 npages, u32 cls, u32 kind,
			      u32 align);

/*
 * As that, of class 0, but in a huge arena: memory comes 2 MiB at a time where
 * the system can do that. @npages is a multiple of BURROW_HUGE_PAGES. NULL where
 * it cannot be had at once, and in windows below BW_HUGE_WINDOW, which have no
 * room for two sorts of arenas: the caller takes an ordinary span.
 */
struct bw_mspan *bw_mspan_get_huge(struct bw_mheap *h, u32 npages, u32 kind);

/* Gives an OWNED span back. */
void bw_mspan_put(struct bw_mheap *h, struct bw_mspan *s);
/* The same of all in a list, in as few calls of the backend. */
void bw_mspans_put(struct bw_mheap *h, struct bw_list *list);

/*
 * A span that the caller holds alone, one slot of its size (OWNED or LARGE),
 * becomes @npages long; with @may_move it may be elsewhere then, its contents
 * with it. What comes to it may be other than zero. False: it is as it was, and
 * the caller copies. Nobody else asks for it meanwhile.
 */
bool bw_mspan_resize(struct bw_mheap *h, struct bw_mspan *s, u32 npages,
		     bool may_move);

/* One more arena, where the page heap has none left: 0 or -errno. */
int bw_mheap_arena_add(struct bw_mheap *h, u32 kind);

/*
 * Gives back the memory of the whole pages in [addr, addr + bytes), inside one
 * span; they read as zero then. How many bytes of address space that was.
 */
size_t bw_mheap_reclaim_range(struct bw_mheap *h, void *addr, size_t bytes);

/*
 * Spares, and then about @bytes of lazy memory go back to the system; 0: only
 * the spares. How many bytes of memory that was.
 */
u64 bw_mheap_scavenge(struct bw_mheap *h, u64 bytes);

/* What a put does every BW_DECAY_NS; @now is CLOCK_MONOTONIC. */
void bw_mheap_decay(struct bw_mheap *h, u64 now);

/*
 * For who does that in place of puts (@gc.scavenger): what is used, @more pages
 * and a tenth are kept, or with @more 0 nothing, and peaks are forgotten. Bytes
 * that are there beyond; if there are none, may there be some a period later,
 * without anybody doing anything? And so many go.
 */
void bw_mheap_retain(struct bw_mheap *h, u64 more, u64 now);
u64 bw_mheap_excess(struct bw_mheap *h, u64 now, bool *later);
u64 bw_mheap_give(struct bw_mheap *h, u64 bytes);

/*
 * [p, p + bytes), memory of the library's that nobody touched yet, is there; up to
 * 32 KiB. False: there is none. In user mode it comes by touch, as any memory.
 */
bool bw_mheap_touch(struct bw_mheap *h, void *p, size_t bytes);

/*
 * There is room for a mapping of the library's, or a page. Asked before mmap(): what
 * is mapped cannot be unmapped without memory, where the system made it a part of
 * another mapping.
 */
bool bw_mheap_has_room(struct bw_mheap *h);

/* The heap's lock is held meanwhile. False from @fn ends it. */
void bw_mheap_each_span(struct bw_mheap *h,
			bool (*fn)(struct bw_mspan *s, void *arg), void *arg);

/* 0, or the number of what does not hold; nobody may use the heap. */
int bw_mheap_check(struct bw_mheap *h);

static inline __attribute__((always_inline)) u64 *
bw_owner_word(const struct bw_mspan_map *map, size_t off)
{
	size_t arena = off >> BURROW_ARENA_SHIFT;

	return (u64 *)(void *)(map->umeta + (arena << BURROW_UMETA_SHIFT) +
			       BURROW_U_OWNER) +
	       (off >> BURROW_PAGE_SHIFT) % BURROW_ARENA_PAGES;
}

static inline __attribute__((always_inline)) struct bw_mspan *
bw_map_find(const struct bw_mspan_map *map, const void *addr)
{
	size_t off = (uintptr_t)addr - (uintptr_t)map->base;
	u64 word;

	/* pairs with arena_add_beyond(): the owner words are there */
	if (unlikely(off >= smp_load_acquire(&map->limit)))
		return NULL;
	/* pairs with bw_owners_set(): the descriptor is filled in */
	word = smp_load_acquire(bw_owner_word(map, off));
	return (struct bw_mspan *)(uintptr_t)word;
}

/* The span that holds this address, NULL where none does. Any address. */
static inline struct bw_mspan *bw_mspan_of(const struct bw_mheap *h,
					   const void *addr)
{
	return bw_map_find(&h->map, addr);
}

#endif
