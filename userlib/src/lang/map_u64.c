// SPDX-License-Identifier: MIT
/*
 * map_u64: maps whose keys are words (map.h: the road), and most often their values,
 * too, or less (PAIRS).
 *
 *	bw_map_at_u64(), _del_u64()	pairs without pointers, in the first window
 *	  at_slow(), del_slow()		all else, from the start
 *
 * What is for pairs calls nobody that comes back, as in map_string.c.
 */
#include "map_find.h"

static inline void kind_check(const struct bw_map *m, const char *who)
{
	if (unlikely(m && m->kind != BW_KEY_U64))
		bw_map_die_kind(who);
}

static inline bool is_of_pairs(const struct bw_map *m)
{
	return likely(m && m->kind == BW_KEY_U64 &&
		      bw_map_state(m) & BW_MAP_PAIRS);
}

void *bw_map_get_u64_slow(const struct bw_map *m, uint64_t key)
{
	kind_check(m, "bw_map_get_u64");
	return bw_map_read(m, BW_KEY_U64, &key);
}

static __attribute__((noinline))
void *at_slow(struct bw_map *m, u64 key, bool *fresh)
{
	if (is_of_pairs(m))
		return bw_map_value_at(m, BW_KEY_PAIR, &key, fresh,
				       "bw_map_at_u64");
	kind_check(m, "bw_map_at_u64");
	return bw_map_value_at(m, BW_KEY_U64, &key, fresh, "bw_map_at_u64");
}

static __attribute__((noinline))
bool del_slow(struct bw_map *m, u64 key)
{
	if (is_of_pairs(m))
		return bw_map_remove(m, BW_KEY_PAIR, &key);
	kind_check(m, "bw_map_del_u64");
	return bw_map_remove(m, BW_KEY_U64, &key);
}

#define USUAL	(BW_KEY_U64 | BW_MAP_PAIRS)

/* Pairs without pointers, that nobody changes, all tables of which are alike. */
BW_MAP_MADE bool is_usual(const struct bw_map *m)
{
	return likely(m && bw_map_state(m) == USUAL && !m->pointers);
}

/**
 * struct spot - where a word is, or would be				[caller]
 * @h:		its hash
 * @table:	of the first window that it may be in
 * @ctrl:	its control bytes
 * @slots:	its slots
 * @i:		which of these it has
 */
struct spot {
	u64 h;
	struct bw_map_table *table;
	u8 *ctrl;
	u64 *slots;
	u32 i;
};

/* The slot with @key, or NULL; so many of the window's lines are asked for. */
BW_MAP_MADE u64 *look(const struct bw_map *m, u64 key, u32 lines,
		      struct spot *at)
{
	size_t first;
	u32 match;

	at->h = bw_hash_u64(&m->hash, key);
	at->table = bw_map_table_at(m, at->h);
	first = (size_t)bw_map_first(at->h, m->mask) * BW_WINDOW;
	at->ctrl = at->table->ctrl + first;
	at->slots = (u64 *)(void *)at->table->slots + 2 * first;
	bw_map_expect((const char *)at->slots, lines);
	match = bw_window_match(at->ctrl, bw_tag(at->h));
	for (; match; match &= match - 1) {
		at->i = (u32)__builtin_ctz(match);
		if (likely(at->slots[2 * at->i] == key))
			return &at->slots[2 * at->i];
	}
	return NULL;
}

/*
 * T3. The slot of @key, which is nowhere; NULL: not in this window. One with an EMPTY
 * slot has none that is DELETED (T2).
 */
BW_MAP_MADE u64 *take(struct bw_map *m, u64 key, const struct spot *at)
{
	struct bw_map_table *t = at->table;
	u32 empty = bw_window_empty(at->ctrl);
	u64 *slot;

	if (unlikely(!empty || !t->left))
		return NULL;
	slot = &at->slots[2 * __builtin_ctz(empty)];
	slot[0] = key;
	slot[1] = 0;
	at->ctrl[__builtin_ctz(empty)] = bw_tag(at->h);
	t->left--;
	t->used++;
	m->nr++;
	return slot;
}

void *bw_map_at_u64(struct bw_map *m, uint64_t key, bool *fresh)
{
	bool made = false;
	struct spot at;
	u64 *slot;

	if (unlikely(!is_usual(m)))
		return at_slow(m, key, fresh);
	bw_map_write_begin_of(m, USUAL);
	slot = look(m, key, 4, &at);
	if (!slot) {
		slot = take(m, key, &at);
		made = true;
	}
	bw_map_write_end_of(m, USUAL);
	if (unlikely(!slot))
		return at_slow(m, key, fresh);
	if (fresh)
		*fresh = made;
	return slot + 1;
}

bool bw_map_del_u64(struct bw_map *m, uint64_t key)
{
	struct spot at;
	bool empty;
	u64 *slot;

	if (unlikely(!is_usual(m)))
		return del_slow(m, key);
	bw_map_write_begin_of(m, USUAL);
	slot = look(m, key, 2, &at);
	empty = bw_window_empty(at.ctrl);
	if (likely(slot))
		bw_map_take_away(m, at.table, &at.ctrl[at.i], empty);
	bw_map_write_end_of(m, USUAL);
	if (likely(slot))
		return true;
	/* if it is not in the first window, it is nowhere */
	return likely(empty) ? false : del_slow(m, key);
}
