// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * span: writing and reading K-words.
 *
 *	bw_core_span_alloc()	core/coreheap.c
 *	  bw_span_write()	<- here
 */
#include "coreheap.h"

u64 *bw_span_word(const struct bw_core *core, u32 page)
{
	struct bw_core_arena *a = core->arena[page >> BURROW_ARENA_PAGE_SHIFT];

	return &a->kwords[page & (BURROW_ARENA_PAGES - 1)];
}

/* Stores @word for every page of [page, page + npages). */
static void fill(struct bw_core *core, u32 page, u32 npages, u64 word)
{
	while (npages) {
		u32 n = min(npages, BURROW_ARENA_PAGES -
				    page % BURROW_ARENA_PAGES);
		u64 *to = bw_span_word(core, page);
		u32 i;

		for (i = 0; i < n; i++)
			WRITE_ONCE(to[i], word);
		page += n;
		npages -= n;
	}
}

void bw_span_write(struct bw_core *core, u32 page, u64 head)
{
	u32 npages = burrow_word_low(head);

	fill(core, page + 1, npages - 1,
	     burrow_word_body(page, burrow_word_gen(head)));
	/* pairs with the acquire load of whoever looks a span up (L2, S1) */
	smp_store_release(bw_span_word(core, page), head);
}

void bw_span_erase(struct bw_core *core, u32 page)
{
	u64 *word = bw_span_word(core, page);
	u32 npages = burrow_word_low(*word);

	WRITE_ONCE(*word, 0);
	fill(core, page + 1, npages - 1, 0);
}

static u64 with_length(u64 head, u32 npages)
{
	return head - burrow_word_low(head) + npages;
}

void bw_span_extend(struct bw_core *core, u32 page, u32 npages, u64 flags)
{
	u64 head = *bw_span_word(core, page);
	u32 had = burrow_word_low(head);

	fill(core, page + had, npages - had,
	     burrow_word_body(page, burrow_word_gen(head)));
	/* pairs with the acquire load of whoever looks a span up (S3) */
	smp_store_release(bw_span_word(core, page),
			  with_length(head, npages) | flags);
}

void bw_span_trim(struct bw_core *core, u32 page, u32 npages)
{
	u64 *word = bw_span_word(core, page);
	u32 had = burrow_word_low(*word);

	WRITE_ONCE(*word, with_length(*word, npages));
	fill(core, page + npages, had - npages, 0);
}

void bw_span_set_state(struct bw_core *core, u32 page, u32 state)
{
	u64 *word = bw_span_word(core, page);
	u64 mask = (u64)((1U << BURROW_W_STATE_BITS) - 1);

	WRITE_ONCE(*word, (*word & ~(mask << BURROW_W_STATE_SHIFT)) |
			  (u64)state << BURROW_W_STATE_SHIFT);
}

u32 bw_span_head_of(const struct bw_core *core, u32 page)
{
	u64 word = *bw_span_word(core, page);

	if (burrow_word_tag(word) == BURROW_TAG_HEAD)
		return page;
	if (burrow_word_tag(word) == BURROW_TAG_BODY)
		return burrow_word_low(word);
	return BW_NO_PAGE;
}
