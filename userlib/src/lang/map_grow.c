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
#include "map_find.h"
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

BW_MAP_MADE void slot_copy(const struct bw_map *m, u32 kind, char *to,
			   const char *from)
{
	if (kind == BW_KEY_PAIR)
		memcpy(to, from, 2 * sizeof(u64));
	else if (m->stride == 3 * sizeof(u64))
		memcpy(to, from, 3 * sizeof(u64));
	else
		memcpy(to, from, m->stride);
}

#define WINDOWS		(BW_MAP_SLOTS / BW_WINDOW)

/**
 * struct heir - of a table that is replaced: new, with room, known to nobody  [caller]
 * @t:		the table
 * @nr:		how many of the first slots of each window are taken
 *
 * Counts, as a look at control bytes would wait for the store of the byte before.
 */
struct heir {
	struct bw_map_table *t;
	u8 nr[WINDOWS];
};

/* Keys that collide make tables of more windows than are counted. */
BW_MAP_MADE u32 room_in(const struct heir *to, u32 window)
{
	u32 empty;

	if (likely(to->t->mask < WINDOWS))
		return to->nr[window];
	empty = bw_window_empty(bw_map_window(to->t, window));
	return BW_WINDOW - (u32)__builtin_popcount(empty);
}

BW_MAP_MADE void move_to(const struct bw_map *m, u32 kind, struct heir *to,
			 u64 h, const char *from)
{
	struct bw_map_table *t = to->t;
	u32 window = bw_map_first(h, t->mask), step = 1, nr, i;

	while (unlikely((nr = room_in(to, window)) == BW_WINDOW))
		window = (window + step++) & t->mask;
	i = window * BW_WINDOW + nr;
	t->ctrl[i] = bw_tag(h);
	to->nr[window % WINDOWS] = (u8)(nr + 1);
	slot_copy(m, kind, bw_map_slot_of(m, kind, t, i), from);
}

/* What the strings of a window's keys are is read soon (inline: as in map_iter.c). */
BW_MAP_INLINE void fetch(const struct bw_map *m, const struct bw_map_table *t,
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

/* To the second of @to go those whose hashes have a 1 in @bit. How many went there */
BW_MAP_MADE u32 move_all(const struct bw_map *m, u32 kind,
			 const struct bw_map_table *t, struct heir *to, u64 bit)
{
	u32 window, full, nr = 0;
	const char *slot;
	u64 h;

	for (window = 0; window <= t->mask; window++) {
		if (kind == BW_KEY_STRING && window < t->mask)
			fetch(m, t, window + 1);
		full = bw_window_full(bw_map_window(t, window));
		for (; full; full &= full - 1) {
			slot = bw_map_slot_of(m, kind, t, window * BW_WINDOW +
					      (u32)__builtin_ctz(full));
			h = bw_map_hash_of(m, kind, slot);
			nr += !!(h & bit);
			move_to(m, kind, &to[!!(h & bit)], h, slot);
		}
	}
	return nr;
}

static u32 move_kind(const struct bw_map *m, const struct bw_map_table *t,
		     struct heir *to, u64 bit)
{
	switch (m->kind) {
	case BW_KEY_U64:
		if (likely(bw_map_state(m) & BW_MAP_PAIRS))
			return move_all(m, BW_KEY_PAIR, t, to, bit);
		return move_all(m, BW_KEY_U64, t, to, bit);
	case BW_KEY_STRING:
		return move_all(m, BW_KEY_STRING, t, to, bit);
	case BW_KEY_OWN:
		return move_all(m, BW_KEY_OWN, t, to, bit);
	default:
		return move_all(m, BW_KEY_BYTES, t, to, bit);
	}
}

static void take(struct bw_map_table *t, u32 nr)
{
	t->used = nr;
	t->left -= nr;
}

/* All keys: to @a; or to @b, those whose hashes have a 1 in @bit. */
static void move(const struct bw_map *m, const struct bw_map_table *t,
		 struct bw_map_table *a, struct bw_map_table *b, u64 bit)
{
	struct heir to[2] = { { a, { 0 } }, { b, { 0 } } };
	u32 nr = move_kind(m, t, to, bit);

	take(a, t->used - nr);
	if (bit)
		take(b, nr);
}

/* The words of table @t, where @h leads: the first half is for @a. */
static void dir_set(struct bw_map *m, struct bw_map_table *t, u64 h,
		    struct bw_map_table *a, struct bw_map_table *b)
{
	u32 words = 1U << (m->depth - t->depth), i;
	u32 first = (u32)(h >> m->shift) & m->dir_mask & ~(words - 1);

	for (i = 0; i < words; i++)
		bw_set(&m->dir[first + i], i < words / 2 ? a : b);
	if (!m->depth)
		bw_set(&m->only_too, b);
	t->stale = true;
	m->gone++;
}

static int replace(struct bw_map *m, u64 h, struct bw_map_table *t, u32 slots)
{
	struct bw_map_table *a = bw_map_table_make(m, slots, t->depth);

	if (!a)
		return -ENOMEM;
	move(m, t, a, NULL, 0);
	dir_set(m, t, h, a, a);
	if (!m->depth)
		m->mask = a->mask;
	else if (a->mask != m->mask)
		WRITE_ONCE(m->state, bw_map_state(m) | BW_MAP_UNEVEN);
	return 0;
}

#define LONG_DIR	16U		/* words */

/*
 * Pages of a new object come from the system: those of a long directory are not to come
 * in the one insert that fills it as well. An insert that splits a table has it made,
 * long before; without memory it is made when it is needed.
 */
static void dir_prepare(struct bw_map *m)
{
	if (m->dir_mask + 1 >= LONG_DIR && !m->spare)
		bw_set(&m->spare, bw_alloc_array(2 * ((size_t)m->dir_mask + 1),
						 sizeof(*m->spare)));
}

/* Two words for each. The new ones are stored before the map has them as @dir. */
static int dir_double(struct bw_map *m)
{
	size_t words = (size_t)m->dir_mask + 1, i;
	struct bw_map_table **old = m->dir, **dir = m->spare;

	if (!dir)
		dir = bw_alloc_array(2 * words, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	/* plain: while marking is under way the barrier below shows it @old */
	for (i = 0; i < 2 * words; i++)
		dir[i] = old[i / 2];
	bw_set(&m->dir, dir);
	bw_set(&m->spare, NULL);
	m->dir_mask = (u32)(2 * words - 1);
	m->depth++;
	m->shift = 64 - m->depth;
	if (old == &m->only) {
		bw_set(&m->only, NULL);
		bw_set(&m->only_too, NULL);
	} else if (!BW_BARRIER_ON) {
		bw_free(old);
	}
	return 0;
}

static int split(struct bw_map *m, u64 h, struct bw_map_table *t)
{
	struct bw_map_table *a, *b;

	if (t->depth < m->depth)
		dir_prepare(m);
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
	move(m, t, a, b, 1ULL << (63 - t->depth));
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
