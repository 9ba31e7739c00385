// SPDX-License-Identifier: MIT
/*
 * scan: where Gs and threads have what the collector looks for.
 *
 *	bw_world_each_stack()	<- here: all of it, in a stop
 *	bw_scan_begin()		<- here: in a stop; from now on, while Gs run,
 *	  bw_g_scan()		<- here: those that wait, one by one
 *	  run()			schedule.c: one that was not scanned yet is,
 *	    bw_scan_before_run()   before it runs
 *
 * In a cycle each G has a word, @scan:
 *
 *	(older) ---claim---> BUSY ---scanned---> DONE
 *	   '---- on a M when it began; made since ---^
 *
 * S1. BUSY is entered by cmpxchg: one party scans a G. A M that finds it BUSY
 *     waits before it runs the G.
 * S2. A G that is not DONE has not run in this cycle: run() sees to it. So who
 *     claimed it finds its stack at rest, whether PARKED or RUNNABLE.
 * S3. A G is made DONE by who makes it, before it is RUNNABLE: there is nothing
 *     on its stack that its maker had not.
 *
 * The number of the cycle has six bits; when it comes round again all words are
 * cleared.
 */
#include "sched.h"

#define CYCLES	63U
#define WORD	(sizeof(void *))

enum bw_scan_state { TODO, BUSY, DONE };

u32 bw_scan_cycle;

/**
 * struct cycle - of scanning						[stopper]
 * @nr:		the last or this, 1 to 63; 0: none yet
 * @fn:		what is called
 * @arg:	with this
 */
static struct cycle {
	u32 nr;
	bw_range_fn *fn;
	void *arg;
} cycle;

/**
 * struct each - what is called for a range				[caller]
 */
struct each {
	bw_range_fn *fn;
	void *arg;
	bool waiting;
};

static void range(const struct each *e, const char *low, const char *end)
{
	low -= (uintptr_t)low % WORD;
	end -= (uintptr_t)end % WORD;
	if (low < end)
		e->fn(low, end, e->arg);
}

/* Not on its stack, but it has it. */
static void of_g(const struct each *e, const struct bw_g *g)
{
	range(e, (const char *)&g->arg, (const char *)(&g->arg + 1));
	range(e, (const char *)g->local,
	      (const char *)(g->local + BW_NR_LOCALS));
}

static void of_waiting(const struct each *e, const struct bw_g *g)
{
	of_g(e, g);
	if (g->stack)
		range(e, g->sp, bw_stack_top(g->stack));
}

static bool has(const char *low, const char *end, const char *p)
{
	return low <= p && p < end;
}

/*
 * A stack that is neither the thread's nor its G's is of a handler that runs on
 * a signal stack, or one that the program switched to: then the rest of the G's
 * own may begin anywhere.
 */
static void of_stacks(const struct each *e, const struct bw_m *m, char *sp)
{
	const struct bw_rest *r = &m->rest;
	const char *slot = m->g ? m->g->stack : NULL;
	const char *top = slot ? bw_stack_top(slot) : NULL;

	if (has(r->stack, r->stack_end, sp)) {
		range(e, sp, r->stack_end);
		return;
	}
	if (slot && !has(slot, top, sp))
		sp = (char *)slot + bw_sched.stack_bytes - bw_stack_usable();
	if (slot)
		range(e, sp, top);
	range(e, slot && !m->attached ? m->sp : r->stack, r->stack_end);
}

static void of_m(const struct each *e, const struct bw_m *m, char *sp)
{
	const struct bw_rest *r = &m->rest;

	range(e, r->tls, r->tls_end);
	if (r->frame)
		range(e, r->frame, r->frame_end);
	of_stacks(e, m, sp);
	if (m->g)
		of_g(e, m->g);
}

static bool state_waits(const struct bw_g *g)
{
	u32 state = READ_ONCE(g->state);

	return state == BW_G_RUNNABLE || state == BW_G_PARKED;
}

/* World stopped, or claimed: one that is being made is FREE until S3. */
static bool waits(const struct bw_g *g)
{
	return state_waits(g) && !g->bare;
}

bool bw_world_g_stack(const struct bw_g *g, bw_range_fn *fn, void *arg)
{
	struct each e = { fn, arg, true };
	bool yes = waits(g);

	if (yes)
		of_waiting(&e, g);
	return yes;
}

static void each_g(struct bw_g *g, void *arg)
{
	const struct each *e = arg;

	if (waits(g))
		of_waiting(e, g);
}

/* Its own registers are in this frame. */
static __attribute__((noinline)) void each(struct each *e)
{
	const struct bw_m *self = bw_m_self(), *m;

	__builtin_unwind_init();
	if (!bw_world_is_stopped())
		bw_throw("stacks are looked at while the world runs");
	/*
	 * Pairs with m_get(): one may come into the list while all others are
	 * at rest. What these have was published before we saw them so (O2).
	 */
	for (m = smp_load_acquire(&bw_sched.all_m); m; m = m->all)
		/* pairs with bw_rest_join(): it may just begin */
		if (smp_load_acquire(&m->rest.live) && !m->helper)
			of_m(e, m, m == self ? bw_sp() : m->rest.sp);
	if (e->waiting)
		bw_g_each(each_g, e);
}

void bw_world_each_stack(bw_range_fn *fn, void *arg)
{
	struct each e = { fn, arg, true };

	each(&e);
}

void bw_world_each_thread(bw_range_fn *fn, void *arg)
{
	struct each e = { fn, arg, false };

	each(&e);
}

/*
 * Who makes the first G of a run may be a thread that no stop knows: a word for the
 * cycle before is then as good as none (S2), and of a G without a stack either will do.
 */
static u8 word(enum bw_scan_state s)
{
	return (u8)(READ_ONCE(cycle.nr) << 2 | s);
}

/* True: the caller scans it. False: it is DONE, or BUSY if we do not wait. */
static bool claim(struct bw_g *g, bool wait)
{
	u8 old = READ_ONCE(g->scan);

	for (;;) {
		if (old == word(DONE)) {
			/* pairs with done() */
			smp_load_acquire(&g->scan);
			return false;
		}
		if (old == word(BUSY)) {
			if (!wait)
				return false;
			bw_cpu_relax();
			old = READ_ONCE(g->scan);
		} else if (try_cmpxchg(&g->scan, &old, word(BUSY))) {
			return true;
		}
	}
}

static void done(struct bw_g *g)
{
	/* pairs with claim() */
	smp_store_release(&g->scan, word(DONE));
}

static void scan(struct bw_g *g)
{
	struct each e = { cycle.fn, cycle.arg, true };

	of_waiting(&e, g);
	done(g);
}

bool bw_g_scan(struct bw_g *g)
{
	if (!state_waits(g) || !claim(g, false))
		return false;
	if (waits(g)) {
		scan(g);
		return true;
	}
	/* it ended before the cycle, and S3 is still to come */
	smp_store_release(&g->scan, word(TODO));
	return false;
}

void bw_scan_before_run(struct bw_g *g)
{
	if (claim(g, true))
		scan(g);
}

void bw_scan_new(struct bw_g *g)
{
	if (claim(g, true))
		done(g);
}

static void count_scan(struct bw_g *g, void *arg)
{
	u64 *nr = arg;

	*nr += bw_g_scan(g);
}

u64 bw_scan_all(void)
{
	u64 nr = 0;

	bw_g_each(count_scan, &nr);
	return nr;
}

/* What runs has been seen to by bw_world_each_thread(). */
static void begin_one(struct bw_g *g, void *arg)
{
	u32 state = READ_ONCE(g->state);

	if (state == BW_G_RUNNING || state == BW_G_BLOCKED)
		WRITE_ONCE(g->scan, word(DONE));
	else if (cycle.nr == 1)
		WRITE_ONCE(g->scan, 0);
}

void bw_scan_begin(bw_range_fn *fn, void *arg)
{
	if (!bw_world_is_stopped() || bw_scan_cycle)
		bw_throw("a cycle of scanning begins while one runs");
	WRITE_ONCE(cycle.nr, cycle.nr % CYCLES + 1);
	cycle.fn = fn;
	cycle.arg = arg;
	bw_g_each(begin_one, NULL);
	WRITE_ONCE(bw_scan_cycle, cycle.nr);
}

void bw_scan_end(void)
{
	if (!bw_world_is_stopped())
		bw_throw("a cycle of scanning ends while the world runs");
	WRITE_ONCE(bw_scan_cycle, 0);
}
