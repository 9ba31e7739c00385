/* SPDX-License-Identifier: MIT */
/* map_rig: maps of all kinds of keys for tests, keys by number, and a naive map. */
#ifndef BW_TESTS_MAP_RIG_H
#define BW_TESTS_MAP_RIG_H

#include "alloc_rig.h"
#include "burrow.h"
#include "lang/map.h"
#include "sched_rig.h"

#define RIG_MAP_KEY	64U		/* bytes: room for any key */

/**
 * struct rig_map_kind - a kind of maps, all with uint64_t values
 * @name:	for messages
 * @type:	of the map
 * @key:	makes key @i at @to, which has room and is zero
 */
struct rig_map_kind {
	const char *name;
	struct bw_map_type type;
	void (*key)(void *to, u64 i);
};

static inline void rig_key_word(void *to, u64 i)
{
	*(u64 *)to = i;
}

/* Bytes behind the struct of the string. */
static inline void rig_key_string(void *to, u64 i)
{
	struct bw_string *s = to;
	char *text = (char *)(s + 1);

	s->ptr = text;
	s->len = (size_t)sprintf(text, "%llx%.*s", (unsigned long long)i,
				 (int)(i % 23), "-the rest of the text!-");
}

struct rig_bytes {
	char byte[13];
};

static inline void rig_key_bytes(void *to, u64 i)
{
	memcpy(to, &i, 5);
	memset((char *)to + 5, (int)(i % 251), 8);
}

static inline u64 rig_hash_worst(const void *key)
{
	return 42;
}

static inline u64 rig_hash_bad(const void *key)
{
	return *(const u64 *)key % 7;
}

static inline bool rig_equal_word(const void *a, const void *b)
{
	return *(const u64 *)a == *(const u64 *)b;
}

static const struct rig_map_kind rig_map_kinds[] = {
	{ "words", BW_MAP(BW_U64, BW_U64), rig_key_word },
	{ "strings", BW_MAP(BW_STRING, BW_U64), rig_key_string },
	{ "bytes", BW_MAP(BW_PLAIN(struct rig_bytes), BW_U64), rig_key_bytes },
	{ "own", BW_MAP_OWN(BW_U64, BW_U64, rig_hash_bad, rig_equal_word),
	  rig_key_word },
	{ "colliding",
	  BW_MAP_OWN(BW_U64, BW_U64, rig_hash_worst, rig_equal_word),
	  rig_key_word },
};

#define RIG_MAP_GOOD	3U		/* of these have good hashes */

/* A key as it is to be kept: its bytes are not on this stack. */
static inline void rig_key_kept(const struct rig_map_kind *k, void *to, u64 i)
{
	struct bw_string *s = to;
	char *text;

	memset(to, 0, RIG_MAP_KEY);
	k->key(to, i);
	if (k->type.key.kind == BW_KEY_STRING) {
		text = bw_alloc_noscan(s->len);
		memcpy(text, s->ptr, s->len);
		s->ptr = text;
	}
}

/* These have calls of their own, which do the same as those for all keys. */
static inline bool rig_is_words(const struct rig_map_kind *k)
{
	return k->type.key.kind == BW_KEY_U64 && !k->type.equal;
}

static inline bool rig_is_strings(const struct rig_map_kind *k)
{
	return k->type.key.kind == BW_KEY_STRING;
}

/* Key @i gets @value. */
static inline void rig_map_put(struct bw_map *m, const struct rig_map_kind *k,
			       u64 i, u64 value)
{
	char key[RIG_MAP_KEY] __aligned(16);
	struct bw_string *s = (void *)key;
	u64 *to;

	rig_key_kept(k, key, i);
	if (value & 2 || !(rig_is_words(k) || rig_is_strings(k))) {
		EXPECT(!bw_map_put(m, key, &value));
		return;
	}
	to = rig_is_words(k) ? bw_map_at_u64(m, i, NULL) :
			       bw_map_at_string(m, *s, NULL);
	if (EXPECT(to))
		*to = value;
}

static inline u64 *rig_map_get(const struct bw_map *m,
			       const struct rig_map_kind *k, u64 i)
{
	char key[RIG_MAP_KEY] __aligned(16) = { 0 };
	struct bw_string *s = (void *)key;
	u64 *got;

	k->key(key, i);
	got = bw_map_get(m, key);
	if (rig_is_words(k))
		EXPECT(bw_map_get_u64(m, i) == got);
	if (rig_is_strings(k))
		EXPECT(bw_map_get_string(m, *s) == got);
	return got;
}

static inline bool rig_map_del(struct bw_map *m, const struct rig_map_kind *k,
			       u64 i)
{
	char key[RIG_MAP_KEY] __aligned(16) = { 0 };
	struct bw_string *s = (void *)key;

	k->key(key, i);
	if (i & 1 && rig_is_words(k))
		return bw_map_del_u64(m, i);
	if (i & 1 && rig_is_strings(k))
		return bw_map_del_string(m, *s);
	return bw_map_del(m, key);
}

#endif
