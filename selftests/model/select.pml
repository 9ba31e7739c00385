/* SPDX-License-Identifier: MIT */
/*
 * select: waiters and tickets of userlib/src/sched/waiter.h, as channels and selects
 * use them: one G selects on two channels without buffers, with a deadline; a sender
 * for each channel, who waits if nobody receives, and gives up in the end. A value is
 * received once or its sender keeps it, the G goes on once for each wait, and nobody
 * looks at its waiters when it has left.
 *
 * The G's stack (@slot) is good while it is in the call. A lock is the word of a
 * channel; the commit drops both after the G is off its stack.
 *
 * Broken on purpose:
 *	NO_TICKET	a sender takes the waiter, and with it the G, unasked (E2)
 *	NO_LEAVE	the G goes on without looking at its other waiter (E3)
 *	ONE_LOCK	it waits in the second channel without that one's lock (S3)
 *	EARLY_DROP	the locks are dropped while the G is still on its stack (E3)
 *	KEEP_TICKET	a wait has the ticket of the one before it (E2)
 */
#define ROUNDS	2

bit lock[2];
bit waits[2];			/* a waiter of the G is in the list */
byte of_wait[2];		/* with that ticket */
bit offers[2];			/* a sender's waiter is in the list */
bit given[2];			/* its value was taken */
byte ticket;			/* of the wait under way; 0: won, or none */
byte wait_nr;
byte nth;			/* of the waits, for the deadline */
byte won_by;			/* 1, 2: a channel; 3: the deadline */
bit on_stack = 1;		/* the G runs, or is not off its stack yet */
bit off;			/* it was off it since this wait began */
bit in_call;			/* its waiters are there */
byte ready;			/* times it was made to go on */
byte received, sent;
bit done;

inline take(i)	{ atomic { !lock[i] -> lock[i] = 1 } }
inline drop(i)	{ lock[i] = 0 }

/* Locked: the sender's value is ours, if there is one. */
inline receive(i)
{
	if
	:: offers[i] -> offers[i] = 0; given[i] = 1; received++; got = 1
	:: else
	fi
}

proctype selector()
{
	byte round, got;

	do
	:: round < ROUNDS ->
		round++;
		got = 0;
		take(0);
#ifndef ONE_LOCK
		take(1);
#endif
		receive(0);
		if
		:: !got -> receive(1)
		:: else
		fi;
		if
		:: got ->
			drop(0);
#ifndef ONE_LOCK
			drop(1);
#endif
			goto next
		:: else
		fi;
		in_call = 1;
		won_by = 0;
		nth++;
#ifndef KEEP_TICKET
		wait_nr++;
#else
		wait_nr = 1;
#endif
		ticket = wait_nr;
		of_wait[0] = wait_nr; waits[0] = 1;
		of_wait[1] = wait_nr; waits[1] = 1;
#ifdef EARLY_DROP
		drop(0); drop(1);
		off = 1; on_stack = 0;
#else
		/* another thread's stack from here on: the commit */
		off = 1; on_stack = 0;
		drop(0);
#ifndef ONE_LOCK
		drop(1);
#endif
#endif
		/* who won it made it ready, once */
		atomic { ready > 0 -> ready--; assert(!on_stack); on_stack = 1 };
		assert(ready == 0 && won_by != 0);
		if
		:: won_by < 3 -> received++
		:: else
		fi;
#ifndef NO_LEAVE
		take(0); waits[0] = 0; drop(0);
		take(1); waits[1] = 0; drop(1);
#endif
		in_call = 0;
		off = 0;
next:		skip
	:: else -> break
	od;
	done = 1
}

/* The deadline: who has the ticket has the G. */
proctype timer()
{
	byte t, n, rounds;

	do
	:: rounds < ROUNDS ->
		rounds++;
		if
		:: atomic { ticket != 0 -> t = ticket; n = nth }
		:: done -> break
		fi;
		atomic {
			if
			:: ticket == t && t != 0 ->
				/* the deadline is that wait's */
				assert(n == nth);
				ticket = 0; won_by = 3; t = 100
			:: else
			fi
		};
		if
		:: t == 100 -> atomic { ready++; assert(ready == 1) }
		:: else
		fi
	:: else -> break
	od
}

/* One value, to whoever waits; else it waits itself, until it gives up. */
proctype sender(byte i)
{
	bit wins;
	byte t;

	take(i);
	if
	:: waits[i] ->
		/* the G's stack: it is in its call, and was off it (E3) */
		assert(in_call && off);
		t = of_wait[i];
		waits[i] = 0;
#ifdef NO_TICKET
		ticket = 0; wins = 1;
#else
		atomic {
			if
			:: ticket == t -> ticket = 0; wins = 1
			:: else
			fi
		};
#endif
		if
		:: wins ->
			assert(in_call);
			won_by = i + 1;
			sent++
		:: else -> offers[i] = 1
		fi
	:: else -> offers[i] = 1
	fi;
	drop(i);
	if
	:: wins -> atomic { ready++; assert(ready == 1) }
	:: else ->
		/* gives up at any time, or is served */
		take(i);
		if
		:: given[i] -> sent++
		:: else -> assert(offers[i]); offers[i] = 0
		fi;
		drop(i)
	fi
}

/* When nothing moves any more. */
proctype watch()
{
	timeout;
	assert(sent == received);
	/* it waits without an end only where the deadline came before the wait */
	assert(done || (in_call && ticket != 0))
}

init {
	atomic {
		run selector(); run timer(); run sender(0); run sender(1);
		run watch()
	}
}
