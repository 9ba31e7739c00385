// SPDX-License-Identifier: MIT
/* The table of size classes, all of it. */
#include "heap/sizeclass.h"
#include "rig.h"

static void each_size_has_the_smallest_class_that_holds_it(void)
{
	size_t n;
	u32 c;

	for (n = 0; n <= BW_OBJECT_MAX; n++) {
		c = bw_class_of(n);
		EXPECT(c >= 1 && c < BURROW_NR_CLASSES);
		EXPECT(bw_sizeclass[c].size >= n);
		EXPECT(c == 1 || bw_sizeclass[c - 1].size < n);
	}
	EXPECT(bw_sizeclass[BURROW_NR_CLASSES - 1].size == BW_OBJECT_MAX);
}

static void slots_of_sixteen_or_more_are_multiples_of_sixteen(void)
{
	u32 c;

	EXPECT(bw_sizeclass[1].size == 8);
	for (c = 2; c < BURROW_NR_CLASSES; c++)
		EXPECT(bw_sizeclass[c].size % 16 == 0 &&
		       bw_sizeclass[c].size > bw_sizeclass[c - 1].size);
}

static void powers_of_two_are_classes(void)
{
	size_t n;

	for (n = 8; n <= BW_OBJECT_MAX; n *= 2)
		EXPECT(bw_sizeclass[bw_class_of(n)].size == n);
}

/* Of a span full of objects of that size, rounded up to its alignment. */
static void no_size_over_sixteen_wastes_more_than_an_eighth(void)
{
	size_t n, used, span;
	u32 c;

	for (n = 17; n <= BW_OBJECT_MAX; n++) {
		c = bw_class_of(n);
		used = (n + 15) / 16 * 16 * bw_sizeclass[c].nelems;
		span = bw_sizeclass[c].npages * BURROW_PAGE_SIZE;
		if (!EXPECT((span - used) * 8 <= span))
			printf("# size %zu\n", n);
	}
}

static void a_product_tells_where_slots_begin_and_where_none_does(void)
{
	u32 c, off;
	bool good;

	for (c = 1; c < BURROW_NR_CLASSES; c++) {
		const struct bw_sizeclass *sc = &bw_sizeclass[c];

		good = true;
		for (off = 0; off < sc->npages * BURROW_PAGE_SIZE; off++)
			good &= bw_class_divides(off, sc->divmul) ==
				(off % sc->size == 0);
		EXPECT(good);
	}
	EXPECT(!bw_class_divides(0, 0) && !bw_class_divides(8, 0));
}

static void a_span_has_as_many_slots_as_fit_and_at_most_1024(void)
{
	u32 c;

	for (c = 1; c < BURROW_NR_CLASSES; c++) {
		const struct bw_sizeclass *sc = &bw_sizeclass[c];

		EXPECT(sc->nelems == sc->npages * BURROW_PAGE_SIZE / sc->size);
		EXPECT(sc->nelems >= 1 && sc->nelems <= BW_SPAN_SLOTS);
	}
}

static void the_multiplication_divides_every_offset(void)
{
	u32 c, off;

	for (c = 1; c < BURROW_NR_CLASSES; c++) {
		const struct bw_sizeclass *sc = &bw_sizeclass[c];

		for (off = 0; off < sc->npages * BURROW_PAGE_SIZE; off++)
			if (!EXPECT(bw_class_div(off, sc->divmul) ==
				    off / sc->size))
				return;
	}
}

int main(void)
{
	TEST(each_size_has_the_smallest_class_that_holds_it);
	TEST(slots_of_sixteen_or_more_are_multiples_of_sixteen);
	TEST(powers_of_two_are_classes);
	TEST(no_size_over_sixteen_wastes_more_than_an_eighth);
	TEST(a_product_tells_where_slots_begin_and_where_none_does);
	TEST(a_span_has_as_many_slots_as_fit_and_at_most_1024);
	TEST(the_multiplication_divides_every_offset);
	return tap_end();
}
