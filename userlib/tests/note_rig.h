/* SPDX-License-Identifier: MIT */
/*
 * note_rig: what stores would note for the collector while it marks. It never comes:
 * what one thread has noted is looked at, and dropped.
 */
#ifndef BW_TESTS_NOTE_RIG_H
#define BW_TESTS_NOTE_RIG_H

#include "heap/mcache.h"
#include "sched_rig.h"

static inline bool has_noted(const struct bw_mcache *c, const void *p)
{
	u32 i;

	for (i = 0; i < c->nr_shades; i++)
		if (c->shade[i] == (u64)(uintptr_t)p)
			return true;
	return false;
}

/* The calling thread's notes have both; they are dropped. */
static inline bool are_noted(const void *a, const void *b)
{
	struct bw_mcache *c = bw_mcache_attach();
	bool there = has_noted(c, a) && has_noted(c, b);

	c->nr_shades = 0;
	return there;
}

static inline bool is_noted(const void *p)
{
	return are_noted(p, p);
}

static inline void notes_run(void *arg)
{
	setenv("BURROW_PROCS", "1", 1);
	setenv("BURROW_GC", "off", 1);
	bw_run(*(int (**)(void *))arg, NULL);
	exit(tap_bad_here != 0);
}

static int (*notes_fn)(void *arg);

static inline int notes_start(void *arg)
{
	int err;

	__atomic_store_n(&bw_barrier_on, 1, __ATOMIC_SEQ_CST);
	err = notes_fn(arg);
	__atomic_store_n(&bw_barrier_on, 0, __ATOMIC_SEQ_CST);
	return err;
}

/* In a child, in a run with one P, as if marking were under way. */
static inline void while_marking(int (*fn)(void *arg))
{
	static char out[4000];
	int (*start)(void *arg) = notes_start;

	notes_fn = fn;
	if (!EXPECT(!rig_child(notes_run, (void *)&start, out, sizeof(out))))
		printf("# %s\n", out);
}

#endif
