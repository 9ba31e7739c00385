/* SPDX-License-Identifier: MIT */
/*
 * mcache: a thread's own spans, one for each span class.
 *
 *	bw_alloc()			rt/alloc.c
 *	  mcache_alloc()		<- here: the slot freed last, or one of the
 *					   window
 *	    bw_mcache_alloc_slow()	heap/mcache.c: the next window or span
 *	bw_free()			rt/alloc.c
 *	  mcache_free()			<- here: into the stash of its class
 *	    bw_mcache_free_slow()	heap/mcache_free.c: anything else
 *	      bw_stash_put()		heap/stash.c: when there is no room
 *		bw_shelf_put()		heap/shelf.c: then there is
 *
 * Only its thread touches an mcache: no lock, no atomic read-modify-write.
 *
 * M1. A span held here is CACHED and on no list of mcentral, its @cache is us.
 * M2. Its @free_bits has a 1 for each free slot of the current window, and
 *     @wbase says where that window is.
 * M3. Where there is no span stands bw_mspan_none.
 * M4. An entry of @freeing is of a span that the object in it keeps alive: its
 *     bits are still set where all others look.
 *
 * M5. While marking all free slots of the window are marked, of any span of the
 *     collector's: what is taken is black. A slot that is freed meanwhile is
 *     marked by the slow path, for it may be taken again; stashes are blank and
 *     @nr_pages is 0, so that all frees come that way.
 *
 * M6. The collector changes an mcache while its thread is stopped. So mcache_alloc()
 *     and mcache_free() are in leaves (BW_LEAF) or in sections, all slow paths are
 *     sections, and on the way from the one to the other nothing is kept that was
 *     read from a span (base/section.h).
 *
 * M7. A stash has slots of its class in (@low, @top], which are taken for all who
 *     look elsewhere, and has no two alike. All three are bw_stash_none where
 *     none was freed yet, and in mcaches with hooks. The first word of each slot is
 *     bw_freed_word().
 *
 * M8. On a shelf are slots of its class, which are taken for all who look
 *     elsewhere, as in a stash, but not live (bw_live_add()). Where a stash is not
 *     used, nothing is on the shelf; @shelved is what all of them have.
 *
 * A thread without an mcache has bw_mcache_none, which holds nothing and knows
 * no addresses: both fast paths miss, and the slow ones attach the thread. With
 * hooks (mcache_hook.h) the thread keeps bw_mcache_none in front and its own
 * behind it, so that all it does goes the slow way.
 */
#ifndef BW_HEAP_MCACHE_H
#define BW_HEAP_MCACHE_H

#include "base/section.h"
#include "pageheap.h"

#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif

#define BW_NR_FREEING	16U
#define BW_NR_SHADES	256U
#define BW_TINY_BLOCK	16U
#define BW_STASH_SLOTS	62U
#define BW_STASH_BYTES	32768U	/* of slots in one */
#define BW_ZERO_INLINE	256U	/* bytes */
#define BW_NR_SHELVES	(BURROW_KIND_MANUAL * BURROW_NR_CLASSES)

/**
 * struct bw_freeing - frees that wait for company: they go back together
 * @span:	whose, NULL for an unused entry
 * @word:	which 64 slots of it
 * @mask:	which of these
 */
struct bw_freeing {
	struct bw_mspan *span;
	u32 word;
	u64 mask;
};

/**
 * struct bw_stash - what a thread freed last of a class, of whatever span (M7)
 *								[owner]
 * @top:	the last one that came in, and the first to go out
 * @low:	where @top is when there is none: there is NULL
 * @end:	where it is when there is no room
 * @divmul:	of the class, see bw_class_divides(); 0: not freed this way
 * @size:	of a slot
 */
struct bw_stash {
	char **top;
	char **low;
	char **end;
	u32 divmul;
	u32 size;
};

/**
 * struct bw_shelf - more of them, in arrays that are full (M8)		[owner]
 * @first:	the one that came last, NULL: none
 * @last:	the one that came first, where there is one
 */
struct bw_shelf {
	char **first;
	char **last;
};

/**
 * struct bw_mcache - what a thread has				[owner]
 * @base:	of the heap						[const]
 * @classes:	of its pages, see struct bw_mspan_map			[const]
 * @nr_pages:	that are looked up there; 0: all frees are slow
 * @stash:	by span class
 * @stashes:	where their words are, and those on shelves
 * @blank:	arrays of these that nobody uses
 * @shelf:	by span class
 * @shelved:	bytes of slots and arrays on shelves
 * @shelf_at:	the shelf that is trimmed next
 * @refused:	so often it is not asked whether there is room for more of them
 * @span:	by span class
 * @map:	of the heap
 * @heap:	whose spans they are
 * @epoch:	the process that it is in, by @epoch of the backend
 * @tiny:	block of which the first @tiny_used bytes are taken
 * @tiny_used:	BW_TINY_BLOCK where there is none
 * @freeing:	frees in spans that are not here
 * @nr_shades:	words in @shade
 * @shade:	what stores into objects noted for the collector (gc/barrier.h)
 * @next:	of all mcaches of the heap			[gc.caches_lock]
 */
struct bw_mcache {
	char *base;
	const u16 *classes;
	size_t nr_pages;
	struct bw_stash_words *stashes;
	struct bw_stash stash[BW_NR_SPANCLASSES];
	struct bw_mspan *span[BW_NR_SPANCLASSES];
	struct bw_shelf shelf[BW_NR_SHELVES];
	char **blank;
	size_t shelved;
	u32 shelf_at;
	u32 refused;
	const struct bw_mspan_map *map;
	struct bw_mheap *heap;
	u32 epoch;
	char *tiny;
	u32 tiny_used;
	struct bw_freeing freeing[BW_NR_FREEING];
	struct bw_mcache *next;
	u32 nr_shades;
	u64 shade[BW_NR_SHADES];
};

static_assert(sizeof(struct bw_stash) == BW_CLASS_UNIT * sizeof(u64),
	      "the words of struct bw_mspan_map count on it");

extern char *bw_stash_none[1];
extern struct bw_mcache bw_mcache_none;

extern __thread struct bw_mcache *bw_mcache_front
	__attribute__((tls_model("initial-exec")));

/* The calling thread's; one day its P's. */
static __always_inline struct bw_mcache *bw_mcache_current(void)
{
	return bw_mcache_front;
}

struct bw_mcache *bw_mcache_make(struct bw_mheap *h);
/* All it holds goes back, and so does it. */
void bw_mcache_release(struct bw_mcache *c);
/* All spans and waiting frees go back. */
void bw_mcache_flush(struct bw_mcache *c);
/*
 * Marking begins, and its thread is stopped: all that its spans may give from
 * their windows is black, and frees go the slow way. How many bytes that is.
 */
s64 bw_mcache_blacken(struct bw_mcache *c);
/* Waiting frees alone, those in stashes among them. False: there was none. */
bool bw_mcache_flush_frees(struct bw_mcache *c);
/* The same but for stashes. */
void bw_mcache_flush_freeing(struct bw_mcache *c);
/* A slot of a stash goes to its span. */
void bw_mcache_give(struct bw_mcache *c, void *p);

/* stash.c: for a new mcache. */
void bw_stashes_init(struct bw_mcache *c);
/*
 * The object at @p, slot @i of @s, is free. False: it has to go to its span. It is
 * fatal if it is there already.
 */
bool bw_stash_put(struct bw_mcache *c, struct bw_mspan *s, u32 i, char *p);
/* What is in them and on shelves goes to spans. False: nothing was. */
bool bw_stashes_flush(struct bw_mcache *c);
/*
 * The world is stopped, a sweep will come: they are blank, and what was in them
 * are objects that nobody has.
 */
void bw_stashes_drop(struct bw_mcache *c);
/* M7 */
bool bw_stashes_are_good(const struct bw_mcache *c);
bool bw_stash_slot_is_good(const struct bw_mcache *c, u32 spanclass,
			   const char *p);

/* shelf.c: an array with NULL in front of room for BW_STASH_SLOTS. NULL: none. */
char **bw_words_get(struct bw_mcache *c);
/* The end of all, when nobody uses them. */
void bw_words_free(struct bw_mcache *c);
/*
 * The stash is full: all but its newest quarter goes on the shelf. False: there is
 * no room.
 */
bool bw_shelf_put(struct bw_mcache *c, u32 spanclass);
/* It is blank: the array that came last comes back. False: there is none. */
bool bw_shelf_get(struct bw_mcache *c, u32 spanclass);
/* So many bytes of slots, or the next more, go to spans. */
void bw_shelves_trim(struct bw_mcache *c, size_t bytes);
/* All of them do. False: there were none. */
bool bw_shelves_flush(struct bw_mcache *c);
/* As bw_stashes_drop(). */
void bw_shelves_drop(struct bw_mcache *c);
bool bw_shelf_has(const struct bw_mcache *c, u32 spanclass, const char *p);
/* M8 */
bool bw_shelves_are_good(const struct bw_mcache *c);

/*
 * The calling thread's mcache on the heap of the process, made if need be; it
 * goes back when the thread ends. NULL: no memory.
 */
struct bw_mcache *bw_mcache_attach(void);
/* It goes back now, and the next object of the thread makes another. */
void bw_mcache_detach(void);

/* mcache_fork.c: in a child of fork(), before anything else here. */
void bw_heap_mend(struct bw_mheap *h);
/* Of the parent's mcaches the one that is the child's, or NULL. */
extern struct bw_mcache *bw_mcache_survivor;
/* Mends it, and: the calling thread is the only one in this child with an mcache. */
bool bw_mcache_is_alone(struct bw_mheap *h);

void *bw_mcache_alloc_slow(struct bw_mcache *c, u32 spanclass, size_t n,
			   bool zero);
void bw_mcache_free_slow(struct bw_mcache *c, void *p);

/* @n < BW_TINY_BLOCK bytes without pointers, aligned as their size allows. */
void *bw_tiny_alloc(struct bw_mcache *c, size_t n);

/* More than BW_OBJECT_MAX bytes: a span of their own (large.c). */
void *bw_large_alloc(struct bw_mheap *h, size_t n, u32 kind, bool zero);
/* The lock of such a span, which fork() must not find taken. */
void bw_large_lock(struct bw_mheap *h, struct bw_mspan *s);
void bw_large_unlock(struct bw_mheap *h, struct bw_mspan *s);
void bw_large_free(struct bw_mheap *h, struct bw_mspan *s, void *p);
/* An OWNED span that had one goes back. */
void bw_large_put(struct bw_mheap *h, struct bw_mspan *s);
/* All of that but bw_mspan_put(). */
void bw_large_end(struct bw_mheap *h, struct bw_mspan *s);

/* Bytes of the slot that begins at @p; 0 for a tiny object. Fatal for others. */
size_t bw_mcache_slot_size(const struct bw_mheap *h, const void *p);

/* 0, or the number of the M that does not hold. */
int bw_mcache_check(const struct bw_mcache *c);

/* The same for a slot that is too long to be zeroed without a call. */
void *bw_mcache_take_zeroed(struct bw_mcache *c, u32 spanclass, size_t n);

/* 64 bytes: else, where it seldom comes, a compiler takes rep stos, which is slow to begin. */
static __always_inline void zero_line(char *p)
{
	memset(p, 0, 16);
	memset(p + 16, 0, 16);
	memset(p + 32, 0, 16);
	memset(p + 48, 0, 16);
}

/* A slot of at most BW_ZERO_INLINE, 8 bytes or a multiple of 16. */
static __always_inline void mcache_zero(char *p, size_t size)
{
	if (unlikely(size == 8)) {
		memset(p, 0, 8);
		return;
	}
	memset(p, 0, 16);
	if (size == 16)
		return;
	memset(p + 16, 0, 16);
	if (size == 32)
		return;
	memset(p + 32, 0, 16);
	if (size == 48)
		return;
	memset(p + 48, 0, 16);
	if (likely(size == 64))
		return;
	if (__builtin_expect_with_probability(size > 128, 1, 0.4)) {
		zero_line(p + 64);
		if (size > 192)
			zero_line(p + 128);
		zero_line(p + size - 64);
		return;
	}
	memset(p + 64, 0, 16);
	memset(p + size - 16, 0, 16);
	if (size > 96) {
		memset(p + 80, 0, 16);
		memset(p + size - 32, 0, 16);
	}
}

/* That of a page, from its word in @classes. */
static __always_inline struct bw_stash *bw_stash_of(struct bw_mcache *c, u32 cls)
{
	u64 *at = (u64 *)(void *)c->stash + cls % BW_CLASS_PAGE;

	return (struct bw_stash *)(void *)at;
}

/* Slots that a stash of that class has room for. */
static inline u32 bw_stash_most(u32 size)
{
	return min(max(BW_STASH_BYTES / size, 2U), BW_STASH_SLOTS);
}

/* The stash is this array, with @nr slots in it. */
static inline void bw_stash_use(struct bw_stash *st, char **array, u32 nr)
{
	st->low = array;
	st->top = array + nr;
	st->end = array + bw_stash_most(st->size);
}

/* What the first word of a slot in a stash is; no address of the heap. */
static __always_inline u64 bw_freed_word(const void *p)
{
	return (uintptr_t)p ^ 0x9e3779b97f4a7c15ULL;
}

/*
 * A slot of that class for an object of @n bytes. NULL: no memory, and errno
 * says so. All calls are tail calls: nothing is saved for them.
 */
static __always_inline void *mcache_alloc(struct bw_mcache *c, u32 spanclass,
					  size_t n, bool zero)
{
	struct bw_stash *st;
	struct bw_mspan *s;
	u64 bits;
	char *p;

	if (zero && unlikely(n > BW_ZERO_INLINE))
		return bw_mcache_take_zeroed(c, spanclass, n);
	st = &c->stash[spanclass];
	p = *st->top;
	if (likely(p)) {
		if (zero)
			mcache_zero(p, st->size);
		else
			*(u64 *)(void *)p = 0;
		st->top--;
		return p;
	}
	s = c->span[spanclass];
	bits = READ_ONCE(s->free_bits);
	if (unlikely(!bits))
		return bw_mcache_alloc_slow(c, spanclass, n, zero);
	p = s->wbase + (u32)__builtin_ctzll(bits) * s->elem_size;
	if (zero && s->needzero)
		mcache_zero(p, s->elem_size);
	/* zero before it is there */
	bw_publish(&s->free_bits, bits & (bits - 1));
	return p;
}

/*
 * Frees what begins a slot of some span, and was not freed before, into the stash
 * of its class; the slow way finds out about all else.
 */
static __always_inline void mcache_free(struct bw_mcache *c, void *p)
{
	size_t off = (uintptr_t)p - (uintptr_t)c->base;
	u64 word = bw_freed_word(p);
	struct bw_stash *st;
	char **top;
	u32 cls;

	if (unlikely(off >> BURROW_PAGE_SHIFT >= c->nr_pages))
		goto slow;
	cls = READ_ONCE(c->classes[off >> BURROW_PAGE_SHIFT]);
	st = bw_stash_of(c, cls);
	off = off % BURROW_PAGE_SIZE + bw_page_offset(cls);
	if (unlikely(!bw_class_divides((u32)off, st->divmul)))
		goto slow;
	top = st->top;
	if (unlikely(top == st->end || *(u64 *)p == word))
		goto slow;
	*(u64 *)p = word;
	top[1] = p;
	st->top = top + 1;
	return;
slow:
	bw_mcache_free_slow(c, p);
}

#endif
