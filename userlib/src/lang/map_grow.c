// SPDX-License-Identifier: MIT
/*
 * map_grow: a table that is full is replaced (map.h: the road).
 *
 *	bw_map_grow()
 *	  replace()	of the same size: much was deleted; or of twice the size
 *	  split()	two for one; dir_double() if the directory has no bit for it
 *
 * All memory is there before anything changes. Keys that collide in all their bits
 * cannot be split: the directory has at most so many words as may_double() says, and
 * beyond that the table grows.
 */
#include "burrow/alloc.h"
#include "map.h"
#include "rt/alloc.h"

/* Words of a directory: for tables that are a sixteenth full, and some. */
static bool may_double(const struct bw_map *m)
{
	size_t words = 2 * ((size_t)m->dir_mask + 1);

	return m->depth < 30 &&
	       words <= 16 + 16 * (m->nr / ((size_t)BW_WINDOW << m->max_lg));
}

BW_TYPE_BYTES(map_table, struct bw_map_table, ctrl, slots);

/* Control bytes: of a window at least. */
static inline size_t ctrl_bytes(size_t slots)
{
	return slots < BW_WINDOW ? BW_WINDOW : slots;
}

/* All in one object. */
static struct bw_map_table *small_table(const struct bw_map *m, size_t slots)
{
	size_t head = (sizeof(struct bw_map_table) + ctrl_bytes(slots) + 15) &
		      ~(size_t)15;
	size_t bytes = head + slots * m->stride;
	struct bw_map_table *t;

	if (!m->pointers)
		t = bw_alloc_raw(bytes);
	else if (m->slot)
		t = bw_alloc_type_headed(m->slot, head, slots);
	else
		t = bw_alloc(bytes);
	if (t)
		t->slots = (char *)t + head;
	return t;
}

static struct bw_map_table *large_table(const struct bw_map *m, size_t slots)
{
	struct bw_map_table *t = bw_new_tail(map_table, slots);
	char *p;

	if (!t)
		return NULL;
	if (!m->pointers)
		p = bw_alloc_raw(slots * m->stride);
	else if (m->slot)
		p = bw_alloc_type_array(m->slot, slots);
	else
		p = bw_alloc_array(slots, m->stride);
	if (!p) {
		bw_free(t);
		return NULL;
	}
	bw_set(&t->slots, p);
	return t;
}

struct bw_map_table *bw_map_table_make(const struct bw_map *m, u32 slots,
				       u32 depth)
{
	struct bw_map_table *t = slots <= BW_WINDOW << BW_MAP_INLINE_LG ?
				 small_table(m, slots) : large_table(m, slots);

	if (unlikely(!t))
		return NULL;
	t->used = 0;
	t->left = bw_map_room(slots);
	t->mask = (u32)(ctrl_bytes(slots) / BW_WINDOW - 1);
	t->depth = (u8)depth;
	t->half = slots < BW_WINDOW;
	t->stale = false;
	t->seen = false;
	memset(t->ctrl, BW_EMPTY, slots);
	if (t->half)
		memset(t->ctrl + BW_GROUP, BW_BLOCKED, BW_WINDOW - BW_GROUP);
	return t;
}

/*
 * Nobody needs it. While marking is under way it may be that the marker has not been
 * in it yet, and has been in the table that its keys went to (T4).
 */
void bw_map_drop(const struct bw_map *m, struct bw_map_table *t)
{
	if (READ_ONCE(t->seen) || (m->pointers && BW_BARRIER_ON))
		return;
	if (bw_map_slots(t) > BW_WINDOW << BW_MAP_INLINE_LG)
		bw_free(t->slots);
	bw_free(t);
}

static inline void slot_copy(const struct bw_map *m, char *to,
			     const char *from)
{
	switch (m->stride) {
	case 8:
		memcpy(to, from, 8);
		break;
	case 16:
		memcpy(to, from, 16);
		break;
	case 24:
		memcpy(to, from, 24);
		break;
	default:
		memcpy(to, from, m->stride);
	}
}

/* Into a table that has room and nothing deleted, and that nobody knows. */
static inline void move_to(const struct bw_map *m, struct bw_map_table *t,
			   u64 h, const char *from)
{
	u32 window = (u32)(h >> 8) & t->mask, step = 1, i, empty;

	while (!(empty = bw_window_empty(bw_map_window(t, window))))
		window = (window + step++) & t->mask;
	i = window * BW_WINDOW + (u32)__builtin_ctz(empty);
	t->ctrl[i] = bw_tag(h);
	t->left--;
	t->used++;
	slot_copy(m, bw_map_slot(m, t, i), from);
}

/* What the strings of a window's keys are is read soon. */
static inline void fetch(const struct bw_map *m, const struct bw_map_table *t,
			 u32 window)
{
	u32 full = bw_window_full(bw_map_window(t, window));
	const struct bw_string *s;

	for (; full; full &= full - 1) {
		s = (const void *)bw_map_slot(m, t, window * BW_WINDOW +
					      (u32)__builtin_ctz(full));
		__builtin_prefetch(s->ptr);
	}
}

/* All keys: to @b those whose hashes have a 1 in @bit, others to @a. */
static void move(const struct bw_map *m, const struct bw_map_table *t, u64 bit,
		 struct bw_map_table *a, struct bw_map_table *b)
{
	u32 window, full;
	const char *slot;
	u64 h;

	for (window = 0; window <= t->mask; window++) {
		if (m->kind == BW_KEY_STRING && window < t->mask)
			fetch(m, t, window + 1);
		full = bw_window_full(bw_map_window(t, window));
		for (; full; full &= full - 1) {
			slot = bw_map_slot(m, t, window * BW_WINDOW +
					   (u32)__builtin_ctz(full));
			h = bw_map_hash(m, slot);
			move_to(m, h & bit ? b : a, h, slot);
		}
	}
}

/* The words of table @t, where @h leads: the first half is for @a. */
static void dir_set(struct bw_map *m, struct bw_map_table *t, u64 h,
		    struct bw_map_table *a, struct bw_map_table *b)
{
	u32 words = 1U << (m->depth - t->depth), i;
	u32 first = (u32)(h >> m->shift) & m->dir_mask & ~(words - 1);

	for (i = 0; i < words; i++)
		bw_set(&m->dir[first + i], i < words / 2 ? a : b);
	t->stale = true;
}

static int replace(struct bw_map *m, u64 h, struct bw_map_table *t, u32 slots)
{
	struct bw_map_table *a = bw_map_table_make(m, slots, t->depth);

	if (!a)
		return -ENOMEM;
	move(m, t, 0, a, a);
	dir_set(m, t, h, a, a);
	if (!m->depth)
		m->mask = a->mask;
	else
		m->uneven |= a->mask != m->mask;
	return 0;
}

/* Two words for each. The new ones are stored before anybody knows them. */
static int dir_double(struct bw_map *m)
{
	size_t words = (size_t)m->dir_mask + 1, i;
	struct bw_map_table **old = m->dir;
	struct bw_map_table **dir = bw_alloc_array(2 * words, sizeof(*dir));

	if (!dir)
		return -ENOMEM;
	for (i = 0; i < 2 * words; i++)
		dir[i] = old[i / 2];
	bw_set(&m->dir, dir);
	m->dir_mask = (u32)(2 * words - 1);
	m->depth++;
	m->shift = 64 - m->depth;
	if (old == &m->only)
		bw_set(&m->only, NULL);
	else if (!BW_BARRIER_ON)
		bw_free(old);
	return 0;
}

static int split(struct bw_map *m, u64 h, struct bw_map_table *t)
{
	struct bw_map_table *a, *b;

	a = bw_map_table_make(m, bw_map_slots(t), t->depth + 1);
	if (!a)
		return -ENOMEM;
	b = bw_map_table_make(m, bw_map_slots(t), t->depth + 1);
	if (!b || (t->depth == m->depth && dir_double(m))) {
		if (b)
			bw_map_drop(m, b);
		bw_map_drop(m, a);
		return -ENOMEM;
	}
	move(m, t, 1ULL << (63 - t->depth), a, b);
	dir_set(m, t, h, a, b);
	return 0;
}

int bw_map_grow(struct bw_map *m, u64 h, struct bw_map_table **old)
{
	struct bw_map_table *t = bw_map_table_at(m, h);
	u32 slots = bw_map_slots(t);
	int err;

	/* 25 of 32: what is gained is worth the way */
	if (t->used <= slots / 32 * 25)
		err = replace(m, h, t, slots);
	else if (slots < BW_WINDOW << m->max_lg ||
		 (t->depth == m->depth && !may_double(m)))
		err = replace(m, h, t, 2 * slots);
	else
		err = split(m, h, t);
	if (err)
		return err;
	if (*old)
		bw_map_drop(m, t);
	else
		*old = t;
	return 0;
}
