// SPDX-License-Identifier: MIT
/* mag: see mag.h */
#include "base/lock.h"
#include "base/sysmem.h"
#include "mag.h"

#define CHUNK_BYTES	65536U
#define LINE_BYTES	64UL	/* longer ones begin at a line of the cache */

/**
 * struct pool - magazines that are nobody's
 * @lock:	of all that follows (rank MAGAZINES)
 * @blank:	lists, by kind
 * @at:		memory that never was one ...
 * @left:	... and how many bytes
 */
static struct pool {
	struct bw_lock lock;
	struct bw_mag *blank[BW_MAG_KINDS];
	char *at;
	size_t left;
} pool = { .lock = { BW_LOCK_FREE, BW_RANK_MAGAZINES } };

/* What is left of the chunk before is less than the longest. */
static void *carve_locked(u32 kind)
{
	size_t bytes = 4 * sizeof(void *) << kind;
	size_t skip = -(uintptr_t)pool.at & (min(bytes, LINE_BYTES) - 1);
	char *chunk;

	if (pool.left < skip + bytes) {
		chunk = bw_sys_alloc(CHUNK_BYTES);
		if (!chunk)
			return NULL;
		pool.at = chunk;
		pool.left = CHUNK_BYTES;
		skip = 0;
	}
	pool.at += skip + bytes;
	pool.left -= skip + bytes;
	return pool.at - bytes;
}

struct bw_mag *bw_mag_get(u32 kind, u32 most)
{
	struct bw_mag *m;

	bw_lock(&pool.lock);
	m = pool.blank[kind];
	if (m)
		pool.blank[kind] = m->next;
	else
		m = carve_locked(kind);
	bw_unlock(&pool.lock);
	if (!m)
		return NULL;
	m->next = NULL;
	m->count = 0;
	m->cap = (u16)min(bw_mag_room(kind), most);
	m->kind = (u8)kind;
	m->used = false;
	m->tag = BW_MAG_TAG;
	return m;
}

void bw_mag_put(struct bw_mag *m)
{
	bw_lock(&pool.lock);
	m->next = pool.blank[m->kind];
	pool.blank[m->kind] = m;
	bw_unlock(&pool.lock);
}

struct bw_lock *bw_mag_lock(void)
{
	return &pool.lock;
}
