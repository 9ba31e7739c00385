// SPDX-License-Identifier: MIT
/* malloc's magazines: where they come from, and how they go around. */
#include "malloc_rig.h"

static void a_kind_holds_what_it_says(void)
{
	u32 kind, nr;

	for (kind = 0; kind < BW_MAG_KINDS; kind++) {
		struct bw_mag *m = bw_mag_get(kind, 1000), *few;

		EXPECT(m->cap == bw_mag_room(kind) && !m->count);
		EXPECT(bw_mag_kind(bw_mag_room(kind)) == kind);
		memset(m->slot, 0xff, m->cap * sizeof(*m->slot));
		few = bw_mag_get(kind, 1);
		EXPECT(few->cap == 1);
		EXPECT((uintptr_t)m % 32 == 0 && (uintptr_t)few % 32 == 0);
		bw_mag_put(few);
		bw_mag_put(m);
	}
	for (nr = 1; nr <= bw_mag_room(BW_MAG_KINDS - 1); nr++)
		EXPECT(bw_mag_room(bw_mag_kind(nr)) >= nr);
}

static void one_that_went_back_is_the_next_blank_whoever_had_it(void)
{
	struct bw_mag *m = bw_mag_get(2, 5), *other;

	m->count = 3;
	m->used = true;
	bw_mag_put(m);
	other = bw_mag_get(2, 1000);
	EXPECT(other == m && !m->count && !m->used);
	EXPECT(m->cap == bw_mag_room(2));
	bw_mag_put(other);
}

/* More than one chunk of them, all kinds among each other. */
static void none_lies_in_another(void)
{
	static struct bw_mag *mag[2000];
	unsigned int i, k;
	bool good = true;

	for (i = 0; i < 2000; i++) {
		mag[i] = bw_mag_get(i % BW_MAG_KINDS, 1000);
		mag[i]->count = mag[i]->cap;
		for (k = 0; k < mag[i]->cap; k++)
			mag[i]->slot[k] = mag[i];
	}
	for (i = 0; i < 2000; i++) {
		good &= mag[i]->count == bw_mag_room(i % BW_MAG_KINDS);
		for (k = 0; k < mag[i]->cap; k++)
			good &= mag[i]->slot[k] == mag[i];
	}
	EXPECT(good);
	for (i = 0; i < 2000; i++)
		bw_mag_put(mag[i]);
}

#define MAGS	2000

/* All but one of them. */
static void chunks_that_nobody_uses_go_back_to_the_system(void)
{
	static struct bw_mag *mag[MAGS];
	size_t bytes = 0, got;
	u32 i;

	bw_mags_trim(0);
	for (i = 0; i < MAGS; i++) {
		mag[i] = bw_mag_get(i % BW_MAG_KINDS, 1000);
		memset(mag[i]->slot, 0xff, mag[i]->cap * sizeof(void *));
		bytes += (mag[i]->cap + BW_MAG_HEAD) * sizeof(void *);
	}
	EXPECT(!bw_mags_trim(0));
	for (i = 0; i < MAGS; i++)
		if (i != MAGS / 2)
			bw_mag_put(mag[i]);
	/* the first and the last chunk may be others' as well, and this one's */
	got = bw_mags_trim(1);
	EXPECT(got + 4 * 65536 >= bytes && got <= bytes + 65536);
	got += bw_mags_trim(0);
	EXPECT(!bw_mags_trim(0));
	EXPECT(mag[MAGS / 2]->slot[0] == (void *)-1L);
	bw_mag_put(mag[MAGS / 2]);
	for (i = 0; i < MAGS; i++) {
		mag[i] = bw_mag_get(i % BW_MAG_KINDS, 1000);
		EXPECT(mag[i] && !mag[i]->count);
	}
	for (i = 0; i < MAGS; i++)
		bw_mag_put(mag[i]);
}

static u32 class_of(size_t n)
{
	return bw_malloc_bin_of(n) / BW_BIN_BYTES;
}

static void *trim(void *arg)
{
	bw_mem_trim(0);
	return arg;
}

/* Sizes that nobody else here asks for. */
static void what_a_trim_asks_for_others_give_with_their_next_trip(void)
{
	struct bw_bin *bin = &bw_front.bin[class_of(1500)];
	pthread_t thread;
	void *p[10];
	int i;

	for (i = 0; i < 10; i++)
		p[i] = bw_mem_malloc(1500);
	for (i = 0; i < 10; i++)
		bw_mem_free(p[i]);
	pthread_create(&thread, NULL, trim, NULL);
	pthread_join(thread, NULL);
	EXPECT(bin->low && mrig_is_good());
	bw_mem_free(bw_mem_malloc(3000));
	EXPECT(!bin->low && !bin->spare && mrig_is_good());
}

static void what_a_thread_has_no_more_use_for_goes_back_as_it_goes_on(void)
{
	struct bw_bin *bin = &bw_front.bin[class_of(2000)];
	static void *p[400];
	int i, n;

	bw_mem_free(bw_mem_malloc(2000));
	EXPECT(bin->low);
	for (n = 0; bin->low && n < 20000; n++) {
		for (i = 0; i < 400; i++)
			p[i] = bw_mem_malloc(96);
		for (i = 0; i < 400; i++)
			bw_mem_free(p[i]);
	}
	EXPECT(!bin->low && mrig_is_good());
}

static void what_is_freed_is_not_touched(void)
{
	unsigned char *p[500];
	bool good = true;
	int i;

	for (i = 0; i < 500; i++) {
		p[i] = bw_mem_malloc(200);
		memset(p[i], i, 200);
	}
	for (i = 0; i < 500; i++)
		bw_mem_free(p[i]);
	for (i = 0; i < 500; i++)
		good &= mrig_holds(p[i], 200, (unsigned char)i);
	EXPECT(good);
	EXPECT(mrig_is_good());
}

#define NR	3000
#define BYTES	720		/* nobody else here asks for that */

static void *block[NR];

static int by_address(const void *a, const void *b)
{
	void *const *x = a, *const *y = b;

	return (*x > *y) - (*x < *y);
}

static void *free_all(void *arg)
{
	int i;

	for (i = 0; i < NR; i++)
		bw_mem_free(block[i]);
	EXPECT(mrig_is_good());
	return arg;
}

/* But for what the taker has at hand itself. */
static void what_a_thread_frees_is_what_others_take_next(void)
{
	unsigned int others = 0;
	pthread_t thread;
	int i;

	for (i = 0; i < NR; i++)
		block[i] = bw_mem_malloc(BYTES);
	pthread_create(&thread, NULL, free_all, NULL);
	pthread_join(thread, NULL);
	qsort(block, NR, sizeof(*block), by_address);
	for (i = 0; i < NR; i++) {
		void *p = bw_mem_malloc(BYTES);

		others += !bsearch(&p, block, NR, sizeof(*block), by_address);
	}
	EXPECT(others <= 2 * bw_mag_room(BW_MAG_KINDS - 1));
	EXPECT(mrig_is_good());
}

/* Each time two magazines and a bit more, and back. */
static void a_tide_of_any_length_leaves_a_good_front(void)
{
	static void *p[400];
	int len, i;

	for (len = 1; len < 400; len += 7) {
		for (i = 0; i < len; i++)
			p[i] = bw_mem_malloc(96);
		EXPECT(mrig_is_good());
		for (i = 0; i < len; i++)
			bw_mem_free(p[i]);
		EXPECT(mrig_is_good());
	}
	EXPECT(mrig_heap_is_good());
}

int main(void)
{
	bw_mem_free(bw_mem_malloc(1));
	TEST(a_kind_holds_what_it_says);
	TEST(one_that_went_back_is_the_next_blank_whoever_had_it);
	TEST(none_lies_in_another);
	TEST(chunks_that_nobody_uses_go_back_to_the_system);
	TEST(what_a_trim_asks_for_others_give_with_their_next_trip);
	TEST(what_a_thread_has_no_more_use_for_goes_back_as_it_goes_on);
	TEST(what_is_freed_is_not_touched);
	TEST(what_a_thread_frees_is_what_others_take_next);
	TEST(a_tide_of_any_length_leaves_a_good_front);
	return tap_end();
}
