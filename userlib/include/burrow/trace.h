/* SPDX-License-Identifier: MIT */
/*
 * burrow/trace.h: what the runtime is doing.
 *
 * Without a change to the program:
 *
 *	BURROW=schedtrace=1000	a line a second about the scheduler, on standard
 *				error, in the words of Go's
 *	...,scheddetail=1	and one for each P, thread and G
 *	SIGQUIT			every G with where it waits, then the process
 *				ends with status 2; BURROW=sigquit=go-on: it
 *				goes on. A program with a handler of its own, or
 *				that ignores the signal, keeps that
 */
#ifndef BURROW_TRACE_H
#define BURROW_TRACE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct bw_stats - counts since the process began
 * @size:	set by the caller: sizeof(struct bw_stats). It grows at its end
 *		with new versions; what a library does not know is 0
 * @procs:	Ps there are
 * @switches:	times a G was switched to
 * @yields:	of a G to the next
 * @parks:	waits begun
 * @readies:	waits ended
 * @made:	Gs that began
 * @ended:	Gs that ended
 * @live:	Gs there are
 * @steals:	times half of another P's queue was taken
 * @globals:	times Gs were taken from the global queue
 * @calls:	bw_block_begin(), and what uses it
 * @calls_handed_off: calls that took so long that others got the P
 * @threads:	of this run, that may run Gs
 * @threads_idle: of them, asleep
 * @threads_made: ever
 * @threads_woken: times one was made or woken to run Gs
 * @timers:	deadlines of waits, sleeps, and starts of timers
 * @timers_fired: of them, those whose time came first: no timer was stopped or
 *		moved, nothing else ended the wait
 * @io_waits:	waits of Gs for a descriptor
 * @io_polls:	times descriptors were looked at (epoll)
 * @io_events:	events that this found
 * @threads_in_vain: of @threads_woken, those that found nothing to run
 *
 * Each count is exact, but they are not of one moment.
 */
struct bw_stats {
	uint32_t size;
	uint32_t procs;
	uint64_t switches;
	uint64_t yields;
	uint64_t parks;
	uint64_t readies;
	uint64_t made;
	uint64_t ended;
	uint64_t live;
	uint64_t steals;
	uint64_t globals;
	uint64_t calls;
	uint64_t calls_handed_off;
	uint64_t threads;
	uint64_t threads_idle;
	uint64_t threads_made;
	uint64_t threads_woken;
	uint64_t timers;
	uint64_t timers_fired;
	uint64_t io_waits;
	uint64_t io_polls;
	uint64_t io_events;
	uint64_t threads_in_vain;
};

/* At any time, from any thread. -EINVAL: @size is none that ever was. */
int bw_stats(struct bw_stats *out);

#ifdef __cplusplus
}
#endif

#endif
