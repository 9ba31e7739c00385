/* SPDX-License-Identifier: MIT */
/* eyes_rig: what tests of traces, dumps and counters share: lines, Gs that wait. */
#ifndef BW_TESTS_EYES_RIG_H
#define BW_TESTS_EYES_RIG_H

#include "burrow/trace.h"
#include "sched/eyes.h"
#include "sched_rig.h"

static char said[1 << 18];

/* The next whole line of @fd without its end; a G may wait for it. */
static inline bool line_get(int fd, char *line, size_t size)
{
	size_t n = 0;
	char c;

	bw_block_begin();
	while (read(fd, &c, 1) == 1 && c != '\n')
		if (n + 1 < size)
			line[n++] = c;
	bw_block_end();
	line[n] = '\0';
	return n;
}

/* Where a child reads its own standard error. */
static int trace_fd;

static inline bool starts(const char *line, const char *what)
{
	return !strncmp(line, what, strlen(what));
}

static inline void count_waiting(struct bw_g *g, void *arg)
{
	u32 *nr = arg;
	u32 state = READ_ONCE(g->state);

	*nr += state == BW_G_PARKED || state == BW_G_BLOCKED;
}

/* Until so many Gs are parked or in a call. */
static inline void until_they_wait(u32 want)
{
	u32 nr;

	do {
		bw_yield();
		nr = 0;
		bw_g_each(count_waiting, &nr);
	} while (nr < want);
}

#endif
