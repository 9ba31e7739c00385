/* SPDX-License-Identifier: MIT */
/*
 * db: keys and values.
 *
 * Keys are spread over shards, each a hash table of its own under its own mutex. A
 * value is never changed, but replaced: who got one under the lock may look at it
 * without. Who needs several keys at one moment locks all of their shards, in order.
 * A key whose time has come is gone: whoever meets it takes it out, and a G looks
 * for those that nobody meets.
 */
#ifndef BW_KVD_DB_H
#define BW_KVD_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_SHARDS	64U
#define DB_FOREVER	UINT64_MAX

/* A value, or a part of a request. */
struct blob {
	size_t len;
	char bytes[];
};

struct text {
	const char *at;
	size_t len;
};

/**
 * struct entry - a key							[its shard]
 * @next:	in its bucket
 * @value:	its value
 * @expires:	a moment, or DB_FOREVER
 * @hash:	of the key
 * @len:	of the key
 */
struct entry {
	struct entry *next;
	struct blob *value;
	uint64_t expires;
	uint64_t hash;
	size_t len;
	char key[];
};

int db_init(void);
uint64_t db_hash(struct text key);

/* The shard of a hash is bit i of db_shard(): locks one, or all of several. */
static inline uint64_t db_shard(uint64_t hash)
{
	return (uint64_t)1 << (hash >> 58);
}

void db_lock(uint64_t shards);
void db_unlock(uint64_t shards);

/* Locked. NULL: there is none. */
struct entry *db_find(struct text key, uint64_t hash);
/* With that value: 0, -ENOMEM */
int db_put(struct text key, uint64_t hash, struct blob *value,
	   uint64_t expires);
void db_set_value(struct entry *e, struct blob *value);
/* False: it was not there. */
bool db_del(struct text key, uint64_t hash);

/* Not locked. */
size_t db_size(void);
void db_clear(void);
struct blob *db_blob(const char *bytes, size_t len);
/* A G that takes out keys whose time has come. */
void db_expire(void *arg);

#endif
