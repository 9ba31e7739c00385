// SPDX-License-Identifier: MIT
/* Which span holds this address: rules L1 and L2 of burrow/layout.h. */
#include "backend/user.h"
#include "rig.h"

static struct bw_heap *heap;

static void the_span_table_answers_for_any_address(void)
{
	struct bw_span_want want = rig_want(3);
	struct burrow_span_ref ref[2];
	struct bw_span s;
	char *at;
	u64 *u;

	heap = rig_heap(1, true);
	want.cls = 5;
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, ref, 2, NULL)))
		return;
	at = bw_heap_addr(heap, ref[1].page);
	EXPECT(bw_heap_span_of(heap, at, &s) && s.page == ref[1].page);
	EXPECT(bw_heap_span_of(heap, at - 1, &s) && s.page == ref[0].page);
	EXPECT(s.cls == 5 && s.kind == BURROW_KIND_MANUAL && s.npages == 3);
	EXPECT(!bw_heap_span_of(heap, at + 3 * BURROW_PAGE_SIZE, &s));
	EXPECT(!bw_heap_span_of(heap, at + BURROW_ARENA_SIZE, &s));
	EXPECT(!bw_heap_span_of(heap, NULL, &s));
	EXPECT(!bw_heap_span_of(heap, &s, &s));
	EXPECT(!bw_heap_span_of(heap, (void *)UINTPTR_MAX, &s));
	u = bw_heap_umeta(heap, 0);
	EXPECT(u && !u[0] && !u[BURROW_UMETA_SIZE / 8 - 1]);
	u[BURROW_UMETA_SIZE / 8 - 1] = 1;
	EXPECT(!bw_heap_umeta(heap, 1));
	bw_heap_close(heap);
}

/* What a reader may meet while spans come and go; page 9 is asked about. */
static const struct row {
	const char *what;
	u64 head;		/* of page 4 */
	u64 body;		/* of page 9 */
	bool found;
} rows[] = {
	{ "nothing", 0, 0, false },
	{ "a span", 1, 1, true },
	{ "a body whose head is gone", 0, 1, false },
	{ "a body of an earlier span", 1, 2, false },
	{ "a body behind the end of its head's span", 3, 1, false },
	{ "a body whose head became a body", 4, 1, false },
	{ "a run that is being reclaimed", 5, 1, false },
	{ "a span that is being discarded", 6, 1, true },
	{ "a page that is free under a head that covers it", 1, 0, false },
};

static u64 head_word(u64 which)
{
	switch (which) {
	case 1:
		return burrow_word_head(8, 3, 2, BURROW_SPAN_LIVE, 77,
					BURROW_W_NEEDZERO);
	case 3:
		return burrow_word_head(5, 3, 2, BURROW_SPAN_LIVE, 77, 0);
	case 4:
		return burrow_word_body(2, 77);
	case 5:
		return burrow_word_head(8, 0, 0, BURROW_SPAN_RECLAIMING, 77,
					0);
	case 6:
		return burrow_word_head(8, 3, 2, BURROW_SPAN_DISCARDING, 77,
					BURROW_W_NEEDZERO);
	default:
		return 0;
	}
}

static u64 body_word(u64 which)
{
	return which ? burrow_word_body(4, which == 1 ? 77 : 76) : 0;
}

static void a_body_is_believed_only_with_its_head(void)
{
	u64 *kwords;
	u32 i;

	heap = rig_heap(1, false);
	kwords = bw_to_user(heap->be)->kwords;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bw_span s = { 0 };
		bool found;

		WRITE_ONCE(kwords[4], head_word(rows[i].head));
		WRITE_ONCE(kwords[9], body_word(rows[i].body));
		found = bw_heap_span_of(heap, bw_heap_addr(heap, 9), &s);
		if (!EXPECT(found == rows[i].found))
			printf("# %s\n", rows[i].what);
		if (found)
			EXPECT(s.page == 4 && s.npages == 8 && s.gen == 77 &&
			       s.cls == 3 && s.kind == 2 && s.needzero);
	}
	bw_heap_close(heap);
}

static void a_body_may_have_its_head_in_the_arena_before(void)
{
	struct bw_span_want want = rig_want(BURROW_ARENA_PAGES + 10);
	struct burrow_span_ref ref;
	struct bw_span s;

	want.flags = BURROW_ALLOC_LAZY;
	heap = rig_heap(2, true);
	if (!EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL)))
		return;
	EXPECT(bw_heap_span_of(heap, bw_heap_addr(heap, ref.page +
						  BURROW_ARENA_PAGES + 9),
			       &s));
	EXPECT(s.page == ref.page && s.npages == want.npages);
	EXPECT(!bw_heap_span_of(heap, bw_heap_addr(heap, ref.page +
						   BURROW_ARENA_PAGES + 10),
				&s));
	bw_heap_close(heap);
}

int main(void)
{
	TEST(the_span_table_answers_for_any_address);
	TEST(a_body_is_believed_only_with_its_head);
	TEST(a_body_may_have_its_head_in_the_arena_before);
	return tap_end();
}
