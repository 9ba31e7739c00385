// SPDX-License-Identifier: MIT
/* mspan: see mspan.h */
#include "mspan.h"
#include "base/throw.h"

struct bw_mspan bw_mspan_none = { .window = BW_NO_WINDOW };

static const char *const state_name[BW_NR_MSPAN_STATES] = {
	[BW_MSPAN_FREE] = "free",
	[BW_MSPAN_SPARE] = "spare",
	[BW_MSPAN_OWNED] = "owned",
	[BW_MSPAN_CACHED] = "cached",
	[BW_MSPAN_PARTIAL] = "partial",
	[BW_MSPAN_FULL] = "full",
	[BW_MSPAN_AWAY] = "away",
	[BW_MSPAN_LARGE] = "large",
};

static const char *const kind_name[BURROW_NR_KINDS] = {
	[BURROW_KIND_NOSCAN] = "noscan",
	[BURROW_KIND_SCAN] = "scan",
	[BURROW_KIND_CONSERVATIVE] = "conservative",
	[BURROW_KIND_MANUAL] = "manual",
	[BURROW_KIND_STACK] = "stack",
};

const char *bw_mspan_state_name(u32 state)
{
	return state < BW_NR_MSPAN_STATES ? state_name[state] : "?";
}

const char *bw_kind_name(u32 kind)
{
	return kind < BURROW_NR_KINDS ? kind_name[kind] : "?";
}

void bw_mspan_format(struct bw_mspan *s, u32 nelems, u64 elem_size,
		     u32 divmul)
{
	u32 w;

	s->nelems = (u16)nelems;
	s->elem_size = elem_size;
	s->divmul = divmul;
	s->nalloc = 0;
	WRITE_ONCE(s->special, 0);
	for (w = 0; w < bw_mspan_words(s); w++)
		WRITE_ONCE(s->alloc[w], 0);
}

/*
 * The owner moves the window as unload() and load() of mcache.c do: @alloc of
 * the old one, BW_NO_WINDOW, the bits of the new one, its number. Whoever reads
 * the same number twice had its bits between.
 */
bool bw_mspan_is_allocated(const struct bw_mspan *s, u32 i)
{
	u32 before, after;
	u64 bits;

	do {
		before = bw_published(&s->window);
		bits = bw_published(&s->free_bits);
		if ((before & BW_NO_WINDOW) != i / 64)
			bits = ~bw_published(&s->alloc[i / 64]);
		after = READ_ONCE(s->window);
	} while (before != after);
	return !(bits >> (i % 64) & 1);
}

u32 bw_mspan_count_locked(const struct bw_mspan *s)
{
	u32 w, n = 0;

	for (w = 0; w < bw_mspan_words(s); w++) {
		u64 bits = READ_ONCE(s->alloc[w]);

		if ((READ_ONCE(s->window) & BW_NO_WINDOW) == w)
			bits = ~READ_ONCE(s->free_bits) & bw_mspan_mask(s, w);
		n += (u32)__builtin_popcountll(bits);
	}
	return n - min(n, READ_ONCE(s->nr_freed));
}

static u32 count_bits(const u64 *words, u32 nr)
{
	u32 w, n = 0;

	for (w = 0; w < nr; w++)
		n += (u32)__builtin_popcountll(READ_ONCE(words[w]));
	return n;
}

/* What can be seen while the owner goes on; its own part is mcache_check(). */
int bw_mspan_check_locked(const struct bw_mspan *s)
{
	u32 words = bw_mspan_words(s);
	bool cached = s->state == BW_MSPAN_CACHED;

	if (!cached && (READ_ONCE(s->free_bits) ||
			(s->window & BW_NO_WINDOW) != BW_NO_WINDOW))
		return 1;
	if (cached != !!READ_ONCE(s->cache))
		return 2;
	if (count_bits(s->freed, words) != s->nr_freed)
		return 2;
	if (!cached && s->nr_freed)
		return 2;
	if ((s->state == BW_MSPAN_PARTIAL || s->state == BW_MSPAN_FULL ||
	     s->state == BW_MSPAN_AWAY) &&
	    (count_bits(s->alloc, words) != s->nalloc ||
	     READ_ONCE(s->alloc[words - 1]) & ~bw_mspan_mask(s, words - 1)))
		return 3;
	if (s->state == BW_MSPAN_FULL && s->nalloc != s->nelems)
		return 3;
	if (s->state == BW_MSPAN_PARTIAL && s->nalloc == s->nelems)
		return 3;
	return 0;
}

void bw_mspan_bad_free(const struct bw_mspan *s, const void *p,
		       const char *why)
{
	size_t off = (size_t)((const char *)p - s->base);

	bw_fatal("bw_free(%p): %s: byte %zu of slot %zu, class %u (%llu bytes, "
		 "%s), in the %s span of %u pages at %p", p, why,
		 off % s->elem_size, off / s->elem_size, s->cls,
		 (unsigned long long)s->elem_size, bw_kind_name(s->kind),
		 bw_mspan_state_name(READ_ONCE(s->state)), s->npages, s->base);
}
