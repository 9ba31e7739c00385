// SPDX-License-Identifier: MIT
/* mag: see mag.h */
#include <sys/mman.h>

#include "base/lock.h"
#include "base/sysmem.h"
#include "depot.h"
#include "mag.h"

#define CHUNK_BYTES	65536U
#define REFUSALS	1024U
#define LINE_BYTES	64UL	/* longer ones begin at a line of the cache */

/**
 * struct chunk - where magazines lie, at a multiple of its size	[pool.lock]
 * @next:	of all
 * @nr:		how many of them are somebody's
 */
struct chunk {
	struct chunk *next;
	u32 nr;
};

/**
 * struct pool - magazines that are nobody's
 * @lock:	of all that follows (rank MAGAZINES)
 * @nr_idle:	chunks of which no magazine is anybody's
 * @chunks:	all of them
 * @blank:	lists, by kind
 * @at:		memory of the first chunk that never was one ...
 * @left:	... and how many bytes
 * @fresh:	from here on it was not touched, to the end of the chunk
 * @refused:	so often nobody asks whether there is room: who is told "no" waited
 *		for the kernel to look everywhere, and a thread does without
 */
static struct pool {
	struct bw_lock lock;
	u32 nr_idle;
	struct chunk *chunks;
	struct bw_mag *blank[BW_MAG_KINDS];
	char *at;
	size_t left;
	char *fresh;
	u32 refused;
} pool = { .lock = { BW_LOCK_FREE, BW_RANK_MAGAZINES } };

static struct chunk *chunk_of(const void *m)
{
	return (struct chunk *)((uintptr_t)m & ~(uintptr_t)(CHUNK_BYTES - 1));
}

/* It is ordinary memory: there is to be room first (pageheap_desc.c). */
static bool chunk_add_locked(void)
{
	struct chunk *chunk = NULL;

	if (bw_mheap_has_room(bw_depots_heap()))
		chunk = bw_sys_alloc_aligned(CHUNK_BYTES, CHUNK_BYTES);
	if (!chunk)
		return false;
	chunk->next = pool.chunks;
	pool.chunks = chunk;
	pool.nr_idle++;
	pool.at = (char *)chunk + LINE_BYTES;
	pool.left = CHUNK_BYTES - LINE_BYTES;
	pool.fresh = (char *)chunk + BW_SYS_PAGE;
	return true;
}

/* The same, by the page. */
static bool touch_to_locked(const char *end)
{
	struct bw_mheap *h = bw_depots_heap();

	while (pool.fresh < end) {
		if (!bw_mheap_touch(h, pool.fresh, BW_SYS_PAGE))
			return false;
		pool.fresh += BW_SYS_PAGE;
	}
	return true;
}

/* What is left of the chunk before is less than the longest. */
static void *carve_try_locked(u32 kind)
{
	size_t bytes = 4 * sizeof(void *) << kind;
	size_t skip = -(uintptr_t)pool.at & (min(bytes, LINE_BYTES) - 1);

	if (pool.left < skip + bytes) {
		if (!chunk_add_locked())
			return NULL;
		skip = 0;
	}
	if (!touch_to_locked(pool.at + skip + bytes))
		return NULL;
	pool.at += skip + bytes;
	pool.left -= skip + bytes;
	return pool.at - bytes;
}

static void *carve_locked(u32 kind)
{
	void *m = NULL;

	if (pool.refused) {
		pool.refused--;
	} else {
		m = carve_try_locked(kind);
		pool.refused = m ? 0 : REFUSALS;
	}
	return m;
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
	if (m && !chunk_of(m)->nr++)
		pool.nr_idle--;
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
	if (!--chunk_of(m)->nr)
		pool.nr_idle++;
	bw_unlock(&pool.lock);
}

#define GOING	(~0U)		/* @nr of a chunk whose magazines are forgotten */

/* Idle chunks off the list of all, but @keep of them. */
static struct chunk *idle_take_locked(u32 keep)
{
	struct chunk **link = &pool.chunks, *first = pool.chunks, *c;
	struct chunk *out = NULL;

	while ((c = *link)) {
		if (c->nr || pool.nr_idle <= keep) {
			link = &c->next;
			continue;
		}
		if (c == first)
			pool.left = 0;
		*link = c->next;
		c->next = out;
		c->nr = GOING;
		out = c;
		pool.nr_idle--;
	}
	return out;
}

static void blank_forget_locked(u32 kind)
{
	struct bw_mag **link = &pool.blank[kind], *m;

	while ((m = *link)) {
		if (chunk_of(m)->nr == GOING)
			*link = m->next;
		else
			link = &m->next;
	}
}

size_t bw_mags_trim(u32 keep)
{
	struct chunk *out = NULL, *next;
	size_t bytes = 0;
	u32 kind;

	bw_lock(&pool.lock);
	if (pool.nr_idle > keep)
		out = idle_take_locked(keep);
	for (kind = 0; out && kind < BW_MAG_KINDS; kind++)
		blank_forget_locked(kind);
	bw_unlock(&pool.lock);
	for (; out; out = next, bytes += CHUNK_BYTES) {
		next = out->next;
		/* first: to unmap a part of a mapping may take memory */
		madvise(out, CHUNK_BYTES, MADV_DONTNEED);
		bw_sys_free(out, CHUNK_BYTES);
	}
	return bytes;
}

struct bw_lock *bw_mag_lock(void)
{
	return &pool.lock;
}
