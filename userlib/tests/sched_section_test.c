// SPDX-License-Identifier: MIT
/*
 * Sections: in a stop everything that others need is whole. The stopper does
 * what a collector does, it takes the heap's locks and empties the mcaches of
 * stopped threads; who was stopped half way through a call would go on with what
 * is no longer its own, and give out a slot twice or lose one.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "burrow/alloc.h"
#include "burrow/type.h"
#include "heap/mcache.h"
#include "sched_rig.h"

#define WORKERS		3
#define KEPT		64
#define STOPS		(RIG_SLOW ? 150 : 1500)

static long end, alive, calls;

struct node {
	struct node *next;
	u64 stamp;
	u64 more[4];
};

BW_TYPE(node, struct node, next);

/**
 * struct worker - a thread with objects of its own
 * @cache:	its mcache						[const]
 * @kept:	what it has; the first word is @stamp			[owner]
 * @stamp:	of each							[owner]
 * @seq:	the last stamp						[owner]
 * @rand:	what next						[owner]
 */
static struct worker {
	struct bw_mcache *cache;
	u64 *kept[KEPT];
	u64 stamp[KEPT];
	u64 seq;
	u64 rand;
} workers[WORKERS];

/* One for all: freed by somebody else than who made it. */
static u64 *passed;

static long get(const long *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static u64 rand_of(struct worker *w)
{
	w->rand ^= w->rand << 13;
	w->rand ^= w->rand >> 7;
	w->rand ^= w->rand << 17;
	return w->rand;
}

/* All calls that end in an mcache; those that promise zeroes give them. */
static u64 *make(struct worker *w, u64 stamp)
{
	size_t n = 16 + rand_of(w) % 12 * 16;
	bool zero = true;
	u64 *p;

	switch (rand_of(w) % 5) {
	case 0:
		p = bw_alloc_noscan(n);
		break;
	case 1:
		p = bw_alloc_raw(n);
		zero = false;
		break;
	case 2:
		p = (u64 *)bw_new(node) + 1;
		p[0] = stamp;
		return p - 1;
	case 3:
		bw_alloc_noscan(rand_of(w) % 16);
		p = bw_alloc(n);
		break;
	default:
		p = bw_alloc(n);
	}
	EXPECT(!zero || (!p[0] && !p[1]));
	p[1] = stamp;
	return p;
}

static void work(struct worker *w)
{
	u64 i = rand_of(w) % KEPT, *p = w->kept[i];

	if (p) {
		EXPECT(p[1] == w->stamp[i]);
		if (rand_of(w) % 2 == 0)
			p = __atomic_exchange_n(&passed, p, __ATOMIC_ACQ_REL);
		bw_free(p);
	}
	w->stamp[i] = ++w->seq;
	w->kept[i] = make(w, w->stamp[i]);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	u64 i;

	EXPECT(!bw_thread_attach());
	w->cache = bw_mcache_attach();
	w->rand = (u64)(w - workers) + 77;
	w->seq = w->rand << 48;
	add(&alive, 1);
	while (!get(&end))
		work(w);
	for (i = 0; i < KEPT; i++)
		bw_free(w->kept[i]);
	memset(w->kept, 0, sizeof(w->kept));
	bw_thread_detach();
	add(&alive, -1);
	return NULL;
}

static int empties_mcaches(void *arg)
{
	pthread_t t[WORKERS];
	int i, lap;

	for (i = 0; i < WORKERS; i++)
		EXPECT(!pthread_create(&t[i], NULL, worker_main, &workers[i]));
	while (get(&alive) != WORKERS)
		bw_yield();
	for (lap = 0; lap < STOPS; lap++) {
		bw_world_stop("flush");
		for (i = 0; i < WORKERS; i++) {
			EXPECT(!bw_mcache_check(workers[i].cache));
			bw_mcache_flush(workers[i].cache);
		}
		bw_world_start();
		bw_yield();
	}
	__atomic_store_n(&end, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < WORKERS; i++)
		pthread_join(t[i], NULL);
	bw_free(passed);
	passed = NULL;
	return 0;
}

static void mcaches_may_be_emptied_while_their_threads_are_stopped(void)
{
	alive = 0;
	end = 0;
	run_it(empties_mcaches);
}

/*
 * In a stop every queue, list and lock of the scheduler is whole: who was stopped
 * in a section would have one of them half changed, or locked.
 */
static void churn_end(void *arg)
{
	add(&calls, 1);
}

static void churn(void *arg)
{
	while (!get(&end)) {
		bw_go(churn_end, NULL);
		bw_yield();
	}
	add(&alive, -1);
}

/* Stopped by the signal: then in a G, and not on its way from one to the next. */
static void check_holder(const struct bw_p *p)
{
	const struct bw_m *m = p->m;
	const struct bw_g *g = m ? m->g : NULL;

	if (!m || !m->rest.frame || m == bw_m_self())
		return;
	EXPECT(m->p == p && g && g->m == m);
	EXPECT(g && g->state == BW_G_RUNNING);
	EXPECT(g && m->rest.sp >= g->stack &&
	       m->rest.sp < (char *)bw_stack_top(g->stack));
}

static void check_scheduler(void)
{
	u32 i;

	/* a lock that a stopped thread has would stop us for ever */
	bw_lock(&bw_sched.lock);
	bw_unlock(&bw_sched.lock);
	for (i = 0; i < bw_sched.nr_made; i++) {
		struct bw_p *p = bw_sched.p[i];
		struct bw_g *g;
		u32 nr = 0;

		if (BW_P_STATUS_OF(p->status) == BW_P_RUNNING)
			check_holder(p);
		bw_runq_check(&p->q);
		for (g = p->free; g && nr <= p->nr_free; g = g->link) {
			EXPECT(g->state == BW_G_FREE);
			nr++;
		}
		EXPECT(nr == p->nr_free);
	}
}

static int churns(void *arg)
{
	int i, lap;

	alive = 4;
	for (i = 0; i < 4; i++)
		bw_go(churn, NULL);
	for (lap = 0; lap < STOPS; lap++) {
		bw_world_stop("check");
		check_scheduler();
		bw_world_start();
		bw_yield();
	}
	__atomic_store_n(&end, 1, __ATOMIC_SEQ_CST);
	while (get(&alive))
		bw_yield();
	return 0;
}

static void the_scheduler_is_whole_in_a_stop(void)
{
	end = 0;
	run_it(churns);
}

/* A section that is over raises the stop that came meanwhile, once. */
static long in_section, out_of_it;

static void *long_section(void *arg)
{
	EXPECT(!bw_thread_attach());
	bw_section_begin();
	bw_section_begin();
	add(&in_section, 1);
	/* a stop was asked for, and we are still here */
	while (!READ_ONCE(bw_section.asked))
		sched_yield();
	bw_section_end();
	EXPECT(READ_ONCE(bw_section.asked));
	add(&out_of_it, 1);
	bw_section_end();
	add(&out_of_it, 1);
	EXPECT(!READ_ONCE(bw_section.asked));
	bw_thread_detach();
	return NULL;
}

static int stop_long_section(void *arg)
{
	pthread_t t;

	in_section = 0;
	out_of_it = 0;
	EXPECT(!pthread_create(&t, NULL, long_section, NULL));
	while (!get(&in_section))
		bw_yield();
	bw_world_stop("section");
	EXPECT(get(&out_of_it) == (BW_TSAN ? get(&out_of_it) : 1));
	bw_world_start();
	pthread_join(t, NULL);
	EXPECT(out_of_it == 2);
	return 0;
}

static void a_stop_waits_for_the_end_of_the_outermost_section(void)
{
	int lap;

	for (lap = 0; lap < 30; lap++)
		run_it(stop_long_section);
}

int main(void)
{
	setenv("BURROW_PROCS", "4", 0);
	alarm(280);
	TEST(mcaches_may_be_emptied_while_their_threads_are_stopped);
	TEST(the_scheduler_is_whole_in_a_stop);
	TEST(a_stop_waits_for_the_end_of_the_outermost_section);
	return tap_end();
}
