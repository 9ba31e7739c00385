// SPDX-License-Identifier: MIT
/*
 * sysmon: a thread without a P, which does what nobody else is there to do.
 *
 * It takes the Ps of Ms that stay in calls, and wakes a M for Gs that should
 * have run at once where they are and did not (schedule.c). It looks every 20
 * us; after 50 times in vain it doubles that up to 10 ms, a *nap*; who enters a
 * call with Gs waiting ends it. When every P is idle it sleeps until it is
 * kicked.
 *
 * Y1. ASLEEP is set under sched.lock, when all Ps are idle. Whoever leaves
 *     something to sysmon does so with a P that left the idle list under that
 *     lock later, so it finds the word set, and kicks.
 * Y2. A P in a call is taken when it was in the same call one look before, and
 *     at once only if somebody could use it; otherwise after 10 ms, so that
 *     everything can be idle.
 * Y3. A slice is 10 ms of CPU time, so that threads which compete for a CPU do
 *     not lose their Ps for that; or 10 ms when the thread sleeps in the kernel.
 *     The P is taken only while others wait (preempt.c).
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/fmt.h"
#include "eyes.h"

#define SHORTEST	20000ULL
#define LONGEST		10000000ULL
#define SLICE		10000000ULL
#define LOOKS_IN_VAIN	50U

/**
 * struct seen - what a P did at the last look
 * @blocks:	its nr_blocks
 * @runs:	its nr_runs
 * @since:	when this was first seen
 * @tick:	its slice
 * @began:	when this was first seen
 * @cpu:	of its thread then, by the second look; 0: not known yet
 */
struct seen {
	u64 blocks;
	u64 runs;
	u64 since;
	u32 tick;
	u64 began;
	u64 cpu;
};

static struct sysmon {
	pthread_t thread;
	struct seen seen[BW_MAX_PROCS];
	u64 pause;			/* of itself alone */
	bool end;			/* [atomic] */
} sysmon;

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* Its P's work could be done elsewhere, or the call takes really long (Y2). */
static bool should_take(const struct bw_p *p, const struct seen *s, u64 now)
{
	return bw_work_anywhere() || !bw_runq_is_empty(&p->q) ||
	       now - s->since >= LONGEST;
}

static bool look_at_blocked(struct bw_p *p, struct seen *s, u64 now)
{
	if (s->blocks != READ_ONCE(p->nr_blocks)) {
		s->blocks = READ_ONCE(p->nr_blocks);
		s->since = now;
		return false;
	}
	if (!should_take(p, s, now) || !bw_p_retake(p))
		return false;
	bw_p_hand_off(p);
	return true;
}

/* CPU time of a thread; 0: it has ended. */
static u64 cpu_ns(s32 tid)
{
	struct timespec ts;

	/* what pthread_getcpuclockid() makes */
	if (clock_gettime((clockid_t)(~(u32)tid << 3 | 6), &ts))
		return 0;
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

/* It is in the kernel and waits for something. */
static bool is_asleep(s32 tid)
{
	char path[64], text[512] = "", *state;
	ssize_t n;
	int fd;

	bw_fmt(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	state = n > 0 ? strrchr(text, ')') : NULL;
	return state && state[1] == ' ' && (state[2] == 'S' || state[2] == 'D');
}

/* Y3. Its slice is over, and somebody waits for the P. */
static bool overran(const struct bw_p *p, struct seen *s, u64 now)
{
	const struct bw_m *m = READ_ONCE(p->m);
	u32 tick = READ_ONCE(p->tick);
	s32 tid;

	if (!m)
		return false;
	tid = READ_ONCE(m->rest.tid);
	if (s->tick != tick) {
		s->tick = tick;
		s->began = now;
		s->cpu = sysmon.pause > LONGEST / 10 ? cpu_ns(tid) | 1 : 0;
		return false;
	}
	if (!s->cpu) {
		s->cpu = cpu_ns(tid) | 1;
		return false;
	}
	if (now - s->began < SLICE ||
	    (!bw_work_anywhere() && bw_runq_is_empty(&p->q)))
		return false;
	return cpu_ns(tid) - s->cpu >= SLICE || is_asleep(tid);
}

/* Something was to go first, and did not for a whole look. */
static bool look_at_running(struct bw_p *p, struct seen *s, u64 now)
{
	u64 runs = READ_ONCE(p->nr_runs);
	bool stuck = s->runs == runs && !bw_runq_is_empty(&p->q);

	s->runs = runs;
	if (overran(p, s, now))
		return bw_p_preempt(p);
	if (!stuck || !load_seq(&bw_sched.nr_idle_p))
		return false;
	bw_wake_slow(NULL);
	return true;
}

static bool look(u64 now)
{
	u32 i, nr = load_seq(&bw_sched.nr_made);
	bool did;

	if (bw_world_is_stopped())
		return false;
	did = bw_poll_look(now);
	for (i = 0; i < nr; i++) {
		struct bw_p *p = bw_sched.p[i];
		struct seen *s = &sysmon.seen[i];

		switch (BW_P_STATUS_OF(load_seq(&p->status))) {
		case BW_P_BLOCKED:
			did |= look_at_blocked(p, s, now);
			break;
		case BW_P_RUNNING:
			did |= look_at_running(p, s, now);
			break;
		}
	}
	return did;
}

/* All is idle: sleeps until kicked. False: it is not. */
static bool sleep_while_idle(void)
{
	bool idle;

	if (bw_eyes_are_open())
		return false;
	bw_lock(&bw_sched.lock);
	idle = bw_sched.nr_idle_p == bw_sched.nr_live_p;
	if (idle)
		__atomic_store_n(&bw_sched.sysmon_asleep, BW_SYSMON_ASLEEP,
				 __ATOMIC_SEQ_CST);
	bw_unlock(&bw_sched.lock);
	if (idle)
		bw_parker_park(&bw_sched.sysmon);
	return idle;
}

/* Until @pause is over; true: somebody ended it before. */
static bool nap(u64 now, u64 pause)
{
	if (pause > SHORTEST)
		__atomic_store_n(&bw_sched.sysmon_asleep, BW_SYSMON_NAPS,
				 __ATOMIC_SEQ_CST);
	bw_parker_park_until(&bw_sched.sysmon, now + pause);
	return pause > SHORTEST && !xchg(&bw_sched.sysmon_asleep, 0);
}

static void *sysmon_main(void *arg)
{
	u64 pause = SHORTEST;
	u32 vain = 0;

	while (!READ_ONCE(sysmon.end)) {
		u64 now = now_ns();

		bw_clock_tick();
		bw_eyes_look(now);
		if (look(now)) {
			vain = 0;
		} else if (sleep_while_idle()) {
			vain = 0;
			continue;
		}
		pause = ++vain > LOOKS_IN_VAIN ? min(2 * pause, LONGEST) :
						 SHORTEST;
		sysmon.pause = pause;
		if (nap(now, pause))
			vain = 0;
	}
	return arg;
}

void bw_sysmon_kick(void)
{
	/* pairs with sleep_while_idle() and nap(): one kick for one sleep */
	if (xchg(&bw_sched.sysmon_asleep, 0))
		bw_parker_unpark(&bw_sched.sysmon);
}

void bw_sysmon_poke(void)
{
	xchg(&bw_sched.sysmon_asleep, 0);
	bw_parker_unpark(&bw_sched.sysmon);
}

int bw_sysmon_start(void)
{
	WRITE_ONCE(sysmon.end, false);
	WRITE_ONCE(bw_sched.sysmon_asleep, 0);
	return pthread_create(&sysmon.thread, NULL, sysmon_main, NULL);
}

void bw_sysmon_end(void)
{
	WRITE_ONCE(sysmon.end, true);
	bw_parker_unpark(&bw_sched.sysmon);
	pthread_join(sysmon.thread, NULL);
	/* it may have ended without the token */
	bw_parker_park_until(&bw_sched.sysmon, 1);
}
