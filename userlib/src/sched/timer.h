/* SPDX-License-Identifier: MIT */
/*
 * timer: what is to happen at a time: a heap for each P.
 *
 *	bw_sleep(), bw_park_until()	sleep.c	 a G waits, with a deadline
 *	bw_timer_start()		alarm.c	 a function is to run
 *	  bw_timers_add()	<- here		 into the heap of the P we have
 *	next()				schedule.c
 *	  bw_timers_check()	<- here		 what is due in ours
 *	  find(): bw_timers_run_all()		 in everybody's
 *	bw_m_poll()			idle.c	 sleeps until the next
 *	sysmon					 what is 10 ms late all the same
 *
 * An entry does not belong to what it is for. It holds a time, the address of a
 * word and the value that the word had when the entry was made; it is *alive*
 * while the word is still that. A word is a number that grows with each use, and
 * in its low bits what it is used for (enum bw_timed):
 *
 *	  EMPTY, TOKEN <--somebody readies the G, bw_timer_stop()--.
 *	    |    ^---------who finds the entry when it is due------+
 *	    '---- number + 1: parks, starts the timer ----> ASLEEP, WAITS, ARMED
 *
 * I1. Whoever moves a word out of ASLEEP, WAITS or ARMED, by one cmpxchg, has
 *     won: it readies the G or calls the function, and nobody else does.
 * I2. Memory with such words is never used for anything else. So to stop or to
 *     move a timer is that cmpxchg, whichever P has the entry; it takes no lock
 *     and finds no heap. The entry is dead, as no value ever comes twice.
 * I3. Dead entries go when they come to the top, and all of them when the heap
 *     is full, before it grows. So a heap is at most twice what it needs, and
 *     sweeping is O(1) for each entry made.
 * I4. @min is not later than the top. Who makes it earlier stores it and then
 *     looks whether somebody sleeps beyond it (idle.c has the other half).
 * I5. An entry may be in any heap: a P that is no more gives its own to P 0, and
 *     where there is no memory for that, they stay and others fire them.
 *
 * Rejected: timers that know where in a heap they are (to stop one needs the
 * lock of whoever has it), a wheel (100,000 sleepers cost 17 compares each; a
 * wheel rounds, or cascades), the clock read at every switch (bw_timers_check()
 * does not while the next is far).
 */
#ifndef BW_SCHED_TIMER_H
#define BW_SCHED_TIMER_H

#include "base/atomic.h"
#include "base/lock.h"
#include "base/types.h"

#define BW_NEVER	UINT64_MAX

/* In the low bits of a word. */
enum bw_timed {
	BW_TIMED_EMPTY,		/* not in use */
	BW_TIMED_TOKEN,		/* @token of a G: it was readied */
	BW_TIMED_ASLEEP,	/* @token of a G: bw_park(), bw_park_until() */
	BW_TIMED_WAITS,		/* @wait of a G: bw_sched_park_until() */
	BW_TIMED_ARMED,		/* a struct bw_timer */
};

#define BW_TIMED_MASK	7ULL
#define BW_TIMED_STEP	8ULL

static inline u64 bw_timed_next(u64 word, enum bw_timed use)
{
	return ((word & ~BW_TIMED_MASK) + BW_TIMED_STEP) | use;
}

/* The one way out of a use of a word (I1). True: we did it. */
static inline bool bw_timed_win(u64 *word, u64 value)
{
	return try_cmpxchg(word, &value, value & ~BW_TIMED_MASK);
}

/**
 * struct bw_timed_entry - at @when, if *word is @value			[lock]
 */
struct bw_timed_entry {
	u64 when;
	u64 *word;
	u64 value;
};

/**
 * struct bw_timers - a P's entries
 * @min:	BW_NEVER: it has none (I4)				[atomic]
 * @nr_checks:	how often somebody looked at it in vain or fired	[atomic]
 * @skip:	slices to go until the clock is read again		[atomic]
 * @lock:	for the rest						[const]
 * @nr:		entries							[lock]
 * @room:	for so many						[lock]
 * @heap:	each not later than its four children			[lock]
 */
struct bw_timers {
	u64 min;
	u32 nr_checks;
	u32 skip;
	struct bw_lock lock;
	u32 nr;
	u32 room;
	struct bw_timed_entry *heap;
};

struct bw_glist;
struct bw_m;
struct bw_p;

void bw_timers_init(struct bw_timers *t);

/* An entry in the heap of @p, or of P 0. 0 or -ENOMEM. */
int bw_timers_add(struct bw_p *p, u64 when, u64 *word, u64 value);

/*
 * What is due in the heap of @of, at most @max: Gs to @out, RUNNABLE, by time;
 * functions on Gs of their own. @m: the calling M, or NULL. True: there was any.
 */
bool bw_timers_fire(struct bw_p *of, struct bw_m *m, u64 now, u32 max,
		    struct bw_glist *out);

/* The P of @m has entries: those that are due, now and then, into its ring. */
void bw_timers_check(struct bw_m *m);
/* All that is due anywhere, into the ring of the P of @m. True: there was any. */
bool bw_timers_run_all(struct bw_m *m);

/* The least @min of all; and the same without those that are dead. */
u64 bw_timers_min(void);
u64 bw_timers_next(void);

/* A P is no more: its entries go to P 0. sched.lock is held. */
void bw_timers_hand_over(struct bw_p *from);
/* The run is over: nothing that was to happen will. */
void bw_timers_clean(void);

/* Throws where I4 or the order is broken. Nobody changes it. */
void bw_timers_verify(struct bw_timers *t);

/* alarm.c: an entry of a struct bw_timer is due; false: it was dead, or is later. */
bool bw_timer_fire(struct bw_p *p, struct bw_m *m,
		   const struct bw_timed_entry *e, u64 now);

#endif
