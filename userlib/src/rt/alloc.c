// SPDX-License-Identifier: MIT
/*
 * alloc: the calls that programs make. The allocation tour starts here.
 *
 *	bw_new(), bw_alloc()		<- here: size -> class, kind
 *	  mcache_alloc()		heap/mcache.h	 the slot freed last, or one
 *							 of the window
 *	    bw_mcache_alloc_slow()	heap/mcache.c	 next window, next span
 *	      bw_mcentral_swap()	heap/mcentral.c	 a span that has room
 *		bw_mspan_get()		heap/pageheap.c	 a new one, in batches
 *		  span_alloc		backend/	 pages
 *	bw_free()			<- here
 *	  mcache_free()			heap/mcache.h	 into the thread's stash
 *	    bw_mcache_free_slow()	heap/mcache_free.c
 *
 * The fast ends are leaves, all others sections (base/section.h): no thread is
 * stopped with an mcache half changed.
 */
#include "alloc.h"
#include "gc/collector.h"

/* Whoever has this file has a collector. */
static __attribute__((constructor)) void hooks_set(void)
{
	bw_collector_hooks();
}

/* With the thread's own mcache; without one there is no memory. */
static void *large(struct bw_mcache *c, size_t n, u32 kind, bool zero)
{
	bool some;
	void *p;

	if (c == &bw_mcache_none)
		c = bw_mcache_attach();
	if (!c)
		return NULL;
	p = bw_large_alloc(c->heap, n, kind, zero);
	if (likely(p))
		return p;
	bw_section_begin();
	/* what stashes keep may be in the way */
	some = bw_mcache_flush_frees(c);
	bw_section_end();
	return some ? bw_large_alloc(c->heap, n, kind, zero) : NULL;
}

/* Long enough that a section costs nothing beside zeroing. */
static void *medium(struct bw_mcache *c, size_t n, u32 kind, bool zero)
{
	u32 spanclass = bw_spanclass(bw_class_of(n), kind);
	void *p;

	if (zero)
		return bw_mcache_take_zeroed(c, spanclass, n);
	bw_section_begin();
	p = mcache_alloc(c, spanclass, n, false);
	bw_section_end();
	return p;
}

void *bw_alloc_other(struct bw_mcache *c, size_t n, u32 kind, bool zero)
{
	void *p;

	if (n <= BW_OBJECT_MAX)
		return medium(c, n, kind, zero);
	p = large(c, n, kind, zero);
	if (unlikely(!p))
		errno = ENOMEM;
	return p;
}

BW_LEAF void *bw_alloc(size_t n)
{
	void *p;

	bw_leaf_begin();
	p = bw_object_alloc(bw_mcache_current(), n, BURROW_KIND_CONSERVATIVE,
			    true);
	bw_leaf_end();
	return p;
}

/* Blocks of tiny objects are zero: no more needs to be done for either. */
static __attribute__((noinline)) void *tiny(size_t n)
{
	void *p;

	bw_section_begin();
	p = bw_tiny_alloc(bw_mcache_current(), n);
	if (unlikely(!p))
		errno = ENOMEM;
	bw_section_end();
	return p;
}

BW_LEAF void *bw_alloc_noscan(size_t n)
{
	void *p;

	if (n < BW_TINY_BLOCK)
		return tiny(n);
	bw_leaf_begin();
	p = bw_object_alloc(bw_mcache_current(), n, BURROW_KIND_NOSCAN, true);
	bw_leaf_end();
	return p;
}

BW_LEAF void *bw_alloc_raw(size_t n)
{
	void *p;

	if (n < BW_TINY_BLOCK)
		return tiny(n);
	bw_leaf_begin();
	p = bw_object_alloc(bw_mcache_current(), n, BURROW_KIND_NOSCAN, false);
	bw_leaf_end();
	return p;
}

void *bw_alloc_array(size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return bw_alloc(bytes);
}

BW_LEAF void bw_free(void *p)
{
	bw_leaf_begin();
	mcache_free(bw_mcache_current(), p);
	bw_leaf_end();
}

size_t bw_usable_size(const void *p)
{
	struct bw_mcache *c;
	size_t n;

	bw_section_begin();
	c = bw_mcache_attach();
	n = p && c ? bw_mcache_slot_size(c->heap, p) : 0;
	bw_section_end();
	return n;
}
