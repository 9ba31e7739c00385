// SPDX-License-Identifier: MIT
/*
 * map_iter: each entry once, while the map may change (map.h: the road).
 *
 * Tables are gone through in the order of their hashes' first bits, from a random one
 * on, each from the same window on, which is random, and each window from a slot that
 * is random for its table. A table is left behind together with all the bits
 * that it stood for when it was entered: keys that have these were had or were not
 * there. If it is replaced meanwhile, it still tells which keys there were (T5), and
 * the map, which of them are there and where.
 *
 * I1. @pos is where the next table's bits begin; when it is @first, that was all.
 *     Tables only get more bits, so none has bits from before and behind @first.
 */
#include "caller.h"
#include "map.h"

static u64 next_random(struct bw_map_iter *it)
{
	it->random = it->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return it->random >> 33;
}

#define AHEAD	16U		/* windows */
#define FAR	5U		/* maps of 32 tables are in no near cache */

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
 * same window.
 */
BW_MAP_INLINE void fetch_ahead(const struct bw_map_iter *it)
{
	const struct bw_map_table *t = it->table;

	if (likely(it->left >= AHEAD)) {
		fetch(it->map, t, (it->window + AHEAD) & t->mask);
		return;
	}
	t = bw_map_table_at(it->map, it->pos);
	fetch(it->map, t, (it->start + AHEAD - it->left) & t->mask);
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
	it->turn = next_random(it) % BW_WINDOW;
	it->window = it->start & t->mask;
	it->left = t->mask + 1;
	it->full = 0;
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

/* The next window with keys in it. */
static bool next_window(struct bw_map_iter *it)
{
	struct bw_map_table *t = it->table;
	u32 full;

	do {
		if (!it->left) {
			if (it->pos == it->first)
				return false;
			enter(it);
			it->pos += it->size;
			t = it->table;
		}
		it->window = (it->window + 1) & t->mask;
		it->left--;
		if (it->map->depth >= FAR)
			fetch_ahead(it);
		full = bw_window_full(bw_map_window(t, it->window));
	} while (!full);
	it->slots = bw_map_slot(it->map, t, it->window * BW_WINDOW);
	it->full = (full >> it->turn | full << (BW_WINDOW - it->turn)) & 0xffff;
	return true;
}

bool bw_map_next_slow(struct bw_map_iter *it)
{
	const struct bw_map *m = it->map;
	const struct bw_map_table *t;
	char *slot;
	u32 i;

	if (unlikely(!m))
		return false;
	bw_map_read_begin(m, "it is iterated over and changed at a time");
	for (;;) {
		if (!it->full && !next_window(it)) {
			it->map = NULL;
			it->table = NULL;
			it->key = NULL;
			it->value = NULL;
			return false;
		}
		t = it->table;
		i = ((u32)__builtin_ctz(it->full) + it->turn) % BW_WINDOW;
		it->full &= it->full - 1;
		i += it->window * BW_WINDOW;
		if (unlikely(t->ctrl[i] < BW_TAG_MIN))
			continue;
		slot = bw_map_slot(m, t, i);
		if (unlikely(t->stale)) {
			slot = bw_map_find_any(m, slot);
			if (!slot)
				continue;
		}
		it->key = slot;
		it->value = slot + m->value_at;
		return true;
	}
}
