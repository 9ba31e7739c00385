/* SPDX-License-Identifier: MIT */
/*
 * map: what the files of maps know of each other.
 *
 *	bw_map_make()		map_make.c	what a map is of
 *	bw_map_get(), _at()	map.c		keys of any kind
 *	bw_map_get_u64()	burrow/map_probe.h, map_u64.c: words; map_string.c: strings
 *	  bw_map_probe()		map_find.h	one probe, made for each kind
 *	  bw_map_grow()		map_grow.c	a table that is full
 *	bw_map_next()		map_iter.c
 *
 *	 map -> directory -> table: header, control bytes -> slots
 *
 * The highest bits of a key's hash choose its table, through the directory; the
 * lowest eight are its tag, those above say in which window (map_group.h) to look first.
 * A table that is full is replaced: by one of the same size, if much of it was deleted;
 * by one of twice the size, up to what fits 32 KiB; then by two, of which the next bit
 * of the hash chooses (extendible hashing). So no insert moves more than one table's
 * keys; the directory, a word a table, doubles now and then.
 *
 * T1. Table t has the keys of which the first t->depth bits are those of its place in
 *     the directory, which has 2^(depth - t->depth) words for it. All tables have
 *     @mask + 1 windows, or the map is UNEVEN and each table knows.
 * T2. A key is in the first window from its own on, in probing order, that had room
 *     when it came. A window with an EMPTY slot never was without one, so nobody
 *     looks further than that; in one that is full a key that goes leaves DELETED.
 * T3. t->left is how many EMPTY slots may be taken: seven of eight are, in a table of
 *     several windows; all, in one.
 * T4. What a slot's key and value point to is stored with the barrier, and a slot that
 *     has no key has no pointers. Keys that move are an exception: the new table is
 *     known to nobody, and the old one, which the snapshot of marking has, keeps
 *     what it has (it is not freed while marking is under way).
 * T5. A table that was replaced is @stale and never written again: who iterates over
 *     it (@seen) knows from it what he has not had yet, and looks that up.
 * T6. @state has WRITING from the first look at the map to the last of who changes it.
 * T7. @gone is another one after a key was removed, a table replaced or the map cleared:
 *     who iterates and finds it as it was need not look where he looked before.
 *
 * Rejected: groups that hold control bytes and slots together (a miss then waits for
 * memory, where control bytes alone stay in a cache); growing all at once (a map of
 * 10M keys would stand still for a second); hashes kept beside keys (half as much
 * memory again, for growth alone: strings are fetched ahead instead); slots on pages
 * of 2 MiB (some insert would wait for the first touch of each).
 */
#ifndef BW_LANG_MAP_H
#define BW_LANG_MAP_H

#include "base/atomic.h"
#include "base/throw.h"
#include "burrow/barrier.h"
#include "burrow/map.h"
#include "hash.h"
#include "map_group.h"

#define BW_MAP_SLOTS		1024U	/* of a table, unless hashes collide */

/* Of struct bw_map, beyond BW_KEY_*. */
#define BW_KEY_OWN		3U	/* with its own @equal */
/* Not of a map, but a way through one: words, in BW_MAP_PAIRS. */
#define BW_KEY_PAIR		4U

/*
 * Tables of more windows have their slots in another object: control bytes lie closer
 * together, on pages of which the machine knows more.
 */
#define BW_MAP_INLINE_LG	2U

static inline u32 bw_map_slots(const struct bw_map_table *t)
{
	return t->half ? BW_GROUP : (t->mask + 1) * BW_WINDOW;
}

static inline const u8 *bw_map_window(const struct bw_map_table *t, u32 window)
{
	return t->ctrl + (size_t)window * BW_WINDOW;
}

static inline char *bw_map_slot(const struct bw_map *m,
				const struct bw_map_table *t, u32 i)
{
	return t->slots + (size_t)i * m->stride;
}

/* How many of so many slots may be taken (T3). */
static inline u32 bw_map_room(u32 slots)
{
	return slots > BW_WINDOW ? slots / 8 * 7 : slots;
}

static inline bool bw_map_has_pointers(const struct bw_map_part *p)
{
	return p->type && (p->type->flags & BW_TYPE_HAS_POINTERS);
}

/* @part, at @from, into a slot. */
static inline void bw_map_store(const struct bw_map_part *part, void *to,
				const void *from)
{
	size_t i;

	if (!bw_map_has_pointers(part)) {
		/* values of nothing come from NULL, too */
		if (part->size)
			memcpy(to, from, part->size);
		return;
	}
	for (i = 0; i < part->size / sizeof(void *); i++)
		bw_set_slot((void **)to + i, ((void *const *)from)[i]);
}

/* The slot becomes zeros, if somebody looks into it. */
static inline void bw_map_wipe(const struct bw_map *m, void *slot)
{
	size_t i;

	for (i = 0; m->pointers && i < m->stride / sizeof(void *); i++)
		bw_set_slot((void **)slot + i, NULL);
}

/* A new table, all EMPTY. NULL: no memory */
struct bw_map_table *bw_map_table_make(const struct bw_map *m, u32 slots,
				       u32 depth);
/*
 * The table that @h leads to is full. 0: look again; -ENOMEM. The first that was
 * replaced is *@old, and ends with bw_map_drop() when the caller has what he adds in
 * the map, as that may be a key or a value of the map.
 */
int bw_map_grow(struct bw_map *m, u64 h, struct bw_map_table **old);
void bw_map_drop(const struct bw_map *m, struct bw_map_table *t);
/* Of any kind. */
u64 bw_map_hash(const struct bw_map *m, const void *key);
/* The slot with @key, or NULL. */
char *bw_map_find_any(const struct bw_map *m, const void *key);
/* Fatal: keys of another kind, no map, not alone. */
__noreturn __cold void bw_map_die_kind(const char *who);
__noreturn __cold void bw_map_die_null(const char *who);
__noreturn __cold void bw_map_die_race(const char *what);
/* 0, or the number of an invariant that does not hold. */
int bw_map_check(const struct bw_map *m);

static inline void bw_map_read_begin(const struct bw_map *m, const char *what)
{
	if (unlikely(bw_map_state(m) & BW_MAP_WRITING))
		bw_map_die_race(what);
}

static inline void bw_map_write_begin(struct bw_map *m)
{
	u32 state = bw_map_state(m);

	if (unlikely(state & BW_MAP_WRITING))
		bw_map_die_race("it is changed by two at a time");
	WRITE_ONCE(m->state, state | BW_MAP_WRITING);
}

static inline void bw_map_write_end(struct bw_map *m)
{
	u32 state = bw_map_state(m);

	if (unlikely(!(state & BW_MAP_WRITING)))
		bw_map_die_race("it is changed by two at a time");
	WRITE_ONCE(m->state, state & ~BW_MAP_WRITING);
}

/*
 * The same, by who knows what @state is: a load of it would wait for the store of
 * the call before, and that for its own load.
 */
static inline void bw_map_write_begin_of(struct bw_map *m, u32 state)
{
	WRITE_ONCE(m->state, state | BW_MAP_WRITING);
}

static inline void bw_map_write_end_of(struct bw_map *m, u32 state)
{
	if (unlikely(bw_map_state(m) != (state | BW_MAP_WRITING)))
		bw_map_die_race("it is changed by two at a time");
	WRITE_ONCE(m->state, state);
}

#endif
