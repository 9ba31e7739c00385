// SPDX-License-Identifier: MIT
/* malloc's size classes: the tables, the slots in a span. */
#include "heap/mspan.h"
#include "malloc/class.h"
#include "malloc_rig.h"

static u32 class_of(size_t n)
{
	return bw_malloc_bin_of(n) / BW_BIN_BYTES;
}

static void each_size_has_the_smallest_class_that_holds_it(void)
{
	size_t n;

	bw_mclasses_init();
	for (n = 0; n <= BW_BLOCK_CLASS_MAX; n++) {
		u32 cls = class_of(n);

		if (!EXPECT(cls >= BW_MALLOC_CLASS_MIN) ||
		    !EXPECT(cls < BW_MALLOC_CLASSES) ||
		    !EXPECT(bw_mclass[cls].size >= n) ||
		    !EXPECT(cls == BW_MALLOC_CLASS_MIN ||
			    bw_mclass[cls - 1].size < n))
			break;
	}
}

static void small_classes_are_those_of_the_heap(void)
{
	size_t n;

	for (n = 9; n <= BW_OBJECT_MAX; n++) {
		u32 up = (u32)(n + 15) & ~15U;

		if (n > BW_SMALL_MAX)
			up = (u32)n;
		if (!EXPECT(class_of(n) == bw_class_of(up)))
			break;
	}
}

/* bw_mspan_index() multiplies: the longer spans are in its range. */
static void every_slot_is_found_and_nothing_between(void)
{
	struct bw_mspan s = { .base = (char *)(1UL << 30) };
	u32 cls, i;

	for (cls = BW_MALLOC_CLASS_MIN; cls < BW_MALLOC_CLASSES; cls++) {
		const struct bw_mclass *mc = &bw_mclass[cls];

		EXPECT(mc->size % BW_MALLOC_ALIGN == 0);
		EXPECT(mc->nelems && mc->nelems <= BW_SPAN_SLOTS);
		EXPECT((u64)mc->size * mc->nelems <=
		       (u64)mc->npages << BURROW_PAGE_SHIFT);
		EXPECT((u64)mc->size * mc->nelems * 16 >=
		       (u64)mc->npages * 15 << BURROW_PAGE_SHIFT);
		s.elem_size = mc->size;
		s.nelems = (u16)mc->nelems;
		s.divmul = mc->divmul;
		for (i = 0; i < mc->nelems; i++) {
			char *p = s.base + (size_t)i * mc->size;

			EXPECT(bw_mspan_index(&s, p) == (s32)i);
			EXPECT(bw_mspan_index(&s, p + 8) == -1);
			EXPECT(bw_mspan_index(&s, p + mc->size - 8) == -1);
		}
		EXPECT(bw_mspan_index(&s, s.base + (size_t)mc->nelems *
				      mc->size) == -1);
	}
}

int main(void)
{
	TEST(each_size_has_the_smallest_class_that_holds_it);
	TEST(small_classes_are_those_of_the_heap);
	TEST(every_slot_is_found_and_nothing_between);
	return tap_end();
}
