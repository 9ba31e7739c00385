// SPDX-License-Identifier: MIT
/*
 * map_string: maps whose keys are strings (map.h: the road).
 *
 *	bw_map_get_string()	keys of 8 to 32 bytes, in the first window
 *	  get_slow()		all else, from the start
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

static inline bool is_short(struct bw_string key)
{
	return likely(key.len - 8 <= 24);
}

/* Calls nobody and comes back: what it has stays in registers. */
void *bw_map_get_string(const struct bw_map *m, struct bw_string key)
{
	const struct bw_map_table *t;
	const struct bw_string *slot;
	u32 window, match;
	u64 h;

	if (unlikely(!m || bw_map_state(m) != BW_KEY_STRING || !is_short(key)))
		return get_slow(m, key);
	h = bw_hash_bytes(&m->hash, key.ptr, key.len);
	t = bw_map_table_at(m, h);
	window = bw_map_first(h, m->mask);
	bw_map_expect(bw_map_slot(m, t, window * BW_WINDOW), 3);
	match = bw_window_match(bw_map_window(t, window), bw_tag(h));
	for (; match; match &= match - 1) {
		slot = (const void *)bw_map_slot(m, t, window * BW_WINDOW +
						 (u32)__builtin_ctz(match));
		if (likely(slot->len == key.len &&
			   bw_map_same_short(slot->ptr, key.ptr, key.len)))
			return (char *)(uintptr_t)slot + m->value_at;
	}
	if (likely(bw_window_empty(bw_map_window(t, window))))
		return NULL;
	return get_slow(m, key);
}

void *bw_map_at_string(struct bw_map *m, struct bw_string key, bool *fresh)
{
	kind_check(m, "bw_map_at_string");
	return bw_map_value_at(m, BW_KEY_STRING, &key, fresh, "bw_map_at_string");
}

bool bw_map_del_string(struct bw_map *m, struct bw_string key)
{
	kind_check(m, "bw_map_del_string");
	return bw_map_remove(m, BW_KEY_STRING, &key);
}
