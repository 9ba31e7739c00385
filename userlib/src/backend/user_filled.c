// SPDX-License-Identifier: MIT
/*
 * user_filled: pages that need not be populated again.
 *
 *	bw_user_span_alloc()		backend/user_span.c
 *	bw_user_span_resize()		backend/user_resize.c
 *	  bw_filled_missing_locked()	<- here: what of it has to be
 *	    bw_frames_populate()	backend/user_frame.c, without the lock
 *	  bw_filled_set_locked()	<- here
 *
 * To populate what is there costs a system call that looks at each page of it: a
 * third of the time of a program whose spans come and go. *Resident* (core/coreheap.h)
 * does not say that a page is there: it is set for all that a span has, touched or
 * not (U2 in user.h). So there is a bit for those that were populated, as long as
 * their frames stay: Q1 and Q2 in user.h.
 *
 * Rejected: noting what was touched (nobody tells us); asking mincore(), which is a
 * call and a look at each page, too.
 */
#include "user.h"

static struct bw_user_arena *arena_of(const struct bw_user *u, u32 page)
{
	return container_of(u->core.arena[page >> BURROW_ARENA_PAGE_SHIFT],
			    struct bw_user_arena, core);
}

/**
 * struct bits - of pages side by side, in one word			[caller]
 * @word:	of @filled
 * @mask:	which
 * @n:		how many
 */
struct bits {
	u64 *word;
	u64 mask;
	u32 n;
};

/* Those of @page and of the pages behind it in its word, at most @npages. */
static struct bits bits_of(const struct bw_user *u, u32 page, u32 npages)
{
	u32 bit = page % 64, n = min(64 - bit, npages);

	return (struct bits){
		&arena_of(u, page)->filled[page % BURROW_ARENA_PAGES / 64],
		(n == 64 ? ~0ULL : (1ULL << n) - 1) << bit, n,
	};
}

void bw_filled_set_locked(struct bw_user *u, u32 page, u32 npages)
{
	struct bits b;

	for (; npages; page += b.n, npages -= b.n) {
		b = bits_of(u, page, npages);
		*b.word |= b.mask;
	}
}

void bw_filled_clear_locked(struct bw_user *u, u32 page, u32 npages)
{
	struct bits b;

	for (; npages; page += b.n, npages -= b.n) {
		b = bits_of(u, page, npages);
		*b.word &= ~b.mask;
	}
}

struct bw_missing bw_filled_missing_locked(const struct bw_user *u, u32 page,
					   u32 npages)
{
	struct bw_missing m = { page, 0 };
	struct bits b;
	u64 none;

	for (; npages; page += b.n, npages -= b.n) {
		b = bits_of(u, page, npages);
		none = (~*b.word & b.mask) >> (page % 64);
		if (!none)
			continue;
		if (!m.npages)
			m.page = page + env_ctz(none);
		m.npages = page + 64 - env_clz(none) - m.page;
	}
	return m;
}

void bw_filled_forget_locked(struct bw_user *u)
{
	u32 i;

	for (i = 0; i < u->core.nr_arenas; i++)
		if (u->core.arena[i])
			bw_filled_clear_locked(u, i << BURROW_ARENA_PAGE_SHIFT,
					       BURROW_ARENA_PAGES);
}

bool bw_filled_are_good_locked(const struct bw_user *u)
{
	const struct bw_user_arena *a;
	u32 i, w;

	for (i = 0; i < u->core.nr_arenas; i++) {
		if (!u->core.arena[i])
			continue;
		a = arena_of(u, i << BURROW_ARENA_PAGE_SHIFT);
		for (w = 0; w < BW_ARENA_WORDS; w++)
			if (a->filled[w] & ~a->core.resident[w])
				return false;
	}
	return true;
}
