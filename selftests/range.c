// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * range: which values the calls take, and what they say to the others.
 *
 * A row changes one field of arguments that would succeed. Where a call fails,
 * the heap has the counts it had before and goes on working.
 */
#include "call.h"
#include "mark.h"

#define ANY_ARENA_PAGES	(TEST_ARENAS * BURROW_ARENA_PAGES)

struct place_row {
	const char *name;
	__u64 window, window_size, kmeta, umeta;
};

#define MIB	0x100000ULL
#define GIB	(1024 * MIB)
#define TIB	(1024 * GIB)

/* Good: window 1 TiB.. , kmeta 4 TiB.., umeta 5 TiB.. */
static const struct place_row bad_places[] = {
	{ "size 0",		TIB, 0, 4 * TIB, 5 * TIB },
	{ "size one page",	TIB, 8192, 4 * TIB, 5 * TIB },
	{ "size not whole",	TIB, 96 * MIB, 4 * TIB, 5 * TIB },
	{ "size over 1 TiB",	TIB, TIB + 64 * MIB, 4 * TIB, 5 * TIB },
	{ "size 2^63",		TIB, 1ULL << 63, 4 * TIB, 5 * TIB },
	{ "size -64 MiB",	TIB, -64ULL * MIB, 4 * TIB, 5 * TIB },
	{ "window 0",		0, 64 * MIB, 4 * TIB, 5 * TIB },
	{ "window + 4 KiB",	TIB + 4096, 64 * MIB, 4 * TIB, 5 * TIB },
	{ "window + 32 MiB",	TIB + 32 * MIB, 64 * MIB, 4 * TIB, 5 * TIB },
	{ "window wraps",	-64ULL * MIB, 128 * MIB, 4 * TIB, 5 * TIB },
	{ "window kernel",	0xffff888000000000, 64 * MIB, 4 * TIB, 5 * TIB },
	{ "window 2^63",	1ULL << 63, 64 * MIB, 4 * TIB, 5 * TIB },
	{ "window 2^57",	1ULL << 57, 64 * MIB, 4 * TIB, 5 * TIB },
	{ "kmeta 0",		TIB, 64 * MIB, 0, 5 * TIB },
	{ "kmeta + 4 KiB",	TIB, 64 * MIB, 4 * TIB + 4096, 5 * TIB },
	{ "kmeta kernel",	TIB, 64 * MIB, 0xffff888000000000, 5 * TIB },
	{ "kmeta wraps",	TIB, 128 * MIB, -65536ULL, 5 * TIB },
	{ "umeta 0",		TIB, 64 * MIB, 4 * TIB, 0 },
	{ "umeta + 64 KiB",	TIB, 64 * MIB, 4 * TIB, 5 * TIB + 65536 },
	{ "umeta kernel",	TIB, 64 * MIB, 4 * TIB, 0xffff888000000000 },
	{ "kmeta in window",	TIB, GIB, TIB, 5 * TIB },
	{ "kmeta at its end",	TIB, GIB, TIB + GIB - 65536, 5 * TIB },
	{ "umeta in window",	TIB, GIB, 4 * TIB, TIB + 512 * MIB },
	{ "umeta over kmeta",	TIB, GIB, 4 * TIB, 4 * TIB },
	{ "umeta ends in window", TIB, GIB, 4 * TIB, TIB - 60 * MIB },
};

static const struct place_row good_places[] = {
	{ "one arena",		TIB, 64 * MIB, 4 * TIB, 5 * TIB },
	{ "1 TiB",		TIB, TIB, 4 * TIB, 5 * TIB },
	{ "side by side",	TIB, GIB, TIB + GIB, TIB + GIB + 4 * MIB },
};

static int place_setup(const struct place_row *row)
{
	struct burrow_heap_setup arg = {
		.size = sizeof(arg),
		.window = row->window,
		.window_size = row->window_size,
		.kmeta = row->kmeta,
		.umeta = row->umeta,
	};
	int fd = device_open(), r;

	if (fd < 0)
		return fd;
	r = call(fd, BURROW_IOC_HEAP_SETUP, &arg);
	close(fd);
	return r;
}

TEST(a_heap_cannot_be_set_up_in_a_bad_place)
{
	size_t i;

	for (i = 0; i < NR(bad_places); i++)
		EXPECT_ROW(-EINVAL, place_setup(&bad_places[i]),
			   bad_places[i].name);
}

TEST(a_heap_can_be_set_up_in_any_good_place)
{
	size_t i;

	for (i = 0; i < NR(good_places); i++)
		EXPECT_ROW(0, place_setup(&good_places[i]),
			   good_places[i].name);
}

FIXTURE(heap) {
	struct bed bed;
	struct burrow_heap_stats before;
};

FIXTURE_SETUP(heap)
{
	struct call_row any = { .cmd = BURROW_IOC_QUERY };

	ASSERT_EQ(0, bed_make(&self->bed, &any));
	ASSERT_EQ(0, heap_stats(self->bed.h.fd, &self->before));
}

/* Whatever a test refused: nothing is lost, and the heap goes on. */
FIXTURE_TEARDOWN(heap)
{
	struct burrow_heap_stats now;

	EXPECT_EQ(0, heap_stats(self->bed.h.fd, &now));
	EXPECT_EQ(self->before.out_arenas, now.out_arenas);
	EXPECT_EQ(self->before.out_spans, now.out_spans);
	EXPECT_EQ(self->before.out_pages_live, now.out_pages_live);
	EXPECT_EQ(self->before.out_pages_free, now.out_pages_free);
	EXPECT_EQ(self->before.out_threads, now.out_threads);
	EXPECT_EQ(0, span_alloc(&self->bed.h, 1, 0, &self->bed.new));
	EXPECT_EQ(0, span_free(&self->bed.h, 0, self->bed.new));
}

struct arena_row {
	const char *name;
	__u32 kind, index;
	int err;
};

TEST_F(heap, arena_add_says_what_is_wrong)
{
	static const struct arena_row rows[] = {
		{ "kind 2", BURROW_NR_ARENA_KINDS, 1, -EOPNOTSUPP },
		{ "stacks there already", BURROW_ARENA_STACK, 0, -EEXIST },
		{ "stacks behind", BURROW_ARENA_STACK, TEST_ARENAS, -EINVAL },
		{ "kind ~0", ~0U, 1, -EOPNOTSUPP },
		{ "there already", BURROW_ARENA_HEAP, 0, -EEXIST },
		{ "behind the window", BURROW_ARENA_HEAP, TEST_ARENAS,
		  -EINVAL },
		{ "far behind", BURROW_ARENA_HEAP, BURROW_MAX_ARENAS,
		  -EINVAL },
		{ "almost ANY", BURROW_ARENA_HEAP, ~0U - 1, -EINVAL },
	};
	size_t i;

	for (i = 0; i < NR(rows); i++) {
		struct burrow_arena_add arg = {
			.size = sizeof(arg),
			.kind = rows[i].kind,
			.index = rows[i].index,
		};

		EXPECT_ROW(rows[i].err,
			   call(self->bed.h.fd, BURROW_IOC_ARENA_ADD, &arg),
			   rows[i].name);
	}
}

TEST_F(heap, arena_add_anywhere_takes_the_lowest_index_until_there_is_none)
{
	struct heap h;
	__u32 i;

	ASSERT_EQ(0, heap_make(&h, TEST_ARENAS));
	ASSERT_EQ(1, arena_add(&h, 1));
	ASSERT_EQ(0, arena_add(&h, BURROW_ARENA_ANY));
	for (i = 2; i < TEST_ARENAS; i++)
		ASSERT_EQ(i, arena_add(&h, BURROW_ARENA_ANY));
	EXPECT_EQ(-ENOSPC, arena_add(&h, BURROW_ARENA_ANY));
}

struct alloc_row {
	const char *name;
	__u32 nr, npages, align;
	__u16 kind, cls;
	int err;
};

static const struct alloc_row alloc_rows[] = {
	{ "no spans", 0, 1, 0, 0, 0, -EINVAL },
	{ "too many spans", ~0U, 1, 0, 0, 0, -EINVAL },
	{ "no pages", 1, 0, 0, 0, 0, -EINVAL },
	{ "more than the arena", 1, BURROW_ARENA_PAGES + 1, 0, 0, 0, -ENOSPC },
	{ "more than a window", 1, BURROW_MAX_PAGES + 1, 0, 0, 0, -EINVAL },
	{ "2^31 pages", 1, 1U << 31, 0, 0, 0, -EINVAL },
	{ "2^32 - 1 pages", 1, ~0U, 0, 0, 0, -EINVAL },
	{ "align 3", 1, 1, 3, 0, 0, -EINVAL },
	{ "align 2^31 + 1", 1, 1, (1U << 31) + 1, 0, 0, -EINVAL },
	{ "align ~0", 1, 1, ~0U, 0, 0, -EINVAL },
	{ "stack of guard", 1, 2, 0, BURROW_KIND_STACK, 0, -EINVAL },
	{ "stack of 0", 1, 0, 0, BURROW_KIND_STACK, 0, -EINVAL },
	{ "stack, no arena", 1, 3, 0, BURROW_KIND_STACK, 0, -ENOSPC },
	{ "kind unknown", 1, 1, 0, BURROW_NR_KINDS, 0, -EOPNOTSUPP },
	{ "kind ~0", 1, 1, 0, 0xffff, 0, -EOPNOTSUPP },
	{ "class 68", 1, 1, 0, 0, BURROW_NR_CLASSES, -EINVAL },
	{ "class ~0", 1, 1, 0, 0, 0xffff, -EINVAL },
};

TEST_F(heap, span_alloc_says_what_is_wrong)
{
	size_t i;

	for (i = 0; i < NR(alloc_rows); i++) {
		struct burrow_span_alloc arg = {
			.flags = BURROW_ALLOC_LAZY,
			.spans = U64(&self->bed.new),
			.nr = alloc_rows[i].nr,
			.npages = alloc_rows[i].npages,
			.align = alloc_rows[i].align,
			.kind = alloc_rows[i].kind,
			.cls = alloc_rows[i].cls,
		};

		EXPECT_ROW(alloc_rows[i].err, spans_alloc(&self->bed.h, &arg),
			   alloc_rows[i].name);
	}
}

TEST_F(heap, a_batch_longer_than_QUERY_says_is_EINVAL)
{
	struct heap *h = &self->bed.h;
	struct burrow_span_ref *refs;
	struct burrow_span_reclaim reclaim;
	struct burrow_span_free free_arg;
	struct burrow_span_sweep sweep;
	struct burrow_query q;
	__u32 nr;

	ASSERT_EQ(0, device_query(h->fd, &q));
	nr = q.out_max_batch + 1;
	refs = calloc(nr, sizeof(*refs));
	ASSERT_NE(NULL, refs);
	EXPECT_EQ(-EINVAL, spans_free(h, 0, refs, nr, &free_arg));
	EXPECT_EQ(-EINVAL, spans_free(h, 0, refs, ~0U, &free_arg));
	EXPECT_EQ(-EINVAL, spans_free(h, 0, refs, 0, &free_arg));
	EXPECT_EQ(-EINVAL, ranges_reclaim(h, (void *)refs, nr, &reclaim));
	EXPECT_EQ(-EINVAL, ranges_reclaim(h, (void *)refs, ~0U, &reclaim));
	EXPECT_EQ(-EINVAL, ranges_reclaim(h, (void *)refs, 0, &reclaim));
	EXPECT_EQ(-EINVAL, spans_sweep(h, 0, refs, nr, NULL, &sweep));
	EXPECT_EQ(-EINVAL, spans_sweep(h, 0, refs, ~0U, NULL, &sweep));
	EXPECT_EQ(-EINVAL, spans_sweep(h, 0, refs, 0, NULL, &sweep));
}

struct ref_row {
	const char *name;
	__u32 page, gen;
};

TEST_F(heap, span_free_and_span_sweep_know_their_spans)
{
	const struct burrow_span_ref live = self->bed.ref;
	const struct ref_row rows[] = {
		{ "other gen", live.page, live.gen + 1 },
		{ "gen with a high bit", live.page,
		  live.gen | 1U << BURROW_W_GEN_BITS },
		{ "next page", live.page + 1, live.gen },
		{ "arena not there", 3 * BURROW_ARENA_PAGES, live.gen },
		{ "behind the window", ANY_ARENA_PAGES, live.gen },
		{ "last page", BURROW_MAX_PAGES - 1, live.gen },
		{ "far behind", ~0U, live.gen },
	};
	struct burrow_span_ref manual;
	size_t i;

	for (i = 0; i < NR(rows); i++) {
		struct burrow_span_ref ref = { rows[i].page, rows[i].gen };

		EXPECT_ROW(-ESTALE, span_free(&self->bed.h, 0, ref),
			   rows[i].name);
		EXPECT_ROW(-ESTALE, span_sweep(&self->bed.h, 0, ref),
			   rows[i].name);
	}
	ASSERT_EQ(0, span_alloc(&self->bed.h, 1, 0, &manual));
	EXPECT_EQ(-EINVAL, span_sweep(&self->bed.h, 0, manual));
	EXPECT_EQ(0, span_free(&self->bed.h, 0, manual));
}

/* In whole frames; of the field's values none is bad. */
TEST_F(heap, heap_limit_takes_any_number)
{
	static const __u64 rows[][2] = {
		{ 1, 0 }, { 4095, 0 }, { 4096, 4096 }, { 4097, 4096 },
		{ 1ULL << 40, 1ULL << 40 }, { 1ULL << 63, 1ULL << 63 },
		{ ~0ULL, ~4095ULL }, { 0, 0 },
	};
	size_t i;

	for (i = 0; i < NR(rows); i++) {
		struct burrow_heap_limit arg = {
			.size = sizeof(arg), .bytes = rows[i][0],
		};
		struct burrow_heap_stats now;

		EXPECT_EQ(0, call(self->bed.h.fd, BURROW_IOC_HEAP_LIMIT, &arg));
		EXPECT_EQ(0, heap_stats(self->bed.h.fd, &now));
		EXPECT_EQ(rows[i][1], now.out_limit);
	}
}

struct range_row {
	const char *name;
	__u32 page, npages;
	int err;
};

TEST_F(heap, span_reclaim_knows_its_ranges)
{
	const __u32 live = self->bed.ref.page;
	const struct range_row rows[] = {
		{ "nothing", live, 0, -EINVAL },
		{ "live and free", live, 2, -ESTALE },
		{ "free into live", live, BURROW_ARENA_PAGES, -ESTALE },
		{ "out of the arena", BURROW_ARENA_PAGES - 1, 2, -ESTALE },
		{ "arena not there", 3 * BURROW_ARENA_PAGES, 1, -ESTALE },
		{ "behind the window", ANY_ARENA_PAGES, 1, -EINVAL },
		{ "out of the window", ANY_ARENA_PAGES - 1, 2, -EINVAL },
		{ "sum is 2^32", ~0U, 1, -EINVAL },
		{ "sum wraps", live + 1, ~0U, -EINVAL },
		{ "sum wraps to live", ~0U, live + 2, -EINVAL },
		{ "both ~0", ~0U, ~0U, -EINVAL },
	};
	size_t i;

	*page_addr(&self->bed.h, live) = 42;
	for (i = 0; i < NR(rows); i++)
		EXPECT_ROW(rows[i].err,
			   range_reclaim(&self->bed.h, rows[i].page,
					 rows[i].npages), rows[i].name);
	EXPECT_EQ(42, *page_addr(&self->bed.h, live));
}

TEST_F(heap, thread_calls_know_their_slots)
{
	static const __u32 bad[] = { 1, 2, 65535, 65536, 1U << 31, ~0U };
	struct heap *h = &self->bed.h;
	size_t i;

	for (i = 0; i < NR(bad); i++) {
		__u32 slot = self->bed.slot + bad[i];

		EXPECT_EQ(-ENXIO, thread_del(h, slot));
		EXPECT_EQ(-ENXIO, thread_unpark(h, slot));
		EXPECT_EQ(-ENXIO, thread_park(h, slot, 1));
		EXPECT_EQ(-ENXIO, thread_swap(h, slot, self->bed.slot, 1));
		EXPECT_EQ(-ENXIO, thread_swap(h, self->bed.slot, slot, 1));
	}
}

TEST_F(heap, a_field_that_must_be_zero_is_zero)
{
	struct burrow_thread_del del = {
		.size = sizeof(del), .slot = self->bed.slot, .pad = 1,
	};
	struct burrow_thread_unpark unpark = {
		.size = sizeof(unpark), .slot = self->bed.slot, .pad = 1,
	};
	struct burrow_thread_park park = {
		.size = sizeof(park), .slot = self->bed.slot, .wake_slot = 1,
	};

	EXPECT_EQ(-EINVAL, call(self->bed.h.fd, BURROW_IOC_THREAD_DEL, &del));
	EXPECT_EQ(-EINVAL, call(self->bed.h.fd, BURROW_IOC_THREAD_UNPARK,
				&unpark));
	EXPECT_EQ(-EINVAL, call(self->bed.h.fd, BURROW_IOC_THREAD_PARK,
				&park));
}

#define VECTOR	64U

/* @nr elements lie before the end of memory: one more would not. */
static void *vector_at_an_edge(size_t nr, size_t size)
{
	char *p = mmap(NULL, 2 * FRAME_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
	    mprotect(p + FRAME_SIZE, FRAME_SIZE, PROT_NONE))
		return NULL;
	return p + FRAME_SIZE - nr * size;
}

/*
 * Spans whose names the caller did not get would be lost. How many elements
 * the kernel does before it finds the end is its choice.
 */
TEST_F(heap, a_half_mapped_vector_loses_no_span_in_alloc)
{
	static const __u32 whole[] = { 0, 1, VECTOR / 2, VECTOR - 1 };
	struct heap *h = &self->bed.h;
	struct burrow_heap_stats now;
	size_t i;

	for (i = 0; i < NR(whole); i++) {
		struct burrow_span_ref *refs =
			vector_at_an_edge(whole[i], sizeof(*refs));
		struct burrow_span_alloc arg = {
			.spans = U64(refs), .nr = VECTOR, .npages = 2,
		};
		struct burrow_span_free done;
		int r;

		ASSERT_NE(NULL, refs);
		r = spans_alloc(h, &arg);
		EXPECT_EQ(0, heap_stats(h->fd, &now));
		if (r) {
			EXPECT_EQ(-EFAULT, r);
			EXPECT_EQ(self->before.out_spans, now.out_spans);
			continue;
		}
		EXPECT_EQ(EFAULT, arg.out_errno);
		ASSERT_GE(whole[i], arg.out_nr);
		ASSERT_LT(0, arg.out_nr);
		EXPECT_EQ(self->before.out_spans + arg.out_nr, now.out_spans);
		EXPECT_EQ(0, spans_free(h, 0, refs, arg.out_nr, &done));
		EXPECT_EQ(arg.out_nr, done.out_nr);
	}
}

TEST_F(heap, a_half_mapped_vector_tells_how_many_spans_were_freed)
{
	struct burrow_span_ref refs[VECTOR], *edge;
	struct burrow_span_alloc alloc = {
		.spans = U64(refs), .nr = VECTOR, .npages = 1,
	};
	struct burrow_span_free done;
	struct heap *h = &self->bed.h;
	struct burrow_heap_stats now;
	__u32 nr = 0;

	ASSERT_EQ(0, spans_alloc(h, &alloc));
	edge = vector_at_an_edge(VECTOR / 2, sizeof(*edge));
	ASSERT_NE(NULL, edge);
	memcpy(edge, refs, VECTOR / 2 * sizeof(*edge));
	if (!spans_free(h, 0, edge, VECTOR, &done)) {
		EXPECT_EQ(EFAULT, done.out_errno);
		ASSERT_GE(VECTOR / 2, done.out_nr);
		nr = done.out_nr;
	}
	EXPECT_EQ(0, heap_stats(h->fd, &now));
	EXPECT_EQ(self->before.out_spans + VECTOR - nr, now.out_spans);
	EXPECT_EQ(0, spans_free(h, 0, refs + nr, VECTOR - nr, &done));
	EXPECT_EQ(VECTOR - nr, done.out_nr);
}

/* All are looked at, or none: who is where after EFAULT is not in doubt. */
TEST_F(heap, a_half_mapped_vector_frees_nothing_in_sweep)
{
	static const __u32 whole[] = { 0, 1, VECTOR / 2, VECTOR - 1 };
	struct burrow_span_ref refs[VECTOR];
	struct heap *h = &self->bed.h;
	struct burrow_heap_stats now;
	struct burrow_span_sweep out;
	size_t i;

	ASSERT_EQ(0, spans_alloc_swept(h, refs, VECTOR, 1, 0));
	for (i = 0; i < VECTOR; i++)
		marks_clear(h, refs[i].page, 1);
	for (i = 0; i < NR(whole); i++) {
		struct burrow_span_ref *edge =
			vector_at_an_edge(whole[i], sizeof(*edge));

		ASSERT_NE(NULL, edge);
		memcpy(edge, refs, whole[i] * sizeof(*edge));
		EXPECT_EQ(-EFAULT, spans_sweep(h, 0, edge, VECTOR, NULL, &out));
	}
	EXPECT_EQ(0, heap_stats(h->fd, &now));
	EXPECT_EQ(self->before.out_spans + VECTOR, now.out_spans);
	EXPECT_EQ(0, spans_sweep(h, 0, refs, VECTOR, NULL, &out));
	EXPECT_EQ(VECTOR, out.out_nr_freed);
}

TEST_F(heap, a_vector_that_is_no_memory_is_EFAULT)
{
	static const __u64 bad[] = {
		0, 8, 1ULL << 63, 0xffff888000000000, -8ULL, -1ULL,
	};
	struct heap *h = &self->bed.h;
	struct burrow_span_reclaim reclaim;
	struct burrow_span_free free_arg;
	struct burrow_span_sweep sweep;
	size_t i;

	for (i = 0; i < NR(bad); i++) {
		void *p = (void *)(unsigned long)bad[i];
		struct burrow_span_alloc arg = {
			.spans = bad[i], .nr = 4, .npages = 1,
		};

		EXPECT_EQ(-EFAULT, spans_alloc(h, &arg));
		EXPECT_EQ(-EFAULT, spans_free(h, 0, p, 4, &free_arg));
		EXPECT_EQ(-EFAULT, ranges_reclaim(h, p, 4, &reclaim));
		EXPECT_EQ(-EFAULT, spans_sweep(h, 0, p, 4, NULL, &sweep));
	}
}

TEST_F(heap, a_vector_in_the_heap_itself_works)
{
	struct heap *h = &self->bed.h;
	struct burrow_span_ref *refs = (void *)page_addr(h, self->bed.ref.page);
	struct burrow_span_alloc arg = {
		.spans = U64(refs) + 4, .nr = VECTOR, .npages = 1,
	};
	struct burrow_span_sweep swept;
	struct burrow_span_free done;

	ASSERT_EQ(0, spans_alloc(h, &arg));
	EXPECT_EQ(VECTOR, arg.out_nr);
	/* swept, into the heap too: their marks were never touched, they stay */
	ASSERT_EQ(0, spans_sweep(h, 0, (void *)((char *)refs + 4), VECTOR,
				 (void *)((char *)refs + 1004), &swept));
	EXPECT_EQ(VECTOR, swept.out_nr);
	ASSERT_EQ(0, spans_free(h, 0, (void *)((char *)refs + 4), VECTOR,
				&done));
	EXPECT_EQ(VECTOR, done.out_nr);
}

/* What is swept may lie under the call's own arguments. */
TEST_F(heap, a_sweep_may_take_the_span_that_holds_its_own_arguments)
{
	struct heap *h = &self->bed.h;
	struct burrow_span_sweep *arg;
	struct burrow_span_ref s;
	int r;

	ASSERT_EQ(0, spans_alloc_swept(h, &s, 1, 1, 0));
	marks_clear(h, s.page, 1);
	arg = (void *)page_addr(h, s.page);
	memcpy(arg + 1, &s, sizeof(s));
	r = spans_sweep(h, BURROW_SWEEP_RECLAIM, (void *)(arg + 1), 1,
			(__u64 *)(arg + 2), arg);
	/* it is gone when the answer is to be written there */
	EXPECT_EQ(-EFAULT, r);
	EXPECT_EQ(0, kword(h, s.page));
}

TEST_F(heap, the_spans_of_another_heap_are_not_this_ones)
{
	struct burrow_span_ref theirs[3];
	struct heap other;
	int i;

	ASSERT_EQ(0, heap_ready(&other, 2));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, span_alloc(&other, 1, 0, &theirs[i]));
	*page_addr(&other, theirs[2].page) = 7;
	EXPECT_EQ(-ESTALE, span_free(&self->bed.h, 0, theirs[2]));
	EXPECT_EQ(-ESTALE, span_sweep(&self->bed.h, 0, theirs[2]));
	EXPECT_EQ(-ESTALE, range_reclaim(&self->bed.h, BURROW_ARENA_PAGES, 1));
	EXPECT_EQ(7, *page_addr(&other, theirs[2].page));
	EXPECT_EQ(0, span_free(&other, 0, theirs[2]));
}

TEST_HARNESS_MAIN
