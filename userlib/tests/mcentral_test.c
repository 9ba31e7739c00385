// SPDX-License-Identifier: MIT
/* Which span a refill gets, and what becomes of those that are freed into. */
#include "alloc_rig.h"
#include "heap/sweep.h"

#define SLOTS	128		/* of 64 bytes in a page */
#define SC	(BURROW_KIND_NOSCAN * BURROW_NR_CLASSES + 5)

static struct bw_mheap *h;
static struct bw_mcache *c;
static struct bw_mspan *span[4];

/* Four full spans, none of them in the cache. */
static void begin(void)
{
	u32 i, k;

	h = rig_mheap();
	c = bw_mcache_make(h);
	for (i = 0; i < 4; i++) {
		for (k = 0; k < SLOTS; k++)
			EXPECT(mcache_alloc(c, SC, 64, false));
		span[i] = c->span[SC];
		EXPECT(span[i]->nelems == SLOTS);
	}
	bw_mcache_flush(c);
	for (i = 0; i < 4; i++)
		EXPECT(span[i]->state == BW_MSPAN_FULL);
}

static void free_some(struct bw_mspan *s, u32 from, u32 to)
{
	for (; from < to; from++)
		mcache_free(c, s->base + from * 64);
	bw_mcache_flush_frees(c);
	EXPECT(!bw_mcentral_check(h, SC));
}

static void end(void)
{
	bw_mcache_release(c);
	EXPECT(!bw_mheap_check(h));
	bw_mheap_close(h);
}

static void a_refill_takes_middling_spans_then_emptier_then_fuller(void)
{
	u32 k;

	begin();
	free_some(span[0], 0, 2);		/* nearly full */
	free_some(span[1], 0, 100);		/* nearly empty */
	free_some(span[2], 0, 40);		/* between */
	EXPECT(span[0]->bucket == BW_BUCKET_HIGH);
	EXPECT(span[1]->bucket == BW_BUCKET_LOW);
	EXPECT(span[2]->bucket == BW_BUCKET_MID);
	EXPECT(mcache_alloc(c, SC, 64, false) && c->span[SC] == span[2]);
	for (k = 1; k < 40; k++)
		mcache_alloc(c, SC, 64, false);
	EXPECT(mcache_alloc(c, SC, 64, false) && c->span[SC] == span[1]);
	for (k = 1; k < 100; k++)
		mcache_alloc(c, SC, 64, false);
	EXPECT(mcache_alloc(c, SC, 64, false) && c->span[SC] == span[0]);
	mcache_alloc(c, SC, 64, false);
	EXPECT(mcache_alloc(c, SC, 64, false) && c->span[SC] != span[3]);
	EXPECT(!bw_mheap_check(h) && !bw_mcache_check(c));
	end();
}

static void a_full_span_is_partial_from_its_first_free(void)
{
	begin();
	free_some(span[1], 17, 18);
	EXPECT(span[1]->state == BW_MSPAN_PARTIAL &&
	       span[1]->nalloc == SLOTS - 1);
	EXPECT(mcache_alloc(c, SC, 64, false) == span[1]->base + 17 * 64);
	EXPECT(span[1]->state == BW_MSPAN_CACHED);
	end();
}

static void a_span_goes_back_with_its_last_object(void)
{
	u64 used;

	begin();
	used = h->used_pages;
	free_some(span[2], 0, SLOTS - 1);
	EXPECT(h->used_pages == used);
	free_some(span[2], SLOTS - 1, SLOTS);
	EXPECT(h->used_pages == used - 1 && !bw_mspan_of(h, span[2]->base));
	end();
}

/* As a collector will: it raises sweepgen, and sweeps before it gives out. */
static void a_refill_sweeps_a_span_that_waits_before_it_takes_it(void)
{
	u64 *marks;

	begin();
	free_some(span[0], 0, 40);
	marks = bw_marks_of(&h->map, span[0]);
	/* of its objects, which are from slot 40 on, only these are alive */
	marks[0] = ~0ULL;
	marks[1] = 1;
	bw_sweep_begin(h);
	EXPECT(!bw_mcentral_check(h, SC));
	free_some(span[0], 40, 50);
	EXPECT(mcache_alloc(c, SC, 64, false) && c->span[SC]);
	EXPECT(c->span[SC]->sweepgen == (u16)h->sweepgen);
	bw_mcache_flush(c);
	while (bw_sweep_some(h, 10))
		;
	EXPECT(span[0]->sweepgen == (u16)h->sweepgen && !marks[0] && !marks[1]);
	EXPECT(bw_mspan_count_locked(span[0]) >= 64 - 50 + 1 &&
	       bw_mspan_count_locked(span[0]) <= 64 - 50 + 2);
	EXPECT(!bw_mcentral_check(h, SC) && !bw_mheap_check(h));
	bw_mcache_release(c);
	bw_mheap_close(h);
}

/* What a sweep does between its two holds of the list's lock, others between. */
static void a_span_that_is_away_takes_frees_and_comes_back_where_it_belongs(void)
{
	u32 i;

	begin();
	for (i = 0; i < 4; i++) {
		bw_list_del(&span[i]->link);
		bw_mspan_set_state(span[i], BW_MSPAN_AWAY);
	}
	free_some(span[0], 0, 40);
	free_some(span[1], 0, SLOTS);
	EXPECT(span[0]->state == BW_MSPAN_AWAY && span[0]->nalloc == SLOTS - 40);
	EXPECT(span[1]->state == BW_MSPAN_AWAY && !span[1]->nalloc);
	/* a refill gets none of them */
	EXPECT(mcache_alloc(c, SC, 64, false));
	for (i = 0; i < 4; i++)
		EXPECT(c->span[SC] != span[i]);
	for (i = 0; i < 4; i++)
		bw_mcentral_take_back(h, span[i]);
	EXPECT(span[0]->state == BW_MSPAN_PARTIAL);
	EXPECT(span[0]->bucket == BW_BUCKET_MID);
	EXPECT(span[1]->state == BW_MSPAN_SPARE);
	EXPECT(span[2]->state == BW_MSPAN_FULL);
	EXPECT(span[3]->state == BW_MSPAN_FULL);
	EXPECT(!bw_mcentral_check(h, SC));
	end();
}

#define MANY	3000U

/* Most of a large heap goes: no put has thousands of spares in its hands. */
static void a_put_gives_the_backend_no_more_spares_than_one_call_takes(void)
{
	static struct bw_mspan *s[MANY];
	u64 had, most = 0;
	u32 i;

	h = rig_mheap();
	for (i = 0; i < MANY; i++)
		s[i] = bw_mspan_get(h, 1, 5, BURROW_KIND_NOSCAN, 0);
	for (i = 0; i < MANY; i++) {
		had = h->spare_pages;
		bw_mspan_put(h, s[i]);
		if (had > h->spare_pages)
			most = max(most, had - h->spare_pages);
		EXPECT(h->spare_pages <= max((u64)BW_SPARE_MIN,
					     h->used_pages / 8));
	}
	EXPECT(most && most <= BW_BATCH_MAX);
	EXPECT(!bw_mheap_check(h));
	bw_mheap_close(h);
}

int main(void)
{
	TEST(a_span_that_is_away_takes_frees_and_comes_back_where_it_belongs);
	TEST(a_put_gives_the_backend_no_more_spares_than_one_call_takes);
	TEST(a_refill_takes_middling_spans_then_emptier_then_fuller);
	TEST(a_full_span_is_partial_from_its_first_free);
	TEST(a_span_goes_back_with_its_last_object);
	TEST(a_refill_sweeps_a_span_that_waits_before_it_takes_it);
	return tap_end();
}
