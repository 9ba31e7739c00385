// SPDX-License-Identifier: MIT
/* The user-mode backend, against a model that knows every page by heart. */
#include <sys/mman.h>

#include "rig.h"

#define NR_SPANS	600
#define TRACE_OPS	6000
#define ARENAS		2
#define PAGES		(ARENAS * BURROW_ARENA_PAGES)
#define NOBODY		0xffff

/* What the model says of a page. */
static u16 owner[PAGES];	/* slot in model[], or NOBODY */
static bool dirty[PAGES];	/* somebody wrote to it since it was reclaimed */

static struct model_span {
	struct burrow_span_ref ref;
	u32 npages;
	u64 stamp;		/* what its pages' first and last words hold */
} model[NR_SPANS];

static u64 seed;
static struct bw_heap *heap;

static u32 pick(u32 n)
{
	return (u32)(rig_random(&seed) % n);
}

static u64 *first_word(u32 page)
{
	return bw_heap_addr(heap, page);
}

static u64 *last_word(u32 page)
{
	return first_word(page) + BURROW_PAGE_SIZE / 8 - 1;
}

static void fill(u32 page, u32 npages, u64 stamp)
{
	u32 i;

	for (i = 0; i < npages; i++) {
		*first_word(page + i) = stamp + i;
		*last_word(page + i) = ~(stamp + i);
		dirty[page + i] = true;
	}
}

static bool page_is_zero(u32 page)
{
	const u64 *w = first_word(page);
	u32 i;

	for (i = 0; i < BURROW_PAGE_SIZE / 8; i++)
		if (w[i])
			return false;
	return true;
}

/* The lowest run of @npages free pages at a multiple of @align, or PAGES. */
static u32 model_find(u32 npages, u32 align)
{
	u32 at, i;

	for (at = 0; at + npages <= PAGES; at += align) {
		for (i = 0; i < npages && owner[at + i] == NOBODY; i++)
			;
		if (i == npages)
			return at;
	}
	return PAGES;
}

static bool any_dirty(u32 page, u32 npages)
{
	u32 i;

	for (i = 0; i < npages; i++)
		if (dirty[page + i])
			return true;
	return false;
}

static void check_span(const struct model_span *m, u32 page)
{
	struct bw_span s;

	if (!EXPECT(bw_heap_span_of(heap, first_word(page), &s)))
		return;
	EXPECT(s.page == m->ref.page && s.gen == m->ref.gen &&
	       s.npages == m->npages);
}

static void trace_alloc(u32 slot)
{
	static const u32 aligns[] = { 0, 0, 0, 1, 2, 16, 512, 4096 };
	u32 big = pick(16) ? 40 : 3000;
	struct bw_span_want want = rig_want(1 + pick(big));
	struct model_span *m = &model[slot];
	struct bw_span s;
	u32 at, i;
	int err;

	want.align = aligns[pick(ARRAY_SIZE(aligns))];
	want.flags = pick(3) ? 0 : BURROW_ALLOC_LAZY;
	at = model_find(want.npages, max(want.align, 1U));
	err = bw_heap_span_alloc(heap, &want, &m->ref, 1, NULL);
	if (at == PAGES) {
		EXPECT(err == -ENOSPC);
		return;
	}
	if (!EXPECT(!err) || !EXPECT(m->ref.page == at))
		return;
	m->npages = want.npages;
	EXPECT(bw_heap_span_of(heap, bw_heap_addr(heap, at), &s));
	if (any_dirty(at, m->npages))
		EXPECT(s.needzero);
	if (!s.needzero)
		for (i = 0; i < m->npages; i++)
			EXPECT(page_is_zero(at + i));
	for (i = 0; i < m->npages; i++)
		owner[at + i] = (u16)slot;
	m->stamp = rig_random(&seed);
	fill(at, m->npages, m->stamp);
	check_span(m, at + pick(m->npages));
}

static void trace_free(u32 slot)
{
	u32 flags = pick(4) ? 0 : BURROW_FREE_RECLAIM, i;
	struct model_span *m = &model[slot];
	u32 page = m->ref.page;

	for (i = 0; i < m->npages; i++) {
		owner[page + i] = NOBODY;
		EXPECT(*first_word(page + i) == m->stamp + i);
		EXPECT(*last_word(page + i) == ~(m->stamp + i));
	}
	EXPECT(!bw_heap_span_free(heap, flags, &m->ref, 1, NULL));
	EXPECT(bw_heap_span_free(heap, flags, &m->ref, 1, NULL) == -ESTALE);
	if (flags)
		memset(&dirty[page], 0, m->npages);
	m->npages = 0;
}

static void trace_discard(u32 slot)
{
	struct model_span *m = &model[slot];
	struct burrow_range r = { m->ref.page, m->npages };
	u32 i;

	EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, NULL));
	for (i = 0; i < m->npages; i++)
		EXPECT(page_is_zero(r.page + i));
	m->stamp = rig_random(&seed);
	fill(r.page, m->npages, m->stamp);
	r.npages++;
	if (r.page + r.npages <= PAGES)
		EXPECT(bw_heap_span_reclaim(heap, &r, 1, NULL, NULL) ==
		       -ESTALE);
}

static void trace_reclaim_a_hole(void)
{
	struct burrow_range r = { pick(PAGES), 0 };

	while (r.page + r.npages < PAGES &&
	       owner[r.page + r.npages] == NOBODY)
		r.npages++;
	if (!r.npages)
		return;
	EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, NULL));
	memset(&dirty[r.page], 0, r.npages);
}

static void expect_counts(void)
{
	u64 live = 0, spans = 0, i;
	struct burrow_heap_stats s;

	for (i = 0; i < NR_SPANS; i++) {
		live += model[i].npages;
		spans += model[i].npages != 0;
	}
	EXPECT(!bw_heap_stats(heap, &s));
	EXPECT(s.out_spans == spans && s.out_pages_live == live);
	EXPECT(s.out_pages_free == PAGES - live);
	EXPECT(s.out_frames <= 2 * (live + s.out_pages_lazy));
	EXPECT(s.out_nr_alloc - s.out_nr_free == spans);
	EXPECT(!bw_heap_check(heap));
}

static void a_random_trace_does_what_the_model_says(void)
{
	u32 op, i;

	seed = tap_seed(20240607);
	heap = rig_heap(ARENAS, false);
	for (i = 0; i < PAGES; i++)
		owner[i] = NOBODY;
	for (op = 0; op < TRACE_OPS && !tap_bad_here; op++) {
		u32 slot = pick(NR_SPANS);

		if (!model[slot].npages)
			trace_alloc(slot);
		else if (pick(5))
			trace_free(slot);
		else
			trace_discard(slot);
		if (!pick(16))
			trace_reclaim_a_hole();
		if (!pick(64))
			expect_counts();
	}
	if (tap_bad_here)
		printf("# at operation %u\n", op);
	bw_heap_close(heap);
}

static void a_span_is_zero_until_somebody_wrote_there(void)
{
	struct bw_span_want want = rig_want(64);
	struct burrow_span_ref ref;
	struct bw_span s;
	u32 round, i;

	heap = rig_heap(1, true);
	for (round = 0; round < 3; round++) {
		if (!EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL)))
			return;
		EXPECT(bw_heap_span_of(heap, first_word(ref.page), &s));
		EXPECT(s.needzero == (round == 1));
		for (i = 0; i < 64; i++)
			EXPECT(round == 1 || page_is_zero(ref.page + i));
		memset(first_word(ref.page), 0xa5, 64 * BURROW_PAGE_SIZE);
		EXPECT(!bw_heap_span_free(heap, round ? BURROW_FREE_RECLAIM : 0,
					  &ref, 1, NULL));
	}
	bw_heap_close(heap);
}

static u64 frames_at(u32 page, u32 npages)
{
	unsigned char in_core[512];
	u64 n = 0;
	u32 i;

	EXPECT(!mincore(first_word(page), npages * BURROW_PAGE_SIZE, in_core));
	for (i = 0; i < npages * 2; i++)
		n += in_core[i] & 1;
	return n;
}

static void pages_are_there_when_alloc_returns_unless_it_is_lazy(void)
{
	struct bw_span_want want = rig_want(200);
	struct burrow_span_ref eager, lazy;
	struct burrow_heap_stats s;

	heap = rig_heap(1, true);
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, &eager, 1, NULL)))
		return;
	EXPECT(frames_at(eager.page, 200) == 400);
	EXPECT(!bw_heap_stats(heap, &s) && s.out_frames == 400);
	want.flags = BURROW_ALLOC_LAZY;
	want.align = 512;	/* out of the reach of a huge page */
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, &lazy, 1, NULL)))
		return;
	EXPECT(frames_at(lazy.page, 200) == 0);
	*first_word(lazy.page) = 1;
	EXPECT(frames_at(lazy.page, 200) > 0);
	/* an eager one in the place of an untouched lazy one */
	EXPECT(!bw_heap_span_free(heap, 0, &lazy, 1, NULL));
	want.flags = 0;
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, &lazy, 1, NULL)))
		return;
	EXPECT(frames_at(lazy.page, 200) == 400);
	bw_heap_close(heap);
}

static void a_batch_that_stops_early_says_how_far_it_came(void)
{
	struct bw_span_want want = rig_want(1000);
	struct burrow_span_ref ref[16], bad[3];
	struct burrow_range r[3];
	struct bw_span s;
	u64 frames;
	u32 done;

	heap = rig_heap(1, true);
	EXPECT(bw_heap_span_alloc(heap, &want, ref, 16, &done) == -ENOSPC);
	EXPECT(done == 8);
	EXPECT(bw_heap_span_alloc(heap, &want, ref, 1, &done) == -ENOSPC);
	EXPECT(done == 0);
	bad[0] = ref[0];
	bad[1] = ref[0];
	bad[2] = ref[1];
	EXPECT(bw_heap_span_free(heap, 0, bad, 3, &done) == -ESTALE);
	EXPECT(done == 1);
	EXPECT(bw_heap_span_of(heap, first_word(ref[1].page), &s));
	EXPECT(bw_heap_span_free(heap, 0, bad, 1, &done) == -ESTALE);
	EXPECT(done == 0);
	r[0] = (struct burrow_range){ ref[1].page + 1, 5 };
	r[1] = (struct burrow_range){ ref[1].page + 7, 5 };
	r[2] = (struct burrow_range){ ref[1].page, 1001 };
	EXPECT(bw_heap_span_reclaim(heap, r, 3, &done, &frames) == -ESTALE);
	EXPECT(done == 2 && frames == 20);
	r[0] = (struct burrow_range){ 0, 0 };
	EXPECT(bw_heap_span_reclaim(heap, r, 1, &done, &frames) == -EINVAL);
	r[0] = (struct burrow_range){ 0, ~0U };
	EXPECT(bw_heap_span_reclaim(heap, r, 1, &done, &frames) == -EINVAL);
	EXPECT(bw_heap_span_alloc(heap, &want, ref, 0, &done) == -EINVAL);
	EXPECT(bw_heap_span_free(heap, 0, ref, 0, &done) == -EINVAL);
	EXPECT(bw_heap_span_free(heap, 2, ref, 1, &done) == -EOPNOTSUPP);
	bw_heap_close(heap);
}

static void a_vector_may_be_longer_than_the_backend_takes(void)
{
	static struct burrow_span_ref ref[BURROW_ARENA_PAGES + 1];
	struct bw_span_want want = rig_want(1);
	u32 done, i;

	heap = rig_heap(1, false);
	EXPECT(ARRAY_SIZE(ref) > heap->be->max_batch);
	EXPECT(bw_heap_span_alloc(heap, &want, ref, BURROW_ARENA_PAGES + 1,
				  &done) == -ENOSPC);
	EXPECT(done == BURROW_ARENA_PAGES);
	for (i = 0; i < done; i++)
		EXPECT(ref[i].page == i);
	EXPECT(!bw_heap_span_free(heap, BURROW_FREE_RECLAIM, ref, done,
				  &done));
	EXPECT(done == BURROW_ARENA_PAGES);
	EXPECT(!bw_heap_check(heap));
	bw_heap_close(heap);
}

static void arguments_out_of_range_are_refused_as_the_module_does(void)
{
	static const struct {
		struct bw_span_want want;
		int err;
	} rows[] = {
		{ { .npages = 0 }, -EINVAL },
		{ { .npages = BURROW_MAX_PAGES }, -EINVAL },
		{ { .npages = BURROW_MAX_PAGES - 1 }, -ENOSPC },
		{ { .npages = 1, .align = 3 }, -EINVAL },
		{ { .npages = 1, .align = BURROW_MAX_PAGES }, -EINVAL },
		{ { .npages = 1, .cls = BURROW_NR_CLASSES }, -EINVAL },
		{ { .npages = 1, .kind = BURROW_NR_KINDS }, -EOPNOTSUPP },
		{ { .npages = 2, .kind = BURROW_KIND_STACK }, -EINVAL },
		{ { .npages = 1, .flags = 8 }, -EOPNOTSUPP },
		{ { .npages = 1, .flags = BURROW_ALLOC_UWORDS }, 0 },
		{ { .npages = 1, .flags = BURROW_ALLOC_HUGE }, -EINVAL },
		{ { .npages = 257, .flags = BURROW_ALLOC_HUGE }, -EINVAL },
		{ { .npages = 256, .flags = BURROW_ALLOC_HUGE }, -ENOSPC },
		{ { .npages = 256, .kind = BURROW_KIND_STACK,
		    .flags = BURROW_ALLOC_HUGE }, -EINVAL },
		{ { .npages = 1, .cls = 67, .kind = 3, .align = 64 }, 0 },
	};
	struct burrow_span_ref ref;
	u32 i, index;

	heap = rig_heap(1, true);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (!EXPECT(bw_heap_span_alloc(heap, &rows[i].want, &ref, 1,
					       NULL) == rows[i].err))
			printf("# row %u\n", i);
	EXPECT(bw_heap_arena_add(heap, 0, &index) == -EEXIST);
	EXPECT(bw_heap_arena_add(heap, 4, &index) == -EINVAL);
	EXPECT(!bw_heap_arena_add(heap, 2, &index) && index == 2);
	EXPECT(!bw_heap_arena_add(heap, BURROW_ARENA_ANY, &index) &&
	       index == 1);
	EXPECT(!bw_heap_arena_add(heap, BURROW_ARENA_ANY, NULL));
	EXPECT(bw_heap_arena_add(heap, BURROW_ARENA_ANY, &index) == -ENOSPC);
	EXPECT(bw_heap_arena_add_kind(heap, BURROW_NR_ARENA_KINDS, 0,
				      &index) == -EOPNOTSUPP);
	bw_heap_close(heap);
}

static void write_a_kword(void *arg)
{
	u64 *kwords;

	heap = rig_heap(1, false);
	kwords = (u64 *)(void *)bw_window_kmeta(&heap->be->window, 0);
	WRITE_ONCE(kwords[0], 1);
}

static void touch_an_absent_arena(void *arg)
{
	heap = rig_heap(1, false);
	WRITE_ONCE(*first_word(BURROW_ARENA_PAGES), 1);
}

/* A sanitizer turns the signal into an exit of its own. */
static bool died_of_a_touch(int status, const char *said)
{
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) ||
	       strstr(said, "SEGV");
}

static void a_store_to_K_words_or_an_absent_arena_is_SIGSEGV(void)
{
	char said[600];
	int status;

	heap = rig_heap(1, false);
	status = rig_child(write_a_kword, NULL, said, sizeof(said));
	EXPECT(died_of_a_touch(status, said));
	status = rig_child(touch_an_absent_arena, NULL, said, sizeof(said));
	EXPECT(died_of_a_touch(status, said));
	bw_heap_close(heap);
}

static void break_the_core(void *arg)
{
	struct bw_span_want want = rig_want(1);
	struct burrow_span_ref ref;

	heap = rig_heap(1, true);
	bw_heap_span_alloc(heap, &want, &ref, 1, NULL);
	/* behind its back: a second head where a free page is */
	mprotect(bw_window_kmeta(&heap->be->window, 0), BURROW_KMETA_SIZE,
		 PROT_READ | PROT_WRITE);
	((u64 *)(void *)bw_window_kmeta(&heap->be->window, 0))[9] = ~0ULL;
	bw_heap_span_alloc(heap, &want, &ref, 1, NULL);
}

static void verify_ends_a_process_whose_heap_is_broken(void)
{
	char said[400];

	EXPECT(rig_aborted(rig_child(break_the_core, NULL, said,
				     sizeof(said))));
	EXPECT(strstr(said, "verify: invariant 12"));
}

int main(void)
{
	TEST(a_random_trace_does_what_the_model_says);
	TEST(a_span_is_zero_until_somebody_wrote_there);
	TEST(pages_are_there_when_alloc_returns_unless_it_is_lazy);
	TEST(a_batch_that_stops_early_says_how_far_it_came);
	TEST(a_vector_may_be_longer_than_the_backend_takes);
	TEST(arguments_out_of_range_are_refused_as_the_module_does);
	TEST(a_store_to_K_words_or_an_absent_arena_is_SIGSEGV);
	TEST(verify_ends_a_process_whose_heap_is_broken);
	return tap_end();
}
