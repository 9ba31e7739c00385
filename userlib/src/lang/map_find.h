/* SPDX-License-Identifier: MIT */
/*
 * map_find: one probe, made anew for each kind of keys (map.h: the road).
 *
 * Each function is inlined where @kind is a constant.
 */
#ifndef BW_LANG_MAP_FIND_H
#define BW_LANG_MAP_FIND_H

#include "map.h"

#define BW_MAP_MADE	static inline __attribute__((always_inline))

BW_MAP_MADE u64 bw_map_hash_of(const struct bw_map *m, u32 kind, const void *key)
{
	const struct bw_string *s = key;
	u64 word;

	switch (kind) {
	case BW_KEY_U64:
		memcpy(&word, key, sizeof(word));
		return bw_hash_u64(&m->hash, word);
	case BW_KEY_STRING:
		return bw_hash_bytes(&m->hash, s->ptr, s->len);
	case BW_KEY_OWN:
		return bw_hash_u64(&m->hash, m->type->hash(key));
	default:
		return bw_hash_bytes(&m->hash, key, m->type->key.size);
	}
}

BW_MAP_MADE bool bw_map_equal(const struct bw_map *m, u32 kind, const void *a,
			      const void *b)
{
	u64 x, y;

	switch (kind) {
	case BW_KEY_U64:
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		return x == y;
	case BW_KEY_STRING:
		return bw_string_equal(*(const struct bw_string *)a,
				       *(const struct bw_string *)b);
	case BW_KEY_OWN:
		return m->type->equal(a, b);
	default:
		return !memcmp(a, b, m->type->key.size);
	}
}

/**
 * struct bw_map_place - where a probe ended				[caller]
 * @table:	in which
 * @at:		index of the slot
 */
struct bw_map_place {
	struct bw_map_table *table;
	u32 at;
};

BW_MAP_MADE u32 bw_map_mask_of(const struct bw_map *m,
			       const struct bw_map_table *t)
{
	return unlikely(m->uneven) ? t->mask : m->mask;
}

/*
 * A window's slots may be asked for: their page is found while its control bytes come.
 */
BW_MAP_MADE void bw_map_expect(const struct bw_map *m,
			       const struct bw_map_table *t, u32 window)
{
	__builtin_prefetch(bw_map_slot(m, t, window * BW_WINDOW + BW_GROUP / 2));
}

/* The slot with @key in a window, or NULL. */
BW_MAP_MADE char *bw_map_look(const struct bw_map *m, u32 kind, const void *key,
			      const struct bw_map_table *t, u32 window, u8 tag,
			      u32 *at)
{
	u32 match = bw_window_match(bw_map_window(t, window), tag);
	char *slot;

	for (; match; match &= match - 1) {
		*at = window * BW_WINDOW + (u32)__builtin_ctz(match);
		slot = bw_map_slot(m, t, *at);
		if (likely(bw_map_equal(m, kind, slot, key)))
			return slot;
	}
	return NULL;
}

/* The slot with @key, or NULL. */
BW_MAP_MADE char *bw_map_find(const struct bw_map *m, u32 kind,
			      const void *key, struct bw_map_place *p)
{
	u64 h = bw_map_hash_of(m, kind, key);
	struct bw_map_table *t = bw_map_table_at(m, h);
	u32 mask = bw_map_mask_of(m, t), window = (u32)(h >> 8) & mask, step;
	char *slot;

	p->table = t;
	bw_map_expect(m, t, window);
	for (step = 1;; step++) {
		slot = bw_map_look(m, kind, key, t, window, bw_tag(h), &p->at);
		if (slot)
			return slot;
		if (likely(bw_window_empty(bw_map_window(t, window))) ||
		    step > mask)
			return NULL;
		window = (window + step) & mask;
	}
}

BW_MAP_MADE void *bw_map_read(const struct bw_map *m, u32 kind,
			      const void *key)
{
	struct bw_map_place p;
	char *slot;

	if (unlikely(!m))
		return NULL;
	bw_map_read_begin(m, "it is read and changed at a time");
	slot = bw_map_find(m, kind, key, &p);
	return slot ? slot + m->value_at : NULL;
}

/* The slot with @key; NULL: it would be at @p, or nowhere (p->at is NOWHERE). */
#define BW_MAP_NOWHERE	(~0U)

BW_MAP_MADE char *bw_map_seek(const struct bw_map *m, u32 kind,
			      const void *key, u64 h, struct bw_map_place *p)
{
	struct bw_map_table *t = bw_map_table_at(m, h);
	u32 mask = bw_map_mask_of(m, t), window = (u32)(h >> 8) & mask, step;
	u32 room = BW_MAP_NOWHERE, found;
	char *slot;

	p->table = t;
	bw_map_expect(m, t, window);
	for (step = 1;; step++) {
		slot = bw_map_look(m, kind, key, t, window, bw_tag(h), &p->at);
		if (slot)
			return slot;
		found = bw_window_free(bw_map_window(t, window));
		if (found && room == BW_MAP_NOWHERE)
			room = window * BW_WINDOW + (u32)__builtin_ctz(found);
		if (likely(bw_window_empty(bw_map_window(t, window))) ||
		    step > mask)
			break;
		window = (window + step) & mask;
	}
	p->at = room;
	return NULL;
}

/* The slot @p can be taken: T3. */
BW_MAP_MADE bool bw_map_place_is_free(const struct bw_map_place *p)
{
	return p->at != BW_MAP_NOWHERE &&
	       (p->table->left || p->table->ctrl[p->at] != BW_EMPTY);
}

/* Without pointers it was never cleared; words are most of what there is. */
BW_MAP_MADE void bw_map_value_zero(const struct bw_map *m, char *slot)
{
	u64 zero = 0;

	if (likely(m->value_size == sizeof(zero)))
		memcpy(slot + m->value_at, &zero, sizeof(zero));
	else
		memset(slot + m->value_at, 0, m->value_size);
}

BW_MAP_MADE char *bw_map_take(struct bw_map *m, u32 kind, u64 h,
			      const void *key, const struct bw_map_place *p)
{
	struct bw_map_table *t = p->table;
	char *slot = bw_map_slot(m, t, p->at);

	if (!m->pointers)
		bw_map_value_zero(m, slot);
	if (kind == BW_KEY_U64 && !m->pointers)
		memcpy(slot, key, sizeof(u64));
	else
		bw_map_store(&m->type->key, slot, key);
	t->left -= t->ctrl[p->at] == BW_EMPTY;
	t->ctrl[p->at] = bw_tag(h);
	t->used++;
	m->nr++;
	return slot;
}

BW_MAP_MADE void *bw_map_get_or_put(struct bw_map *m, u32 kind,
				    const void *key, bool *fresh,
				    const char *who,
				    struct bw_map_table **old)
{
	struct bw_map_place p;
	char *slot;
	bool made = false;
	u64 h;

	if (unlikely(!m))
		bw_map_die_null(who);
	bw_map_write_begin(m);
	h = bw_map_hash_of(m, kind, key);
	for (;;) {
		slot = bw_map_seek(m, kind, key, h, &p);
		if (slot)
			break;
		made = bw_map_place_is_free(&p);
		if (likely(made)) {
			slot = bw_map_take(m, kind, h, key, &p);
			break;
		}
		if (bw_map_grow(m, h, old))
			break;
	}
	bw_map_write_end(m);
	if (fresh)
		*fresh = made;
	return slot ? slot + m->value_at : NULL;
}

/* The same, for who has nothing more to put there. */
BW_MAP_MADE void *bw_map_value_at(struct bw_map *m, u32 kind, const void *key,
				  bool *fresh, const char *who)
{
	struct bw_map_table *old = NULL;
	void *value = bw_map_get_or_put(m, kind, key, fresh, who, &old);

	if (unlikely(old))
		bw_map_drop(m, old);
	return value;
}

BW_MAP_MADE bool bw_map_remove(struct bw_map *m, u32 kind, const void *key)
{
	struct bw_map_table *t;
	struct bw_map_place p;
	char *slot;
	bool empty;

	if (!m || !m->nr)
		return false;
	bw_map_write_begin(m);
	slot = bw_map_find(m, kind, key, &p);
	if (slot) {
		t = p.table;
		/* T2; where there is one window nobody looks further */
		empty = !t->mask ||
			bw_window_empty(bw_map_window(t, p.at / BW_WINDOW));
		bw_map_wipe(m, slot);
		t->ctrl[p.at] = empty ? BW_EMPTY : BW_DELETED;
		t->left += empty;
		t->used--;
		m->nr--;
	}
	bw_map_write_end(m);
	return slot;
}

#endif
