// SPDX-License-Identifier: MIT
/* Arenas of other kinds than heap, in user mode. */
#include "rig.h"

static struct bw_heap *heap;

static u64 *words(u32 page)
{
	return bw_heap_addr(heap, page);
}

static void stacks_come_from_stack_arenas_and_nothing_else_does(void)
{
	struct bw_span_want stack = {
		.npages = 3, .kind = BURROW_KIND_STACK,
	};
	struct bw_span_want other = rig_want(1);
	struct burrow_span_ref ref;
	u32 i, nr = BURROW_ARENA_PAGES;

	heap = rig_heap(1, true);
	EXPECT(bw_heap_span_alloc(heap, &stack, &ref, 1, NULL) == -ENOSPC);
	EXPECT(!bw_heap_arena_add_kind(heap, BURROW_ARENA_STACK, 1, NULL));
	EXPECT(!bw_heap_span_alloc(heap, &stack, &ref, 1, NULL));
	EXPECT(ref.page == BURROW_ARENA_PAGES);
	for (i = 0; i < BURROW_KIND_STACK; i++) {
		other.kind = (u16)i;
		EXPECT(!bw_heap_span_alloc(heap, &other, &ref, 1, NULL));
		EXPECT(ref.page < BURROW_ARENA_PAGES);
	}
	other.npages = nr - BURROW_KIND_STACK;
	other.flags = BURROW_ALLOC_LAZY;
	EXPECT(!bw_heap_span_alloc(heap, &other, &ref, 1, NULL));
	other.npages = 1;
	EXPECT(bw_heap_span_alloc(heap, &other, &ref, 1, NULL) == -ENOSPC);
	stack.npages = nr;
	EXPECT(bw_heap_span_alloc(heap, &stack, &ref, 1, NULL) == -ENOSPC);
	stack.npages = nr - 3;
	EXPECT(!bw_heap_span_alloc(heap, &stack, &ref, 1, NULL));
	stack.npages = BURROW_GUARD_PAGES;
	EXPECT(bw_heap_span_alloc(heap, &stack, &ref, 1, NULL) == -EINVAL);
	bw_heap_close(heap);
}

static void a_huge_arena_gives_and_takes_whole_units(void)
{
	struct bw_span_want want = rig_want(2 * BURROW_HUGE_PAGES);
	struct burrow_span_ref ref;
	struct burrow_range r;
	u64 frames;

	want.flags = BURROW_ALLOC_HUGE;
	want.align = 1;
	heap = rig_heap(1, true);
	EXPECT(!bw_heap_arena_add_kind(heap, BURROW_ARENA_HUGE, 1, NULL));
	EXPECT(!bw_heap_span_alloc(heap, &want, &ref, 1, NULL));
	EXPECT(ref.page == BURROW_ARENA_PAGES);
	memset(words(ref.page), 5, want.npages * BURROW_PAGE_SIZE);
	r = (struct burrow_range){ ref.page, BURROW_HUGE_PAGES - 1 };
	EXPECT(bw_heap_span_reclaim(heap, &r, 1, NULL, NULL) == -EINVAL);
	r = (struct burrow_range){ ref.page + 1, BURROW_HUGE_PAGES };
	EXPECT(bw_heap_span_reclaim(heap, &r, 1, NULL, NULL) == -EINVAL);
	r.page = ref.page + BURROW_HUGE_PAGES;
	EXPECT(!bw_heap_span_reclaim(heap, &r, 1, NULL, &frames));
	EXPECT(frames == 2 * BURROW_HUGE_PAGES);
	EXPECT(!*words(r.page) && *words(r.page - 1));
	EXPECT(!bw_heap_span_free(heap, 0, &ref, 1, NULL));
	/* about one page: that is a unit here */
	EXPECT(!bw_heap_reclaim(heap, 1, &frames));
	EXPECT(frames == BURROW_HUGE_PAGES * BURROW_PAGE_SIZE);
	bw_heap_close(heap);
}

int main(void)
{
	TEST(stacks_come_from_stack_arenas_and_nothing_else_does);
	TEST(a_huge_arena_gives_and_takes_whole_units);
	return tap_end();
}
