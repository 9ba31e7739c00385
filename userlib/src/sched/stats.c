// SPDX-License-Identifier: MIT
/* stats: the sum of what Ps count in words of their own (count.def). */
#include "burrow/trace.h"
#include "eyes.h"

static u64 sum(enum bw_count which)
{
	/* these are ordered: see sums() */
	u64 n = load_seq(&bw_sched.count[which]);
	u32 i, nr = load_seq(&bw_sched.nr_made);

	for (i = 0; i < nr; i++)
		n += load_seq(&bw_sched.p[i]->count[which]);
	return n;
}

/* Ends are summed up before beginnings: more may have begun since. */
static void sums(struct bw_stats *s)
{
	u32 i, nr = load_seq(&bw_sched.nr_made);

	s->ended = sum(BW_COUNT_ended);
	s->readies = sum(BW_COUNT_readies);
	s->parks = sum(BW_COUNT_parks);
	s->yields = sum(BW_COUNT_yields);
	s->steals = sum(BW_COUNT_steals);
	s->globals = sum(BW_COUNT_globals);
	s->timers_fired = sum(BW_COUNT_timers_fired);
	s->timers = sum(BW_COUNT_timers);
	s->io_events = sum(BW_COUNT_io_events);
	s->io_polls = sum(BW_COUNT_io_polls);
	s->io_waits = sum(BW_COUNT_io_waits);
	s->threads_in_vain = sum(BW_COUNT_threads_in_vain);
	for (i = 0; i < nr; i++) {
		s->switches += READ_ONCE(bw_sched.p[i]->nr_runs);
		s->calls += READ_ONCE(bw_sched.p[i]->nr_blocks);
	}
	s->made = sum(BW_COUNT_made);
	s->live = s->made > s->ended ? s->made - s->ended : 0;
}

int bw_stats(struct bw_stats *out)
{
	struct bw_stats s = { .size = sizeof(s) };
	uint32_t size = out->size;

	if (size < offsetof(struct bw_stats, switches) || size % 8)
		return -EINVAL;
	sums(&s);
	bw_lock(&bw_sched.lock);
	s.procs = bw_sched.nr_procs;
	s.threads = bw_sched.nr_m;
	s.threads_idle = bw_sched.nr_idle_m;
	s.threads_made = bw_sched.nr_m_made;
	s.threads_woken = bw_sched.nr_m_woken;
	s.calls_handed_off = bw_sched.nr_taken;
	bw_unlock(&bw_sched.lock);
	if (size > sizeof(s))
		memset((char *)out + sizeof(s), 0, size - sizeof(s));
	memcpy(out, &s, min(size, sizeof(s)));
	out->size = size;
	return 0;
}
