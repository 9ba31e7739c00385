/* SPDX-License-Identifier: MIT */
/*
 * gcsweep: a span is swept once a cycle, whoever comes first; from heap/sweep.c,
 * mcentral.c and large.c of userlib. A refill and the background find one small
 * span on its list: who takes it off (AWAY) sweeps it and brings it back. In it are
 * an object of before that has no mark, whose slot the refill takes for a new one,
 * and one that is alive until somebody frees it. A second cycle follows. A large
 * object is made in two steps, between which a cycle may begin and end: nothing
 * that somebody has is ever freed, and what is freed stays so.
 *
 * Broken on purpose:
 *	NO_AWAY		who sweeps leaves the span on its list
 *	NO_GEN		a sweep leaves the span's sweepgen for later
 *	NO_LOCK		a sweep looks and frees in two steps
 *	NO_SECTION	a cycle begins while somebody has a span away
 *	PUBLISH_PLAIN	a large object that was zeroed just becomes visible
 */
byte h = 2;			/* the heap's sweepgen */
byte gen = 2;			/* the small span's */
bit away;			/* it is on no list */
byte inside;			/* sections that the next stop waits for */
bit old = 1, old_mark;		/* the slot of what is dead, and then of what is new */
bit live = 1, live_mark;	/* the slot of what is alive */
bit mine;			/* the new object is there */
bit freed;			/* the live one was freed */
byte lgen = 2;			/* the large span's */
bit lmade, lalloc, lmark, lmine, lgone;
bit marking;			/* what is made is black */

inline take_away(got)
{
	atomic {
		got = 0;
		if
		:: gen != h && !away ->
			got = 1;
#ifndef NO_AWAY
			away = 1
#endif
		:: else
		fi
	}
}

inline sweep_small()
{
#ifdef NO_LOCK
	was_live = live & live_mark;
	atomic { live = was_live; old = old & old_mark };
	atomic { old_mark = 0; live_mark = 0; gen = h }
#else
	atomic {
		old = old & old_mark;
		live = live & live_mark;
		old_mark = 0;
		live_mark = 0;
#ifndef NO_GEN
		gen = h
#endif
	}
#endif
}

/* In one section, from its begin to its end. */
proctype refill()
{
	bit got, was_live;

	atomic { inside++; take_away(got) };
	if
	:: got ->
		sweep_small();
		atomic {
			away = 0;
			if
			:: !old -> old = 1; mine = 1
			:: else
			fi
		}
	:: else
	fi;
#ifdef NO_GEN
	gen = h;
#endif
	inside--
}

proctype background()
{
	bit got, was_live;
	byte cycle = 4;

again:
	h == cycle;
	take_away(got);
	if
	:: got ->
		sweep_small();
		away = 0
	:: else
	fi;
	/* the large one, under its lock */
	atomic {
		if
		:: lmade && lgen != h ->
			lgen = h;
			if
			:: lalloc && !lmark -> lalloc = 0; lgone = 1
			:: else -> lmark = 0
			fi
		:: else
		fi
	};
	/* it is the collector's own thread that begins the next */
	if
	:: cycle == 4 ->
		cycle = 6;
		atomic {
#ifndef NO_SECTION
			inside == 0;
#endif
			old_mark = mine;
			live_mark = live;
			lmark = lalloc & lmine;
			marking = 1
		};
		atomic {
#ifndef NO_SECTION
			inside == 0;
#endif
			marking = 0;
			h = 6
		};
		goto again
	:: else
	fi
}

proctype free()
{
	atomic { live = 0; freed = 1 }
}

proctype large()
{
	atomic { lmade = 1; lgen = h };
	/* zeroes it */
	atomic {
#ifndef PUBLISH_PLAIN
		lgen = h;
#endif
		lmark = lmark | marking;
		lalloc = 1;
		lmine = 1
	}
}

/* A stop: what is allocated and somebody's is marked, and all is unswept. */
proctype cycle()
{
	atomic {
		inside == 0;
		old_mark = mine;
		live_mark = live;
		lmark = lalloc & lmine;
		h = 4
	}
}

proctype watch()
{
	timeout;
	assert(!mine || old);
	assert(live == !freed);
	assert(gen == h);
	assert(!lmine || (lalloc && !lgone))
}

init {
	atomic {
		run refill(); run background(); run free(); run large();
		run cycle(); run watch()
	}
}
