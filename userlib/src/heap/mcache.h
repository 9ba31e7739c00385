/* SPDX-License-Identifier: MIT */
/*
 * mcache: a thread's own spans, one for each span class.
 *
 *	bw_alloc()			rt/alloc.c
 *	  mcache_alloc()		<- here: a free slot of the window
 *	    bw_mcache_alloc_slow()	heap/mcache.c: the next window or span
 *	bw_free()			rt/alloc.c
 *	  mcache_free()			<- here: back into the window
 *	    bw_mcache_free_slow()	heap/mcache_free.c: anything else
 *
 * Only its thread touches an mcache: no lock, no atomic read-modify-write.
 *
 * M1. A span held here is CACHED and on no list of mcentral, its @cache is us.
 * M2. Its @free_bits has a 1 for each free slot of the current window, and
 *     @wbase and @wbytes say where that window is; @wbytes is 0 for blocks of
 *     tiny objects, which nobody frees one by one, and while marking.
 * M3. Where there is no span stands bw_mspan_none.
 * M4. An entry of @freeing is of a span that the object in it keeps alive: its
 *     bits are still set where all others look.
 *
 * M5. While marking all free slots of the window are marked, of any span of the
 *     collector's: what is taken is black. A slot that is freed meanwhile is
 *     marked by the slow path, for it may be taken again.
 *
 * M6. The collector changes an mcache while its thread is stopped. So mcache_alloc()
 *     and mcache_free() are in leaves (BW_LEAF) or in sections, all slow paths are
 *     sections, and on the way from the one to the other nothing is kept that was
 *     read from a span (base/section.h).
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
#define BW_ZERO_INLINE	64U	/* bytes */

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
 * struct bw_mcache - what a thread has				[owner]
 * @span:	by span class
 * @map:	of the heap, for frees
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
	struct bw_mspan *span[BW_NR_SPANCLASSES];
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
/* Waiting frees alone. */
void bw_mcache_flush_frees(struct bw_mcache *c);

/*
 * The calling thread's mcache on the heap of the process, made if need be; it
 * goes back when the thread ends. NULL: no memory.
 */
struct bw_mcache *bw_mcache_attach(void);
/* It goes back now, and the next object of the thread makes another. */
void bw_mcache_detach(void);

/* mcache_fork.c: in a child of fork(), before anything else here. */
void bw_heap_mend(struct bw_mheap *h);
/* In such a child: the span is in an mcache whose thread is the parent's. */
bool bw_mspan_is_lost(const struct bw_mheap *h, struct bw_mspan *s);

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

/* Bytes of the slot that begins at @p; 0 for a tiny object. Fatal for others. */
size_t bw_mcache_slot_size(const struct bw_mheap *h, const void *p);

/* 0, or the number of the M that does not hold. */
int bw_mcache_check(const struct bw_mcache *c);

/* The same for a slot that is too long to be zeroed without a call. */
void *bw_mcache_take_zeroed(struct bw_mcache *c, u32 spanclass, size_t n);

/* A slot of at most BW_ZERO_INLINE, 8 bytes or a multiple of 16. */
static __always_inline void mcache_zero(char *p, size_t size)
{
	if (unlikely(size == 8)) {
		memset(p, 0, 8);
		return;
	}
	memset(p, 0, 16);
	memset(p + size - 16, 0, 16);
	if (size > 32) {
		memset(p + 16, 0, 16);
		memset(p + size - 32, 0, 16);
	}
}

/*
 * A slot of that class for an object of @n bytes. NULL: no memory, and errno
 * says so. All calls are tail calls: nothing is saved for them.
 */
static __always_inline void *mcache_alloc(struct bw_mcache *c, u32 spanclass,
					  size_t n, bool zero)
{
	struct bw_mspan *s = c->span[spanclass];
	u64 bits, size = s->elem_size;
	char *p = READ_ONCE(s->hot);

	if (p) {
		if (zero) {
			if (unlikely(size > BW_ZERO_INLINE))
				return bw_mcache_take_zeroed(c, spanclass, n);
			mcache_zero(p, size);
		}
		/* zero before it is there */
		bw_publish(&s->hot, NULL);
		return p;
	}
	bits = READ_ONCE(s->free_bits);
	if (unlikely(!bits))
		return bw_mcache_alloc_slow(c, spanclass, n, zero);
	p = s->wbase + (u32)__builtin_ctzll(bits) * size;
	if (zero && s->needzero) {
		if (unlikely(size > BW_ZERO_INLINE))
			return bw_mcache_take_zeroed(c, spanclass, n);
		mcache_zero(p, size);
	}
	bw_publish(&s->free_bits, bits & (bits - 1));
	return p;
}

/* Frees what is not in the current window of its span the slow way. */
static __always_inline void mcache_free(struct bw_mcache *c, void *p)
{
	struct bw_mspan *s = bw_map_find(c->map, p);
	u64 bits, bit, off;
	char *hot;
	u32 i;

	if (unlikely(!s || READ_ONCE(s->cache) != c))
		goto slow;
	off = (u64)((char *)p - s->wbase);
	if (unlikely(off >= READ_ONCE(s->wbytes)))
		goto slow;
	i = bw_class_div((u32)off, s->divmul);
	bits = READ_ONCE(s->free_bits);
	bit = 1ULL << i;
	hot = READ_ONCE(s->hot);
	if (unlikely(bits & bit || i * s->elem_size != off || hot == p))
		goto slow;
	s->needzero = true;
	if (hot)
		bw_publish(&s->free_bits, bits | bit);
	else
		bw_publish(&s->hot, (char *)p);
	return;
slow:
	bw_mcache_free_slow(c, p);
}

#endif
