// SPDX-License-Identifier: MIT
/*
 * env: what the environment says of the scheduler. The keys of BURROW are parsed
 * in base/options.c, for all rooms.
 */
#include <stdlib.h>

#include "base/error.h"
#include "heap/pageheap.h"
#include "sched.h"

#define KIB		1024UL
#define DEFAULT_STACK	(BW_ASAN || BW_TSAN ? 256 * KIB : 64 * KIB)
#define DEFAULT_MAX_M	10000U
#define LIMIT_MAX_M	1000000U

/* @name=@text is a number from 1 to @most, or nothing and @value. */
static u32 number(const char *name, u32 value, u32 most)
{
	const char *text = getenv(name), *c;
	u64 n = 0;

	if (!text || !*text)
		return value;
	for (c = text; *c >= '0' && *c <= '9' && n <= most; c++)
		n = n * 10 + (u64)(*c - '0');
	if (*c || !n || n > most)
		bw_fatal("%s=%s is not allowed; it is a number from 1 to %u",
			 name, text, most);
	return (u32)n;
}

void bw_sched_env(struct bw_sched *s)
{
	struct bw_options o;

	s->max_m = number("BURROW_MAXTHREADS", DEFAULT_MAX_M, LIMIT_MAX_M);
	s->nr_wanted = number("BURROW_PROCS", bw_cpus(), BW_MAX_PROCS);
	bw_options_init(&o);
	if (bw_options_from_env(&o))
		bw_fatal("%s", bw_error_last());
	s->stack_bytes = o.stacksize ? o.stacksize : DEFAULT_STACK;
	s->deadlock = o.deadlock;
	s->schedtrace = o.schedtrace;
	s->scheddetail = o.scheddetail;
	s->quit_goes_on = o.quit_goes_on;
	if (bw_mheap_get(&s->mheap))
		bw_fatal("%s", bw_error_last());
	s->heap = bw_mheap_heap(s->mheap);
}
