// SPDX-License-Identifier: MIT
/*
 * deadlock: every thread of the run is asleep, and nobody is left who could make
 * a G runnable.
 *
 * It ends the process only when that is certain: no M in a call, no attached
 * thread, and no task in the process but Ms, sysmon and the caller of bw_run().
 * Otherwise a stranger may still call bw_ready(), and it is said once.
 *
 * The last M to go to sleep looks, after it slept for 10 ms and nobody woke it:
 * whoever wakes it meanwhile does not wait for any of this. While there are
 * strangers it looks again, less and less often, as they may end.
 */
#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include "eyes.h"

/* A thread that ended a moment ago may still be listed. */
#define LOOKS		5U
#define PAUSE_NS	10000000UL
/* After those it is said, and the pauses double: 5 s in all. */
#define LOOKS_MORE	8U

/*
 * Threads that a tool has in the process for itself: a thread sanitizer has one,
 * and in a child of fork() another.
 */
static pid_t loaded_in;

__attribute__((constructor)) static void loaded(void)
{
	if (BW_TSAN)
		loaded_in = getpid();
}

static u32 nr_tool_tasks(void)
{
	return BW_TSAN ? 1 + (getpid() != loaded_in) : 0;
}

static u32 nr_tasks(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	u32 nr = 0;

	if (!dir)
		return UINT32_MAX;
	while ((e = readdir(dir)))
		nr += e->d_name[0] != '.';
	closedir(dir);
	return nr;
}

/*
 * Does it still look like that? How many tasks are ours then, besides one that
 * is about to end?
 */
static bool all_asleep(u32 *ours)
{
	bool yes;

	bw_lock(&bw_sched.lock);
	yes = !bw_sched.ending && bw_sched.nr_m == bw_sched.nr_idle_m &&
	      !bw_sched.global.nr;
	*ours = bw_sched.nr_m + 2 + READ_ONCE(bw_sched.nr_helpers);
	bw_unlock(&bw_sched.lock);
	return yes;
}

/* True: the M has its token, and is no longer asleep. */
static bool wait_a_little(struct bw_m *m, u64 ns)
{
	struct timespec ts = { (time_t)(ns / 1000000000),
			       (long)(ns % 1000000000) };

	if (!m) {
		nanosleep(&ts, NULL);
		return false;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return !bw_parker_park_until(&m->parker, (u64)ts.tv_sec * 1000000000 +
						 (u64)ts.tv_nsec + ns);
}

static void tell(bool certain)
{
	bool told = xchg(&bw_sched.told, 1);

	if (told && !certain)
		return;
	bw_dump();
	if (certain && bw_sched.deadlock == BW_DEADLOCK_FATAL)
		bw_throw("deadlock: every G waits, and nobody is left to "
			 "wake one");
	bw_note("deadlock: every G waits%s", certain ? "" :
		", unless a thread that is not burrow's wakes one");
}

bool bw_deadlock_check(struct bw_m *m)
{
	/* it was said before: once for now, and then rarely */
	u32 i = READ_ONCE(bw_sched.told) ? LOOKS - 1 : 0, ours;

	if (bw_sched.deadlock == BW_DEADLOCK_OFF)
		return false;
	for (; i < LOOKS + LOOKS_MORE; i++) {
		u32 doubled = i < LOOKS ? 0 : i - LOOKS + 1;

		if (wait_a_little(m, PAUSE_NS << doubled))
			return true;
		if (!all_asleep(&ours))
			return false;
		/* a thread without @m is no longer in nr_m, and not gone yet */
		if (!READ_ONCE(bw_sched.nr_attached) &&
		    nr_tasks() <= ours + !m + nr_tool_tasks()) {
			tell(true);
			return false;
		}
		if (i == LOOKS - 1)
			tell(false);
	}
	return false;
}
