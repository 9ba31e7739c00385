// SPDX-License-Identifier: MIT
/*
 * shelf: arrays of slots that a thread freed, behind the stash of their class.
 *
 *	mcache_free()			heap/mcache.h: the stash is full
 *	  bw_stash_put()		heap/stash.c
 *	    bw_shelf_put()		<- here: most of it goes on the shelf
 *	mcache_alloc()			heap/mcache.h: it is blank, and so is the window
 *	  bw_mcache_alloc_slow()	heap/mcache.c
 *	    bw_shelf_get()		<- here: an array comes back
 *
 * Who makes many objects and frees them all goes to their spans neither time. What
 * lies here is taken for all who look elsewhere, as what is in a stash is; but it
 * does not count as live, so that the collector is due when it would be anyway. A
 * stop drops it (bw_stashes_drop()): that is one change of pointers a class, and
 * the sweep frees the slots.
 *
 * All threads together keep at most SHELVES_BYTES, each the same part of it. As one
 * gets new spans, as many bytes as they have go from its shelves to their spans: a
 * thread that is done with one size and wants another soon has nothing here.
 *
 * Rejected: full arrays for all threads, as malloc's depot has them (a lock, and a
 * stop would have to wait for it); changing places with a spare array instead of
 * keeping a quarter back (that is a second array for each class, blank mostly).
 */
#include "base/sysmem.h"
#include "mcache.h"

#define SHELVES_BYTES	(16UL << 20)	/* of slots and arrays */
#define LINK		(BW_STASH_SLOTS + 1U)
#define WORDS		(BW_STASH_SLOTS + 2U)
#define ARRAY_BYTES	(WORDS * sizeof(char *))
#define CHUNK_MOST	32768UL
#define REFUSALS	64U

/* Arrays for stashes and shelves, of which @used are; @bytes with its head. */
struct bw_stash_words {
	struct bw_stash_words *next;
	size_t bytes;
	u32 nr;
	u32 used;
	char *word[][WORDS];
};

static char **next_of(char *const *array)
{
	return (char **)(void *)array[LINK];
}

static void set_next(char **array, char **next)
{
	array[LINK] = (char *)(void *)next;
}

void bw_words_free(struct bw_mcache *c)
{
	struct bw_stash_words *chunk = c->stashes, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		bw_sys_free(chunk, chunk->bytes);
	}
}

/* A page, then more: most threads free few objects. It is ordinary memory. */
static bool chunk_add(struct bw_mcache *c)
{
	size_t bytes = c->stashes ? CHUNK_MOST : BW_SYS_PAGE;
	struct bw_stash_words *chunk = NULL;

	if (bw_mheap_has_room(c->heap))
		chunk = bw_sys_alloc(bytes);
	if (!chunk)
		return false;
	if (!bw_mheap_touch(c->heap, chunk, bytes)) {
		bw_sys_free(chunk, bytes);
		return false;
	}
	chunk->bytes = bytes;
	chunk->nr = (u32)((bytes - sizeof(*chunk)) / ARRAY_BYTES);
	chunk->next = c->stashes;
	c->stashes = chunk;
	return true;
}

/* Who is told that there is no room does without for a while. */
char **bw_words_get(struct bw_mcache *c)
{
	struct bw_stash_words *chunk = c->stashes;
	char **array = c->blank;

	if (array) {
		c->blank = next_of(array);
		return array;
	}
	if (!chunk || chunk->used == chunk->nr) {
		if (c->refused) {
			c->refused--;
			return NULL;
		}
		if (!chunk_add(c)) {
			c->refused = REFUSALS;
			return NULL;
		}
		chunk = c->stashes;
	}
	return chunk->word[chunk->nr - ++chunk->used];
}

static void words_put(struct bw_mcache *c, char **array)
{
	set_next(array, c->blank);
	c->blank = array;
}

/* Slots in an array that is on the shelf: the newest quarter stays in the stash. */
static u32 shelved(u32 size)
{
	u32 most = bw_stash_most(size);

	return most - most / 4;
}

static size_t slot_bytes(u32 size)
{
	return (size_t)shelved(size) * size;
}

static bool has_room(const struct bw_mcache *c, u32 size)
{
	size_t most = SHELVES_BYTES / max(READ_ONCE(c->heap->gc.nr_caches), 1U);

	return c->shelved + slot_bytes(size) + ARRAY_BYTES <= most;
}

bool bw_shelf_put(struct bw_mcache *c, u32 spanclass)
{
	struct bw_stash *st = &c->stash[spanclass];
	u32 most = bw_stash_most(st->size), n = shelved(st->size);
	struct bw_shelf *shelf = &c->shelf[spanclass];
	char **array;

	if (spanclass >= BW_NR_SHELVES || !has_room(c, st->size))
		return false;
	array = bw_words_get(c);
	if (!array)
		return false;
	memcpy(array + 1, st->low + 1 + n, (most - n) * sizeof(*array));
	set_next(st->low, shelf->first);
	if (!shelf->first)
		shelf->last = st->low;
	shelf->first = st->low;
	c->shelved += slot_bytes(st->size) + ARRAY_BYTES;
	bw_live_add(&c->heap->gc, -(s64)slot_bytes(st->size));
	bw_stash_use(st, array, most - n);
	return true;
}

/* The one that came last; its slots are to be live again. */
static char **take(struct bw_mcache *c, u32 spanclass)
{
	char **array = c->shelf[spanclass].first;

	if (!array)
		return NULL;
	c->shelf[spanclass].first = next_of(array);
	c->shelved -= slot_bytes(c->stash[spanclass].size) + ARRAY_BYTES;
	return array;
}

bool bw_shelf_get(struct bw_mcache *c, u32 spanclass)
{
	struct bw_stash *st = &c->stash[spanclass];
	char **array;

	if (!c->shelved || spanclass >= BW_NR_SHELVES || st->top != st->low)
		return false;
	array = take(c, spanclass);
	if (!array)
		return false;
	bw_live_add(&c->heap->gc, (s64)slot_bytes(st->size));
	words_put(c, st->low);
	bw_stash_use(st, array, shelved(st->size));
	return true;
}

static size_t flush_one(struct bw_mcache *c, u32 spanclass)
{
	u32 size = c->stash[spanclass].size, i;
	char **array = take(c, spanclass);

	if (!array)
		return 0;
	/* not bw_live_add(): nothing is allocated */
	fetch_add_relaxed(&c->heap->gc.live, (s64)slot_bytes(size));
	for (i = 1; i <= shelved(size); i++)
		bw_mcache_give(c, array[i]);
	words_put(c, array);
	return slot_bytes(size);
}

bool bw_shelves_flush(struct bw_mcache *c)
{
	bool some = c->shelved;
	u32 i;

	for (i = 0; c->shelved && i < BW_NR_SHELVES; i++)
		while (flush_one(c, i))
			;
	return some;
}

void bw_shelves_trim(struct bw_mcache *c, size_t bytes)
{
	size_t gone = 0, n;

	while (c->shelved && gone < bytes) {
		n = flush_one(c, c->shelf_at);
		gone += n;
		if (!n)
			c->shelf_at = (c->shelf_at + 1) % BW_NR_SHELVES;
	}
}

void bw_shelves_drop(struct bw_mcache *c)
{
	u32 i;

	for (i = 0; c->shelved && i < BW_NR_SHELVES; i++) {
		struct bw_shelf *shelf = &c->shelf[i];

		if (!shelf->first)
			continue;
		set_next(shelf->last, c->blank);
		c->blank = shelf->first;
		shelf->first = NULL;
	}
	c->shelved = 0;
}

bool bw_shelf_has(const struct bw_mcache *c, u32 spanclass, const char *p)
{
	char *const *array;
	u32 n, i;

	if (spanclass >= BW_NR_SHELVES)
		return false;
	n = shelved(c->stash[spanclass].size);
	for (array = c->shelf[spanclass].first; array; array = next_of(array))
		for (i = 1; i <= n; i++)
			if (array[i] == p)
				return true;
	return false;
}

/* M8 */
bool bw_shelves_are_good(const struct bw_mcache *c)
{
	size_t bytes = 0;
	u32 sc, n, i;

	for (sc = 0; sc < BW_NR_SHELVES; sc++) {
		char *const *array = c->shelf[sc].first;
		u32 size = c->stash[sc].size;

		for (; array; array = next_of(array)) {
			n = shelved(size);
			bytes += n * size + ARRAY_BYTES;
			for (i = 1; i <= n; i++)
				if (!bw_stash_slot_is_good(c, sc, array[i]))
					return false;
			if (array[0] ||
			    (!next_of(array) && array != c->shelf[sc].last))
				return false;
		}
	}
	return bytes == c->shelved;
}
