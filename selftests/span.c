// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * span: allocation and freeing, and what the K-words and the memory say of it.
 *
 * The truth about zero is the heart of it: a head word without
 * BURROW_W_NEEDZERO promises that every byte of the span is zero.
 */
#include "burrow_selftest.h"
#include "proc.h"
#include "touch.h"

#define MANY	300U

FIXTURE(heap) {
	struct heap h;
};

FIXTURE_SETUP(heap)
{
	ASSERT_EQ(0, touch_init());
	ASSERT_EQ(0, heap_ready(&self->h, 2));
}

FIXTURE_TEARDOWN(heap)
{
}

static char *span_addr(const struct heap *h, struct burrow_span_ref s)
{
	return page_addr(h, s.page);
}

/* The whole span as layout.h has it: head, bodies, and nothing behind. */
static bool words_agree(const struct heap *h, struct burrow_span_ref s,
			__u32 npages, __u32 kind, __u32 cls, __u64 flags)
{
	__u64 body = burrow_word_body(s.page, s.gen);
	__u32 i;

	if (kword(h, s.page) != burrow_word_head(npages, cls, kind,
						 BURROW_SPAN_LIVE, s.gen,
						 flags))
		return false;
	for (i = 1; i < npages; i++)
		if (kword(h, s.page + i) != body)
			return false;
	return true;
}

TEST_F(heap, the_k_words_say_what_was_asked_for)
{
	static const __u32 sizes[] = { 1, 2, 3, 16, 511, 513 };
	struct heap *h = &self->h;
	struct burrow_span_ref s;
	__u32 kind, cls, i;

	for (kind = 0; kind < BURROW_KIND_STACK; kind++) {
		for (i = 0; i < NR(sizes); i++) {
			struct burrow_span_alloc arg = {
				.flags = BURROW_ALLOC_LAZY,
				.spans = U64(&s),
				.nr = 1,
				.npages = sizes[i],
				.kind = kind,
			};

			cls = (kind * 17 + i * 11) % BURROW_NR_CLASSES;
			arg.cls = cls;
			ASSERT_EQ(0, spans_alloc(h, &arg));
			EXPECT_EQ(1, arg.out_nr);
			EXPECT_EQ(0, arg.out_errno);
			EXPECT_TRUE(words_agree(h, s, sizes[i], kind, cls, 0));
			EXPECT_EQ(0, kword(h, s.page + sizes[i]));
		}
	}
}

TEST_F(heap, a_freed_span_leaves_no_word_behind)
{
	struct burrow_span_ref s;
	__u32 i;

	ASSERT_EQ(0, span_alloc(&self->h, 70, 0, &s));
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	for (i = 0; i < 70; i++)
		EXPECT_EQ(0, kword(&self->h, s.page + i));
}

TEST_F(heap, a_batch_gives_as_many_disjoint_spans)
{
	struct burrow_span_ref refs[MANY];
	struct burrow_span_alloc arg = {
		.spans = U64(refs), .nr = MANY, .npages = 3, .cls = 5,
	};
	struct burrow_heap_stats stats;
	struct burrow_span_free done;
	__u32 i;

	ASSERT_EQ(0, spans_alloc(&self->h, &arg));
	ASSERT_EQ(MANY, arg.out_nr);
	EXPECT_EQ(0, arg.out_errno);
	for (i = 0; i < MANY; i++) {
		EXPECT_TRUE(words_agree(&self->h, refs[i], 3, 0, 5, 0));
		memset(span_addr(&self->h, refs[i]), i % 255 + 1,
		       3 * BURROW_PAGE_SIZE);
	}
	for (i = 0; i < MANY; i++)
		EXPECT_TRUE(bytes_are(span_addr(&self->h, refs[i]),
				      i % 255 + 1, 3 * BURROW_PAGE_SIZE));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(MANY, stats.out_spans);
	EXPECT_EQ(MANY, stats.out_nr_alloc);
	EXPECT_EQ(3 * MANY, stats.out_pages_live);
	EXPECT_EQ(3 * MANY * FRAMES_PER_PAGE, stats.out_frames);

	ASSERT_EQ(0, spans_free(&self->h, 0, refs, MANY, &done));
	EXPECT_EQ(MANY, done.out_nr);
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(0, stats.out_spans);
	EXPECT_EQ(MANY, stats.out_nr_free);
	EXPECT_EQ(3 * MANY, stats.out_pages_lazy);
	EXPECT_EQ(2 * BURROW_ARENA_PAGES, stats.out_pages_free);
}

TEST_F(heap, a_full_heap_gives_what_it_has_and_says_ENOSPC)
{
	const __u32 npages = BURROW_ARENA_PAGES / 5, fit = 2 * 5;
	struct burrow_span_ref refs[16];
	struct burrow_span_alloc arg = {
		.flags = BURROW_ALLOC_LAZY, .spans = U64(refs),
		.nr = NR(refs), .npages = npages,
	};
	struct burrow_span_free done;

	memset(refs, 0xee, sizeof(refs));
	ASSERT_EQ(0, spans_alloc(&self->h, &arg));
	EXPECT_EQ(fit, arg.out_nr);
	EXPECT_EQ(ENOSPC, arg.out_errno);
	EXPECT_EQ(0xeeeeeeee, refs[fit].page);
	arg.nr = NR(refs);
	EXPECT_EQ(-ENOSPC, spans_alloc(&self->h, &arg));

	ASSERT_EQ(0, spans_free(&self->h, 0, refs + 3, 1, &done));
	EXPECT_EQ(0, spans_alloc(&self->h, &arg));
	EXPECT_EQ(1, arg.out_nr);
	EXPECT_EQ(ENOSPC, arg.out_errno);
}

TEST_F(heap, another_arena_ends_ENOSPC)
{
	struct burrow_span_ref s;

	ASSERT_EQ(0, span_alloc(&self->h, 2 * BURROW_ARENA_PAGES,
				BURROW_ALLOC_LAZY, &s));
	EXPECT_EQ(-ENOSPC, span_alloc(&self->h, 1, 0, &s));
	ASSERT_EQ(2, arena_add(&self->h, BURROW_ARENA_ANY));
	EXPECT_EQ(-ENOSPC, span_alloc(&self->h, 1, 0, &s));
	ASSERT_EQ(0, arena_map(&self->h, 2));
	EXPECT_EQ(0, span_alloc(&self->h, 1, 0, &s));
	EXPECT_EQ(2 * BURROW_ARENA_PAGES, s.page);
}

TEST_F(heap, spans_begin_where_their_alignment_says)
{
	struct burrow_span_ref s, odd;
	__u32 align;

	for (align = 1; align <= BURROW_ARENA_PAGES; align *= 2) {
		struct burrow_span_alloc arg = {
			.flags = BURROW_ALLOC_LAZY, .spans = U64(&s),
			.nr = 1, .npages = 1, .align = align,
		};

		ASSERT_EQ(0, span_alloc(&self->h, 1, BURROW_ALLOC_LAZY, &odd));
		ASSERT_EQ(0, spans_alloc(&self->h, &arg));
		EXPECT_EQ(0, s.page % align);
		ASSERT_EQ(0, span_free(&self->h, 0, s));
	}
}

TEST_F(heap, a_span_may_cross_arenas)
{
	const __u32 npages = 3 * BURROW_ARENA_PAGES;
	struct burrow_span_ref s;
	__u32 i;

	ASSERT_EQ(2, arena_add(&self->h, 2));
	ASSERT_EQ(0, arena_map(&self->h, 2));
	ASSERT_EQ(0, span_alloc(&self->h, npages, BURROW_ALLOC_LAZY, &s));
	EXPECT_EQ(0, s.page);
	EXPECT_TRUE(words_agree(&self->h, s, npages, BURROW_KIND_MANUAL, 0,
				0));
	for (i = 0; i < npages; i += 1000)
		*page_addr(&self->h, i) = 1;
	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, s));
	for (i = 0; i < npages; i += 1000)
		EXPECT_EQ(SIGSEGV, touch(page_addr(&self->h, i)));
}

TEST_F(heap, pages_are_there_when_the_call_returns)
{
	static const __u32 sizes[] = { 1, 5, 64, 300 };
	struct burrow_span_ref s;
	size_t i, off, bytes;
	long before;

	for (i = 0; i < NR(sizes); i++) {
		char *p;

		bytes = sizes[i] * BURROW_PAGE_SIZE;
		ASSERT_EQ(0, span_alloc(&self->h, sizes[i], 0, &s));
		p = span_addr(&self->h, s);
		EXPECT_EQ(sizes[i] * FRAMES_PER_PAGE,
			  frames_present(p, bytes));
		before = minor_faults();
		for (off = 0; off < bytes; off += FRAME_SIZE)
			p[off] = 1;
		EXPECT_EQ(before, minor_faults());
	}
}

TEST_F(heap, pages_over_the_edge_of_an_arena_are_there_too)
{
	struct burrow_span_ref fill, s;
	char *p;

	ASSERT_EQ(0, span_alloc(&self->h, BURROW_ARENA_PAGES - 40,
				BURROW_ALLOC_LAZY, &fill));
	ASSERT_EQ(0, span_alloc(&self->h, 80, 0, &s));
	p = span_addr(&self->h, s);
	EXPECT_EQ(80 * FRAMES_PER_PAGE,
		  frames_present(p, 80 * BURROW_PAGE_SIZE));
	EXPECT_TRUE(bytes_are(p, 0, 80 * BURROW_PAGE_SIZE));
}

TEST_F(heap, lazy_pages_come_with_the_touch)
{
	const size_t bytes = 64 * BURROW_PAGE_SIZE;
	struct burrow_heap_stats stats;
	struct burrow_span_ref s;
	char *p;

	ASSERT_EQ(0, span_alloc(&self->h, 64, BURROW_ALLOC_LAZY, &s));
	p = span_addr(&self->h, s);
	EXPECT_EQ(0, frames_present(p, bytes));
	EXPECT_EQ(0, touch_write(p + bytes / 2, 1));
	EXPECT_EQ(1, frames_present(p, bytes));
	ASSERT_EQ(0, heap_stats(self->h.fd, &stats));
	EXPECT_EQ(1, stats.out_frames);
	EXPECT_EQ(1, stats.out_nr_faults);
	EXPECT_EQ(0, p[0]);
	EXPECT_EQ(0, p[bytes - 1]);
}

TEST_F(heap, a_span_that_does_not_need_zeroing_is_zero)
{
	const size_t bytes = 8 * BURROW_PAGE_SIZE;
	struct burrow_span_ref s;

	ASSERT_EQ(0, span_alloc(&self->h, 8, 0, &s));
	EXPECT_FALSE(needs_zero(&self->h, s));
	EXPECT_TRUE(bytes_are(span_addr(&self->h, s), 0, bytes));
	memset(span_addr(&self->h, s), 'x', bytes);

	/* straight from the one before: dirty */
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	ASSERT_EQ(0, span_alloc(&self->h, 8, 0, &s));
	EXPECT_EQ(0, s.page);
	EXPECT_TRUE(needs_zero(&self->h, s));
	memset(span_addr(&self->h, s), 'y', bytes);

	/* its frames went with it: clean */
	ASSERT_EQ(0, span_free(&self->h, BURROW_FREE_RECLAIM, s));
	ASSERT_EQ(0, span_alloc(&self->h, 8, 0, &s));
	EXPECT_EQ(0, s.page);
	EXPECT_FALSE(needs_zero(&self->h, s));
	EXPECT_TRUE(bytes_are(span_addr(&self->h, s), 0, bytes));
	memset(span_addr(&self->h, s), 'z', bytes);

	/* reclaimed after it was freed: clean */
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	ASSERT_EQ(8 * FRAMES_PER_PAGE, range_reclaim(&self->h, s.page, 8));
	ASSERT_EQ(0, span_alloc(&self->h, 8, BURROW_ALLOC_LAZY, &s));
	EXPECT_FALSE(needs_zero(&self->h, s));
	EXPECT_TRUE(bytes_are(span_addr(&self->h, s), 0, bytes));
}

TEST_F(heap, one_dirty_page_makes_the_whole_span_need_zeroing)
{
	struct burrow_span_ref s, wide;

	ASSERT_EQ(0, span_alloc(&self->h, 1, 0, &s));
	*span_addr(&self->h, s) = 'x';
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	ASSERT_EQ(0, span_alloc(&self->h, 100, 0, &wide));
	EXPECT_EQ(s.page, wide.page);
	EXPECT_TRUE(needs_zero(&self->h, wide));
	EXPECT_EQ(0, touch(span_addr(&self->h, wide) +
			   99 * BURROW_PAGE_SIZE));
}

TEST_F(heap, a_lazy_span_nobody_touched_stays_clean)
{
	struct burrow_span_ref s;

	ASSERT_EQ(0, span_alloc(&self->h, 9, BURROW_ALLOC_LAZY, &s));
	ASSERT_EQ(0, span_free(&self->h, 0, s));
	ASSERT_EQ(0, span_alloc(&self->h, 9, 0, &s));
	EXPECT_FALSE(needs_zero(&self->h, s));
	EXPECT_TRUE(bytes_are(span_addr(&self->h, s), 0,
			      9 * BURROW_PAGE_SIZE));
}

TEST_F(heap, a_span_is_freed_once_and_by_its_own_generation)
{
	struct burrow_span_ref old, new;

	ASSERT_EQ(0, span_alloc(&self->h, 4, 0, &old));
	ASSERT_EQ(0, span_free(&self->h, 0, old));
	EXPECT_EQ(-ESTALE, span_free(&self->h, 0, old));
	ASSERT_EQ(0, span_alloc(&self->h, 4, 0, &new));
	ASSERT_EQ(old.page, new.page);
	EXPECT_NE(old.gen, new.gen);
	EXPECT_EQ(-ESTALE, span_free(&self->h, 0, old));
	EXPECT_EQ(-ESTALE, span_free(&self->h, BURROW_FREE_RECLAIM, old));
	EXPECT_TRUE(words_agree(&self->h, new, 4, BURROW_KIND_MANUAL, 0,
				BURROW_W_NEEDZERO));
	EXPECT_EQ(0, span_free(&self->h, 0, new));
}

TEST_F(heap, freeing_stops_at_the_first_stale_span_and_says_where)
{
	struct burrow_span_ref refs[8];
	struct burrow_span_alloc arg = {
		.spans = U64(refs), .nr = NR(refs), .npages = 2,
	};
	struct burrow_span_free done;
	__u32 i, flags[] = { 0, BURROW_FREE_RECLAIM };

	for (i = 0; i < NR(flags); i++) {
		ASSERT_EQ(0, spans_alloc(&self->h, &arg));
		refs[5].gen++;
		EXPECT_EQ(0, spans_free(&self->h, flags[i], refs, 8, &done));
		EXPECT_EQ(5, done.out_nr);
		EXPECT_EQ(ESTALE, done.out_errno);
		refs[5].gen--;
		/* twice in one call is once */
		refs[4] = refs[5];
		EXPECT_EQ(0, spans_free(&self->h, flags[i], refs + 4, 2,
					&done));
		EXPECT_EQ(1, done.out_nr);
		EXPECT_EQ(ESTALE, done.out_errno);
		EXPECT_EQ(0, spans_free(&self->h, flags[i], refs + 6, 2,
					&done));
		EXPECT_EQ(2, done.out_nr);
	}
}

/* 18 bits: the names come round, the spans must not mix. */
TEST_F(heap, generations_come_round_without_harm)
{
	struct burrow_span_ref *refs, keep;
	struct burrow_span_free done;
	struct burrow_query q;
	__u32 n = 0;

	ASSERT_EQ(0, device_query(self->h.fd, &q));
	ASSERT_EQ(0, span_alloc(&self->h, 1, 0, &keep));
	*span_addr(&self->h, keep) = 77;
	refs = calloc(q.out_max_batch, sizeof(*refs));
	ASSERT_NE(NULL, refs);
	while (n <= BURROW_GEN_MASK + 1) {
		struct burrow_span_alloc arg = {
			.flags = BURROW_ALLOC_LAZY, .spans = U64(refs),
			.nr = q.out_max_batch, .npages = 1,
		};

		ASSERT_EQ(0, spans_alloc(&self->h, &arg));
		ASSERT_EQ(0, spans_free(&self->h, 0, refs, arg.out_nr, &done));
		ASSERT_EQ(arg.out_nr, done.out_nr);
		n += arg.out_nr;
	}
	EXPECT_EQ(77, *span_addr(&self->h, keep));
	EXPECT_EQ(0, span_free(&self->h, 0, keep));
}

TEST_HARNESS_MAIN
