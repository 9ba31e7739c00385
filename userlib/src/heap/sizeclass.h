/* SPDX-License-Identifier: MIT */
/*
 * sizeclass: from the size of an object to that of its slot.
 *
 * Class 0 is for what is larger than BW_OBJECT_MAX and has a span of its own.
 * The others are 1 to 67, 8 bytes to 32 KiB (sizeclass.c, by mksizeclass.py).
 *
 * C1. bw_class_of(n) is the smallest class whose slots hold n bytes.
 * C2. A size of 16 or more has slots of a multiple of 16: compilers expect it
 *     of what they move with aligned instructions.
 * C3. A span has 1 to 1024 slots, so a bit for each fits the place that its
 *     first page has in the U-words.
 */
#ifndef BW_HEAP_SIZECLASS_H
#define BW_HEAP_SIZECLASS_H

#include "base/types.h"
#include "burrow/layout.h"

#define BW_SMALL_MAX		1024U	/* up to here classes go by 8 bytes */
#define BW_OBJECT_MAX		32768U	/* and up to here by 128 */
#define BW_SPAN_SLOTS		1024U

/**
 * struct bw_sizeclass - a class						[const]
 * @size:	of a slot
 * @nelems:	slots in a span
 * @npages:	pages of a span
 * @divmul:	see bw_class_div()
 */
struct bw_sizeclass {
	u16 size;
	u16 nelems;
	u16 npages;
	u32 divmul;
};

extern const struct bw_sizeclass bw_sizeclass[BURROW_NR_CLASSES];
extern const u8 bw_class_by8[BW_SMALL_MAX / 8 + 1];
extern const u8 bw_class_by128[(BW_OBJECT_MAX - BW_SMALL_MAX) / 128 + 1];

/* The class of @n bytes, at most BW_OBJECT_MAX; 0 bytes are as good as one. */
static inline u32 bw_class_of(size_t n)
{
	if (likely(n <= BW_SMALL_MAX))
		return bw_class_by8[(n + 7) / 8];
	return bw_class_by128[(n - BW_SMALL_MAX + 127) / 128];
}

/* @off / size for any offset in a span, where @divmul is 2^32 / size, up. */
static inline __attribute__((always_inline)) u32 bw_class_div(u32 off, u32 divmul)
{
	return (u32)((u64)off * divmul >> 32);
}

/*
 * Is any offset in a span a multiple of size? The low half of the product is the
 * remainder's part of it. Never, where @divmul is 0.
 */
static inline __attribute__((always_inline)) bool bw_class_divides(u32 off,
								   u32 divmul)
{
	return off * divmul < divmul;
}

#endif
