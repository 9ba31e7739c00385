// SPDX-License-Identifier: MIT
/* jobs: see jobs.h */
#include "base/sysmem.h"
#include "jobs.h"

#define JOB_BYTES	(64UL << 10)
#define AT_ONCE		8U

/**
 * struct job - roots to be looked at
 */
struct job {
	const char *low;
	const char *end;
};

/**
 * struct jobs - all of a cycle						[collector]
 * @at:		the jobs
 * @nr:		how many
 * @room:	for how many there is memory
 * @bytes:	in them
 * @next:	the next to be taken					[atomic]
 * @lost:	there was no memory for one
 */
static struct jobs {
	struct job *at;
	size_t nr;
	size_t room;
	s64 bytes;
	size_t next;
	bool lost;
} jobs;

void bw_jobs_begin(void)
{
	jobs.nr = 0;
	jobs.bytes = 0;
	jobs.lost = false;
	WRITE_ONCE(jobs.next, 0);
}

static bool grow(void)
{
	size_t room = jobs.room ? 2 * jobs.room : 4096;
	struct job *at = bw_sys_alloc(room * sizeof(*at));

	if (!at)
		return false;
	if (jobs.nr)
		memcpy(at, jobs.at, jobs.nr * sizeof(*at));
	bw_sys_free(jobs.at, jobs.room * sizeof(*at));
	jobs.at = at;
	jobs.room = room;
	return true;
}

void bw_job_add(const char *low, const char *end, void *arg)
{
	jobs.bytes += end - low;
	while (low < end) {
		const char *to = end - low > (s64)JOB_BYTES ? low + JOB_BYTES :
							      end;

		if (jobs.nr == jobs.room && !grow()) {
			jobs.lost = true;
			return;
		}
		jobs.at[jobs.nr++] = (struct job){ low, to };
		low = to;
	}
}

bool bw_jobs_lost(void)
{
	return jobs.lost;
}

s64 bw_jobs_bytes(void)
{
	return jobs.bytes;
}

void bw_jobs_do(struct bw_marker *m)
{
	size_t i, from;

	while ((from = fetch_add_relaxed(&jobs.next, AT_ONCE)) < jobs.nr)
		for (i = from; i < jobs.nr && i < from + AT_ONCE; i++)
			bw_mark_roots(m, jobs.at[i].low, jobs.at[i].end);
}

void bw_jobs_each(void (*fn)(const char *low, const char *end, void *arg),
		  void *arg)
{
	size_t i;

	for (i = 0; i < jobs.nr; i++)
		fn(jobs.at[i].low, jobs.at[i].end, arg);
}
