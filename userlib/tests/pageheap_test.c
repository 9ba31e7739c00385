// SPDX-License-Identifier: MIT
/* Spans come from the page heap and go back: pageheap.h, on heaps of our own. */
#include "failnth_rig.h"

#define MANY	600

static struct bw_mheap *h;

static struct bw_mspan *get(u32 npages, u32 cls)
{
	return bw_mspan_get(h, npages, cls, BURROW_KIND_MANUAL, 0);
}

static void each_page_of_a_span_names_it_and_no_other_page(void)
{
	struct bw_mspan *s;
	int local;
	u32 i;

	h = rig_mheap();
	EXPECT(!bw_mspan_of(h, h->map.base));
	s = get(5, 0);
	if (!EXPECT(s))
		return;
	for (i = 0; i < 5 * BURROW_PAGE_SIZE; i += 512)
		EXPECT(bw_mspan_of(h, s->base + i) == s);
	EXPECT(!bw_mspan_of(h, s->base + 5 * BURROW_PAGE_SIZE));
	EXPECT(!bw_mspan_of(h, h->map.base - 1) && !bw_mspan_of(h, NULL));
	EXPECT(!bw_mspan_of(h, h->map.base + RIG_WINDOW - 1));
	EXPECT(!bw_mspan_of(h, &local));
	EXPECT(s->state == BW_MSPAN_OWNED && s->npages == 5);
	EXPECT(!bw_mheap_check(h));
	bw_mspan_put(h, s);
	EXPECT(!bw_mspan_of(h, h->map.base));
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void a_class_is_fetched_in_batches_that_grow(void)
{
	struct bw_mspan *s[MANY];
	struct burrow_heap_stats st;
	u32 i;

	h = rig_mheap();
	for (i = 0; i < MANY; i++)
		EXPECT((s[i] = get(1, 7)));
	EXPECT(h->spare_pages <= BW_BATCH_MAX);
	EXPECT(!h->be->ops->stats(h->be, &st));
	EXPECT(st.out_spans == MANY + h->spare_pages);
	for (i = 0; i < MANY; i++)
		bw_mspan_put(h, s[i]);
	EXPECT(h->spare_pages && h->spare_pages <= BW_SPARE_MIN);
	EXPECT(!bw_mheap_check(h));
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void a_class_that_grows_goes_upwards(void)
{
	struct bw_mspan *s[MANY];
	u32 i;

	h = rig_mheap();
	for (i = 0; i < MANY; i++)
		EXPECT((s[i] = get(1, 7)));
	for (i = 1; i < MANY; i++)
		EXPECT(s[i]->base > s[i - 1]->base);
	for (i = 0; i < MANY; i++)
		bw_mspan_put(h, s[i]);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void spares_are_of_their_class_and_length_alone(void)
{
	struct bw_mspan *s = NULL, *t;

	h = rig_mheap();
	EXPECT((s = get(1, 7)));
	bw_mspan_put(h, s);
	EXPECT(h->spare_pages == 1);
	EXPECT((t = get(1, 8)) && t != s);
	bw_mspan_put(h, t);
	EXPECT((t = get(2, 7)) && t != s);
	bw_mspan_put(h, t);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void the_last_few_large_spans_are_kept_for_the_same_length(void)
{
	struct bw_mspan *s[40], *t;
	struct burrow_heap_stats st;
	u32 i;

	h = rig_mheap();
	for (i = 0; i < 40; i++)
		EXPECT((s[i] = get(10 + i % 2, 0)));
	for (i = 0; i < 40; i++)
		bw_mspan_put(h, s[i]);
	EXPECT(!h->be->ops->stats(h->be, &st));
	EXPECT(st.out_spans == BW_SPARE_LOOK);
	EXPECT((t = get(10, 0)) && t == s[38] && t->npages == 10);
	EXPECT(t->needzero);
	bw_mspan_put(h, t);
	EXPECT((t = get(BW_LAZY_PAGES + 1, 0)));
	bw_mspan_put(h, t);
	EXPECT(!h->be->ops->stats(h->be, &st));
	EXPECT(st.out_spans == BW_SPARE_LOOK && !bw_mheap_check(h));
	rig_expect_empty(h);
	bw_mheap_close(h);
}

/**
 * struct late - somebody gets pages of an arena that is being added
 * @grow:	this one is to get them, or NULL
 * @npages:	of what there is then
 * @s:		what he got
 * @found:	its last page names it
 * @got:	he is done
 */
struct late {
	struct bw_mspan *grow;
	u32 npages;
	struct bw_mspan *s;
	bool found;
	u32 got;
};

static void *gets_late(void *arg)
{
	struct late *l = arg;

	l->s = l->grow;
	if (!l->grow)
		l->s = get(l->npages, 0);
	else if (!bw_mspan_resize(h, l->grow, l->npages, l->got))
		l->s = NULL;
	l->found = l->s && bw_mspan_of(h, l->s->base + l->s->elem_size - 1) == l->s;
	WRITE_ONCE(l->got, 2);
	return NULL;
}

/* An arena is there, and that it is has not been told yet. */
static void pages_are_had_from(struct late *l)
{
	u32 index;
	pthread_t t;

	bw_lock(&h->arenas);
	EXPECT(!h->be->ops->arena_add(h->be, BURROW_ARENA_HEAP,
				      BURROW_ARENA_ANY, &index));
	pthread_create(&t, NULL, gets_late, l);
	while (READ_ONCE(l->got) != 2 &&
	       READ_ONCE(h->arenas.word) != BW_LOCK_CONTENDED)
		sched_yield();
	/* as arena_add_beyond() does */
	smp_store_release(&h->map.limit,
			  ((size_t)index + 1) << BURROW_ARENA_SHIFT);
	bw_unlock(&h->arenas);
	pthread_join(t, NULL);
	EXPECT(l->s && l->found);
}

static void nobody_has_pages_of_an_arena_before_all_know_it(void)
{
	struct late one = { .npages = 3 }, grown, moved;

	h = rig_mheap();
	pages_are_had_from(&one);
	grown = (struct late){ .grow = one.s, .npages = BURROW_ARENA_PAGES + 1 };
	pages_are_had_from(&grown);
	/* another is behind it, so it moves */
	one = (struct late){ .npages = 10, .s = get(10, 0) };
	moved = (struct late){
		.grow = grown.s, .npages = BURROW_ARENA_PAGES + 20, .got = 1,
	};
	pages_are_had_from(&moved);
	EXPECT(moved.s->ref.page > one.s->ref.page);
	bw_mspan_put(h, one.s);
	bw_mspan_put(h, moved.s);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void arenas_are_added_until_the_window_is_full(void)
{
	struct bw_mspan *s[64];
	u32 n = 0, nr, round;

	h = rig_mheap();
	for (round = 0; round < 2; round++) {
		for (nr = 0; nr < 64; nr++) {
			s[nr] = get(BURROW_ARENA_PAGES / 8, 0);
			if (!s[nr])
				break;
		}
		EXPECT(nr == 32);
		EXPECT(h->map.limit == RIG_WINDOW);
		for (n = 0; n < nr; n++)
			bw_mspan_put(h, s[n]);
	}
	/* over all arenas, and one page more than there is */
	EXPECT((s[0] = get(4 * BURROW_ARENA_PAGES, 0)));
	EXPECT(bw_mspan_of(h, h->map.base + RIG_WINDOW - 1) == s[0]);
	EXPECT(!get(1, 0));
	bw_mspan_put(h, s[0]);
	EXPECT(!get(4 * BURROW_ARENA_PAGES + 1, 0));
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void a_span_is_aligned_as_asked(void)
{
	struct bw_mspan *s[8] = { NULL };
	u32 i;

	h = rig_mheap();
	for (i = 0; i < 8; i++) {
		s[i] = bw_mspan_get(h, 3, 5, BURROW_KIND_MANUAL, 1U << i);
		EXPECT(s[i] && s[i]->ref.page % (1U << i) == 0);
	}
	for (i = 0; i < 8; i++)
		bw_mspan_put(h, s[i]);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void a_span_is_zero_or_says_that_it_may_not_be(void)
{
	static const u32 npages[] = { 1, 3, 200 };
	u32 i, round;

	h = rig_mheap();
	for (i = 0; i < 3 * 3; i++) {
		u32 n = npages[i / 3];
		struct bw_mspan *s = get(n, i % 3);

		if (!EXPECT(s))
			return;
		EXPECT(s->needzero ||
		       rig_is_filled((u8 *)s->base, n * BURROW_PAGE_SIZE, 0));
		for (round = 0; round < 2; round++) {
			memset(s->base, 0x77, n * BURROW_PAGE_SIZE);
			bw_mspan_put(h, s);
			s = get(n, i % 3);
			EXPECT(s && s->needzero);
		}
		bw_mspan_put(h, s);
	}
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static u64 lazy_pages(void)
{
	struct burrow_heap_stats st;

	EXPECT(!h->be->ops->stats(h->be, &st));
	return st.out_pages_lazy;
}

/* Short enough a span that its put does not look at the clock. */
static void what_two_periods_did_not_need_goes_back(void)
{
	struct bw_mspan *s[2];
	u64 now;

	h = rig_mheap();
	EXPECT((s[0] = get(100, 0)) && (s[1] = get(120, 0)));
	memset(s[1]->base, 1, 120 * BURROW_PAGE_SIZE);
	bw_mspan_put(h, s[1]);
	bw_mheap_scavenge(h, 0);
	now = h->decayed;
	bw_mheap_decay(h, now + BW_DECAY_NS - 1);
	EXPECT(h->decayed == now && lazy_pages() == 120);
	/* the peak was in this period, then in the last one */
	bw_mheap_decay(h, now + BW_DECAY_NS);
	EXPECT(lazy_pages() == 120);
	bw_mheap_decay(h, now + 2 * BW_DECAY_NS);
	EXPECT(lazy_pages() == 120);
	bw_mheap_decay(h, now + 3 * BW_DECAY_NS);
	EXPECT(lazy_pages() == 0);
	EXPECT(!h->lazy_pages);
	bw_mspan_put(h, s[0]);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void a_scavenge_gives_spares_and_lazy_memory_back(void)
{
	struct bw_mspan *s[64];
	u32 i;

	h = rig_mheap();
	for (i = 0; i < 64; i++) {
		EXPECT((s[i] = get(2, 9)));
		memset(s[i]->base, 1, 2 * BURROW_PAGE_SIZE);
	}
	for (i = 0; i < 64; i++)
		bw_mspan_put(h, s[i]);
	EXPECT(bw_mheap_scavenge(h, ~0ULL) >= 128 * BURROW_PAGE_SIZE);
	EXPECT(!lazy_pages() && !h->spare_pages);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

static void whole_pages_of_a_range_are_given_back_and_no_others(void)
{
	struct bw_mspan *s;
	u8 *p;

	h = rig_mheap();
	s = get(4, 0);
	if (!EXPECT(s))
		return;
	p = (u8 *)s->base;
	memset(p, 3, 4 * BURROW_PAGE_SIZE);
	EXPECT(bw_mheap_reclaim_range(h, p + 1, BURROW_PAGE_SIZE) == 0);
	EXPECT(bw_mheap_reclaim_range(h, p + 1, 3 * BURROW_PAGE_SIZE) ==
	       2 * BURROW_PAGE_SIZE);
	EXPECT(rig_is_filled(p, BURROW_PAGE_SIZE, 3));
	EXPECT(rig_is_filled(p + BURROW_PAGE_SIZE, 2 * BURROW_PAGE_SIZE, 0));
	EXPECT(rig_is_filled(p + 3 * BURROW_PAGE_SIZE, BURROW_PAGE_SIZE, 3));
	bw_mspan_put(h, s);
	rig_expect_empty(h);
	bw_mheap_close(h);
}

/* What a heap does in its life, whatever fails: how many gets had a span. */
static u32 chain(void)
{
	struct bw_mspan *s[12];
	u32 i, got = 0;

	for (i = 0; i < 12; i++) {
		s[i] = get(i % 3 ? 1 + i % 3 : 300, i % 3);
		got += !!s[i];
	}
	EXPECT(!bw_mheap_check(h));
	for (i = 0; i < 12; i++)
		if (s[i])
			bw_mspan_put(h, s[i]);
	bw_mheap_scavenge(h, ~0ULL);
	EXPECT(!bw_mheap_check(h));
	s[0] = get(2, 1);
	if (s[0])
		bw_mspan_put(h, s[0]);
	return got;
}

static u64 attempt(u64 nth, int err, u32 *got)
{
	h = rig_mheap_on(rig_failing(nth, err));
	*got = chain();
	return rig_failing_end(h);
}

static void a_backend_that_fails_at_any_step_costs_no_span(void)
{
	static const int errs[] = { -ENOMEM, -ENOSPC, -EBUSY };
	u64 total, nth;
	u32 e, got, short_of = 0;

	total = attempt(0, -EIO, &got);
	EXPECT(got == 12);
	printf("# %llu steps\n", (unsigned long long)total);
	for (e = 0; e < ARRAY_SIZE(errs); e++)
		for (nth = 1; nth <= total; nth++) {
			attempt(nth, errs[e], &got);
			short_of += got < 12;
		}
	/* EBUSY is nothing that a second try makes good */
	EXPECT(short_of);
}

/* In a child with a heap of its own. */
static void put_twice(void *arg)
{
	struct bw_mspan *s;

	h = rig_mheap();
	s = get(1, 0);
	bw_mspan_put(h, s);
	bw_mspan_put(h, s);
}

static void a_span_that_is_put_twice_is_fatal(void)
{
	char said[300];

	EXPECT(rig_aborted(rig_child(put_twice, NULL, said, sizeof(said))));
	EXPECT(strstr(said, "a span is put that its caller does not own"));
}

int main(void)
{
	TEST(each_page_of_a_span_names_it_and_no_other_page);
	TEST(a_class_is_fetched_in_batches_that_grow);
	TEST(a_class_that_grows_goes_upwards);
	TEST(spares_are_of_their_class_and_length_alone);
	TEST(the_last_few_large_spans_are_kept_for_the_same_length);
	TEST(nobody_has_pages_of_an_arena_before_all_know_it);
	TEST(arenas_are_added_until_the_window_is_full);
	TEST(a_span_is_aligned_as_asked);
	TEST(a_span_is_zero_or_says_that_it_may_not_be);
	TEST(what_two_periods_did_not_need_goes_back);
	TEST(a_scavenge_gives_spares_and_lazy_memory_back);
	TEST(whole_pages_of_a_range_are_given_back_and_no_others);
	TEST(a_backend_that_fails_at_any_step_costs_no_span);
	TEST(a_span_that_is_put_twice_is_fatal);
	return tap_end();
}
