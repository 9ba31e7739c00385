// SPDX-License-Identifier: MIT
/*
 * slot: stacks that nobody is on.
 *
 *	run()				schedule.c: a G's first time
 *	  bw_g_begin()			g.c
 *	    p->slots			  the one that was left last here, warm
 *	    bw_slot_get_slow()	<- here	  from the pool, or new
 *	      bw_stacks_make()		stack.c
 *	ended()
 *	  bw_g_put()			g.c
 *	    bw_slot_put_slow()	<- here	  a P has enough
 *
 * A P keeps up to 32 *warm* stacks, the pool has the rest. Beyond 1024 warm ones
 * there, the memory of half of them goes back to the system at once and they are
 * *cold*. Address space does not go back.
 *
 * Where there is no memory for a stack its G goes to the global queue again, and
 * whoever has a stack runs it; when nobody had one for 10 s that is fatal.
 *
 * Rejected: a stack from bw_go() on, for which it could say -ENOMEM. Of skynet's
 * 110,000 Gs 12,000 are there at a time, and 1,600 of them have begun: the others'
 * stacks were 10,000 page faults for nothing. Stacks reserved and made later:
 * what may be lacking is memory, not address space.
 */
#include <time.h>

#include "base/sysmem.h"
#include "burrow/time.h"
#include "sched.h"

#define BATCH		16U
#define LOCAL_MAX	32U
#define WARM_MAX	1024U
#define CHILL		512U
#define SLAB_BYTES	(16UL << 10)
#define SLAB_SLOTS	((SLAB_BYTES - 64) / sizeof(struct bw_slot))

/**
 * struct slab - slots made together, never given back
 * @next:	made before						[const]
 * @nr:		how many of them are in use				[pool.lock]
 * @s:		the slots
 */
struct slab {
	struct slab *next;
	u32 nr;
	struct bw_slot s[] __aligned(64);
};

/**
 * struct slots - a list						[caller]
 */
struct slots {
	struct bw_slot *first;
	u32 nr;
};

/**
 * struct pool - slots that are free and on no P's list
 * @lock:	for all of it
 * @slab:	the newest						[lock]
 * @nr:		how many there are					[lock]
 * @warm:	with memory						[lock]
 * @cold:	without							[lock]
 * @lacking:	since when there is no memory, or 0			[atomic]
 */
static struct pool {
	struct bw_lock lock;
	struct slab *slab;
	u32 nr;
	struct slots warm, cold;
	u64 lacking;
} pool = { .lock.rank = BW_RANK_STACKS };

u64 bw_slot_patience = 10000000000ULL;
u32 bw_slots_max = UINT32_MAX;

static void push(struct slots *l, struct bw_slot *s)
{
	s->link = l->first;
	l->first = s;
	l->nr++;
}

static struct bw_slot *pop(struct slots *l)
{
	struct bw_slot *s = l->first;

	if (s) {
		l->first = s->link;
		l->nr--;
	}
	return s;
}

/* A record that never was, or NULL. */
static struct bw_slot *carve_locked(void)
{
	struct slab *b = pool.slab;

	if (!b || b->nr == SLAB_SLOTS) {
		b = bw_sys_alloc(SLAB_BYTES);
		if (!b)
			return NULL;
		b->next = pool.slab;
		pool.slab = b;
	}
	return &b->s[b->nr++];
}

/* Up to @nr, BATCH at most, to @out. */
static void make(struct slots *out, u32 nr)
{
	char *addr[BATCH];
	struct bw_slot *s;
	u32 i;

	if (unlikely(READ_ONCE(pool.nr) >= bw_slots_max))
		return;
	nr = bw_stacks_make(addr, nr);
	bw_lock(&pool.lock);
	/* the lowest comes out first: below it nobody is */
	for (i = nr; i-- > 0;) {
		s = carve_locked();
		if (!s)
			break;		/* stacks are lost: there is no memory */
		s->addr = addr[i];
		s->cold = false;
		s->unguarded = !bw_stack_has_guard(addr[i]);
		if (unlikely(s->unguarded))
			bw_stack_canary(addr[i]);
		push(out, s);
		WRITE_ONCE(pool.nr, pool.nr + 1);
	}
	bw_unlock(&pool.lock);
}

struct bw_slot *bw_slot_get_slow(struct bw_p *p)
{
	struct slots got = { .nr = 0 };
	struct bw_slot *s, *first;
	u32 want = p ? BATCH : 1;

	bw_lock(&pool.lock);
	while (got.nr < want && pool.warm.nr)
		push(&got, pop(&pool.warm));
	while (got.nr < want && pool.cold.nr) {
		s = pop(&pool.cold);
		s->cold = false;
		if (unlikely(s->unguarded))
			bw_stack_canary(s->addr);
		push(&got, s);
	}
	bw_unlock(&pool.lock);
	if (!got.nr)
		make(&got, want);
	first = pop(&got);
	while ((s = pop(&got))) {
		s->link = p->slots;
		p->slots = s;
		p->nr_slots++;
	}
	if (first && unlikely(READ_ONCE(pool.lacking)))
		WRITE_ONCE(pool.lacking, 0);
	return first;
}

/* Half of too many warm ones get cold. */
static void chill(void)
{
	struct slots some = { .nr = 0 };
	char *addr[CHILL];
	struct bw_slot *s;
	u32 n = 0;

	bw_lock(&pool.lock);
	while (pool.warm.nr > WARM_MAX - CHILL && n < CHILL) {
		s = pop(&pool.warm);
		s->cold = true;
		addr[n++] = s->addr;
		push(&some, s);
	}
	bw_unlock(&pool.lock);
	bw_stacks_chill(addr, n);
	bw_lock(&pool.lock);
	while ((s = pop(&some)))
		push(&pool.cold, s);
	bw_unlock(&pool.lock);
}

void bw_slot_put_slow(struct bw_p *p, struct bw_slot *s)
{
	bool many;

	bw_lock(&pool.lock);
	push(&pool.warm, s);
	while (p && p->nr_slots > LOCAL_MAX / 2) {
		s = p->slots;
		p->slots = s->link;
		p->nr_slots--;
		push(&pool.warm, s);
	}
	many = pool.warm.nr > WARM_MAX;
	bw_unlock(&pool.lock);
	if (many)
		chill();
}

void bw_slot_wait(u64 id)
{
	struct timespec ms = { 0, 1000000 };
	u64 since = READ_ONCE(pool.lacking), now = bw_now();

	if (!since)
		WRITE_ONCE(pool.lacking, now);
	else if (now - since > bw_slot_patience)
		bw_fatal("there is no memory for the stack of G %llu",
			 (unsigned long long)id);
	nanosleep(&ms, NULL);
}

char *bw_slots_forked(const void *here)
{
	char *stood_on = NULL;
	struct slab *b;
	u32 i;

	bw_lock_init(&pool.lock, BW_RANK_STACKS);
	pool.warm = (struct slots){ .nr = 0 };
	pool.cold = (struct slots){ .nr = 0 };
	pool.lacking = 0;
	for (b = pool.slab; b; b = b->next)
		for (i = 0; i < b->nr; i++) {
			struct bw_slot *s = &b->s[i];
			size_t off = (size_t)((const char *)here - s->addr);

			/* the next is a page that was not copied yet (W1) */
			if (s->addr && off >= bw_sched.stack_bytes)
				push(s->cold ? &pool.cold : &pool.warm, s);
			else if (s->addr)
				stood_on = s->addr;
		}
	return stood_on;
}
