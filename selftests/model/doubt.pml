/* SPDX-License-Identifier: MIT */
/*
 * doubt: what he who minds the clock waits for dies under him (rule C6 of
 * userlib/src/sched/idle.c). There is a timer and a wait for a descriptor; one of
 * two Ms runs a G that may stop the one and end the other, and then has no work
 * either. When nothing moves any more, somebody minds the clock if there is
 * anything left to wait for, and else both Ms sleep, so that the deadlock is found.
 *
 * A timer that is stopped leaves a dead entry in its heap; who looks for the next
 * time drops it. Time stands still.
 *
 * Broken on purpose:
 *	NO_DOUBT	the last but one that goes to sleep does not look
 *	NO_DROP		he looks, and takes a dead entry for a live one
 *	NO_LOOK		who minds the clock does not look again after he said
 *			until when
 */
bit alive = 1;			/* the timer's word */
bit entry = 1;			/* in the heap, dead or alive */
bit waiting = 1;		/* for a descriptor */
bit until;			/* 0: nobody sleeps */
bit taken;
byte token;			/* of the parker */
byte minding;
byte asleep;			/* Ms on the idle list */

/* Under the heap's lock. */
inline timers_next(n) {
	d_step {
		if
		:: entry && !alive -> entry = 0
		:: else
		fi;
		n = entry
	}
}

/* To 0 by cmpxchg, and one token for it. */
inline poke() {
	d_step {
		seen = until;
		until = 0
	};
	if
	:: seen -> token++
	:: else
	fi
}

inline doubt() {
	if
	:: taken ->
		if
		:: !waiting ->
#ifdef NO_DROP
			next = entry;
#else
			timers_next(next);
#endif
			if
			:: !next -> poke()
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

proctype machine()
{
	bit mine, next, seen;
	byte awake;

	do
	:: (entry || waiting) && !taken ->
		d_step {
			mine = !taken;
			taken = 1
		};
		if
		:: !mine -> break
		:: else
		fi;
		timers_next(next);
		if
		:: next || waiting ->
			until = 1;
#ifndef NO_LOOK
			if
			:: entry != next || (!next && !waiting) -> goto up
			:: else
			fi;
#endif
			minding++;
end_minding:
			d_step { token > 0 -> token-- };
			minding--;
			goto given_up;
up:			skip;
			d_step {
				seen = until;
				until = 0
			};
			/* somebody has poked, and his token is to come */
			if
			:: !seen -> d_step { token > 0 -> token-- }
			:: else
			fi
		:: else
		fi;
given_up:
		taken = 0
	:: else -> break
	od;
	/* the run's lock */
	skip;
	d_step {
		asleep++;
		awake = 2 - asleep
	};
#ifndef NO_DOUBT
	if
	:: awake == 1 -> doubt()
	:: else
	fi;
#endif
end_asleep:
	false
}

/* A G on the second M. */
proctype killer()
{
	if
	:: alive = 0
	:: skip
	fi;
	if
	:: waiting = 0
	:: skip
	fi;
	run machine()
}

proctype watch()
{
	timeout;
	if
	:: alive || waiting -> assert(minding == 1)
	:: else -> assert(asleep == 2 && minding == 0)
	fi
}

init {
	atomic { run machine(); run killer(); run watch() }
}
