// SPDX-License-Identifier: MIT
/*
 * m: threads. They are made when there is a P to run and none of them is idle,
 * and are kept until the run ends.
 *
 *	bw_wake(), hand-off	   gives a P
 *	  bw_m_start()		<- here: an idle M, or a new one
 *	bw_schedule()
 *	  bw_m_stop()		<- here: sleep until somebody gives a P
 *
 * M1. A M that sleeps has no P and is on the idle list (bw_m_stop()) or waits
 *     for its one G (bw_m_stop_wired()); either way @asleep, under sched.lock.
 * M2. Who gives a P clears @asleep and stores @next_p under the lock, once, and
 *     unparks after it. So for each sleep there is one token.
 * M3. nr_m counts threads of the run, nr_idle_m those asleep; when these are
 *     equal nobody is left to make anything runnable but strangers.
 *
 * Memory of Ms is used again, never given back: who came out of a call late
 * still has it, and so have wakers.
 */
#include <limits.h>
#include <time.h>

#include "base/sysmem.h"
#include "heap/mcache.h"
#include "sched.h"

#define THREAD_STACK	(256UL << 10)
#define THREAD_TRIES	1000U		/* a millisecond apart */

static __thread struct bw_m *self __attribute__((tls_model("initial-exec")));

/*
 * A G may come back from any call in another thread, but compilers keep the
 * address of a thread's variable across calls. This one is too opaque for that.
 */
__attribute__((noinline)) struct bw_m *bw_m_self(void)
{
	struct bw_m *m = self;

	__asm__ volatile("" : "+r" (m));
	return m;
}

static __attribute__((noinline)) void self_set(struct bw_m *m)
{
	self = m;
}

__attribute__((noinline)) int *bw_errno_here(void)
{
	int *where = &errno;

	__asm__ volatile("" : "+r" (where));
	return where;
}

static __noreturn __cold void misuse(const struct bw_m *m, const char *who)
{
	if (bw_sched.cut_off)
		bw_fatal("%s() in a child after fork(), which may exec or "
			 "_exit, or call bw_after_fork() first", who);
	if (!m || m->implied || m->helper)
		bw_fatal("%s() from a thread that is not attached", who);
	bw_fatal("%s() by G %llu between bw_block_begin() and bw_block_end()",
		 who, (unsigned long long)m->g->id);
}

/*
 * An attached thread may, and a G unless it is in a bw_block section. One that has
 * objects and never asked for more may not.
 */
static bool may_call(const struct bw_m *m)
{
	return m->attached ||
	       (!m->implied && READ_ONCE(m->g->state) != BW_G_BLOCKED);
}

struct bw_m *bw_m_need(const char *who)
{
	struct bw_m *m = bw_m_self();

	if (unlikely(!m || !may_call(m)))
		misuse(m, who);
	return m;
}

struct bw_m *bw_m_enter_last(const char *who)
{
	struct bw_m *m = bw_m_self();

	if (unlikely(!m))
		misuse(m, who);
	bw_m_enter_soft(m);
	if (unlikely(!m->p && !may_call(m)))
		misuse(m, who);
	return m;
}

struct bw_m *bw_m_enter(const char *who)
{
	struct bw_m *m = bw_m_enter_last(who);

	if (unlikely(READ_ONCE(m->asked) & (BW_ASK_YIELD | BW_ASK_LOST)))
		m = bw_m_yield_asked(m);
	return m;
}

__attribute__((noinline)) void bw_m_exit_here(void)
{
	bw_m_exit(bw_m_self());
}

void bw_m_exit_slow(struct bw_m *m)
{
	if (m->inside || !(READ_ONCE(m->asked) & BW_ASK_STOP))
		return;
	fetch_and(&m->asked, ~(u32)BW_ASK_STOP);
	bw_stop_now(m);
}

/* A M that nobody uses, or a new one; NULL: no memory, or no parker. */
static struct bw_m *m_get(void)
{
	struct bw_m *m;
	int err;

	bw_lock(&bw_sched.lock);
	m = bw_sched.free_m;
	if (m)
		bw_sched.free_m = m->link;
	bw_unlock(&bw_sched.lock);
	if (m)
		return m;
	m = bw_sys_alloc(sizeof(*m));
	if (!m)
		return NULL;
	err = bw_parker_init(&m->parker, bw_sched.heap);
	if (err) {
		bw_sys_free(m, sizeof(*m));
		return NULL;
	}
	m->rest.here = 1;
	bw_lock(&bw_sched.lock);
	m->id = bw_sched.next_m++;
	m->all = bw_sched.all_m;
	/* pairs with who walks without the lock */
	smp_store_release(&bw_sched.all_m, m);
	bw_unlock(&bw_sched.lock);
	return m;
}

static void m_put(struct bw_m *m)
{
	bw_lock(&bw_sched.lock);
	m->link = bw_sched.free_m;
	bw_sched.free_m = m;
	bw_unlock(&bw_sched.lock);
}

/* What a sanitizer has to know of the stack this thread runs on. */
static void fiber_thread(struct bw_m *m)
{
	pthread_attr_t attr;
	void *low = NULL;
	size_t bytes = 0;

	if ((BW_ASAN || BW_TSAN) && !pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &low, &bytes);
		pthread_attr_destroy(&attr);
	}
	bw_fiber_thread(&m->fiber, low, bytes);
}

/*
 * The thread is done. One of this run is joined by bw_run() or when the next is
 * made; for one that comes back from an earlier run nobody waits.
 */
static void m_end(struct bw_m *m)
{
	struct bw_m **list = &bw_sched.free_m;
	u32 awake = UINT32_MAX;

	bw_signal_stack_free(m->signal_stack);
	bw_mcache_detach();
	bw_rest_leave(m);
	self_set(NULL);
	bw_lock(&bw_sched.lock);
	if (m->run != bw_sched.run) {
		pthread_detach(pthread_self());
	} else {
		list = &bw_sched.dead_m;
		bw_sched.nr_m--;
		bw_run_tell_locked();
		if (!bw_sched.ending)
			awake = bw_sched.nr_m - bw_sched.nr_idle_m;
	}
	m->link = *list;
	*list = m;
	bw_unlock(&bw_sched.lock);
	if (awake == 1)
		bw_poll_doubt();
	if (!awake)
		bw_deadlock_check(NULL);
}

static void *m_main(void *arg)
{
	struct bw_m *m = arg;
	struct bw_p *p = m->next_p;

	fiber_thread(m);
	m->signal_stack = bw_signal_stack_make();
	/* sysmon may still look at whose @m this was (bw_p_preempt()) */
	WRITE_ONCE(m->inside, 1);
	self_set(m);
	bw_rest_join(m);
	m->next_p = NULL;
	bw_fp_save(&m->fp);
	bw_p_acquire(m, p);
	bw_schedule(m);
	m_end(m);
	return NULL;
}

/*
 * While a G is in exec the kernel makes no threads of this process (EAGAIN): it is
 * about to end us, or exec fails and there are threads again. A limit that is
 * reached says the same and stays.
 */
static int thread_make(struct bw_m *m)
{
	const struct timespec a_while = { .tv_nsec = 1000000 };
	u32 tries = THREAD_TRIES;
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);

	if (err)
		return err;
	if (!BW_ASAN && !BW_TSAN)
		pthread_attr_setstacksize(&attr, THREAD_STACK);
	while ((err = pthread_create(&m->thread, &attr, m_main, m)) == EAGAIN &&
	       tries--)
		nanosleep(&a_while, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

/* A thread for a P; it counts already (nr_m). */
static void m_make(struct bw_p *p, bool spinning, u32 nr)
{
	struct bw_m *m;
	int err;

	if (nr > bw_sched.max_m)
		bw_fatal("more than %u threads are needed; "
			 "BURROW_MAXTHREADS allows no more", bw_sched.max_m);
	bw_m_join_dead();
	m = m_get();
	if (!m)
		bw_fatal("no memory for thread %u", nr);
	m->g = NULL;
	m->locked = NULL;
	m->spinning = spinning;
	m->woken = spinning;
	m->attached = false;
	m->implied = false;
	m->helper = false;
	m->ended = false;
	m->run = bw_sched.run;
	m->rand = m->id * 2654435761U + 1;
	m->next_p = p;
	err = thread_make(m);
	if (err)
		bw_fatal("thread %u cannot be made: %s", nr,
			 bw_errno_name(err));
}

static struct bw_m *idle_pop_locked(void)
{
	struct bw_m *m = bw_sched.idle_m;

	if (!m)
		return NULL;
	bw_sched.idle_m = m->link;
	bw_sched.nr_idle_m--;
	m->asleep = false;
	return m;
}

void bw_m_start(struct bw_p *p, bool spinning)
{
	struct bw_m *m = NULL;
	u32 nr = 0;

	bw_lock(&bw_sched.lock);
	if (!p)
		p = bw_p_idle_get_locked();
	if (p) {
		bw_sched.nr_m_woken++;
		m = idle_pop_locked();
		if (m) {
			m->next_p = p;
		} else {
			nr = ++bw_sched.nr_m;
			bw_sched.nr_m_made++;
		}
	}
	bw_unlock(&bw_sched.lock);
	if (!p) {
		if (spinning)
			__atomic_fetch_sub(&bw_sched.nr_spinning, 1,
					   __ATOMIC_SEQ_CST);
		return;
	}
	if (!m) {
		m_make(p, spinning, nr);
		return;
	}
	m->spinning = spinning;
	m->woken = spinning;
	bw_parker_unpark(&m->parker);
}

static void sleep_at_rest(struct bw_m *m, void *arg)
{
	const u32 *awake = arg;

	if (*awake || !bw_deadlock_check(m))
		bw_parker_park(&m->parker);
}

/*
 * Sleeps, where nobody gave anything yet, when @awake others did not. False:
 * nobody ever will.
 */
static bool sleep_for_p(struct bw_m *m, u32 awake)
{
	struct bw_p *p;

	if (awake == 1)
		bw_poll_doubt();
	bw_rest(m, sleep_at_rest, &awake);
	bw_clock_tick();
	p = m->next_p;
	m->next_p = NULL;
	if (!p)
		return false;
	bw_p_acquire(m, p);
	return true;
}

bool bw_m_stop(struct bw_m *m)
{
	u32 awake;

	bw_lock(&bw_sched.lock);
	if (bw_sched.ending) {
		bw_unlock(&bw_sched.lock);
		return false;
	}
	m->asleep = true;
	m->link = bw_sched.idle_m;
	bw_sched.idle_m = m;
	awake = bw_sched.nr_m - ++bw_sched.nr_idle_m;
	bw_unlock(&bw_sched.lock);
	return sleep_for_p(m, awake);
}

bool bw_m_stop_wired(struct bw_m *m)
{
	u32 awake = UINT32_MAX;

	if (m->p)
		bw_p_hand_off(bw_p_release(m));
	bw_lock(&bw_sched.lock);
	if (bw_sched.ending && !m->next_p) {
		bw_unlock(&bw_sched.lock);
		return false;
	}
	if (!m->next_p) {
		m->asleep = true;
		awake = bw_sched.nr_m - ++bw_sched.nr_idle_m;
	}
	bw_unlock(&bw_sched.lock);
	return sleep_for_p(m, awake);
}

void bw_m_pass(struct bw_m *m, struct bw_g *g)
{
	struct bw_m *to = g->m;

	bw_lock(&bw_sched.lock);
	if (bw_sched.ending) {
		/* it may have ended; @g is left, and we drop our P ourselves */
		bw_unlock(&bw_sched.lock);
		return;
	}
	to->next_p = bw_p_release(m);
	if (to->asleep) {
		to->asleep = false;
		bw_sched.nr_idle_m--;
	}
	bw_unlock(&bw_sched.lock);
	bw_parker_unpark(&to->parker);
}

void bw_m_wake_all_locked(void)
{
	struct bw_m *m;

	bw_sched.idle_m = NULL;
	for (m = bw_sched.all_m; m; m = m->all) {
		if (!m->asleep)
			continue;
		m->asleep = false;
		bw_sched.nr_idle_m--;
		bw_parker_unpark(&m->parker);
	}
}

void bw_m_join_dead(void)
{
	struct bw_m *m;

	for (;;) {
		bw_lock(&bw_sched.lock);
		m = bw_sched.dead_m;
		if (m)
			bw_sched.dead_m = m->link;
		bw_unlock(&bw_sched.lock);
		if (!m)
			return;
		pthread_join(m->thread, NULL);
		m_put(m);
	}
}

static void in_child(void)
{
	self_set(NULL);
	bw_stop_forked();
	bw_sched.cut_off = true;
}

void bw_ms_forked(void)
{
	bw_sched.all_m = NULL;
	bw_sched.idle_m = NULL;
	bw_sched.free_m = NULL;
	bw_sched.dead_m = NULL;
	bw_sched.nr_m = 0;
	bw_sched.nr_idle_m = 0;
	bw_sched.nr_blocked = 0;
	bw_sched.nr_lost = 0;
}

void bw_m_fork_init(void)
{
	if (pthread_atfork(NULL, NULL, in_child))
		bw_throw("no memory for a fork handler");
}

/* A M for the calling thread, which has none. 0, -EMFILE, -ENOMEM */
static int attach(bool attached, bool helper)
{
	struct bw_m *m;
	struct bw_g *g;

	bw_sched_init();
	m = m_get();
	if (!m)
		return -EMFILE;
	g = bw_g_bare_get();
	if (!g) {
		m_put(m);
		return -ENOMEM;
	}
	m->attached = attached;
	m->implied = !attached && !helper;
	m->helper = helper;
	m->p = NULL;
	m->g = g;
	g->m = m;
	g->id = __atomic_add_fetch(&bw_sched.next_id, 1, __ATOMIC_RELAXED);
	g->name = NULL;
	bw_g_move(g, BW_G_FREE, BW_G_RUNNING);
	fetch_add_relaxed(&bw_sched.nr_attached, attached);
	WRITE_ONCE(m->inside, 1);
	self_set(m);
	bw_rest_join(m);
	bw_m_exit(m);
	return 0;
}

static void detach(struct bw_m *m)
{
	struct bw_g *g = m->g;

	bw_m_enter_soft(m);
	bw_mcache_detach();
	bw_rest_leave(m);
	self_set(NULL);
	fetch_add_relaxed(&bw_sched.nr_attached, -(u32)m->attached);
	m->attached = false;
	m->implied = false;
	bw_g_move(g, BW_G_RUNNING, BW_G_FREE);
	bw_g_bare_put(g);
	bw_parker_park_until(&m->parker, 1);
	m_put(m);
}

int bw_thread_attach(void)
{
	struct bw_m *m = bw_m_self();

	if (bw_sched.cut_off)
		misuse(NULL, "bw_thread_attach");
	if (!m)
		return attach(true, false);
	if (!m->implied)
		return -EBUSY;
	m->attached = true;
	m->implied = false;
	fetch_add_relaxed(&bw_sched.nr_attached, 1);
	return 0;
}

void bw_thread_detach(void)
{
	struct bw_m *m = bw_m_enter("bw_thread_detach");
	struct bw_g *g = m->g;

	if (!m->attached)
		bw_fatal("bw_thread_detach() by G %llu, which is not a thread",
			 (unsigned long long)g->id);
	bw_m_exit(m);
	bw_locals_drop(g);
	detach(m);
}

int bw_implied_begin(void)
{
	return attach(false, false);
}

void bw_implied_end(void)
{
	struct bw_m *m = bw_m_self();

	if (m && m->implied)
		detach(m);
}

int bw_helper_begin(void)
{
	int err = attach(false, true);

	if (!err)
		bw_helpers_add(1);
	return err;
}

void bw_helpers_add(u32 nr)
{
	fetch_add_relaxed(&bw_sched.nr_helpers, nr);
}
