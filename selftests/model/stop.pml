/* SPDX-License-Identifier: MIT */
/*
 * stop: bw_world_stop() of userlib/src/sched/stop.c, twice in a row, over two Ms
 * that run, sleep at rest, and are in sections. While the world is stopped no M
 * does anything; when nothing moves any more nobody waits. One M ends, the other
 * computes for ever.
 *
 * A signal is taken between any two steps of a M that is not in its handler.
 *
 * Broken on purpose:
 *	NO_RECHECK	who comes out of a sleep does not look again (O1)
 *	LOOK_FIRST	it looks, and then says that it is no longer at rest
 *	FORGET		the end of a section does not look for a stop
 *	ONE_LOOK	the stopper does not look again after the last answer
 */
#define MS	2
#define STOPS	2
#define LAPS	2

bit stopping;
bit here[MS];			/* at rest */
bit signal[MS];			/* sent, not taken */
bit noted[MS];			/* a stop waits for the section's end */
bit works[MS];			/* touches what Gs have */
bit gone[MS];
byte events;
byte stops;

/* rest_end(): waits while the world is stopped. */
inline come_back(m) {
	do
	:: stopping == 0 ->
#ifdef LOOK_FIRST
		here[m] = 0;
		break
#else
		here[m] = 0;
#ifdef NO_RECHECK
		break
#else
		if
		:: stopping -> here[m] = 1; events++
		:: else -> break
		fi
#endif
#endif
	od
}

inline rest(m) {
	here[m] = 1;
	if
	:: stopping -> events++
	:: else
	fi;
	come_back(m)
}

/* Outside of sections: here the handler may run. */
inline outside(m) {
	if
	:: signal[m] ->
		signal[m] = 0;
		if
		:: stopping -> rest(m)
		:: else
		fi
	:: !signal[m]
	fi
}

proctype machine(byte m)
{
	byte n;

	do
	:: n < LAPS ->
		n++;
		outside(m);
		/* user code, or a section: either touches what Gs have */
		if
		:: atomic { !signal[m] -> works[m] = 1 };
			works[m] = 0
		:: atomic { true -> works[m] = 1 };
			/* in a section a signal is only noted */
			if
			:: atomic { signal[m] -> signal[m] = 0; noted[m] = 1 }
			:: true
			fi;
			works[m] = 0;
#ifndef FORGET
			if
			:: noted[m] ->
				noted[m] = 0;
				if
				:: stopping -> rest(m)
				:: else
				fi
			:: else
			fi
#else
			noted[m] = 0
#endif
		:: rest(m)
		fi
	:: else -> break
	od;
	if
	:: m == 0 -> goto loop
	:: else
	fi;
	/* bw_rest_leave() */
	here[m] = 1;
	if
	:: stopping -> events++
	:: else
	fi;
	gone[m] = 1;
	goto out;
loop:
	/* user code that calls nothing any more */
end:
	do
	:: signal[m] -> outside(m)
	od;
out:
	skip
}

proctype stopper()
{
	byte missing, from;
	bit asked0, asked1;

	do
	:: stops < STOPS ->
		stopping = 1;
		asked0 = 0;
		asked1 = 0;
		do
		:: true ->
			from = events;
			missing = 0;
			if
			:: !here[0] ->
				missing++;
				if
				:: !asked0 -> asked0 = 1; signal[0] = 1
				:: else
				fi
			:: else
			fi;
			if
			:: !here[1] ->
				missing++;
				if
				:: !asked1 -> asked1 = 1; signal[1] = 1
				:: else
				fi
			:: else
			fi;
			if
			:: missing == 0 -> break
			:: else
			fi;
			events - from >= missing;
#ifdef ONE_LOOK
			break
#endif
		od;
		/* stopped: as often as one likes */
		assert(!works[0] && !works[1]);
		assert(!works[0] && !works[1]);
		stopping = 0;
		stops++
	:: else -> break
	od
}

proctype watch()
{
	timeout;
	assert(stops == STOPS && gone[1])
}

init {
	atomic {
		run machine(0); run machine(1); run stopper(); run watch()
	}
}
