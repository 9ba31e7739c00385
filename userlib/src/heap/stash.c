// SPDX-License-Identifier: MIT
/*
 * stash: the slots of a class that a thread freed last, and that it takes first.
 *
 *	mcache_free()			heap/mcache.h: on top of it
 *	  bw_mcache_free_slow()		heap/mcache_free.c
 *	    bw_stash_put()		<- here: the first one, or one too many
 *	      bw_shelf_put()		heap/shelf.c: most of them go there ...
 *	      bw_mcache_give()		heap/mcache_free.c: ... or the oldest to spans
 *	mcache_alloc()			heap/mcache.h: from the top of it
 *
 * A slot in a stash is taken as far as its span knows. So neither a free nor the
 * allocation that takes it again looks at the span, whoever has it.
 *
 * What is freed twice is told from the first word of the slot (bw_freed_word()):
 * who finds it there looks through the stash. It may be chance, or left from a
 * time before the slot was allocated without being zeroed; and the slot may be in
 * the stash of another thread: then it goes to its span at once, which knows each
 * slot that came back, or will when the other one's does.
 *
 * Rejected: a bit for each slot in a stash (two more multiplications and a load that
 * waits for them); slots linked through their first word (what the collector finds
 * by an old pointer would keep all that was freed before it); magazines for all
 * threads, as malloc has (their slots would have to be looked through in each
 * stop, or belong to nobody after it).
 */
#include "mcache.h"

char *bw_stash_none[1];

void bw_stashes_init(struct bw_mcache *c)
{
	u32 i;

	c->base = c->map->base;
	c->classes = c->map->classes;
	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		const struct bw_sizeclass *sc =
			&bw_sizeclass[i % BURROW_NR_CLASSES];

		c->stash[i].divmul = sc->divmul;
		c->stash[i].size = sc->size;
	}
}

static bool has(const struct bw_mcache *c, u32 spanclass, const char *p)
{
	const struct bw_stash *st = &c->stash[spanclass];
	char *const *at;

	for (at = st->top; at != st->low; at--)
		if (*at == p)
			return true;
	return bw_shelf_has(c, spanclass, p);
}

static bool first_one(struct bw_mcache *c, struct bw_stash *st)
{
	char **array = bw_words_get(c);

	if (array)
		bw_stash_use(st, array, 0);
	return array;
}

/* The oldest half goes to spans. */
static void make_room(struct bw_mcache *c, struct bw_stash *st)
{
	u32 nr = (u32)(st->end - st->low + 1) / 2, i;

	for (i = 1; i <= nr; i++)
		bw_mcache_give(c, st->low[i]);
	st->top -= nr;
	memmove(st->low + 1, st->low + 1 + nr,
		(size_t)(st->top - st->low) * sizeof(*st->low));
}

bool bw_stash_put(struct bw_mcache *c, struct bw_mspan *s, u32 i, char *p)
{
	struct bw_stash *st = &c->stash[s->spanclass];
	u64 *word = (u64 *)(void *)p;

	if (c->heap->hooks || READ_ONCE(c->heap->gc.marking))
		return false;
	c->nr_pages = bw_window_pages(&c->heap->be->window);
	if (READ_ONCE(s->special))
		return false;
	if (!bw_mspan_is_allocated(s, i))
		return false;
	if (unlikely(*word == bw_freed_word(p))) {
		if (has(c, s->spanclass, p))
			bw_mspan_bad_free(s, p, "it was freed before");
		return false;
	}
	if (st->low == bw_stash_none && !first_one(c, st))
		return false;
	if (st->top == st->end && !bw_shelf_put(c, s->spanclass))
		make_room(c, st);
	*word = bw_freed_word(p);
	*++st->top = p;
	return true;
}

bool bw_stashes_flush(struct bw_mcache *c)
{
	bool some = bw_shelves_flush(c);
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++) {
		struct bw_stash *st = &c->stash[i];

		some |= st->top != st->low;
		while (st->top != st->low)
			bw_mcache_give(c, *st->top--);
	}
	return some;
}

void bw_stashes_drop(struct bw_mcache *c)
{
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++)
		c->stash[i].top = c->stash[i].low;
	bw_shelves_drop(c);
}

bool bw_stash_slot_is_good(const struct bw_mcache *c, u32 spanclass,
			   const char *p)
{
	struct bw_mspan *s = bw_map_find(c->map, p);
	s32 i;

	if (!s || s->spanclass != spanclass)
		return false;
	i = bw_mspan_index(s, p);
	return i >= 0 && bw_mspan_is_allocated(s, (u32)i) &&
	       *(const u64 *)(const void *)p == bw_freed_word(p);
}

static bool stash_is_good(const struct bw_mcache *c, u32 spanclass)
{
	const struct bw_stash *st = &c->stash[spanclass];
	char *const *at;

	if (*st->low)
		return false;
	if (st->top < st->low || st->top > st->end)
		return false;
	for (at = st->low + 1; at <= st->top; at++)
		if (!bw_stash_slot_is_good(c, spanclass, *at))
			return false;
	return true;
}

bool bw_stashes_are_good(const struct bw_mcache *c)
{
	u32 i;

	for (i = 0; i < BW_NR_SPANCLASSES; i++)
		if (!stash_is_good(c, i))
			return false;
	return true;
}
