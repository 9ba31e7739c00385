// SPDX-License-Identifier: MIT
/* db: see db.h */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <burrow.h>

#include "db.h"

#define LOOK_NS		100000000ULL	/* from one look to the next */
#define LOOK_KEYS	512U		/* of a shard, in each */

BW_TYPE(entry, struct entry, value);

/* The bytes of a key are an object of their own. */
static const struct bw_map_type entries = BW_MAP(BW_STRING, BW_OF(entry));

/**
 * struct shard - a part of the keys
 * @mutex:	guards it
 * @map:	of @entries						[mutex]
 * @nr_timed:	keys in it whose time comes: or nobody looks		[mutex]
 * @look:	where the next look for expired ones begins, if		[mutex]
 * @looking:	it is under way						[mutex]
 */
struct shard {
	struct bw_mutex mutex;
	struct bw_map *map;
	size_t nr_timed;
	struct bw_map_iter look;
	bool looking;
} __attribute__((aligned(64)));

static struct shard shards[DB_SHARDS];
static uint64_t seed[2];

int db_init(void)
{
	unsigned int i;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	seed[0] |= 1;
	for (i = 0; i < DB_SHARDS; i++) {
		shards[i].map = bw_map_make(&entries, 0);
		if (!shards[i].map)
			return -ENOMEM;
	}
	return 0;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/*
 * Words of the key, each multiplied with what nobody else knows: who chooses the
 * keys does not choose their shard. The map has secrets of its own.
 */
uint64_t db_shard(struct text key)
{
	uint64_t h = seed[1] ^ key.len, word;
	const char *at = key.at;
	size_t n = key.len;

	for (; n >= sizeof(word); n -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		h = mix(h ^ word, seed[0]);
	}
	word = 0;
	memcpy(&word, at, n);
	return (uint64_t)1 << (mix(h ^ word, seed[0]) % DB_SHARDS);
}

static struct shard *shard_of(uint64_t shard)
{
	return &shards[__builtin_ctzll(shard)];
}

void db_lock(uint64_t which)
{
	for (; which; which &= which - 1)
		bw_mutex_lock(&shard_of(which)->mutex);
}

void db_unlock(uint64_t which)
{
	for (; which; which &= which - 1)
		bw_mutex_unlock(&shard_of(which)->mutex);
}

struct blob *db_blob(const char *bytes, size_t len)
{
	struct blob *b = bw_alloc_raw(sizeof(*b) + len);

	if (!b)
		return NULL;
	b->len = len;
	if (bytes)
		memcpy(b->bytes, bytes, len);
	return b;
}

static struct bw_string string_of(struct text key)
{
	return (struct bw_string){ key.at, key.len };
}

static void set_expires(struct shard *s, struct entry *e, uint64_t when)
{
	s->nr_timed += (when != DB_FOREVER);
	s->nr_timed -= (e->expires != DB_FOREVER);
	e->expires = when;
}

static void take_out(struct shard *s, struct bw_string key, struct entry *e)
{
	set_expires(s, e, DB_FOREVER);
	bw_map_del_string(s->map, key);
}

struct entry *db_find(uint64_t shard, struct text key)
{
	struct shard *s = shard_of(shard);
	struct entry *e = bw_map_get_string(s->map, string_of(key));

	if (!e || e->expires == DB_FOREVER || bw_now() < e->expires)
		return e;
	take_out(s, string_of(key), e);
	return NULL;
}

bool db_del(uint64_t shard, struct text key)
{
	struct entry *e = db_find(shard, key);

	if (e)
		take_out(shard_of(shard), string_of(key), e);
	return e;
}

void db_set_expires(uint64_t shard, struct entry *e, uint64_t when)
{
	set_expires(shard_of(shard), e, when);
}

void db_set_value(struct entry *e, struct blob *value)
{
	bw_set(&e->value, value);
}

/* The map keeps the key: a copy, as a request's bytes are overwritten. */
static struct entry *db_add(struct bw_map *map, struct text key)
{
	struct bw_string own = bw_string_copy(key.at, key.len);
	struct entry *e;

	e = own.ptr ? bw_map_at_string(map, own, NULL) : NULL;
	if (e)
		e->expires = DB_FOREVER;
	return e;
}

int db_put(uint64_t shard, struct text key, struct blob *value,
	   uint64_t expires)
{
	struct shard *s = shard_of(shard);
	struct entry *e = bw_map_get_string(s->map, string_of(key));

	if (!e)
		e = db_add(s->map, key);
	if (!e)
		return -ENOMEM;
	db_set_value(e, value);
	set_expires(s, e, expires);
	return 0;
}

size_t db_size(void)
{
	size_t nr = 0;
	unsigned int i;

	for (i = 0; i < DB_SHARDS; i++) {
		bw_mutex_lock(&shards[i].mutex);
		nr += bw_map_len(shards[i].map);
		bw_mutex_unlock(&shards[i].mutex);
	}
	return nr;
}

/* New maps: those that are full would keep their memory. */
void db_clear(void)
{
	struct bw_map *map;
	unsigned int i;

	db_lock(~(uint64_t)0);
	for (i = 0; i < DB_SHARDS; i++) {
		map = bw_map_make(&entries, 0);
		if (map)
			shards[i].map = map;
		else
			bw_map_clear(shards[i].map);
		shards[i].nr_timed = 0;
		shards[i].looking = false;
	}
	db_unlock(~(uint64_t)0);
}

/* A few keys. Others may come and go until the next look, the iteration holds. */
static void look(struct shard *s)
{
	uint64_t now = bw_now();
	const struct bw_string *key;
	struct entry *e;
	unsigned int i;

	bw_mutex_lock(&s->mutex);
	if (s->nr_timed && !s->looking)
		bw_map_iter_begin(&s->look, s->map);
	for (i = 0; s->nr_timed && i < LOOK_KEYS; i++) {
		s->looking = bw_map_next(&s->look);
		if (!s->looking)
			break;
		key = s->look.key;
		e = s->look.value;
		if (now >= e->expires)
			take_out(s, *key, e);
	}
	bw_mutex_unlock(&s->mutex);
}

void db_expire(void *arg)
{
	unsigned int i;

	for (;;) {
		bw_sleep(LOOK_NS);
		for (i = 0; i < DB_SHARDS; i++)
			look(&shards[i]);
	}
}
