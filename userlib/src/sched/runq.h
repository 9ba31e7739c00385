/* SPDX-License-Identifier: MIT */
/*
 * runq: the Gs that wait for one P: a ring, and one that goes first.
 *
 *	head						tail
 *	 v						 v
 *	| G | G | G | ...				| at most 256
 *
 * The owner puts at the tail; owner and thieves take at the head, by moving it.
 *
 * Q1. Slots from head to tail, of numbers that wrap, hold Gs; tail - head is
 *     256 at most.
 * Q2. Only the owner writes slots and tail. A slot is filled before the tail
 *     that covers it is stored (release); who takes loads the tail with acquire.
 * Q3. Who takes reads slots first and then moves head by cmpxchg (release): it
 *     owns what it read only if head was still where it began. The owner loads
 *     head with acquire before it fills a slot again.
 * Q4. @next is whatever was readied or made last, to run first: it is hot, and
 *     whoever readied it most often waits for it now. It inherits the slice of
 *     who runs (schedule.c bounds that).
 * Q5. bw_runq_put_next() ends in a full barrier after @next was stored: it is
 *     one half of the pairing in schedule.c.
 */
#ifndef BW_SCHED_RUNQ_H
#define BW_SCHED_RUNQ_H

#include "g.h"

#define BW_RUNQ_SLOTS	256U

/**
 * struct bw_runq - a P's queue
 * @head:	where is taken						[atomic]
 * @tail:	where is put						[owner]
 * @next:	goes first, or NULL					[atomic]
 * @slot:	the ring						[Q2]
 */
struct bw_runq {
	u32 head;
	u32 tail;
	struct bw_g *next;
	struct bw_g *slot[BW_RUNQ_SLOTS];
};

/**
 * struct bw_glist - Gs by their link, first in, first out		[caller]
 */
struct bw_glist {
	struct bw_g *first;
	struct bw_g *last;
	u32 nr;
};

static inline void bw_glist_add(struct bw_glist *l, struct bw_g *g)
{
	g->link = NULL;
	if (l->last)
		l->last->link = g;
	else
		l->first = g;
	l->last = g;
	WRITE_ONCE(l->nr, l->nr + 1);
}

static inline struct bw_g *bw_glist_pop(struct bw_glist *l)
{
	struct bw_g *g = l->first;

	if (!g)
		return NULL;
	l->first = g->link;
	if (!l->first)
		l->last = NULL;
	WRITE_ONCE(l->nr, l->nr - 1);
	return g;
}

/* Whoever is in it is somebody else's; others may read @nr meanwhile. */
static inline void bw_glist_forget(struct bw_glist *l)
{
	l->first = NULL;
	l->last = NULL;
	WRITE_ONCE(l->nr, 0);
}

/* All of @from to the end of @to. */
void bw_glist_join(struct bw_glist *to, struct bw_glist *from);

/* Owner. Half of a full ring comes out into @spill, and @g with it. */
void bw_runq_put_slow(struct bw_runq *q, struct bw_g *g, u32 head,
		      struct bw_glist *spill);

/* Owner: at the end. True when @spill got some, which go to the global queue. */
static inline bool bw_runq_put(struct bw_runq *q, struct bw_g *g,
			       struct bw_glist *spill)
{
	u32 head = smp_load_acquire(&q->head);	/* pairs with takers (Q3) */
	u32 tail = q->tail;

	if (unlikely(tail - head >= BW_RUNQ_SLOTS)) {
		bw_runq_put_slow(q, g, head, spill);
		return spill->nr != 0;
	}
	WRITE_ONCE(q->slot[tail % BW_RUNQ_SLOTS], g);
	/* pairs with takers (Q2) */
	smp_store_release(&q->tail, tail + 1);
	return false;
}

/* Owner: to go first; who was to do so goes to the end of the ring. */
static inline bool bw_runq_put_next(struct bw_runq *q, struct bw_g *g,
				    struct bw_glist *spill)
{
	struct bw_g *old = xchg(&q->next, g);

	return unlikely(old) && bw_runq_put(q, old, spill);
}

/* Owner: from the ring, or NULL. */
static inline struct bw_g *bw_runq_get(struct bw_runq *q)
{
	u32 head = smp_load_acquire(&q->head);	/* pairs with thieves (Q3) */

	while (head != q->tail) {
		struct bw_g *g = READ_ONCE(q->slot[head % BW_RUNQ_SLOTS]);

		if (__atomic_compare_exchange_n(&q->head, &head, head + 1,
						false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return g;
	}
	return NULL;
}

/* Owner: what goes first, or NULL. */
static inline struct bw_g *bw_runq_get_next(struct bw_runq *q)
{
	if (!READ_ONCE(q->next))
		return NULL;
	return xchg(&q->next, NULL);
}

/* Is there anything to take? From other threads only a hint. */
static inline bool bw_runq_is_empty(const struct bw_runq *q)
{
	return __atomic_load_n(&q->head, __ATOMIC_SEQ_CST) ==
	       __atomic_load_n(&q->tail, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&q->next, __ATOMIC_SEQ_CST);
}

/*
 * Owner of @to, whose ring is empty: takes half of @from's ring, returns one of
 * them and puts the rest in @to. NULL: there were none.
 */
struct bw_g *bw_runq_steal(struct bw_runq *to, struct bw_runq *from);

/* Thief: what goes first in @from, if that is still @g. */
static inline bool bw_runq_steal_next(struct bw_runq *from, struct bw_g *g)
{
	return try_cmpxchg(&from->next, &g, NULL);
}

/* Owner: everything, in order. */
void bw_runq_flush(struct bw_runq *q, struct bw_glist *out);

/* Owner, nobody steals: Q1 and no G twice. Throws. */
void bw_runq_check(const struct bw_runq *q);

#endif
