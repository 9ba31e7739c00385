// SPDX-License-Identifier: MIT
/*
 * Every step of a chain of calls is made to fail once, each time from a fresh
 * start. Whatever fails, nothing is lost: what was not done is as before.
 */
#include "rig.h"

#define BATCH	9

/* What the chain holds when it stops, to be taken down. */
struct chain {
	struct bw_heap *heap;
	struct burrow_span_ref span[BATCH];
	u32 nr_spans;		/* live: span[first..first + nr_spans) */
	u32 first;
	struct bw_parker parker;
	bool parker_made;
};

static void fill_spans(struct chain *c)
{
	u32 i;

	for (i = 0; i < c->nr_spans; i++)
		memset(bw_heap_addr(c->heap, c->span[i].page), 0x5a,
		       2 * BURROW_PAGE_SIZE);
}

static int reclaim_spans(struct chain *c)
{
	struct burrow_range r[BATCH];
	u32 done, i;
	int err;

	for (i = 0; i < BATCH; i++)
		r[i] = (struct burrow_range){ c->span[i].page, 2 };
	err = bw_heap_span_reclaim(c->heap, r, BATCH, &done, NULL);
	for (i = 0; i < BATCH; i++) {
		const u8 *p = bw_heap_addr(c->heap, r[i].page);

		EXPECT(*p == (i < done ? 0 : 0x5a));
	}
	EXPECT(err || done == BATCH);
	return err;
}

/* All are marked, so none goes. */
static int sweep_spans(struct chain *c)
{
	struct bw_swept out;
	u32 i;
	int err;

	for (i = 0; i < BATCH; i++)
		*rig_marks(c->heap, c->span[i].page + 1) = 1;
	err = bw_heap_span_sweep(c->heap, 0, c->span, BATCH, NULL, &out);
	EXPECT(!out.nr_freed && !out.pages_freed);
	EXPECT((err == 0) == (out.done == BATCH));
	return err;
}

static int park_a_while(struct chain *c)
{
	int err = bw_parker_init(&c->parker, c->heap);

	if (err)
		return err;
	c->parker_made = true;
	err = bw_parker_park_until(&c->parker, 1);
	EXPECT(err);
	if (err != -ETIMEDOUT)
		return err;
	/* asked for a token after a failure, it gives it */
	err = bw_parker_unpark(&c->parker);
	return err ? err : bw_parker_park(&c->parker);
}

static int run_chain(struct chain *c)
{
	struct bw_span_want want = { .npages = 2, .kind = BURROW_KIND_SCAN };
	struct burrow_heap_stats stats;
	u64 got;
	u32 done;
	int err = bw_heap_arena_add(c->heap, BURROW_ARENA_ANY, NULL);

	if (err)
		return err;
	err = bw_heap_span_alloc(c->heap, &want, c->span, BATCH, &c->nr_spans);
	EXPECT((err == 0) == (c->nr_spans == BATCH));
	fill_spans(c);
	if (!err)
		err = reclaim_spans(c);
	if (!err)
		err = sweep_spans(c);
	if (!err)
		err = bw_heap_reclaim(c->heap, ~0ULL, &got);
	if (!err)
		err = bw_heap_stats(c->heap, &stats);
	if (!err)
		err = park_a_while(c);
	if (err)
		return err;
	err = bw_heap_span_free(c->heap, 0, c->span, BATCH, &done);
	c->first = done;
	c->nr_spans -= done;
	EXPECT((err == 0) == (done == BATCH));
	return err;
}

/* The heap holds what the chain thinks it holds, and can be emptied. */
static void take_down(struct chain *c, struct bw_backend *inner)
{
	struct burrow_heap_stats s;
	u32 done;

	EXPECT(!inner->ops->stats(inner, &s));
	EXPECT(s.out_spans == c->nr_spans);
	EXPECT(s.out_pages_live == 2 * c->nr_spans);
	EXPECT(s.out_threads == c->parker_made);
	if (c->nr_spans)
		EXPECT(!inner->ops->span_free(inner, 0, c->span + c->first,
					      c->nr_spans, &done));
	if (c->parker_made)
		bw_parker_fini(&c->parker);
	EXPECT(!inner->ops->stats(inner, &s));
	EXPECT(!s.out_spans && !s.out_threads && !inner->ops->check(inner));
}

static int attempt(u64 nth, int err, u64 *steps)
{
	struct bw_backend *inner = rig_backend(0, true), *be;
	struct chain c = { .nr_spans = 0 };
	int got;

	if (bw_backend_open_failnth(inner, nth, err, &be) ||
	    bw_heap_open_on(be, &c.heap))
		exit(1);
	got = run_chain(&c);
	*steps = bw_backend_failnth_steps(be);
	take_down(&c, inner);
	bw_heap_close(c.heap);
	return got;
}

static u64 total;

static void the_chain_works_when_nothing_fails(void)
{
	EXPECT(!attempt(0, -EIO, &total));
	/* arena, 4 vectors, reclaim, stats, thread_add, one park */
	EXPECT(total == 1 + 4 * BATCH + 4);
	printf("# %llu steps\n", (unsigned long long)total);
}

static void each_step_that_fails_is_told_and_loses_nothing(void)
{
	static const int errs[] = { -ENOMEM, -EIO, -ENOSPC };
	u64 nth, steps;
	u32 e;

	for (e = 0; e < ARRAY_SIZE(errs); e++) {
		for (nth = 1; nth <= total; nth++) {
			if (!EXPECT(attempt(nth, errs[e], &steps) == errs[e]))
				printf("# step %llu\n",
				       (unsigned long long)nth);
			EXPECT(steps >= nth);
		}
	}
}

static void an_arena_that_failed_can_be_added_again(void)
{
	struct bw_backend *be;
	struct bw_heap *heap;
	u32 index;

	if (!EXPECT(!bw_backend_open_failnth(rig_backend(0, true), 1, -ENOMEM,
					     &be)))
		return;
	if (!EXPECT(!bw_heap_open_on(be, &heap)))
		return;
	EXPECT(bw_heap_arena_add(heap, 0, &index) == -ENOMEM);
	EXPECT(!bw_heap_arena_add(heap, 0, &index) && index == 0);
	bw_heap_close(heap);
}

static void a_sweep_that_fails_half_way_says_what_is_gone(void)
{
	struct bw_span_want want = { .npages = 2, .kind = BURROW_KIND_SCAN };
	struct burrow_span_ref ref[70];
	struct bw_backend *be;
	struct bw_heap *heap;
	struct bw_swept out;
	struct bw_span s;
	u64 freed[2];
	u32 nth, i;

	for (nth = 1; nth <= 70; nth++) {
		/* steps 1 to 71 make an arena and the spans */
		if (bw_backend_open_failnth(rig_backend(0, true), 71 + nth,
					    -EIO, &be) ||
		    bw_heap_open_on(be, &heap))
			exit(1);
		EXPECT(!bw_heap_arena_add(heap, 0, NULL));
		EXPECT(!bw_heap_span_alloc(heap, &want, ref, 70, NULL));
		for (i = 0; i < 70; i += 5)
			*rig_marks(heap, ref[i].page) = 1;
		freed[1] = ~0ULL;
		EXPECT(bw_heap_span_sweep(heap, 0, ref, 70, freed, &out) ==
		       -EIO);
		EXPECT(out.done == nth - 1);
		EXPECT(out.nr_freed == nth - 1 - (nth + 3) / 5);
		for (i = 0; i < 70; i++) {
			bool gone = i < nth - 1 && i % 5;

			EXPECT((freed[i / 64] >> (i % 64) & 1) == gone);
			EXPECT(bw_heap_span_of(heap,
					       bw_heap_addr(heap, ref[i].page),
					       &s) == !gone);
		}
		EXPECT(!bw_heap_span_sweep(heap, 0, ref + nth - 1, 71 - nth,
					   NULL, NULL));
		EXPECT(!bw_heap_check(heap));
		bw_heap_close(heap);
	}
}

static void a_park_that_fails_leaves_the_token_to_the_next(void)
{
	struct bw_backend *be;
	struct bw_parker p, q;
	struct bw_heap *heap;

	/* steps 1 and 2 make the parkers, 3 is the sleep of a hand-over */
	if (!EXPECT(!bw_backend_open_failnth(rig_backend(0, true), 3, -EIO, &be)))
		return;
	if (!EXPECT(!bw_heap_open_on(be, &heap)))
		return;
	EXPECT(!bw_parker_init(&p, heap) && !bw_parker_init(&q, heap));
	/* as if its owner slept: the hand-over owes q's slot a wake */
	q.word = 2;
	EXPECT(bw_parker_handover(&p, &q, 0) == -EIO);
	EXPECT(!bw_parker_park_until(&q, 1));
	EXPECT(!be->ops->park(be, q.slot, 1, BW_NO_SLOT));
	EXPECT(!bw_parker_unpark(&p) && !bw_parker_park(&p));
	bw_parker_fini(&p);
	bw_parker_fini(&q);
	bw_heap_close(heap);
}

int main(void)
{
	TEST(the_chain_works_when_nothing_fails);
	TEST(each_step_that_fails_is_told_and_loses_nothing);
	TEST(an_arena_that_failed_can_be_added_again);
	TEST(a_sweep_that_fails_half_way_says_what_is_gone);
	TEST(a_park_that_fails_leaves_the_token_to_the_next);
	return tap_end();
}
