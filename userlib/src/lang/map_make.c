// SPDX-License-Identifier: MIT
/* map_make: maps, when nothing or all of them is looked at (map.h: the road). */
#include "burrow/alloc.h"
#include "map.h"

#define TABLE_MAX	32768U		/* bytes: a slot of the largest class */

BW_TYPE(map, struct bw_map, dir, only, only_too, spare,
	slot);

static void part_check(const struct bw_map_part *p)
{
	if (!p->align || p->align > 16 || p->align & (p->align - 1))
		bw_fatal("bw_map_make(): an alignment of %zu", p->align);
	if (p->type && p->type->unit)
		bw_fatal("bw_map_make(): type %s has a tail", p->type->name);
	if (p->type && p->type->size != p->size)
		bw_fatal("bw_map_make(): %zu bytes of type %s", p->size,
			 p->type->name);
	if (p->size > 1U << 24)
		bw_fatal("bw_map_make(): a key or a value of %zu bytes",
			 p->size);
}

static size_t up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* Where in a slot what is, and how large tables are. */
static void shape(struct bw_map *m, const struct bw_map_type *t)
{
	size_t align = max(t->key.align, t->value.align);
	u32 lg = 0;

	m->value_pointers = bw_map_has_pointers(&t->value);
	m->pointers = m->value_pointers || bw_map_has_pointers(&t->key);
	if (m->pointers && align < 8)
		align = 8;
	m->value_at = (u32)up(t->key.size, t->value.align);
	m->value_size = (u32)t->value.size;
	m->stride = (u32)up(m->value_at + t->value.size, align);
	while (BW_WINDOW << lg < BW_MAP_SLOTS &&
	       ((size_t)BW_WINDOW << (lg + 1)) * m->stride <= TABLE_MAX)
		lg++;
	m->max_lg = (u8)lg;
}

static void bits_or(struct bw_type *slot, const struct bw_map_part *part,
		    size_t at)
{
	size_t i, k;

	for (i = 0; bw_map_has_pointers(part) && i < part->size / 8; i++) {
		k = at / 8 + i;
		if (part->type->bits[i / 64] >> i % 64 & 1)
			slot->bits[k / 64] |= 1ULL << k % 64;
	}
}

/* A type of slots; those that are too long for one are all pointers. */
static int slot_type(struct bw_map *m, const struct bw_map_type *t)
{
	struct bw_type *slot;

	if (!m->pointers || m->stride > BW_TYPE_WORDS * 64 * 8)
		return 0;
	slot = bw_alloc_noscan(sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	slot->name = "slot of a map";
	slot->size = m->stride;
	slot->tail = m->stride;
	slot->flags = BW_TYPE_HAS_POINTERS;
	bits_or(slot, &t->key, 0);
	bits_or(slot, &t->value, m->value_at);
	bw_set(&m->slot, slot);
	return 0;
}

static u8 kind_of(const struct bw_map_type *t)
{
	if (t->equal)
		return BW_KEY_OWN;
	if (t->key.kind == BW_KEY_STRING)
		return BW_KEY_STRING;
	return t->key.size == sizeof(u64) ? BW_KEY_U64 : BW_KEY_BYTES;
}

/* Tables for so many keys: one, or a directory of the largest. */
static int first_tables(struct bw_map *m, size_t hint)
{
	struct bw_map_table *t, **dir = &m->only;
	u32 slots = BW_GROUP, depth = 0, i;

	while (slots < BW_WINDOW << m->max_lg && bw_map_room(slots) < hint)
		slots *= 2;
	/* hashes are not even: a sixteenth stays free */
	while (depth < 30 && hint > bw_map_room(slots) &&
	       ((size_t)bw_map_room(slots) << depth) / 16 * 15 < hint)
		depth++;
	if (depth) {
		dir = bw_alloc_array((size_t)1 << depth, sizeof(*dir));
		if (!dir)
			return -ENOMEM;
	}
	bw_set(&m->dir, dir);
	m->depth = (u8)depth;
	m->dir_mask = (u32)((1ULL << depth) - 1);
	m->shift = depth ? 64 - (u8)depth : 63;
	for (i = 0; i <= m->dir_mask; i++) {
		t = bw_map_table_make(m, slots, depth);
		if (!t)
			return -ENOMEM;
		bw_set(&dir[i], t);
		m->mask = t->mask;
		if (!depth)
			bw_set(&m->only_too, t);
	}
	return 0;
}

struct bw_map *bw_map_make(const struct bw_map_type *t, size_t hint)
{
	struct bw_map *m;

	part_check(&t->key);
	part_check(&t->value);
	if (!t->key.size)
		bw_fatal("bw_map_make(): keys of no bytes");
	if (!t->hash != !t->equal)
		bw_fatal("bw_map_make(): a hash and no equal, or the reverse");
	m = bw_new(map);
	if (!m)
		return NULL;
	m->type = t;
	m->kind = kind_of(t);
	m->hash = bw_hash_key_make();
	shape(m, t);
	m->state = m->kind;
	if (m->stride == 2 * sizeof(u64) && m->value_at == sizeof(u64))
		m->state |= BW_MAP_PAIRS;
	if (slot_type(m, t) || first_tables(m, hint)) {
		errno = ENOMEM;
		return NULL;
	}
	return m;
}

static void clear_table(struct bw_map *m, struct bw_map_table *t)
{
	u32 slots = bw_map_slots(t), i;

	for (i = 0; m->pointers && i < slots; i++)
		if (t->ctrl[i] >= BW_TAG_MIN)
			bw_map_wipe(m, bw_map_slot(m, t, i));
	memset(t->ctrl, BW_EMPTY, slots);
	t->used = 0;
	t->left = bw_map_room(slots);
}

void bw_map_clear(struct bw_map *m)
{
	struct bw_map_table *t;
	size_t i;

	if (!m)
		return;
	bw_map_write_begin(m);
	for (i = 0; i <= m->dir_mask;
	     i += (size_t)1 << (m->depth - t->depth)) {
		t = m->dir[i];
		clear_table(m, t);
	}
	m->nr = 0;
	m->gone++;
	bw_map_write_end(m);
}

/* T2: nobody stops before he comes to it. */
static bool is_found(const struct bw_map_table *t, u64 h, u32 at)
{
	u32 window = (u32)(h >> 8) & t->mask, step;

	for (step = 1; step <= t->mask + 1; step++) {
		if (window == at / BW_WINDOW)
			return t->ctrl[at] == bw_tag(h);
		if (bw_window_empty(bw_map_window(t, window)))
			return false;
		window = (window + step) & t->mask;
	}
	return false;
}

static int check_table(const struct bw_map *m, const struct bw_map_table *t,
		       size_t place)
{
	u32 slots = bw_map_slots(t), used = 0, empty = 0, i;
	u64 h;

	for (i = 0; i < slots; i++) {
		empty += t->ctrl[i] == BW_EMPTY;
		if (t->ctrl[i] < BW_TAG_MIN)
			continue;
		used++;
		h = bw_map_hash(m, bw_map_slot(m, t, i));
		if (((h >> m->shift & m->dir_mask) ^ place) >>
		    (m->depth - t->depth))
			return 1;
		if (!is_found(t, h, i))
			return 2;
	}
	if (used != t->used || t->left > empty ||
	    empty - t->left != slots - bw_map_room(slots))
		return 3;
	if (t->mask != m->mask && !(bw_map_state(m) & BW_MAP_UNEVEN))
		return 1;
	return t->stale ? 5 : 0;
}

int bw_map_check(const struct bw_map *m)
{
	const struct bw_map_table *t;
	size_t i, k, nr = 0, words;
	int bad;

	for (i = 0; i <= m->dir_mask; i += words) {
		t = m->dir[i];
		words = (size_t)1 << (m->depth - t->depth);
		for (k = 0; k < words; k++)
			if (m->dir[i + k] != t)
				return 1;
		bad = check_table(m, t, i);
		if (bad)
			return bad;
		nr += t->used;
	}
	if (bw_map_state(m) & BW_MAP_WRITING)
		return 6;
	return nr == m->nr ? 0 : 1;
}
