// SPDX-License-Identifier: MIT
/*
 * schedtrace: BURROW=schedtrace=N writes a line each N ms, in the words of Go's:
 *
 *	SCHED 0ms: gomaxprocs=12 idleprocs=11 threads=6 spinningthreads=0
 *	needspinning=0 idlethreads=3 runqueue=0 [0 0 0 0 0 0 0 0 0 0 0 0]
 *
 * (one line). threads counts sysmon; needspinning is 1 where a P is idle, a G
 * waits and nobody looks for it; in brackets is what waits at each P.
 * scheddetail=1 adds a line for each P, M and G.
 *
 * Sysmon writes it, so it comes when every P is busy; it then never sleeps for
 * more than 10 ms.
 */
#include <time.h>
#include <unistd.h>

#include "base/say.h"
#include "eyes.h"

static struct trace {
	u64 begun;		/* the first line			[sysmon] */
	u64 next;		/* the next				[sysmon] */
	char buf[16384];	/*					[sysmon] */
} trace;

static const char *const p_name[] = {
	[BW_P_NONE] = "none",
	[BW_P_IDLE] = "idle",
	[BW_P_RUNNING] = "running",
	[BW_P_BLOCKED] = "blocked",
};

static const char *const g_name[BW_NR_G_STATES] = {
	[BW_G_RUNNABLE] = "runnable",
	[BW_G_RUNNING] = "running",
	[BW_G_PARKED] = "waiting",
	[BW_G_BLOCKED] = "syscall",
};

void bw_clock_tick(void)
{
	struct timespec ts;
	u64 now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
	/* it is read in every park: written no more often than it must be */
	if (now - READ_ONCE(bw_sched.clock) >= 1000000)
		WRITE_ONCE(bw_sched.clock, now);
}

static u32 waiting_at(const struct bw_p *p)
{
	u32 head = READ_ONCE(p->q.head), tail = READ_ONCE(p->q.tail);
	u32 n = tail - head;

	return (n <= BW_RUNQ_SLOTS ? n : 0) + !!READ_ONCE(p->q.next);
}

/* A number, or Go's word for none. */
static void say_id(struct bw_say *s, const char *what, bool there, u64 id)
{
	if (there)
		bw_say(s, " %s=%llu", what, (unsigned long long)id);
	else
		bw_say(s, " %s=nil", what);
}

static void say_bool(struct bw_say *s, const char *what, bool yes)
{
	bw_say(s, " %s=%s", what, yes ? "true" : "false");
}

__attribute__((no_sanitize_thread, noinline))
static void say_p(struct bw_say *s, const struct bw_p *p)
{
	const volatile struct bw_p *now = p;
	const volatile struct bw_m *m = now->m;

	bw_say(s, "  P%u: status=%s schedtick=%u syscalltick=%llu", now->id,
	       p_name[BW_P_STATUS_OF(now->status) % ARRAY_SIZE(p_name)],
	       now->tick, (unsigned long long)now->nr_blocks);
	say_id(s, "m", m, m ? m->id : 0);
	bw_say(s, " runqsize=%u gfreecnt=%u\n", waiting_at(p), now->nr_free);
}

__attribute__((no_sanitize_thread, noinline))
static void say_m(struct bw_say *s, const struct bw_m *m)
{
	const volatile struct bw_m *now = m;
	const volatile struct bw_p *p = now->p;
	const volatile struct bw_g *g = now->g, *locked = now->locked;
	bool asleep = now->asleep;

	/* in the free list */
	if (!p && !g && !asleep)
		return;
	bw_say(s, "  M%u:", now->id);
	say_id(s, "p", p, p ? p->id : 0);
	say_id(s, "curg", g, g ? g->id : 0);
	say_bool(s, "spinning", now->spinning);
	say_bool(s, "blocked", asleep);
	say_id(s, "lockedg", locked, locked ? locked->id : 0);
	bw_say(s, "\n");
}

__attribute__((no_sanitize_thread, noinline))
static void say_g(struct bw_g *g, void *arg)
{
	const volatile struct bw_g *now = g;
	const volatile struct bw_m *m = now->m;
	struct bw_say *s = arg;
	u32 state = now->state % BW_NR_G_STATES;
	const char *why = state == BW_G_PARKED ? now->reason : NULL;

	if (state == BW_G_FREE)
		return;
	bw_say(s, "  G%llu: status=%s(%s)", (unsigned long long)now->id,
	       g_name[state], why ? why : "");
	say_id(s, "m", m && (state == BW_G_RUNNING || state == BW_G_BLOCKED),
	       m ? m->id : 0);
	say_id(s, "lockedm", m && now->locks, m ? m->id : 0);
	bw_say(s, "\n");
}

/**
 * struct counts - what is guarded by sched.lock, at one moment	[caller]
 */
struct counts {
	u32 procs, idle_p, m, idle_m, global;
	struct bw_m *all_m;
};

static struct counts counts_get(void)
{
	struct counts c;

	bw_lock(&bw_sched.lock);
	c.procs = bw_sched.nr_procs;
	c.idle_p = bw_sched.nr_idle_p;
	c.m = bw_sched.nr_m;
	c.idle_m = bw_sched.nr_idle_m;
	c.global = bw_sched.global.nr;
	c.all_m = bw_sched.all_m;
	bw_unlock(&bw_sched.lock);
	return c;
}

static void say_line(struct bw_say *s, const struct counts *c, u64 ms)
{
	u32 i, spinning = READ_ONCE(bw_sched.nr_spinning), work = c->global;

	for (i = 0; i < c->procs; i++)
		work += waiting_at(bw_sched.p[i]);
	bw_say(s, "SCHED %llums: gomaxprocs=%u idleprocs=%u threads=%u "
	       "spinningthreads=%u needspinning=%u idlethreads=%u runqueue=%u [",
	       (unsigned long long)ms, c->procs, c->idle_p, c->m + 1, spinning,
	       c->idle_p && work && !spinning, c->idle_m, c->global);
	for (i = 0; i < c->procs; i++)
		bw_say(s, i ? " %u" : "%u", waiting_at(bw_sched.p[i]));
	bw_say(s, "]\n");
}

void bw_schedtrace_look(u64 now)
{
	struct bw_say s = { STDERR_FILENO, trace.buf, sizeof(trace.buf), 0 };
	struct counts c;
	struct bw_m *m;
	u32 i;

	if (now < trace.next)
		return;
	if (!trace.begun)
		trace.begun = now;
	trace.next = now + bw_sched.schedtrace * 1000000ULL;
	c = counts_get();
	say_line(&s, &c, (now - trace.begun) / 1000000);
	if (bw_sched.scheddetail) {
		for (i = 0; i < c.procs; i++)
			say_p(&s, bw_sched.p[i]);
		for (m = c.all_m; m; m = m->all)
			say_m(&s, m);
		bw_g_each(say_g, &s);
	}
	bw_say_flush(&s);
}
