/* SPDX-License-Identifier: MIT */
/*
 * gcsweep: a span is swept once a cycle, whoever comes first; from heap/sweep.c,
 * mcentral.c and large.c of userlib. A refill and the background sweep one small
 * span with an object of before that has no mark; the refill takes its slot for a
 * new object. A large object is made in two steps, between which a cycle may
 * begin and end: nothing that somebody has is ever freed.
 *
 * Broken on purpose:
 *	NO_GEN		a sweep leaves the span's sweepgen for later
 *	NO_LOCK		a sweep looks and frees in two steps
 *	PUBLISH_PLAIN	a large object that was zeroed just becomes visible
 */
byte h = 2;			/* the heap's sweepgen */
byte gen = 2;			/* the small span's */
bit alloc = 1, mark;		/* of its slot */
bit mine;			/* the new object is there */
byte lgen = 2;			/* the large span's */
bit lmade, lalloc, lmark, lmine, lgone;

inline sweep_small()
{
#ifdef NO_LOCK
	if
	:: gen != h ->
		alloc = alloc & mark;
		atomic { mark = 0; gen = h }
	:: else
	fi
#else
	atomic {
		if
		:: gen != h ->
			alloc = alloc & mark;
			mark = 0;
#ifndef NO_GEN
			gen = h
#endif
		:: else
		fi
	}
#endif
}

proctype refill()
{
	sweep_small();
	atomic {
		if
		:: !alloc -> alloc = 1; mine = 1
		:: else
		fi
	};
#ifdef NO_GEN
	gen = h;
#endif
	skip
}

proctype background()
{
	h == 4;
	sweep_small();
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
	}
}

proctype large()
{
	atomic { lmade = 1; lgen = h };
	/* zeroes it */
	atomic {
#ifndef PUBLISH_PLAIN
		lgen = h;
#endif
		lalloc = 1;
		lmine = 1
	}
}

/* A stop: what is allocated and somebody's is marked, and all is unswept. */
proctype cycle()
{
	atomic {
		mark = mine;
		lmark = lalloc & lmine;
		h = 4
	}
}

proctype watch()
{
	timeout;
	assert(!mine || alloc);
	assert(!lmine || (lalloc && !lgone))
}

init {
	atomic {
		run refill(); run background(); run large(); run cycle();
		run watch()
	}
}
