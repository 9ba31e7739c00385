// SPDX-License-Identifier: MIT
/*
 * map_string: maps whose keys are strings (map.h: the road).
 *
 *	bw_map_get_string(), _del_string()	keys of 8 to 32 bytes, in the first window
 *	  get_slow(), del_slow()		all else, from the start
 *
 * What is for short keys calls nobody that comes back: all it has stays in registers,
 * and more of what is asked of memory is under way at a time.
 */
#include "map_find.h"

static inline void kind_check(const struct bw_map *m, const char *who)
{
	if (unlikely(m && m->kind != BW_KEY_STRING))
		bw_map_die_kind(who);
}

static __attribute__((noinline))
void *get_slow(const struct bw_map *m, struct bw_string key)
{
	kind_check(m, "bw_map_get_string");
	return bw_map_read(m, BW_KEY_STRING, &key);
}

static __attribute__((noinline))
bool del_slow(struct bw_map *m, struct bw_string key)
{
	kind_check(m, "bw_map_del_string");
	return bw_map_remove(m, BW_KEY_STRING, &key);
}

/* A map of strings that nobody changes, all of its tables alike; a short key. */
BW_MAP_MADE bool is_usual(const struct bw_map *m, struct bw_string key)
{
	return likely(m && bw_map_state(m) == BW_KEY_STRING &&
		      key.len - 8 <= 24);
}

/**
 * struct spot - where a short key is, or would be			[caller]
 * @h:		its hash
 * @place:	its slot, where it has one
 * @window:	the first that it may be in
 */
struct spot {
	u64 h;
	struct bw_map_place place;
	u32 window;
};

BW_MAP_MADE char *look(const struct bw_map *m, struct bw_string key,
		       struct spot *at)
{
	const struct bw_map_table *t;
	const struct bw_string *slot;
	u32 match;

	at->h = bw_hash_bytes(&m->hash, key.ptr, key.len);
	at->place.table = bw_map_table_at(m, at->h);
	t = at->place.table;
	at->window = bw_map_first(at->h, m->mask);
	bw_map_expect(bw_map_slot(m, t, at->window * BW_WINDOW), 3);
	match = bw_window_match(bw_map_window(t, at->window), bw_tag(at->h));
	for (; match; match &= match - 1) {
		at->place.at = at->window * BW_WINDOW +
			       (u32)__builtin_ctz(match);
		slot = (const void *)bw_map_slot(m, t, at->place.at);
		if (likely(slot->len == key.len &&
			   bw_map_same_short(slot->ptr, key.ptr, key.len)))
			return (char *)(uintptr_t)slot;
	}
	return NULL;
}

/* If it is not in the first window, it is nowhere. */
BW_MAP_MADE bool is_all(const struct spot *at)
{
	return likely(bw_window_empty(bw_map_window(at->place.table,
						    at->window)));
}

void *bw_map_get_string(const struct bw_map *m, struct bw_string key)
{
	struct spot at;
	char *slot;

	if (unlikely(!is_usual(m, key)))
		return get_slow(m, key);
	slot = look(m, key, &at);
	if (likely(slot))
		return slot + m->value_at;
	return is_all(&at) ? NULL : get_slow(m, key);
}

/* Who adds most often writes, too: a way of its own for short keys was no faster. */
void *bw_map_at_string(struct bw_map *m, struct bw_string key, bool *fresh)
{
	kind_check(m, "bw_map_at_string");
	return bw_map_value_at(m, BW_KEY_STRING, &key, fresh, "bw_map_at_string");
}

bool bw_map_del_string(struct bw_map *m, struct bw_string key)
{
	struct spot at;
	char *slot;

	if (unlikely(!is_usual(m, key)))
		return del_slow(m, key);
	bw_map_write_begin_of(m, BW_KEY_STRING);
	slot = look(m, key, &at);
	if (likely(slot))
		bw_map_take_out(m, BW_KEY_STRING, &at.place, slot);
	bw_map_write_end_of(m, BW_KEY_STRING);
	if (likely(slot))
		return true;
	return is_all(&at) ? false : del_slow(m, key);
}
