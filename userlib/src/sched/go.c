// SPDX-License-Identifier: MIT
/*
 * go: what a G may do with itself and with others.
 *
 *	bw_go()			<- here: a G from the P's free ones, a frame
 *	  bw_submit()		sched.h  to go first on this P
 *	bw_g_main()		<- here: the first C function on its stack
 */
#include "base/hooks.h"
#include "sched.h"
#include "switch.h"

#define IDS_AT_ONCE	64U

static void (*local_drop[BW_NR_LOCALS])(void *value);
static u32 nr_locals;

static u64 id_next(struct bw_p *p)
{
	if (!p)
		return __atomic_add_fetch(&bw_sched.next_id, 1,
					  __ATOMIC_RELAXED);
	if (!p->nr_ids) {
		p->next_id = fetch_add_relaxed(&bw_sched.next_id, IDS_AT_ONCE)
			     + 1;
		p->nr_ids = IDS_AT_ONCE;
	}
	p->nr_ids--;
	return p->next_id++;
}

struct bw_g *bw_g_new(const char *name, void (*fn)(void *arg), void *arg,
		      struct bw_m *m)
{
	struct bw_p *p = m ? m->p : NULL;
	struct bw_g *g = p ? p->free : NULL;

	if (likely(g)) {
		p->free = g->link;
		p->nr_free--;
	} else {
		g = bw_g_get_slow(m);
		if (!g)
			return NULL;
	}
	if (unlikely(READ_ONCE(bw_scan_cycle)))
		bw_scan_new(g);
	g->fn = fn;
	g->arg = arg;
	g->name = name;
	g->id = id_next(p);
	g->run = m && m->p ? m->run : bw_sched.run;
	g->sp = NULL;
	g->fp = BW_FP_INIT;
	bw_count(p, BW_COUNT_made);
	bw_g_move(g, BW_G_FREE, BW_G_RUNNABLE);
	return g;
}

int bw_go_named(const char *name, void (*fn)(void *arg), void *arg)
{
	struct bw_m *m = bw_m_self();
	struct bw_g *g;

	if (unlikely(!m || m->implied))
		bw_m_need("bw_go");
	if (m->attached && !bw_is_running())
		return -ESRCH;
	bw_m_enter_soft(m);
	/* in a bw_block section there is no P, and none is needed */
	if (unlikely(READ_ONCE(m->asked) & (BW_ASK_YIELD | BW_ASK_LOST)) &&
	    READ_ONCE(m->g->state) == BW_G_RUNNING)
		bw_m_yield_asked(m);
	bw_check(bw_m_self());
	m = bw_m_self();
	g = bw_g_new(name, fn, arg, m);
	if (g)
		bw_submit(m, g);
	bw_m_exit(m);
	return g ? 0 : -ENOMEM;
}

int bw_go(void (*fn)(void *arg), void *arg)
{
	return bw_go_named(NULL, fn, arg);
}

void bw_locals_drop(struct bw_g *g)
{
	u32 i;

	if (likely(!g->has_local))
		return;
	for (i = 0; i < BW_NR_LOCALS; i++) {
		void *value = g->local[i];

		g->local[i] = NULL;
		if (value && local_drop[i])
			local_drop[i](value);
	}
	g->has_local = false;
}

void bw_exit(void)
{
	struct bw_m *m = bw_m_need("bw_exit");
	struct bw_g *g = m->g;

	if (m->attached)
		bw_fatal("bw_exit() by an attached thread");
	/* a drop function may park: after it @m is anybody's */
	bw_locals_drop(g);
	if (unlikely(g == READ_ONCE(bw_sched.first)))
		BW_UP(run_ends);
	bw_leave(bw_m_enter_last("bw_exit"), BW_AFTER_EXIT);
	bw_throw("a G that ended runs");
}

void bw_g_main(void *arg)
{
	struct bw_g *g = arg;

	bw_fiber_arrive(&g->fiber);
	bw_m_exit_here();
	g->fn(g->arg);
	bw_exit();
}

struct bw_g *bw_self(void)
{
	struct bw_m *m = bw_m_self();

	return m && !m->implied ? m->g : NULL;
}

uint64_t bw_g_id(const struct bw_g *g)
{
	return g->id;
}

const char *bw_g_name(const struct bw_g *g)
{
	return g->name;
}

int bw_local_make(void (*drop)(void *value))
{
	u32 key = READ_ONCE(nr_locals);

	do {
		if (key == BW_NR_LOCALS)
			return -ENOSPC;
	} while (!try_cmpxchg(&nr_locals, &key, key + 1));
	local_drop[key] = drop;
	return (int)key;
}

static void **local_at(int key, const char *who)
{
	struct bw_m *m = bw_m_need(who);

	if ((u32)key >= READ_ONCE(nr_locals))
		bw_fatal("%s(): there is no key %d", who, key);
	return &m->g->local[key];
}

void *bw_local_get(int key)
{
	return *local_at(key, "bw_local_get");
}

void bw_local_set(int key, void *value)
{
	*local_at(key, "bw_local_set") = value;
	if (value)
		bw_m_self()->g->has_local = true;
}

void bw_lock_thread(void)
{
	struct bw_m *m = bw_m_need("bw_lock_thread");

	if (m->attached || m->g->locks++)
		return;
	m->locked = m->g;
}

void bw_unlock_thread(void)
{
	struct bw_m *m = bw_m_need("bw_unlock_thread");

	if (m->attached)
		return;
	if (!m->g->locks)
		bw_fatal("bw_unlock_thread() without bw_lock_thread()");
	if (--m->g->locks)
		return;
	m->locked = NULL;
}

size_t bw_stack_peak(void)
{
	struct bw_m *m = bw_m_need("bw_stack_peak");

	return m->g->stack ? bw_stack_peak_of(m->g->stack) : 0;
}
