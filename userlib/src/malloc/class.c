// SPDX-License-Identifier: MIT
/* class: see class.h */
#include "class.h"

/* Slots that are worth a span of more than one page, of which it has this many. */
#define SPAN_SLOTS	32U
#define SPAN_PAGES	2U
/* No more than such a part of a span may be left over at its end. */
#define TAIL_PART	16U

#define BIN(cls)	((cls) * BW_BIN_BYTES)
#define BLOCK(i)	BIN(BURROW_NR_CLASSES + (i))

struct bw_mclass bw_mclass[BW_MALLOC_CLASSES] __hidden;

/* By 16 bytes; malloc_class_test compares it with bw_class_of(). */
const u16 bw_malloc_bin[BW_SMALL_MAX / BW_MALLOC_ALIGN + 1] __hidden = {
	[0 ... 1] = BIN(2), [2] = BIN(3), [3] = BIN(4), [4] = BIN(5),
	[5] = BIN(6), [6] = BIN(7), [7] = BIN(8), [8] = BIN(9), [9] = BIN(10),
	[10 ... 11] = BIN(11), [12 ... 13] = BIN(12), [14 ... 15] = BIN(13),
	[16] = BIN(14), [17 ... 18] = BIN(15), [19 ... 21] = BIN(16),
	[22 ... 24] = BIN(17), [25 ... 27] = BIN(18), [28 ... 31] = BIN(19),
	[32] = BIN(20), [33 ... 36] = BIN(21), [37 ... 40] = BIN(22),
	[41 ... 45] = BIN(23), [46 ... 51] = BIN(24), [52 ... 56] = BIN(25),
	[57 ... 63] = BIN(26), [64] = BIN(27),
};

/* By 8 KiB, of which the first four are for smaller classes. */
const u16 bw_block_bin[BW_BLOCK_CLASS_MAX / BURROW_PAGE_SIZE] __hidden = {
	[4] = BLOCK(0), [5] = BLOCK(1), [6] = BLOCK(2), [7] = BLOCK(3),
	[8] = BLOCK(4), [9] = BLOCK(5), [10] = BLOCK(6), [11] = BLOCK(7),
	[12] = BLOCK(8), [13] = BLOCK(9), [14] = BLOCK(10), [15] = BLOCK(11),
	[16 ... 17] = BLOCK(12), [18 ... 19] = BLOCK(13),
	[20 ... 21] = BLOCK(14), [22 ... 23] = BLOCK(15),
	[24 ... 25] = BLOCK(16), [26 ... 27] = BLOCK(17),
	[28 ... 29] = BLOCK(18), [30 ... 31] = BLOCK(19),
};

/* The shortest that will do: its memory is there before its slots are wanted. */
static void small_init(u32 cls)
{
	const struct bw_sizeclass *sc = &bw_sizeclass[cls];
	u32 npages = SPAN_SLOTS * sc->size > BURROW_PAGE_SIZE ? SPAN_PAGES : 1;

	while ((npages << BURROW_PAGE_SHIFT) % sc->size >
	       (npages << BURROW_PAGE_SHIFT) / TAIL_PART)
		npages++;
	bw_mclass[cls] = (struct bw_mclass){
		.size = sc->size,
		.npages = npages,
		.nelems = (npages << BURROW_PAGE_SHIFT) / sc->size,
		.divmul = sc->divmul,
	};
}

void bw_mclasses_init(void)
{
	u32 i, npages;

	for (i = BW_MALLOC_CLASS_MIN; i < BURROW_NR_CLASSES; i++)
		small_init(i);
	for (i = 0; i < BW_BLOCK_CLASSES; i++) {
		npages = i < 12 ? 5 + i : 18 + 2 * (i - 12);
		bw_mclass[BURROW_NR_CLASSES + i] = (struct bw_mclass){
			.size = npages << BURROW_PAGE_SHIFT,
			.npages = npages,
			.nelems = 1,
		};
	}
}
