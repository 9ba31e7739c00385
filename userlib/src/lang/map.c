// SPDX-License-Identifier: MIT
/*
 * map: the calls for keys of any kind (map.h: the road).
 *
 * Words and strings go the way that is made for them.
 */
#include "map_find.h"

void bw_map_die_kind(const char *who)
{
	bw_fatal("%s() of a map with other keys", who);
}

void bw_map_die_null(const char *who)
{
	bw_fatal("%s() into a map that is NULL", who);
}

void bw_map_die_race(const char *what)
{
	bw_fatal("concurrent use of a map: %s", what);
}

size_t bw_map_len(const struct bw_map *m)
{
	return m ? READ_ONCE(m->nr) : 0;
}

u64 bw_map_hash(const struct bw_map *m, const void *key)
{
	switch (m->kind) {
	case BW_KEY_U64:
		return bw_map_hash_of(m, BW_KEY_U64, key);
	case BW_KEY_STRING:
		return bw_map_hash_of(m, BW_KEY_STRING, key);
	case BW_KEY_OWN:
		return bw_map_hash_of(m, BW_KEY_OWN, key);
	default:
		return bw_map_hash_of(m, BW_KEY_BYTES, key);
	}
}

void *bw_map_get(const struct bw_map *m, const void *key)
{
	switch (m ? m->kind : BW_KEY_BYTES) {
	case BW_KEY_U64:
		return bw_map_read(m, BW_KEY_U64, key);
	case BW_KEY_STRING:
		return bw_map_read(m, BW_KEY_STRING, key);
	case BW_KEY_OWN:
		return bw_map_read(m, BW_KEY_OWN, key);
	default:
		return bw_map_read(m, BW_KEY_BYTES, key);
	}
}

static char *look(const struct bw_map *m, const void *key,
		  const struct bw_map_table *t, u32 window, u8 tag, u32 *at)
{
	switch (m->kind) {
	case BW_KEY_U64:
		return bw_map_look(m, BW_KEY_U64, key, t, window, tag, at);
	case BW_KEY_STRING:
		return bw_map_look(m, BW_KEY_STRING, key, t, window, tag, at);
	case BW_KEY_OWN:
		return bw_map_look(m, BW_KEY_OWN, key, t, window, tag, at);
	default:
		return bw_map_look(m, BW_KEY_BYTES, key, t, window, tag, at);
	}
}

char *bw_map_probe_far(const struct bw_map *m, const void *key, u64 h,
		       struct bw_map_place *p)
{
	const struct bw_map_table *t = p->table;
	u32 window = bw_map_first(h, t->mask), room, step;
	char *slot;

	/* where there was room in the first, it is what was deleted */
	room = bw_map_room_at(t, window);
	for (step = 1; step <= t->mask; step++) {
		window = (window + step) & t->mask;
		slot = look(m, key, t, window, bw_tag(h), &p->at);
		if (slot)
			return slot;
		if (room == BW_MAP_NOWHERE)
			room = bw_map_room_at(t, window);
		if (bw_window_empty(bw_map_window(t, window)))
			break;
	}
	p->at = room;
	return NULL;
}

char *bw_map_find_any(const struct bw_map *m, const void *key)
{
	u64 h = bw_map_hash(m, key);
	struct bw_map_place p = { .table = bw_map_table_at(m, h) };
	u32 window = bw_map_first(h, p.table->mask);
	char *slot = look(m, key, p.table, window, bw_tag(h), &p.at);

	if (slot || bw_window_empty(bw_map_window(p.table, window)))
		return slot;
	return bw_map_probe_far(m, key, h, &p);
}

static void *at(struct bw_map *m, const void *key, bool *fresh,
		const char *who, struct bw_map_table **old)
{
	switch (m ? m->kind : BW_KEY_BYTES) {
	case BW_KEY_U64:
		return bw_map_get_or_put(m, BW_KEY_U64, key, fresh, who, old);
	case BW_KEY_STRING:
		return bw_map_get_or_put(m, BW_KEY_STRING, key, fresh, who,
					 old);
	case BW_KEY_OWN:
		return bw_map_get_or_put(m, BW_KEY_OWN, key, fresh, who, old);
	default:
		return bw_map_get_or_put(m, BW_KEY_BYTES, key, fresh, who,
					 old);
	}
}

void *bw_map_at(struct bw_map *m, const void *key, bool *fresh)
{
	struct bw_map_table *old = NULL;
	void *value = at(m, key, fresh, "bw_map_at", &old);

	if (unlikely(old))
		bw_map_drop(m, old);
	return value;
}

int bw_map_put(struct bw_map *m, const void *key, const void *value)
{
	struct bw_map_table *old = NULL;
	void *to = at(m, key, NULL, "bw_map_put", &old);

	if (likely(to))
		bw_map_store(&m->type->value, to, value);
	if (unlikely(old))
		bw_map_drop(m, old);
	return to ? 0 : -ENOMEM;
}

bool bw_map_del(struct bw_map *m, const void *key)
{
	switch (m ? m->kind : BW_KEY_BYTES) {
	case BW_KEY_U64:
		return bw_map_remove(m, BW_KEY_U64, key);
	case BW_KEY_STRING:
		return bw_map_remove(m, BW_KEY_STRING, key);
	case BW_KEY_OWN:
		return bw_map_remove(m, BW_KEY_OWN, key);
	default:
		return bw_map_remove(m, BW_KEY_BYTES, key);
	}
}
