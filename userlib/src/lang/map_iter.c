// SPDX-License-Identifier: MIT
/*
 * map_iter: each entry once, while the map may change (map.h: the road).
 *
 *	bw_map_next()		burrow/map_probe.h	while none is gone
 *	bw_map_next_slow()	the next stretch; those of one where some are gone
 *
 * Tables are gone through in the order of their hashes' first bits, from a random one
 * on, each from the same stretch on, which is random, and each stretch from a slot
 * that is random for its table. A stretch is 64 slots, or a table that has fewer: of
 * which there are keys is one word, looked at once. A table is left behind together
 * with all the bits that it stood for when it was entered: keys that have these were
 * had or were not there. If it is replaced meanwhile, it still tells which keys there
 * were (T5), and the map, which of them are there and where.
 *
 * I1. @pos is where the next table's bits begin; when it is @first, that was all.
 *     Tables only get more bits, so none has bits from before and behind @first.
 * I2. @full is which of the stretch had keys when @gone was the map's, of those that
 *     are still to come, the first one at @turn; of a stale table they are @rest, and
 *     each is looked up.
 */
#include "caller.h"
#include "map.h"

static u64 next_random(struct bw_map_iter *it)
{
	it->random = it->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return it->random >> 33;
}

#define STRETCH		4U		/* windows: a word has a bit for each slot */
#define AHEAD		4U		/* stretches */
#define FAR		5U		/* maps of 32 tables are in no near cache */

/* Of a table, - 1. */
static inline u32 stretch_mask(const struct bw_map_table *t)
{
	return t->mask / STRETCH;
}

/*
 * A window's slots are read soon. Those that are taken are most often its first: what
 * is behind the last of them is not asked for, as only so many lines may be on their
 * way. Always inline: gcc leaves out calls of a function that does nothing but this.
 */
BW_MAP_INLINE void fetch(const struct bw_map *m, const struct bw_map_table *t,
			 u32 window)
{
	u32 full = bw_window_full(bw_map_window(t, window)), bytes, i;
	const char *slot = bw_map_slot(m, t, window * BW_WINDOW);

	if (!full)
		return;
	bytes = min((32 - (u32)__builtin_clz(full)) * m->stride, 512U);
	for (i = 0; i < bytes; i += 64)
		__builtin_prefetch(slot + i);
}

/*
 * What is read in a while is in this table, or in the next, which is begun at the
 * same stretch.
 */
BW_MAP_INLINE void fetch_ahead(const struct bw_map_iter *it)
{
	const struct bw_map_table *t = it->table;
	u32 at = it->stretch + AHEAD, i;

	if (unlikely(it->left < AHEAD)) {
		t = bw_map_table_at(it->map, it->pos);
		at = it->start + AHEAD - it->left;
	}
	at = (at & stretch_mask(t)) * STRETCH;
	for (i = at; i <= t->mask && i < at + STRETCH; i++)
		fetch(it->map, t, i);
}

static void enter(struct bw_map_iter *it)
{
	struct bw_map_table *t = bw_map_table_at(it->map, it->pos);
	const struct bw_map_table *next;
	u32 i;

	/* who replaces it leaves it to us; others may say so, too */
	if (!READ_ONCE(t->seen))
		WRITE_ONCE(t->seen, true);
	it->table = t;
	/* 0: all there are */
	it->size = t->depth ? 1ULL << (64 - t->depth) : 0;
	it->pos &= ~(it->size - 1);
	it->stretch = it->start & stretch_mask(t);
	it->left = stretch_mask(t) + 1;
	it->wrap = min(t->mask + 1, STRETCH) * BW_WINDOW - 1;
	it->turn = next_random(it) & it->wrap;
	/* all of the control bytes of the one after it */
	next = bw_map_table_at(it->map, it->pos + it->size);
	for (i = 0; i <= BW_MAP_SLOTS; i += 64)
		__builtin_prefetch((const char *)next + i);
}

void bw_map_iter_begin(struct bw_map_iter *it, const struct bw_map *m)
{
	memset(it, 0, sizeof(*it));
	if (!m || !m->nr)
		return;
	bw_map_read_begin(m, "it is iterated over and changed at a time");
	it->map = m;
	it->stride = m->stride;
	it->value_at = m->value_at;
	it->random = (u64)bw_caller_random() << 32 | bw_caller_random();
	it->pos = it->random;
	it->start = (u32)next_random(it);
	enter(it);
	it->first = it->pos;
	it->pos += it->size;
}

/* Which of the stretch's slots have keys, the first one at @turn. */
static u64 full_of(const struct bw_map_iter *it)
{
	const u8 *ctrl = bw_map_window(it->table, it->stretch * STRETCH);
	u64 full = 0;
	u32 i;

	for (i = 0; i <= it->wrap; i += BW_WINDOW)
		full |= (u64)bw_window_full(ctrl + i) << i;
	/* what is shifted out of the word or of a shorter stretch is 0, or cut off */
	return (full >> it->turn | full << 1 << (it->wrap - it->turn)) &
	       ~0ULL >> (63 - it->wrap);
}

/* I2, from now on: those of @full that are still there. */
static void take(struct bw_map_iter *it, u64 full)
{
	bool stale = it->table->stale;

	it->gone = it->map->gone;
	it->full = stale ? 0 : full;
	it->rest = stale ? full : 0;
}

/* The next stretch with keys in it. */
static bool next_stretch(struct bw_map_iter *it)
{
	u64 full;

	do {
		if (!it->left) {
			if (it->pos == it->first)
				return false;
			enter(it);
			it->pos += it->size;
		}
		it->stretch = (it->stretch + 1) & stretch_mask(it->table);
		it->left--;
		if (it->map->depth >= FAR)
			fetch_ahead(it);
		full = full_of(it);
	} while (!full);
	it->slots = bw_map_slot(it->map, it->table,
				it->stretch * STRETCH * BW_WINDOW);
	take(it, full);
	return true;
}

/* Of a table that was replaced: the next that is still in the map, or NULL. */
static char *next_of_stale(struct bw_map_iter *it)
{
	char *slot = NULL;
	u32 i;

	while (it->rest && !slot) {
		i = ((u32)__builtin_ctzll(it->rest) + it->turn) & it->wrap;
		it->rest &= it->rest - 1;
		slot = bw_map_find_any(it->map,
				       it->slots + (size_t)i * it->stride);
	}
	return slot;
}

static bool end(struct bw_map_iter *it)
{
	it->map = NULL;
	it->table = NULL;
	it->key = NULL;
	it->value = NULL;
	return false;
}

bool bw_map_next_slow(struct bw_map_iter *it)
{
	const struct bw_map *m = it->map;
	char *slot = NULL;

	if (unlikely(!m))
		return false;
	bw_map_read_begin(m, "it is iterated over and changed at a time");
	if (unlikely(it->gone != m->gone) && (it->full | it->rest))
		take(it, (it->full | it->rest) & full_of(it));
	while (!slot) {
		if (!it->full && !it->rest && !next_stretch(it))
			return end(it);
		if (it->full)
			return bw_map_next(it);
		slot = next_of_stale(it);
	}
	it->key = slot;
	it->value = slot + m->value_at;
	return true;
}
