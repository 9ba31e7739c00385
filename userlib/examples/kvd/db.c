// SPDX-License-Identifier: MIT
/* db: see db.h */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <burrow.h>

#include "db.h"

#define BUCKETS		64U
#define LOOK_NS		100000000ULL	/* from one look to the next */
#define LOOK_BUCKETS	512U		/* of a shard, in each */

/**
 * struct shard - a hash table
 * @mutex:	guards it
 * @bucket:	chains							[mutex]
 * @nr_buckets:	a power of two						[mutex]
 * @nr:		keys							[mutex]
 * @cursor:	where the next look for expired ones begins		[mutex]
 */
struct shard {
	struct bw_mutex mutex;
	struct entry **bucket;
	size_t nr_buckets;
	size_t nr;
	size_t cursor;
} __attribute__((aligned(64)));

BW_TYPE_BYTES(entry, struct entry, key, next, value);

static struct shard shards[DB_SHARDS];
static uint64_t seed[2];

int db_init(void)
{
	unsigned int i;

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return -EIO;
	seed[0] |= 1;
	for (i = 0; i < DB_SHARDS; i++) {
		shards[i].bucket = bw_alloc_array(BUCKETS, sizeof(void *));
		if (!shards[i].bucket)
			return -ENOMEM;
		shards[i].nr_buckets = BUCKETS;
	}
	return 0;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Words of the key, each multiplied with what nobody else knows. */
uint64_t db_hash(struct text key)
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
	return mix(mix(h ^ word, seed[0]), seed[0] ^ 0x9e3779b97f4a7c15ULL);
}

static struct shard *shard_of(uint64_t hash)
{
	return &shards[hash >> 58];
}

void db_lock(uint64_t which)
{
	for (; which; which &= which - 1)
		bw_mutex_lock(&shards[__builtin_ctzll(which)].mutex);
}

void db_unlock(uint64_t which)
{
	for (; which; which &= which - 1)
		bw_mutex_unlock(&shards[__builtin_ctzll(which)].mutex);
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

static struct entry **bucket_of(const struct shard *s, uint64_t hash)
{
	return &s->bucket[hash & (s->nr_buckets - 1)];
}

static void take_out(struct shard *s, struct entry **at)
{
	bw_set(at, (*at)->next);
	s->nr--;
}

/* Where it is, or the end of its chain; expired ones on the way go. */
static struct entry **place_of(struct shard *s, struct text key, uint64_t hash)
{
	struct entry **at = bucket_of(s, hash), *e;

	while ((e = *at)) {
		if (e->expires != DB_FOREVER && bw_now() >= e->expires) {
			take_out(s, at);
			continue;
		}
		if (e->hash == hash && e->len == key.len &&
		    !memcmp(e->key, key.at, key.len))
			break;
		at = &e->next;
	}
	return at;
}

struct entry *db_find(struct text key, uint64_t hash)
{
	return *place_of(shard_of(hash), key, hash);
}

bool db_del(struct text key, uint64_t hash)
{
	struct shard *s = shard_of(hash);
	struct entry **at = place_of(s, key, hash);
	bool there = *at;

	if (there)
		take_out(s, at);
	return there;
}

void db_set_value(struct entry *e, struct blob *value)
{
	bw_set(&e->value, value);
}

/* Without memory the chains get longer. */
static void grow(struct shard *s)
{
	size_t n = 2 * s->nr_buckets, i;
	struct entry **more = bw_alloc_array(n, sizeof(*more)), *e, *next;

	if (!more)
		return;
	for (i = 0; i < s->nr_buckets; i++) {
		for (e = s->bucket[i]; e; e = next) {
			next = e->next;
			bw_set(&e->next, more[e->hash & (n - 1)]);
			bw_set(&more[e->hash & (n - 1)], e);
		}
	}
	bw_set(&s->bucket, more);
	s->nr_buckets = n;
}

int db_put(struct text key, uint64_t hash, struct blob *value, uint64_t expires)
{
	struct shard *s = shard_of(hash);
	struct entry *e = *place_of(s, key, hash), **first;

	if (e) {
		db_set_value(e, value);
		e->expires = expires;
		return 0;
	}
	e = bw_new_tail(entry, key.len);
	if (!e)
		return -ENOMEM;
	memcpy(e->key, key.at, key.len);
	e->len = key.len;
	e->hash = hash;
	e->expires = expires;
	bw_set(&e->value, value);
	if (s->nr >= s->nr_buckets)
		grow(s);
	first = bucket_of(s, hash);
	bw_set(&e->next, *first);
	bw_set(first, e);
	s->nr++;
	return 0;
}

size_t db_size(void)
{
	size_t nr = 0;
	unsigned int i;

	for (i = 0; i < DB_SHARDS; i++) {
		bw_mutex_lock(&shards[i].mutex);
		nr += shards[i].nr;
		bw_mutex_unlock(&shards[i].mutex);
	}
	return nr;
}

void db_clear(void)
{
	unsigned int i;
	size_t k;

	db_lock(~(uint64_t)0);
	for (i = 0; i < DB_SHARDS; i++) {
		for (k = 0; k < shards[i].nr_buckets; k++)
			bw_set(&shards[i].bucket[k], NULL);
		shards[i].nr = 0;
	}
	db_unlock(~(uint64_t)0);
}

static void look(struct shard *s)
{
	uint64_t now = bw_now();
	struct entry **at;
	unsigned int i;

	bw_mutex_lock(&s->mutex);
	for (i = 0; i < LOOK_BUCKETS && i < s->nr_buckets; i++) {
		at = &s->bucket[s->cursor++ & (s->nr_buckets - 1)];
		while (*at) {
			if (now >= (*at)->expires)
				take_out(s, at);
			else
				at = &(*at)->next;
		}
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
