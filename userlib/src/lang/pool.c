// SPDX-License-Identifier: MIT
/*
 * pool: objects that a collection need not keep.
 *
 *	bw_pool_get()		<- here
 *	  take_from()		  of one's own P, then of others; of @now, then of @old
 *	bw_pool_put()		<- here
 *	  keep()		  one's own place, or the stack behind it
 *	bw_gc_cycle()		gc/cycle.c, in the stop in which a cycle begins
 *	  age()			<- here		@old is dropped, @now is @old
 *
 * Q1. A cache lives as long as somebody has it, and takes and gives at any time: who
 *     found it before a stop goes on with it, and what he puts there is dropped one
 *     collection earlier.
 * Q2. @own is taken and filled by one instruction each; the stack has a lock, which
 *     is a section. So nothing here depends on which P the G has, or on its having one.
 * Q3. Pools that have a cache are in the list, which is a root, and no others: one
 *     that nobody has is dropped by the second collection.
 * Q4. Whoever fills @now lists the pool; only a stop takes it out. So one at a time
 *     does so with a pool, and nobody waits for anybody, as a child of fork() would
 *     for ever. A stop in between leaves the pool alone; it is aged by the next.
 *
 * Rejected: a lock for the list (a child does not have the thread that holds it, and
 * locks of collections, forks and stops meet there); places without atomics, guarded by
 * a section (a G that overran its slice may have lost its P inside of it, and two would
 * have the same place).
 */
#include <errno.h>

#include "base/hooks.h"
#include "burrow/alloc.h"
#include "burrow/barrier.h"
#include "burrow/gc.h"
#include "burrow/pool.h"
#include "caller.h"
#include "sched/waitlock.h"

#define FEW	16U

/**
 * struct shard - of a P
 * @own:	one object, or NULL					[atomic]
 * @at:		more of them						[lock]
 * @nr:		how many						[lock]
 * @room:	for how many						[lock]
 * @lock:	word							[atomic]
 * @pad:	another P's is in another line
 */
struct shard {
	void *own;
	void **at;
	u32 nr;
	u32 room;
	u32 lock;
	u32 pad[9];
};

/**
 * struct cache - what was put; without a type, so all of its words are looked at
 * @nr:		of shards						[const]
 */
struct cache {
	u64 nr;
	struct shard shard[];
};

/**
 * struct bw_pool - a pool
 * @make:	a new one, or NULL					[const]
 * @arg:	for it							[const]
 * @now:	what was put since the last collection began, or NULL	[atomic]
 * @old:	what was put before that, or NULL			[atomic]
 * @next:	in the list						[Q4]
 * @listed:	it is in the list, or about to be			[atomic]
 */
struct bw_pool {
	void *(*make)(void *arg);
	void *arg;
	struct cache *now;
	struct cache *old;
	struct bw_pool *next;
	u32 listed;
};

BW_TYPE(pool, struct bw_pool, arg, now, old, next);

/* Those that have a cache (Q3): a root. */
static struct bw_pool *first_pool;

/* World stopped, nothing is marked yet: plain stores. */
static void age(void)
{
	struct bw_pool **at = &first_pool, *p;

	while ((p = *at)) {
		p->old = p->now;
		p->now = NULL;
		if (p->old) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		p->next = NULL;
		p->listed = 0;
	}
}

static int set_up(void)
{
	int err = bw_root_add(&first_pool, sizeof(first_pool));

	if (err && err != -EEXIST)
		return err;
	WRITE_ONCE(bw_up_cycle_begins, age);
	return 0;
}

struct bw_pool *bw_pool_make(void *(*make)(void *arg), void *arg)
{
	struct bw_pool *p = bw_new(pool);

	if (!p)
		return NULL;
	if (set_up()) {
		errno = ENOMEM;
		return NULL;
	}
	p->make = make;
	bw_set(&p->arg, arg);
	return p;
}

/* The calling G's or thread's, for the next moment at least. */
static u32 my_index(const struct cache *c)
{
	const struct bw_m *m = bw_m_self();
	const struct bw_p *p = m ? READ_ONCE(m->p) : NULL;

	return p ? p->id % (u32)c->nr : 0;
}

static void *pop(struct shard *s)
{
	void *obj = NULL;

	if (!READ_ONCE(s->nr))
		return NULL;
	bw_waiters_lock(&s->lock);
	if (s->nr) {
		obj = s->at[s->nr - 1];
		bw_set(&s->at[s->nr - 1], NULL);
		WRITE_ONCE(s->nr, s->nr - 1);
	}
	bw_waiters_unlock(&s->lock);
	return obj;
}

static void *take(struct shard *s)
{
	void *obj = READ_ONCE(s->own) ? bw_xchg(&s->own, NULL) : NULL;

	return obj ? obj : pop(s);
}

static void *take_from(struct cache *c)
{
	u32 first, i;
	void *obj = NULL;

	if (!c)
		return NULL;
	first = my_index(c);
	for (i = 0; i < c->nr && !obj; i++)
		obj = take(&c->shard[(first + i) % c->nr]);
	return obj;
}

void *bw_pool_get(struct bw_pool *p)
{
	void *obj;

	bw_caller("bw_pool_get");
	/* pairs with cache_of() */
	obj = take_from(smp_load_acquire(&p->now));
	if (!obj)
		/* pairs with the stop that put it there */
		obj = take_from(smp_load_acquire(&p->old));
	if (!obj && p->make)
		obj = p->make(p->arg);
	return obj;
}

/* Q4. Should a stop take the first one out meanwhile, that is seen. */
static void list(struct bw_pool *p)
{
	struct bw_pool *first = READ_ONCE(first_pool);

	if (xchg(&p->listed, 1))
		return;
	do
		bw_set(&p->next, first);
	while (!bw_cas(&first_pool, &first, p));
}

/* NULL: there is no memory for one. */
static struct cache *cache_of(struct bw_pool *p)
{
	/* pairs with bw_cas() below, of another */
	struct cache *c = smp_load_acquire(&p->now), *none = NULL;
	u32 nr;

	if (likely(c))
		return c;
	nr = max(READ_ONCE(bw_sched.nr_made), 1U);
	c = bw_alloc(sizeof(*c) + nr * sizeof(c->shard[0]));
	if (!c)
		return NULL;
	c->nr = nr;
	if (!bw_cas(&p->now, &none, c))
		return none;
	list(p);
	return c;
}

/* Twice the room. False: there is no memory for it. */
static bool grow(struct shard *s, u32 room)
{
	u32 more = room ? 2 * room : FEW;
	void **at = bw_alloc_array(more, sizeof(*at));

	if (!at)
		return false;
	bw_waiters_lock(&s->lock);
	/* or another did it meanwhile */
	if (s->room == room) {
		if (s->nr)
			bw_copy(at, s->at, s->nr);
		bw_set(&s->at, at);
		s->room = more;
	}
	bw_waiters_unlock(&s->lock);
	return true;
}

/* 0: pushed; else the room that it has, and that is full, and 1. */
static u32 push(struct shard *s, void *obj)
{
	u32 full = 0;

	bw_waiters_lock(&s->lock);
	if (s->nr == s->room) {
		full = s->room + 1;
	} else {
		bw_set(&s->at[s->nr], obj);
		WRITE_ONCE(s->nr, s->nr + 1);
	}
	bw_waiters_unlock(&s->lock);
	return full;
}

static void keep(struct shard *s, void *obj)
{
	void *none = NULL;
	u32 full;

	if (!READ_ONCE(s->own) && bw_cas(&s->own, &none, obj))
		return;
	while ((full = push(s, obj)))
		if (!grow(s, full - 1))
			return;
}

void bw_pool_put(struct bw_pool *p, void *obj)
{
	struct cache *c;

	bw_caller("bw_pool_put");
	if (!obj)
		return;
	c = cache_of(p);
	/* without memory it is not kept */
	if (c)
		keep(&c->shard[my_index(c)], obj);
}
