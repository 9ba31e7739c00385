/* SPDX-License-Identifier: MIT */
/*
 * preempt: sysmon takes the P of a G that overran (userlib/src/sched/preempt.c).
 * The M is now outside, now inside; there it uses its P unless it finds it taken.
 * sysmon asks, makes everybody's barrier, and takes it only from one outside.
 * The P is never used by the M and by who got it from sysmon at once.
 *
 * The M's store of @inside goes through a buffer, as on real machines: @inside is
 * what others see. membarrier() empties the buffer; so does a cmpxchg.
 *
 * Broken on purpose:
 *	NO_MEMBARRIER	sysmon does not make the barrier
 *	LOOK_FIRST	it looks whether the M is inside before it asks
 *	NO_ANSWER	the M leaves the question open, and uses its P
 *	BLIND		sysmon takes by a plain store
 */
mtype = { NONE, ASK, TOOK };

#define LAPS	3

mtype asked = NONE;
bit inside;			/* as others see it */
bit mine;			/* as the M has stored it */
bit using;			/* the M uses the P */
bit given;			/* sysmon has given it to another M */
bit over;

proctype drain()
{
end:
	do
	:: d_step { inside != mine -> inside = mine }
	od
}

proctype machine()
{
	byte n;
	mtype saw;

	do
	:: n < LAPS ->
		n++;
		/* bw_m_enter_soft() */
		mine = 1;
		saw = asked;
		if
		:: saw == ASK ->
#ifndef NO_ANSWER
			atomic {
				inside = mine;
				if
				:: asked == ASK -> asked = NONE
				:: else
				fi;
				saw = asked
			}
#else
			skip
#endif
		:: else
		fi;
		if
		:: saw == TOOK -> break
		:: else
		fi;
		using = 1;
		assert(!given);
		using = 0;
		/* bw_m_exit(): a release, behind what it did with the P */
		mine = 0
	:: else -> break
	od;
	over = 1
}

proctype sysmon()
{
	byte n;
	bit was_inside;

	do
	:: n < LAPS && !given && !over ->
		n++;
#ifdef LOOK_FIRST
		inside == mine;
		was_inside = inside;
		atomic {
			if
			:: asked == NONE -> asked = ASK
			:: else
			fi
		};
#else
		atomic {
			if
			:: asked == NONE -> asked = ASK
			:: else
			fi
		};
#ifndef NO_MEMBARRIER
		inside == mine;
#endif
		was_inside = inside;
#endif
		if
		:: !was_inside ->
#ifdef BLIND
			asked = TOOK;
			given = 1;
			assert(!using)
#else
			atomic {
				if
				:: asked == ASK ->
					asked = TOOK;
					given = 1;
					assert(!using)
				:: else
				fi
			}
#endif
		:: else
		fi
	:: else -> break
	od
}

init {
	atomic { run drain(); run machine(); run sysmon() }
}
