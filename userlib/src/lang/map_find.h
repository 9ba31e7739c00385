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
	case BW_KEY_PAIR:
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

/*
 * Of two texts of 8 to 32 bytes, as most keys are: by words that may overlap there is
 * neither a call nor a branch for each length.
 */
BW_MAP_MADE bool bw_map_same_short(const char *a, const char *b, size_t n)
{
	u64 differ = bw_hash_load8(a) ^ bw_hash_load8(b);

	differ |= bw_hash_load8(a + n - 8) ^ bw_hash_load8(b + n - 8);
	if (n >= 16) {
		differ |= bw_hash_load8(a + 8) ^ bw_hash_load8(b + 8);
		differ |= bw_hash_load8(a + n - 16) ^ bw_hash_load8(b + n - 16);
	}
	return !differ;
}

BW_MAP_MADE bool bw_map_same_string(const struct bw_string *a,
				    const struct bw_string *b)
{
	if (a->len != b->len)
		return false;
	if (unlikely(a->len < 8 || a->len > 32))
		return bw_string_equal(*a, *b);
	return bw_map_same_short(a->ptr, b->ptr, a->len);
}

BW_MAP_MADE bool bw_map_equal(const struct bw_map *m, u32 kind, const void *a,
			      const void *b)
{
	u64 x, y;

	switch (kind) {
	case BW_KEY_PAIR:
	case BW_KEY_U64:
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		return x == y;
	case BW_KEY_STRING:
		return bw_map_same_string(a, b);
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
	return unlikely(bw_map_state(m) & BW_MAP_UNEVEN) ? t->mask : m->mask;
}

BW_MAP_MADE char *bw_map_slot_of(const struct bw_map *m, u32 kind,
				 const struct bw_map_table *t, u32 i)
{
	if (kind == BW_KEY_PAIR)
		return t->slots + (size_t)i * 2 * sizeof(u64);
	return bw_map_slot(m, t, i);
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
		slot = bw_map_slot_of(m, kind, t, *at);
		if (likely(bw_map_equal(m, kind, slot, key)))
			return slot;
	}
	return NULL;
}

#define BW_MAP_NOWHERE	(~0U)

/* In which of a window's slots a new key may go, or NOWHERE. */
BW_MAP_MADE u32 bw_map_room_at(const struct bw_map_table *t, u32 window)
{
	u32 found = bw_window_free(bw_map_window(t, window));

	return likely(found) ? window * BW_WINDOW + (u32)__builtin_ctz(found) :
			       BW_MAP_NOWHERE;
}

/* bw_map_probe(), from the second window on. */
char *bw_map_probe_far(const struct bw_map *m, const void *key, u64 h,
		       struct bw_map_place *p);

/*
 * The slot with @key, which is at @p. NULL: there is none; with @to_put, a constant,
 * p->at is then where it would be, or NOWHERE.
 */
BW_MAP_MADE char *bw_map_probe(const struct bw_map *m, u32 kind,
			       const void *key, u64 h, struct bw_map_place *p,
			       bool to_put)
{
	struct bw_map_table *t = bw_map_table_at(m, h);
	u32 window = bw_map_first(h, bw_map_mask_of(m, t));
	char *slot;

	p->table = t;
	/* slots of strings are longer; a new key goes behind those that are there */
	bw_map_expect(bw_map_slot_of(m, kind, t, window * BW_WINDOW),
		      to_put ? 4 : kind == BW_KEY_STRING ? 3 : 2);
	slot = bw_map_look(m, kind, key, t, window, bw_tag(h), &p->at);
	if (slot)
		return slot;
	if (to_put)
		p->at = bw_map_room_at(t, window);
	if (likely(bw_window_empty(bw_map_window(t, window))))
		return NULL;
	return bw_map_probe_far(m, key, h, p);
}

BW_MAP_MADE u32 bw_map_value_in(const struct bw_map *m, u32 kind)
{
	return kind == BW_KEY_PAIR ? sizeof(u64) : m->value_at;
}

BW_MAP_MADE void *bw_map_read(const struct bw_map *m, u32 kind,
			      const void *key)
{
	struct bw_map_place p;
	char *slot;

	if (unlikely(!m))
		return NULL;
	bw_map_read_begin(m, "it is read and changed at a time");
	slot = bw_map_probe(m, kind, key, bw_map_hash_of(m, kind, key), &p,
			    false);
	return slot ? slot + bw_map_value_in(m, kind) : NULL;
}

/* The slot @p can be taken: T3. */
BW_MAP_MADE bool bw_map_place_is_free(const struct bw_map_place *p)
{
	return p->at != BW_MAP_NOWHERE &&
	       (p->table->left || p->table->ctrl[p->at] != BW_EMPTY);
}

/* Without pointers a value was never cleared; words are most of what there is. */
BW_MAP_MADE void bw_map_value_zero(const struct bw_map *m, char *slot)
{
	u64 zero = 0;

	if (likely(m->value_size == sizeof(zero)))
		memcpy(slot + m->value_at, &zero, sizeof(zero));
	else
		memset(slot + m->value_at, 0, m->value_size);
}

BW_MAP_MADE void bw_map_fill(const struct bw_map *m, u32 kind, char *slot,
			     const void *key)
{
	u64 zero = 0;

	if (kind == BW_KEY_STRING) {
		/* the value is zeros: a string is a pointer, and so it was cleared */
		bw_set(&((struct bw_string *)(void *)slot)->ptr,
		       ((const struct bw_string *)key)->ptr);
		((struct bw_string *)(void *)slot)->len =
			((const struct bw_string *)key)->len;
	} else if (m->pointers) {
		bw_map_store(&m->type->key, slot, key);
	} else if (kind == BW_KEY_PAIR) {
		memcpy(slot, key, sizeof(u64));
		memcpy(slot + sizeof(u64), &zero, sizeof(zero));
	} else {
		bw_map_value_zero(m, slot);
		bw_map_store(&m->type->key, slot, key);
	}
}

BW_MAP_MADE char *bw_map_take(struct bw_map *m, u32 kind, u64 h,
			      const void *key, const struct bw_map_place *p)
{
	struct bw_map_table *t = p->table;
	char *slot = bw_map_slot_of(m, kind, t, p->at);

	bw_map_fill(m, kind, slot, key);
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
		slot = bw_map_probe(m, kind, key, h, &p, true);
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
	return slot ? slot + bw_map_value_in(m, kind) : NULL;
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

/* A slot is zeros, where somebody looks into it. */
BW_MAP_MADE void bw_map_empty(const struct bw_map *m, u32 kind, char *slot)
{
	struct bw_string *s = (void *)slot;

	if (kind != BW_KEY_STRING || m->value_pointers) {
		bw_map_wipe(m, slot);
		return;
	}
	bw_set(&s->ptr, NULL);
	s->len = 0;
	bw_map_value_zero(m, slot);
}

/* The slot of @ctrl has no key any more. T2; @empty: its window has an EMPTY one */
BW_MAP_MADE void bw_map_take_away(struct bw_map *m, struct bw_map_table *t,
				  u8 *ctrl, bool empty)
{
	/* where there is one window nobody looks further */
	empty = empty || !t->mask;
	*ctrl = empty ? BW_EMPTY : BW_DELETED;
	t->left += empty;
	t->used--;
	m->nr--;
	m->gone++;
}

BW_MAP_MADE void bw_map_take_out(struct bw_map *m, u32 kind,
				 const struct bw_map_place *p, char *slot)
{
	struct bw_map_table *t = p->table;
	bool empty = bw_window_empty(bw_map_window(t, p->at / BW_WINDOW));

	bw_map_empty(m, kind, slot);
	bw_map_take_away(m, t, &t->ctrl[p->at], empty);
}

BW_MAP_MADE bool bw_map_remove(struct bw_map *m, u32 kind, const void *key)
{
	struct bw_map_place p;
	char *slot;

	if (!m || !m->nr)
		return false;
	bw_map_write_begin(m);
	slot = bw_map_probe(m, kind, key, bw_map_hash_of(m, kind, key), &p,
			    false);
	if (slot)
		bw_map_take_out(m, kind, &p, slot);
	bw_map_write_end(m);
	return slot;
}

#endif
