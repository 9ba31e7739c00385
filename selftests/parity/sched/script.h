/* SPDX-License-Identifier: MIT */
/*
 * script: what the parts of sched_parity share.
 *
 * Nothing is printed that two runs in one mode could tell differently: which of
 * several Gs was first, how many threads there were, how long it took. An order is
 * printed where the API promises one.
 */
#ifndef BW_PARITY_SCHED_SCRIPT_H
#define BW_PARITY_SCHED_SCRIPT_H

#include <burrow/go.h>

#include "../say.h"

/**
 * struct crowd - the first G waits until @left is 0, and for the token that comes then:
 * left over, it would end another park. @nr: there comes one.
 */
struct crowd {
	struct bw_g *waiter;
	long left;
	long nr;
};

void crowd_begin(struct crowd *c, long n);
void crowd_less(struct crowd *c);
void crowd_wait(struct crowd *c);

/* A line: a number, or an error by its name. */
void number(const char *what, long n);
/* A line: "yes" or "no". */
void holds(const char *what, bool yes);
/* A run of @fn on @procs Ps, and what came of it. */
void run_on(int procs, const char *what, int (*fn)(void *arg));

/* Each in the file of its name. */
void life_script(void);
void time_script(void);
void io_script(void);
void end_script(void);
/* A process of its own has come to its end in this way, or there is none such. */
int end_of(const char *name);

#endif
