/* SPDX-License-Identifier: MIT */
/*
 * class: malloc's size classes.
 *
 * Up to 32 KiB they are those of the heap (heap/sizeclass.h) without the smallest,
 * for malloc() aligns to 16, with spans of other lengths: the shortest of which no
 * more than a sixteenth is left over. From there to 256 KiB there are classes of our
 * own, eight to a doubling, whose spans are one block each: a program that fills and
 * drops a buffer again and again is not to go to the page heap for it.
 *
 * K1. The slots of a class begin at multiples of its size from a page of 8 KiB, so
 *     they are aligned to the largest power of two in it, up to 8 KiB.
 * K2. A span has at most BW_SPAN_SLOTS slots, and of a small class no more than a
 *     sixteenth of it is in none.
 */
#ifndef BW_MALLOC_CLASS_H
#define BW_MALLOC_CLASS_H

#include "heap/sizeclass.h"

#define __hidden	__attribute__((visibility("hidden")))

#define BW_MALLOC_ALIGN		16U
#define BW_MALLOC_CLASS_MIN	2U	/* 16 bytes */
#define BW_BLOCK_CLASSES	20U
#define BW_MALLOC_CLASSES	(BURROW_NR_CLASSES + BW_BLOCK_CLASSES)
#define BW_BLOCK_CLASS_MAX	(256U << 10)

/* What stands in the tables by size: where a class has its bin in a front. */
#define BW_BIN_BYTES		32U

/**
 * struct bw_mclass - a class					[const]
 * @size:	of a slot
 * @npages:	of a span
 * @nelems:	slots in it
 * @divmul:	see heap/sizeclass.h
 */
struct bw_mclass {
	u32 size;
	u32 npages;
	u32 nelems;
	u32 divmul;
};

extern struct bw_mclass bw_mclass[BW_MALLOC_CLASSES] __hidden;

/* There before the program is: malloc() reads the first at its first call. */
extern const u16 bw_malloc_bin[BW_SMALL_MAX / BW_MALLOC_ALIGN + 1] __hidden;
extern const u16 bw_block_bin[BW_BLOCK_CLASS_MAX / BURROW_PAGE_SIZE] __hidden;

/* Fills bw_mclass in. */
void bw_mclasses_init(void);

/* The bin of more than BW_SMALL_MAX bytes, and at most BW_OBJECT_MAX. */
static inline u32 bw_malloc_bin_mid(size_t n)
{
	return bw_class_by128[(n - BW_SMALL_MAX + 127) / 128] * BW_BIN_BYTES;
}

/* The bin of @n bytes, at most BW_BLOCK_CLASS_MAX. */
static inline u32 bw_malloc_bin_of(size_t n)
{
	if (likely(n <= BW_SMALL_MAX))
		return bw_malloc_bin[(n + BW_MALLOC_ALIGN - 1) /
				     BW_MALLOC_ALIGN];
	if (likely(n <= BW_OBJECT_MAX))
		return bw_malloc_bin_mid(n);
	return bw_block_bin[(n - 1) / BURROW_PAGE_SIZE];
}

#endif
