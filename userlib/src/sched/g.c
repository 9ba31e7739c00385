// SPDX-License-Identifier: MIT
/*
 * g: memory of Gs, and the free ones.
 *
 *	bw_go()			go.c
 *	  p->free			  the last one that ended here
 *	  bw_g_get_slow()	<- here	  from the global list, or new
 *	run()			schedule.c
 *	  bw_g_begin()		<- here	  it runs for the first time: a stack
 *
 * Those that ended are on the list of the P where they ended, beyond 64 on a
 * global one. A G has its stack while it needs one (slot.h).
 *
 * Rejected: the G at the top of its stack (one page touched less, but then a
 * late waker's pointer could hit memory given back: G3).
 */
#include "base/fmt.h"
#include "base/parker.h"
#include "base/symbol.h"
#include "base/sysmem.h"
#include "netpoll.h"
#include "sched.h"
#include "waiter.h"

#define BATCH		32U
#define LOCAL_MAX	64U
#define SLOTS_MAX	32U
#define SLAB_BYTES	(64UL << 10)
#define SLAB_GS		((SLAB_BYTES - 64) / sizeof(struct bw_g))

const u8 bw_g_moves[BW_NR_G_STATES] = {
	[BW_G_FREE] = 1 << BW_G_RUNNABLE | 1 << BW_G_RUNNING,
	[BW_G_RUNNABLE] = 1 << BW_G_RUNNING | 1 << BW_G_FREE,
	[BW_G_RUNNING] = 1 << BW_G_RUNNABLE | 1 << BW_G_PARKED |
			 1 << BW_G_BLOCKED | 1 << BW_G_FREE,
	[BW_G_PARKED] = 1 << BW_G_RUNNABLE | 1 << BW_G_RUNNING |
			1 << BW_G_FREE,
	[BW_G_BLOCKED] = 1 << BW_G_RUNNING | 1 << BW_G_RUNNABLE |
			 1 << BW_G_FREE,
};

const char *const bw_g_state_name[BW_NR_G_STATES] = {
	[BW_G_FREE] = "free",
	[BW_G_RUNNABLE] = "runnable",
	[BW_G_RUNNING] = "running",
	[BW_G_PARKED] = "parked",
	[BW_G_BLOCKED] = "in a call",
};

/**
 * struct slab - Gs made together, never given back
 * @next:	made before						[const]
 * @nr:		how many of them were handed out once			[list lock]
 * @g:		the Gs
 */
struct slab {
	struct slab *next;
	u32 nr;
	struct bw_g g[] __aligned(64);
};

/**
 * struct lists - Gs that are FREE and on no P's list
 * @lock:	for all of it
 * @slab:	the newest; read without the lock by bw_g_each()	[lock]
 * @free:	that ended						[lock]
 * @bare:	without a stack, for attached threads			[lock]
 */
static struct lists {
	struct bw_lock lock;
	struct slab *slab;
	struct bw_glist free, bare;
} g_lists = { .lock.rank = BW_RANK_GS };

void bw_g_move_bad(const struct bw_g *g, u32 from, u32 to)
{
	bw_fatal("G %llu is to go from %s to %s, and is %s",
		 (unsigned long long)g->id, bw_g_state_name[from], bw_g_state_name[to],
		 bw_g_state_name[READ_ONCE(g->state) % BW_NR_G_STATES]);
}

/* A G that never was, or NULL. */
static struct bw_g *carve_locked(void)
{
	struct slab *s = g_lists.slab;

	if (!s || s->nr == SLAB_GS) {
		s = bw_sys_alloc(SLAB_BYTES);
		if (!s)
			return NULL;
		s->next = g_lists.slab;
		/* pairs with bw_g_each() */
		smp_store_release(&g_lists.slab, s);
	}
	WRITE_ONCE(s->nr, s->nr + 1);
	return &s->g[s->nr - 1];
}

void bw_g_each(void (*fn)(struct bw_g *g, void *arg), void *arg)
{
	struct slab *s = smp_load_acquire(&g_lists.slab); /* pairs with carve */
	u32 i;

	for (; s; s = s->next)
		for (i = 0; i < READ_ONCE(s->nr); i++)
			fn(&s->g[i], arg);
}

struct bw_g *bw_g_get_slow(struct bw_m *m)
{
	struct bw_p *p = m ? m->p : NULL;
	u32 want = p ? BATCH : 1;
	struct bw_glist got = { .nr = 0 };
	struct bw_g *g, *first;

	bw_lock(&g_lists.lock);
	while (got.nr < want) {
		g = bw_glist_pop(&g_lists.free);
		if (!g)
			g = carve_locked();
		if (!g)
			break;
		bw_glist_add(&got, g);
	}
	bw_unlock(&g_lists.lock);
	first = bw_glist_pop(&got);
	while (p && (g = bw_glist_pop(&got))) {
		g->link = p->free;
		p->free = g;
		p->nr_free++;
	}
	return first;
}

bool bw_g_begin(struct bw_m *m, struct bw_g *g)
{
	struct bw_p *p = m->p;
	struct bw_slot *s = p->slots;
	char *top;

	if (likely(s)) {
		p->slots = s->link;
		p->nr_slots--;
	} else {
		s = bw_slot_get_slow(p);
		if (!s)
			return false;
	}
	g->slot = s;
	g->unguarded = s->unguarded;
	/* for dumps */
	WRITE_ONCE(g->stack, s->addr);
	top = bw_stack_top(s->addr);
	g->sp = bw_switch_frame(top, g);
	bw_fiber_make(&g->fiber, s->addr, (size_t)(top - s->addr));
	return true;
}

/* Nobody is on it any more, nor ever will be. */
static void stack_put(struct bw_p *p, struct bw_g *g)
{
	struct bw_slot *s = g->slot;

	g->slot = NULL;
	g->unguarded = false;
	WRITE_ONCE(g->stack, NULL);
	if (!s)
		return;		/* it did not begin */
	if (likely(p && p->nr_slots < SLOTS_MAX)) {
		s->link = p->slots;
		p->slots = s;
		p->nr_slots++;
	} else {
		bw_slot_put_slow(p, s);
	}
}

void bw_g_put_all(struct bw_glist *list)
{
	struct bw_g *g;

	for (g = list->first; g; g = g->link)
		stack_put(NULL, g);
	bw_lock(&g_lists.lock);
	bw_glist_join(&g_lists.free, list);
	bw_unlock(&g_lists.lock);
}

static void put_half(struct bw_p *p)
{
	struct bw_glist list = { .nr = 0 };
	struct bw_g *g;

	while (list.nr < LOCAL_MAX / 2) {
		g = p->free;
		p->free = g->link;
		p->nr_free--;
		bw_glist_add(&list, g);
	}
	bw_g_put_all(&list);
}

void bw_g_put(struct bw_m *m, struct bw_g *g)
{
	struct bw_p *p = m->p;
	struct bw_glist list = { .nr = 0 };

	stack_put(p, g);
	if (!p) {
		bw_glist_add(&list, g);
		bw_g_put_all(&list);
		return;
	}
	g->link = p->free;
	p->free = g;
	if (unlikely(++p->nr_free > LOCAL_MAX))
		put_half(p);
}

struct bw_g *bw_g_bare_get(void)
{
	struct bw_g *g;

	bw_lock(&g_lists.lock);
	g = bw_glist_pop(&g_lists.bare);
	if (!g)
		g = carve_locked();
	if (g)
		WRITE_ONCE(g->bare, true);
	bw_unlock(&g_lists.lock);
	return g;
}

void bw_g_bare_put(struct bw_g *g)
{
	bw_lock(&g_lists.lock);
	bw_glist_add(&g_lists.bare, g);
	bw_unlock(&g_lists.lock);
}

bool bw_g_drop(struct bw_g *g)
{
	u64 token = READ_ONCE(g->token), wait = READ_ONCE(g->wait);

	/* whoever readies it just now puts it into the global queue */
	if ((token & BW_TIMED_MASK) == BW_TIMED_ASLEEP &&
	    !bw_timed_win(&g->token, token))
		return false;
	if ((wait & BW_TIMED_MASK) == BW_TIMED_WAITS &&
	    !bw_timed_win(&g->wait, wait))
		return false;
	if (unlikely(g->waiting) && !bw_waiters_drop(g))
		return false;
	bw_desc_drop(g);
	bw_g_move(g, g->state, BW_G_FREE);
	bw_count(NULL, BW_COUNT_ended);
	memset(g->local, 0, sizeof(g->local));
	g->has_local = false;
	g->locks = 0;
	g->nr_on = 0;
	bw_fiber_free(&g->fiber);
	return true;
}

/* In a child: nobody runs it, waits in it or knows it, but who stands on it. */
static void renew(struct bw_g *g, void *here)
{
	size_t off = (size_t)((char *)here - g->stack);

	g->token = bw_timed_next(g->token, BW_TIMED_EMPTY);
	g->wait = bw_timed_next(g->wait, BW_TIMED_EMPTY);
	g->waiting = NULL;
	g->io = NULL;
	g->m = NULL;
	g->locks = 0;
	g->late = false;
	g->nr_on = 0;
	g->has_local = false;
	g->scan = 0;
	memset(g->local, 0, sizeof(g->local));
	bw_fiber_free(&g->fiber);
	WRITE_ONCE(g->state, BW_G_FREE);
	if (g->stack && off < bw_sched.stack_bytes)
		return;		/* W2 */
	g->slot = NULL;
	g->stack = NULL;
	bw_glist_add(g->bare ? &g_lists.bare : &g_lists.free, g);
}

void bw_gs_forked(const void *here)
{
	bw_lock_init(&g_lists.lock, BW_RANK_GS);
	g_lists.free = (struct bw_glist){ .nr = 0 };
	g_lists.bare = (struct bw_glist){ .nr = 0 };
	bw_g_each(renew, (void *)here);
}

size_t bw_g_entry(const struct bw_g *g, char *buf, size_t size)
{
	size_t len;

	bw_symbols_begin();
	len = bw_symbol((u64)(uintptr_t)READ_ONCE(g->fn), buf, size);
	bw_symbols_end();
	return len;
}

void bw_g_check_stack(const struct bw_g *g)
{
	if (likely(bw_stack_is_whole(g->stack)))
		return;
	bw_segv_tell(g);
	bw_throw("a stack without a guard was left at its end");
}
