/* SPDX-License-Identifier: MIT */
/*
 * stop: every thread that may touch what Gs have stands still.
 *
 *	the collector
 *	  bw_world_stop()	stop.c	   a signal to each M that is not at rest
 *	    on_stop()			   its handler: registers saved, at rest
 *	  bw_world_each_stack()	scan.c	   what they have on stacks
 *	  bw_world_start()	stop.c
 *	later, while they run
 *	  bw_g_scan()		scan.c	   Gs that did not run since
 *
 * A thread that is not attached is not stopped, and no more are sysmon and the
 * caller of bw_run(): they have nothing of Gs'.
 */
#ifndef BW_SCHED_STOP_H
#define BW_SCHED_STOP_H

#include "base/atomic.h"
#include "base/section.h"
#include "base/types.h"

struct bw_g;
struct bw_m;

enum bw_fence { BW_FENCE_NONE, BW_FENCE_ASKED, BW_FENCE_DONE };

/**
 * struct bw_rest - where a M stands
 * @here:	it is at rest: it touches nothing until it looked
 *		whether the world is stopped				[atomic]
 * @live:	there is a thread					[before @here]
 * @again:	it was in a leaf: ask again				[atomic]
 * @asked:	the stop it was sent a signal for			[stopper]
 * @tid:	of the thread						[before @here]
 * @fence:	enum bw_fence						[atomic]
 * @sp:		its stack from here on					[before @here]
 * @frame:	lowest address of what the signal saved, or NULL	[before @here]
 * @frame_end:	the end of that signal stack				[before @here]
 * @stack:	lowest address of the thread's own stack		[const]
 * @stack_end:	and its end						[const]
 * @tls:	thread-local variables of what was loaded when it began	[const]
 * @tls_end:	their end						[const]
 */
struct bw_rest {
	u32 here;
	bool live;
	u32 again;
	u32 asked;
	s32 tid;
	u32 fence;
	char *sp;
	char *frame;
	char *frame_end;
	char *stack;
	char *stack_end;
	char *tls;
	char *tls_end;
};

/*
 * Stops the world: on return every M but the caller's is at rest, with what was
 * in its registers in memory. From a G or an attached thread that is in no
 * section and holds no lock. Others that want to stop it wait. Until
 * bw_world_start() the caller must not use what a stopped thread may have
 * locked: the C library's malloc(), stdio and loader; the library's own locks
 * are free. It may not park or block. @why is for dumps, constant.
 */
void bw_world_stop(const char *why);
void bw_world_start(void);
bool bw_world_is_stopped(void);

typedef void bw_range_fn(const char *low, const char *end, void *arg);

/*
 * World stopped: calls fn(low, end, arg), aligned to words, for what may hold
 * pointers of Gs: stacks of all threads from their stack pointers (less the red
 * zone) on, registers, thread-local variables, stacks of all Gs that wait,
 * arguments and bw_local values.
 */
void bw_world_each_stack(bw_range_fn *fn, void *arg);
/* The same without Gs that wait: for who scans them later. */
void bw_world_each_thread(bw_range_fn *fn, void *arg);
/* And of one G that waits; false: it does not. */
bool bw_world_g_stack(const struct bw_g *g, bw_range_fn *fn, void *arg);

/*
 * A cycle of scanning Gs while others run. Begin and end with the world stopped.
 * From the one to the other each G is scanned once before it runs, by
 * bw_g_scan() or by the M that is about to run it. Those that are on a M when it
 * begins count as scanned (bw_world_each_thread()), and so do new ones. @fn may
 * be called in any M, on its own stack, and neither parks nor allocates.
 */
void bw_scan_begin(bw_range_fn *fn, void *arg);
void bw_scan_end(void);

/* True: @g waited, and was scanned by this call. From any thread. */
bool bw_g_scan(struct bw_g *g);
/* The same for all there are; returns how many it scanned. */
u64 bw_scan_all(void);

/*
 * For others of this room.
 */

/*
 * Calls fn(m, arg) in a sleep or a call in which the M touches nothing that
 * belongs to Gs: meanwhile it counts as stopped, and is not sent a signal. When
 * it comes back while the world is stopped, it waits. Within a section.
 */
void bw_rest(struct bw_m *m, void (*fn)(struct bw_m *m, void *arg), void *arg);
/* In a section of its own, for a M that may be asked to stop: now it may be. */
void bw_rest_asked(struct bw_m *m);
/* The calling thread begins and ends as @m. */
void bw_rest_join(struct bw_m *m);
void bw_rest_leave(struct bw_m *m);
/* True: the M's thread has made a full barrier since the first call. */
bool bw_stop_fence(struct bw_m *m);
/* The section is over in which a stop came. */
void bw_stop_now(struct bw_m *m);
void bw_stop_init(void);
/* A child of fork(): nothing is stopped here. */
void bw_stop_forked(void);
/* The child's first thread stands on this stack of a G's, or NULL: on its own. */
void bw_stop_stands_on(char *slot);
/* stop_tell.c: a line for a M that does not answer. Uses no lock. */
void bw_stop_tell(const struct bw_m *m, const char *why, u64 seconds);

/* look.c: the stop's signal came, with @context; is somebody looking at @m? */
void bw_look_answer(const struct bw_m *m, const void *context);
void bw_looks_forked(void);

/* scan.c: before a G runs, or is made, in a cycle. */
extern u32 bw_scan_cycle;
void bw_scan_before_run(struct bw_g *g);
void bw_scan_new(struct bw_g *g);

/* The signal, kept out of everybody's masks (sigmask.c). */
#define BW_STOP_SIGNAL	(__libc_current_sigrtmin() + 7)

#endif
