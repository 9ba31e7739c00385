// SPDX-License-Identifier: MIT
/*
 * alarm: struct bw_timer, what programs have of timers.
 *
 *	bw_timer_start()	<- here: the word is ARMED, a new number
 *	  bw_timers_add()	timer.c: an entry in the heap of our P
 *	bw_timers_fire()	timer.c: it is due
 *	  bw_timer_fire()	<- here: a G for it, and then the word is won
 *
 * N1. @word decides (timer.h, I1). To start one that runs is a cmpxchg to the
 *     next number; the entry of before is dead.
 * N2. @fn and @arg change only while the timer is free, between two numbers of
 *     @word. So who reads them and then wins the word has read the right ones.
 * N3. The G is there before the word is won, so that a timer that cannot have
 *     one now is still running, and tries again in 10 ms.
 *
 * Memory of timers is used for timers again and given back never (I2).
 */
#include "base/sysmem.h"
#include "burrow/time.h"
#include "sched.h"

#define SLAB_BYTES	(16UL << 10)
#define RETRY_NS	10000000ULL

/**
 * struct bw_timer - a function to be called, or a G to get a token
 * @word:	ARMED: it runs; EMPTY: it does not; 0: it is free	[atomic]
 * @fn:		NULL: @arg is the G					[N2]
 * @arg:	its argument						[N2]
 * @link:	next free one						[list lock]
 */
struct bw_timer {
	u64 word;
	void (*fn)(void *arg);
	void *arg;
	struct bw_timer *link;
};

/**
 * struct list - timers that are free
 * @lock:	for all of it
 * @free:	by link							[lock]
 */
static struct list {
	struct bw_lock lock;
	struct bw_timer *free;
} list = { .lock.rank = BW_RANK_ALARMS };

static struct bw_timer *carve_locked(void)
{
	struct bw_timer *slab = bw_sys_alloc(SLAB_BYTES);
	size_t i;

	if (!slab)
		return NULL;
	for (i = 0; i < SLAB_BYTES / sizeof(*slab) - 1; i++)
		slab[i].link = &slab[i + 1];
	return slab;
}

static struct bw_timer *make(void (*fn)(void *arg), void *arg)
{
	struct bw_timer *t;

	bw_lock(&list.lock);
	if (!list.free)
		list.free = carve_locked();
	t = list.free;
	if (t)
		list.free = t->link;
	bw_unlock(&list.lock);
	if (!t)
		return NULL;
	WRITE_ONCE(t->fn, fn);
	WRITE_ONCE(t->arg, arg);
	/* pairs with who wins the word of before (N2) */
	__atomic_store_n(&t->word, bw_timed_next(READ_ONCE(t->word),
						 BW_TIMED_EMPTY),
			 __ATOMIC_SEQ_CST);
	return t;
}

struct bw_timer *bw_timer_make(void (*fn)(void *arg), void *arg)
{
	return make(fn, arg);
}

struct bw_timer *bw_timer_make_ready(struct bw_g *g)
{
	return make(NULL, g);
}

int bw_timer_start_at(struct bw_timer *t, uint64_t when)
{
	struct bw_m *m = bw_m_self();
	u64 old = READ_ONCE(t->word), new;
	int err;

	if (unlikely(!m))
		bw_m_need("bw_timer_start");
	if (m->attached && !bw_is_running())
		return -ESRCH;
	bw_m_enter_soft(m);
	do {
		new = bw_timed_next(old, BW_TIMED_ARMED);
		/* pairs with bw_timer_fire() and other starts */
	} while (!try_cmpxchg(&t->word, &old, new));
	err = bw_timers_add(m->p, when, &t->word, new);
	bw_count(m->p, BW_COUNT_timers);
	bw_m_exit(m);
	if (unlikely(err) && bw_timed_win(&t->word, new))
		return err;
	/* the caller may compute for long, while a P is idle (C5) */
	if (unlikely(load_seq(&bw_sched.sysmon_asleep) == BW_SYSMON_ASLEEP))
		bw_sysmon_kick();
	return (old & BW_TIMED_MASK) == BW_TIMED_ARMED;
}

int bw_timer_start(struct bw_timer *t, uint64_t ns)
{
	return bw_timer_start_at(t, bw_deadline_in(ns));
}

int bw_timer_reset(struct bw_timer *t, uint64_t ns)
{
	return bw_timer_start(t, ns);
}

bool bw_timer_stop(struct bw_timer *t)
{
	u64 old = READ_ONCE(t->word);

	while ((old & BW_TIMED_MASK) == BW_TIMED_ARMED)
		/* pairs with bw_timer_fire() */
		if (try_cmpxchg(&t->word, &old, old & ~BW_TIMED_MASK))
			return true;
	return false;
}

void bw_timer_free(struct bw_timer *t)
{
	if (!t)
		return;
	bw_timer_stop(t);
	bw_lock(&list.lock);
	t->link = list.free;
	list.free = t;
	bw_unlock(&list.lock);
}

/* To be tried again; where even that cannot be, it is not to be lost in silence. */
static void retry(struct bw_p *p, const struct bw_timed_entry *e, u64 now)
{
	if (bw_timers_add(p, now + RETRY_NS, e->word, e->value))
		bw_fatal("no memory for the G of a timer, nor to wait for it");
}

bool bw_timer_fire(struct bw_p *p, struct bw_m *m,
		   const struct bw_timed_entry *e, u64 now)
{
	struct bw_timer *t = container_of(e->word, struct bw_timer, word);
	void (*fn)(void *arg) = READ_ONCE(t->fn);
	void *arg = READ_ONCE(t->arg);
	struct bw_glist unused = { .nr = 0 };
	struct bw_g *g = NULL;

	if (fn) {
		g = bw_g_new("timer", fn, arg, m);
		if (!g) {
			retry(p, e, now);
			return false;
		}
	}
	if (bw_timed_win(e->word, e->value)) {
		if (g)
			bw_submit(m, g);
		else
			bw_ready(arg);
		return true;
	}
	if (g && bw_g_drop(g)) {
		bw_glist_add(&unused, g);
		bw_g_put_all(&unused);
	}
	return false;
}

void bw_alarms_forked(void)
{
	bw_lock_init(&list.lock, BW_RANK_ALARMS);
	list.free = NULL;
}
