/* SPDX-License-Identifier: MIT */
/*
 * burrow/map.h: maps: values by keys.
 *
 *	static const struct bw_map_type ages = BW_MAP(BW_STRING, BW_PLAIN(long));
 *	static const struct bw_map_type nodes = BW_MAP(BW_U64, BW_OF(node));
 *
 *	struct bw_map *m = bw_map_make(&ages, 0);
 *	long *age = bw_map_at_string(m, BW_STR("ada"), NULL);	made if need be
 *
 *	*age += 1;
 *	bw_map_each(it, m)
 *		show(it.key, it.value);
 *
 * A map is an object: it lives while somebody has it, and so does what its keys and
 * values point to. Keys and values are copied into it. A pointer to a value is good
 * until the next key is added to the map or removed, and a pointer into a value of
 * BW_OF() is stored with bw_set(), as into any object (burrow/barrier.h).
 *
 * Keys are equal when their bytes are: a key with holes between its fields must have
 * zeros there, and 0.0 and -0.0 are two keys. A type may have its own @equal and
 * @hash: equal keys have equal hashes, the rest is the map's. A key that is not
 * equal to itself can be put any number of times and never be found.
 *
 * Any number of Gs and threads may read a map at a time, and iterate over it. Who
 * adds, removes or clears must be alone: that somebody is not is a fatal error,
 * where it is seen.
 */
#ifndef BURROW_MAP_H
#define BURROW_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "string.h"
#include "type.h"

#ifdef __cplusplus
extern "C" {
#endif

struct bw_map;
struct bw_map_table;

#define BW_KEY_BYTES	0U
#define BW_KEY_U64	1U
#define BW_KEY_STRING	2U

/**
 * struct bw_map_part - keys, or values, of a map: one of the macros below	[const]
 * @size:	bytes of each; 0 for values that are nothing
 * @align:	power of two, 16 at most
 * @type:	where its pointers are, or NULL: none
 * @kind:	BW_KEY_*, of keys
 */
struct bw_map_part {
	size_t size;
	size_t align;
	const struct bw_type *type;
	unsigned int kind;
};

/* An object's address. */
struct bw_map_pointer {
	void *ptr;
};

BW_TYPE(map_pointer, struct bw_map_pointer, ptr);

#define BW_PLAIN(ctype)	{ sizeof(ctype), __alignof__(ctype), NULL, BW_KEY_BYTES }
#define BW_NOTHING	{ 0, 1, NULL, BW_KEY_BYTES }
#define BW_U64		{ 8, 8, NULL, BW_KEY_U64 }
#define BW_STRING	{ sizeof(struct bw_string), 8, &bw_type_string, BW_KEY_STRING }
/* To an object. */
#define BW_POINTER	{ sizeof(void *), 8, &bw_type_map_pointer, BW_KEY_BYTES }
/* What BW_TYPE(@name) says. */
#define BW_OF(name) \
	{ sizeof(bw_type_##name##_is), __alignof__(bw_type_##name##_is), \
	  &bw_type_##name, BW_KEY_BYTES }

/**
 * struct bw_map_type - what a map is of; lives as long as its maps		[const]
 * @key:	may not be BW_NOTHING
 * @value:	of which pointers
 * @hash:	of a key, or NULL: of its bytes
 * @equal:	are two keys the same, or NULL: by their bytes
 *
 * Both or none. They may park, and may not change the map.
 */
struct bw_map_type {
	struct bw_map_part key;
	struct bw_map_part value;
	uint64_t (*hash)(const void *key);
	bool (*equal)(const void *a, const void *b);
};

#define BW_MAP(key, value)	{ key, value, NULL, NULL }
#define BW_MAP_OWN(key, value, hash, equal)	{ key, value, hash, equal }

/* With room for @hint keys before it grows. NULL and ENOMEM: no memory. */
struct bw_map *bw_map_make(const struct bw_map_type *t, size_t hint);

/* NULL is an empty map, to which nothing can be added. */
size_t bw_map_len(const struct bw_map *m);
/* The value, or NULL. */
void *bw_map_get(const struct bw_map *m, const void *key);
/*
 * The value; if there is none, one of zeros, and *@fresh (or NULL) is true. NULL and
 * ENOMEM: no memory, and the map is as it was.
 */
void *bw_map_at(struct bw_map *m, const void *key, bool *fresh);
/* 0, or -ENOMEM, and the map is as it was. */
int bw_map_put(struct bw_map *m, const void *key, const void *value);
/* It was there. */
bool bw_map_del(struct bw_map *m, const void *key);
/* Its memory is kept for the next keys. */
void bw_map_clear(struct bw_map *m);

/* The same, of maps whose keys are 8 bytes without @equal, or BW_STRING. */
static inline void *bw_map_get_u64(const struct bw_map *m, uint64_t key);
void *bw_map_at_u64(struct bw_map *m, uint64_t key, bool *fresh);
bool bw_map_del_u64(struct bw_map *m, uint64_t key);
void *bw_map_get_string(const struct bw_map *m, struct bw_string key);
void *bw_map_at_string(struct bw_map *m, struct bw_string key, bool *fresh);
bool bw_map_del_string(struct bw_map *m, struct bw_string key);

/**
 * struct bw_map_iter - on the stack of who iterates
 * @key:	of the entry; not to be changed
 * @value:	of it; both as long as a pointer to a value
 *
 * What follows is the iterator's own.
 */
struct bw_map_iter {
	const void *key;
	void *value;
	const struct bw_map *map;
	struct bw_map_table *table;
	const char *slots;
	uint64_t full, rest, gone;
	uint32_t turn, wrap, stride, value_at;
	uint64_t first, pos, size, random;
	uint32_t start, stretch, left;
};

/*
 * In an order that is another each time. The map may be changed meanwhile by who
 * iterates: what is removed before its turn is not seen, what is added may be, and
 * each other entry is seen once. False: that was all.
 */
void bw_map_iter_begin(struct bw_map_iter *it, const struct bw_map *m);
static inline bool bw_map_next(struct bw_map_iter *it);

#define bw_map_each(it, m) \
	for (bw_map_iter_begin(&(it), (m)); bw_map_next(&(it));)

#ifdef __cplusplus
}
#endif

#include "map_probe.h"

#endif
