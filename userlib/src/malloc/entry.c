// SPDX-License-Identifier: MIT
/*
 * entry: the calls that programs make.
 *
 *	malloc(), free(), ...		<- here: sizes, alignment, errno
 *	  front_take(), front_give()	malloc/front.h	 at hand
 *	    bw_front_*_slow()		malloc/front.c	 the spare magazine
 *	      bw_depot_get/put()	malloc/depot.c	 everybody's
 *		bw_mspan_get/put()	heap/pageheap.c	 whole spans
 *	  bw_block_*()			malloc/block.c	 large ones
 */
#include "base/sysmem.h"
#include "block.h"
#include "boot.h"
#include "depot.h"
#include "entry.h"
#include "front.h"

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static bool has_class(size_t n)
{
	return n <= BW_OBJECT_MAX ||
	       (n <= BW_BLOCK_CLASS_MAX && READ_ONCE(bw_boot_classes));
}

static __attribute__((noinline)) void *malloc_large(size_t n)
{
	void *p;

	if (likely(n <= BW_OBJECT_MAX))
		return front_take(bw_malloc_bin_mid(n));
	if (has_class(n))
		return front_take(bw_malloc_bin_of(n));
	p = n > PTRDIFF_MAX ? NULL : bw_block_alloc(n, BW_MALLOC_ALIGN, false);
	return p ? p : no_memory();
}

/* The slow half sees to errno. */
void *bw_mem_malloc(size_t n)
{
	if (unlikely(n > BW_SMALL_MAX))
		return malloc_large(n);
	return front_take(bw_malloc_bin_of(n));
}

void bw_mem_free(void *p)
{
	front_give(p);
}

void *bw_mem_calloc(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (unlikely(__builtin_mul_overflow(n, size, &bytes)))
		return no_memory();
	if (likely(has_class(bytes))) {
		p = front_take(bw_malloc_bin_of(bytes));
		return likely(p) ? memset(p, 0, bytes) : NULL;
	}
	p = bytes > PTRDIFF_MAX ? NULL : bw_block_alloc(bytes, BW_MALLOC_ALIGN,
							true);
	return p ? p : no_memory();
}

static size_t size_of(const void *p)
{
	u32 cls = bw_pages_class(p);

	if (likely(cls))
		return bw_mclass[cls].size;
	if (bw_boot_owns(p))
		return bw_boot_size(p);
	bw_boot_thread();
	return bw_block_size(p);
}

/* It stays where it is if it fits, and if no more than half would be waste. */
void *bw_mem_realloc(void *p, size_t n)
{
	size_t size;
	void *to;

	if (!p)
		return bw_mem_malloc(n);
	if (!n) {
		front_give(p);
		return NULL;
	}
	size = size_of(p);
	if (n <= size && (n >= size / 2 || size <= 2 * BW_MALLOC_ALIGN))
		return p;
	if (size > BW_BLOCK_CLASS_MAX && n > BW_BLOCK_CLASS_MAX &&
	    n <= PTRDIFF_MAX) {
		to = bw_block_resize(p, n);
		if (to)
			return to;
	}
	if (n > size && size > BW_OBJECT_MAX && n <= PTRDIFF_MAX)
		to = bw_block_alloc_grown(n);
	else
		to = bw_mem_malloc(n);
	if (!to)
		return no_memory();
	memcpy(to, p, min(n, size));
	front_give(p);
	return to;
}

void *bw_mem_reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return no_memory();
	return bw_mem_realloc(p, bytes);
}

/* The first class whose slots all lie so; spans begin at a page of 8 KiB. */
static void *alloc_aligned(size_t align, size_t n)
{
	u32 bin;

	if (align <= BW_MALLOC_ALIGN)
		return bw_mem_malloc(n);
	if (n > PTRDIFF_MAX || align > PTRDIFF_MAX)
		return no_memory();
	if (n <= BW_OBJECT_MAX && align <= BURROW_PAGE_SIZE) {
		bin = bw_malloc_bin_of(max(n, align));
		bw_boot_thread();
		for (; bin < BURROW_NR_CLASSES * BW_BIN_BYTES;
		     bin += BW_BIN_BYTES)
			if (!(bw_mclass[bin / BW_BIN_BYTES].size & (align - 1)))
				return front_take(bin);
	}
	return bw_block_alloc(max(n, (size_t)1), align, false) ?: no_memory();
}

static bool is_power_of_2(size_t n)
{
	return n && !(n & (n - 1));
}

/* As in the C library's: up to the next power of two. */
void *bw_mem_memalign(size_t align, size_t n)
{
	size_t up = BW_MALLOC_ALIGN;

	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	while (up < align)
		up *= 2;
	return alloc_aligned(up, n);
}

void *bw_mem_aligned_alloc(size_t align, size_t n)
{
	if (!is_power_of_2(align)) {
		errno = EINVAL;
		return NULL;
	}
	return alloc_aligned(align, n);
}

int bw_mem_posix_memalign(void **out, size_t align, size_t n)
{
	int saved = errno, err = EINVAL;
	void *p;

	if (!is_power_of_2(align) || align % sizeof(void *))
		return err;
	p = alloc_aligned(align, n);
	err = p ? 0 : errno;
	errno = saved;
	if (p)
		*out = p;
	return err;
}

void *bw_mem_valloc(size_t n)
{
	return alloc_aligned(BW_SYS_PAGE, n);
}

void *bw_mem_pvalloc(size_t n)
{
	if (n > PTRDIFF_MAX)
		return no_memory();
	return alloc_aligned(BW_SYS_PAGE,
			     (n + BW_SYS_PAGE - 1) & ~(BW_SYS_PAGE - 1));
}

size_t bw_mem_usable_size(void *p)
{
	return p ? size_of(p) : 0;
}
