// SPDX-License-Identifier: MIT
/* Regions: objects in a row that end together. */
#include "failnth_rig.h"
#include "heap/region.h"

static struct bw_mheap *h;
static struct bw_region *r;

static void begin(void)
{
	h = rig_mheap();
	r = bw_region_make_on(h);
	if (!EXPECT(r))
		exit(1);
}

static void end(void)
{
	bw_region_end(r);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

/* Objects of all sizes, each zero and then full of its number. */
static void fill(u32 nr, u64 seed)
{
	static struct shadow o[4000];
	u32 i;

	for (i = 0; i < nr; i++) {
		o[i].n = rig_size(&seed);
		o[i].p = bw_region_take(r, o[i].n);
		if (!EXPECT(o[i].p))
			return;
		EXPECT((uintptr_t)o[i].p % 16 == 0);
		EXPECT(rig_is_filled(o[i].p, o[i].n, 0));
		memset(o[i].p, (int)(i % 255 + 1), o[i].n);
	}
	for (i = 0; i < nr; i++)
		EXPECT(rig_is_filled(o[i].p, o[i].n, (u8)(i % 255 + 1)));
	EXPECT(!bw_region_check(r) && !bw_mheap_check(h));
}

static void objects_are_zero_apart_and_stay_as_they_are(void)
{
	begin();
	fill(4000, 3);
	end();
}

static void a_reset_region_is_as_good_as_new(void)
{
	u64 used;
	u32 i;

	begin();
	used = h->used_pages;
	for (i = 0; i < 20; i++) {
		fill(i * 100, i + 1);
		bw_region_empty(r);
		EXPECT(h->used_pages == used && !bw_region_check(r));
	}
	end();
}

static void what_is_too_large_is_refused_and_nothing_else(void)
{
	begin();
	EXPECT(!bw_region_take(r, SIZE_MAX));
	EXPECT(!bw_region_take(r, SIZE_MAX - 4096));
	EXPECT(!bw_region_take(r, RIG_WINDOW));
	EXPECT(bw_region_take(r, 0) != bw_region_take(r, 0));
	EXPECT(bw_region_take(r, 10 << 20));
	fill(100, 9);
	end();
}

static void a_backend_that_fails_leaves_a_region_that_goes_on(void)
{
	u32 nth, i, got = 0;

	for (nth = 3; nth < 12; nth++) {
		/*
		 * steps 1 to 6: room for descriptors, three times; no arena, an
		 * arena, the first piece
		 */
		h = rig_mheap_on(rig_failing(nth + 4, -EIO));
		r = bw_region_make_on(h);
		if (!EXPECT(r))
			return;
		for (i = 0; i < 5000; i++) {
			u8 *p = bw_region_take(r, 500);

			got += !!p;
			if (p)
				memset(p, 1, 500);
		}
		EXPECT(!bw_region_check(r));
		end();
	}
	printf("# %u of 45000 objects\n", got);
	EXPECT(got > 44000 && got < 45000);
}

int main(void)
{
	TEST(objects_are_zero_apart_and_stay_as_they_are);
	TEST(a_reset_region_is_as_good_as_new);
	TEST(what_is_too_large_is_refused_and_nothing_else);
	TEST(a_backend_that_fails_leaves_a_region_that_goes_on);
	return tap_end();
}
