// SPDX-License-Identifier: MIT
/* What a thread freed last: where it waits, and when it does not. */
#include "heap/sweep.h"
#include "mcache_rig.h"

static u64 objects(void)
{
	struct bw_memstats m;

	EXPECT(!bw_memstats_of(h, &m));
	return m.nr_objects;
}

static void what_was_freed_last_is_next_whatever_span_it_is_of(void)
{
	static const size_t sizes[] = { 8, 16, 48, 144, 1000, 8192, 32768 };
	void *p[1100];
	u32 i, k, nr;

	begin();
	for (k = 0; k < ARRAY_SIZE(sizes); k++) {
		nr = k < 4 ? 1100 : 100;
		for (i = 0; i < nr; i++)
			p[i] = alloc(sizes[k]);
		EXPECT(bw_mspan_of(h, p[3]) != bw_mspan_of(h, p[nr - 3]));
		mcache_free(c, p[3]);
		mcache_free(c, p[nr - 3]);
		EXPECT(!bw_mcache_check(c));
		EXPECT(alloc(sizes[k]) == p[nr - 3]);
		EXPECT(alloc(sizes[k]) == p[3]);
		for (i = 0; i < nr; i++)
			mcache_free(c, p[i]);
	}
	end();
}

/* All arrays are somebody's, and nobody asks for more. */
static void without_memory_for_a_shelf_the_older_half_goes_to_the_spans(void)
{
	void *p[BW_STASH_SLOTS + 1];
	u32 i, half = BW_STASH_SLOTS / 2;

	begin();
	for (i = 0; i <= BW_STASH_SLOTS; i++)
		p[i] = alloc(64);
	for (i = 0; i < BW_STASH_SLOTS; i++) {
		mcache_free(c, p[i]);
		EXPECT(is_taken(p[0]) && is_taken(p[i]));
	}
	while (bw_words_get(c))
		c->refused = 1;
	c->refused = 1;
	mcache_free(c, p[BW_STASH_SLOTS]);
	for (i = 0; i <= BW_STASH_SLOTS; i++)
		EXPECT(is_taken(p[i]) == (i >= half));
	EXPECT(!bw_mcache_check(c));
	for (i = BW_STASH_SLOTS; i >= half; i--)
		EXPECT(alloc(64) == p[i]);
	for (i = half; i <= BW_STASH_SLOTS; i++)
		mcache_free(c, p[i]);
	end();
}

static void an_object_that_looks_freed_can_be_freed(void)
{
	u64 *p, *other;

	begin();
	p = alloc(64);
	other = alloc(64);
	mcache_free(c, other);
	*p = bw_freed_word(p);
	mcache_free(c, p);
	/* to its span at once: there it would have been found out */
	EXPECT(!is_taken(p) && is_taken(other));
	EXPECT(alloc(64) == other);
	mcache_free(c, other);
	end();
}

static void what_is_not_zeroed_does_not_look_freed(void)
{
	u64 *p;

	begin();
	p = bw_object_alloc(c, 64, BURROW_KIND_NOSCAN, false);
	mcache_free(c, p);
	EXPECT(*p == bw_freed_word(p));
	EXPECT(bw_object_alloc(c, 64, BURROW_KIND_NOSCAN, false) == p);
	EXPECT(*p != bw_freed_word(p));
	mcache_free(c, p);
	end();
}

/* The caller is the world. */
static void what_lay_in_a_stash_in_a_stop_is_swept_and_not_handed_out(void)
{
	void *p[40];
	u32 i;

	begin();
	for (i = 0; i < 40; i++)
		p[i] = alloc(64);
	for (i = 0; i < 40; i++)
		mcache_free(c, p[i]);
	EXPECT(objects() == 40);
	bw_sweep_flush(h);
	bw_sweep_begin(h);
	/* it is still to be swept: nobody has it, and nobody gets it */
	EXPECT(alloc(80) && objects() == 1 + 40);
	while (bw_sweep_some(h, 10))
		;
	EXPECT(objects() == 1);
	for (i = 0; i < 40; i++)
		EXPECT(!is_taken(p[i]));
	EXPECT(!bw_mheap_check(h) && !bw_mcache_check(c));
	bw_mcache_release(c);
	bw_mheap_close(h);
}

static void while_marking_nothing_is_stashed(void)
{
	void *p, *q;

	begin();
	p = alloc(64);
	q = alloc(64);
	mcache_free(c, p);
	WRITE_ONCE(h->gc.marking, 1);
	bw_sweep_blacken(h);
	/* what was there is white, and must not be taken */
	EXPECT(alloc(64) != p);
	mcache_free(c, q);
	EXPECT(!is_taken(q));
	WRITE_ONCE(h->gc.marking, 0);
	bw_sweep_flush(h);
	bw_sweep_begin(h);
	while (bw_sweep_some(h, 10))
		;
	q = alloc(64);
	mcache_free(c, q);
	EXPECT(is_taken(q));
	bw_mcache_release(c);
	EXPECT(!bw_mheap_check(h));
	bw_mheap_close(h);
}

static void what_is_freed_in_a_special_span_goes_there(void)
{
	void *p, *q;

	begin();
	p = alloc(200);
	q = alloc(200);
	mcache_free(c, p);
	EXPECT(is_taken(p) && alloc(200) == p);
	bw_mspan_set_special(h, bw_mspan_of(h, p));
	mcache_free(c, p);
	EXPECT(!is_taken(p));
	mcache_free(c, q);
	EXPECT(!is_taken(q));
	end();
}

static void a_stash_of_large_slots_is_short(void)
{
	void *p[8];
	u32 i;

	begin();
	for (i = 0; i < 8; i++)
		p[i] = alloc(32768);
	for (i = 0; i < 8; i++)
		mcache_free(c, p[i]);
	/* two of 32 KiB, and three arrays of as many */
	EXPECT(c->shelved == 3 * (2 * 32768 + 512));
	EXPECT(bw_shelves_flush(c));
	bw_mcache_flush_freeing(c);
	EXPECT(objects() == 2);
	end();
}

int main(void)
{
	TEST(what_was_freed_last_is_next_whatever_span_it_is_of);
	TEST(without_memory_for_a_shelf_the_older_half_goes_to_the_spans);
	TEST(an_object_that_looks_freed_can_be_freed);
	TEST(what_is_not_zeroed_does_not_look_freed);
	TEST(what_lay_in_a_stash_in_a_stop_is_swept_and_not_handed_out);
	TEST(while_marking_nothing_is_stashed);
	TEST(what_is_freed_in_a_special_span_goes_there);
	TEST(a_stash_of_large_slots_is_short);
	return tap_end();
}
