/* SPDX-License-Identifier: MIT */
/*
 * eyes: what can be seen of the scheduler from outside.
 *
 *	BURROW=schedtrace=N	schedtrace.c	a line each N ms, by sysmon
 *	SIGQUIT			quit.c		every G, by sysmon
 *	a deadlock		deadlock.c	every G
 *	  bw_dump()		dump.c
 *	    bw_backtrace()	backtrace.c
 *	      bw_look_begin()	look.c		a thread that runs
 *	bw_stats()		stats.c		counters
 *
 * All of it looks without locks at what others change meanwhile: memory of Gs,
 * Ms and Ps is never given back, so there is always something to look at. What
 * is said of one moment may be of several.
 */
#ifndef BW_SCHED_EYES_H
#define BW_SCHED_EYES_H

#include "base/unwind.h"
#include "sched.h"

/* Bytes of a name or line of text that are shown. */
#define BW_SHOWN	64U

/**
 * struct bw_g_view - a G, as it was a moment ago			[caller]
 * @g:		which
 * @state:	enum bw_g_state
 * @on_m:	the number of its M, when it is on one
 * @locked:	it has its thread
 * @name:	"" for none
 * @reason:	what it waits for, or NULL
 * @since:	when it began to wait, by bw_sched.clock; else 0
 * @fn:		with what it was started
 * @sp:		its frame of bw_switch(), where it is off its stack
 */
struct bw_g_view {
	const struct bw_g *g;
	u32 state;
	u32 on_m;
	bool locked;
	char name[BW_SHOWN];
	const char *reason;
	u64 since;
	u64 fn;
	u64 sp;
	u64 id;
	char *stack;
	bool bare;
	const struct bw_m *m;
};

void bw_g_look(const struct bw_g *g, struct bw_g_view *v);

/*
 * Where the G is, innermost first; 0: it is not to be known, as the G went on
 * meanwhile, or its thread does not answer. Between bw_symbols_begin() and _end().
 */
u32 bw_backtrace(const struct bw_g_view *v, u64 *pc, u32 max);

/*
 * look.c. The thread of @m, not the caller's, stands still until bw_look_end(),
 * and @u has its registers. False: it does not, or @g is not what it runs.
 */
bool bw_look_begin(const struct bw_m *m, const struct bw_g *g,
		   struct bw_unwind *u);
void bw_look_end(void);
/* A dump begins, which waits a few seconds for answers in all. */
void bw_looks_begin(void);

/* Every G with its backtrace, to standard error. */
void bw_dump(void);
/* The same of some. */
void bw_dump_these(struct bw_g *const *g, u32 nr);

/* SIGQUIT is ours, where nobody else has it. */
void bw_quit_init(void);
/* Sysmon: it came, and what is to be done is done. */
void bw_quit_look(void);
bool bw_quit_is_wanted(void);

/* Sysmon: a line, if it is time for one. */
void bw_schedtrace_look(u64 now);

/* Sysmon, once a round: all of the above. */
static inline void bw_eyes_look(u64 now)
{
	if (unlikely(bw_sched.schedtrace))
		bw_schedtrace_look(now);
	if (unlikely(bw_quit_is_wanted()))
		bw_quit_look();
}

/* Sysmon is not to sleep, though all is idle. */
static inline bool bw_eyes_are_open(void)
{
	return bw_sched.schedtrace || bw_quit_is_wanted();
}

#endif
