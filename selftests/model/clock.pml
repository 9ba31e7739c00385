/* SPDX-License-Identifier: MIT */
/*
 * clock: minding the clock (userlib/src/sched/idle.c). Two Ms have no work; one of
 * them minds the clock, if there is anything to wait for, and the other sleeps
 * until he is started. A third one adds entries and then computes for ever. When
 * nothing moves any more, nobody may be asleep beyond an entry, and somebody must
 * mind the clock.
 *
 * Times are small numbers, and time stands still: what counts is until when who
 * minds the clock sleeps. Stores of the one who adds go through a buffer; a full
 * barrier waits until it is empty.
 *
 * Broken on purpose:
 *	NO_FENCE	who adds does not wait for his buffer before he looks
 *	NO_LOOK		who sleeps does not look again after he said until when
 *	NO_POKE		who adds does not look
 *	NO_AGAIN	who gives the clock up does not look once more (C4)
 *	NO_LEAST	who sleeps says 0 for an entry at 0 (C2)
 */
#define NEVER	9
#define ENTRIES	3
#define LEAST	1
#define AT(n)	(n -> n + LEAST : 0)

byte min = NEVER;		/* what others see of the least time */
byte buffer = NEVER;		/* and what is on its way */
byte until;			/* 0: nobody sleeps */
bit taken;
bit token;			/* of the parker */
byte asleep;			/* Ms that wait to be started */
byte minding;			/* until when somebody sleeps, really */
bit added;

proctype drain()
{
end:
	do
	:: d_step { buffer != NEVER -> min = buffer; buffer = NEVER }
	od
}

/* Adds entries, each earlier than the one before, and the last one at 0. */
proctype adder()
{
	byte n = ENTRIES, seen;

	do
	:: n > 0 ->
		n--;
		/* the heap's lock is a barrier, for the buffer's last one */
		buffer == NEVER;
		buffer = AT(n);
#ifndef NO_FENCE
		buffer == NEVER;
#endif
#ifndef NO_POKE
		do
		:: seen = until;
		   if
		   :: seen > AT(n) ->
			if
			:: d_step { until == seen -> until = 0 };
			   token = 1;
			   break
			:: until != seen -> skip
			fi
		   :: else -> break
		   fi
		od
#endif
	:: else -> break
	od;
	added = 1
}

proctype machine()
{
	byte next, said;
	bit mine;

look:
	do
	:: min != NEVER && !taken ->
		d_step {
			mine = !taken;
			taken = 1
		};
		if
		:: !mine -> break
		:: else
		fi;
		next = min;
		if
		:: next != NEVER ->
#ifdef NO_LEAST
			said = next;
#else
			said = (next -> next : LEAST);
#endif
			until = said;
#ifndef NO_LOOK
			if
			:: min < next -> goto awake
			:: else
			fi;
#endif
			/* until a poke; time does not pass */
			minding = said;
end_minding:
			d_step { token -> token = 0 };
			minding = 0;
			taken = 0;
			goto look;
awake:
			if
			:: d_step { until == 0 -> skip };
			   d_step { token -> token = 0 }
			:: d_step { until != 0 -> until = 0 }
			fi
		:: else
		fi;
		taken = 0;
#ifdef NO_AGAIN
		break
#endif
	:: else -> break
	od;
	/* nobody starts it */
	asleep++;
end_asleep:
	false
}

/* The M that added goes idle, too, as the last thing it does. */
proctype last_idle()
{
	added;
	run machine()
}

proctype watch()
{
	timeout;
	assert(added && min == 0);
	assert(minding == LEAST)
}

init {
	atomic {
		run drain(); run adder(); run machine(); run last_idle();
		run watch()
	}
}
