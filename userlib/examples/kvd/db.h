/* SPDX-License-Identifier: MIT */
/*
 * db: keys and values.
 *
 * Keys are spread over shards, each a map of its own under its own mutex. A
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
 * struct entry - what a key has					[its shard]
 * @value:	its value
 * @expires:	a moment, or DB_FOREVER; db_set_expires() changes it
 */
struct entry {
	struct blob *value;
	uint64_t expires;
};

int db_init(void);

/* Of a key, its shard: bit i is shard i. Locks one, or all of several. */
uint64_t db_shard(struct text key);
void db_lock(uint64_t shards);
void db_unlock(uint64_t shards);

/*
 * Locked, with the key's shard. NULL: there is none. It is good until a key comes
 * into the shard or goes.
 */
struct entry *db_find(uint64_t shard, struct text key);
/* With that value: 0, -ENOMEM */
int db_put(uint64_t shard, struct text key, struct blob *value,
	   uint64_t expires);
void db_set_value(struct entry *e, struct blob *value);
void db_set_expires(uint64_t shard, struct entry *e, uint64_t when);
/* False: it was not there. */
bool db_del(uint64_t shard, struct text key);

/* Not locked. */
size_t db_size(void);
void db_clear(void);
struct blob *db_blob(const char *bytes, size_t len);
/* A G that takes out keys whose time has come. */
void db_expire(void *arg);

#endif
