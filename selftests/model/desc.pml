/* SPDX-License-Identifier: MIT */
/*
 * desc: the word of a descriptor (userlib/src/sched/netpoll.[ch]). One G reads
 * until it has seen the end or a close; another makes bytes, each with an edge;
 * two threads take edges from the one instance and signal the word; a deadline
 * ends one wait, at any time; a close may come. When nothing moves any more the
 * G has read everything, or has been told of the close; it is never readied
 * while it is not parked, nor twice, and finds no old wait of its own in the word.
 *
 * The G's waits are numbered; @word holds the number of the one that is in it,
 * @open the one that is open (0: none). The ticket is read from @ticket.
 *
 * Broken on purpose:
 *	LOSE_EDGE	who takes the G leaves IDLE in place of READY, and a
 *			deadline that won first has nothing to find (D1)
 *	READY_LATE	READY is left behind after the try, not before (D2)
 *	NO_NUMBER	the word has no number of the wait: a late winner wins a
 *			later wait (D6)
 *	PLAIN_STORE	an event stores READY in place of the cmpxchg
 *	EARLY_TIMER	the deadline is there before the commit (L4)
 *	NO_CLOSED	a close does not stay in the word
 */
#define BYTES	2
#define IDLE	0
#define READY	1
#define CLOSED	2
#define WAIT	3		/* WAIT + n: the G's wait n is in it */
#define MAX_NR	9

byte word = IDLE;
byte ticket;			/* of the last wait that was begun */
byte open;			/* the wait that may be won, or 0 */
byte nr;			/* waits begun */
byte armed;			/* the wait that has a deadline, or 0 */
byte bytes, made;		/* there to be read; made at all */
byte edges;			/* in the instance */
bit parked, queued;		/* of the G */
bit closed, closing;
bit finished;
bit timers = 1;			/* one deadline fires */
bit will_close;
byte begun;			/* the wait whose commit is to be done */

/* The way out of a wait: one does it (timer.h, I1), and then readies the G. */
inline win(which, won) {
	d_step {
		won = (open == which && which != 0);
		if
		:: won -> open = 0
		:: else
		fi
	}
}

inline ready() {
	d_step {
		assert(parked && !queued);
		parked = 0;
		queued = 1
	}
}

inline signal(new) {
	do
	:: old = word;
	   if
	   :: old == CLOSED || old == new -> old = IDLE; break
	   :: else
	   fi;
	   if
	   :: old >= WAIT ->
		t = ticket;
#ifndef NO_NUMBER
		if
		:: t != old - WAIT -> goto again
		:: else
		fi
#endif
	   :: else -> t = 0
	   fi;
#ifdef PLAIN_STORE
	   word = new; break;
#else
	   d_step {
#ifdef NO_NUMBER
		ok = (word == old || (word >= WAIT && old >= WAIT));
#else
		ok = (word == old);
#endif
		if
		:: ok -> word = new
		:: else
		fi
	   };
	   if
	   :: ok -> break
	   :: else
	   fi;
#endif
again:	   skip
	od;
#ifdef NO_NUMBER
	/* the ticket is looked up when the word has been moved */
	if
	:: old >= WAIT -> t = ticket
	:: else
	fi;
#endif
	if
	:: old >= WAIT ->
		win(t, ok);
		if
		:: ok -> ready()
		:: else
		fi
	:: else
	fi
}

proctype poller()
{
	byte old, t;
	bit ok;

end:
	do
	:: d_step { edges > 0 -> edges-- };
#ifdef LOSE_EDGE
	   if
	   :: word >= WAIT -> signal(IDLE)
	   :: else -> signal(READY)
	   fi
#else
	   signal(READY)
#endif
	od
}

proctype maker()
{
	do
	:: made < BYTES -> d_step { made++; bytes++; edges++ }
	:: made == BYTES || will_close -> break
	od
}

proctype closer()
{
	byte old, t;
	bit ok;

	closing = 1;
#ifdef NO_CLOSED
	signal(READY);
#else
	signal(CLOSED);
#endif
	closed = 1
}

proctype deadline()
{
	byte which;
	bit ok;

end:
	do
	:: armed != 0 && timers ->
		d_step { which = armed; armed = 0; timers = 0 };
		win(which, ok);
		if
		:: ok -> ready()
		:: else
		fi
	od
}

/* A M that does the commit of a wait; the G may be elsewhere before it is done. */
proctype machine()
{
	byte me;
	bit ok, in;

end:
	do
	:: d_step { begun != 0 -> me = begun; begun = 0; parked = 1; open = me };
#ifdef EARLY_TIMER
		armed = me;
#endif
		ticket = me;
		/* the G in the word is another one: there is none */
		d_step {
			assert(word < WAIT);
			in = (word == IDLE);
			if
			:: in -> word = WAIT + me
			:: else
			fi
		};
		if
		:: in ->
#ifndef EARLY_TIMER
			armed = me;
#endif
			skip
		:: else ->
			win(me, ok);
			if
			:: ok -> ready()
			:: else
			fi
		fi
	od
}

inline use_ready() {
	d_step {
		if
		:: word == READY -> word = IDLE
		:: else
		fi
	}
}

proctype reader()
{
	byte seen, me;
	bit ok;

	do
	:: closing -> break		/* -EBADF, or -ECANCELED */
	:: seen == BYTES -> break
	:: !closing && seen < BYTES ->
#ifndef READY_LATE
		use_ready();
#endif
		d_step {
			ok = (bytes > 0);
			if
			:: ok -> bytes--; seen++
			:: else
			fi
		};
#ifdef READY_LATE
		use_ready();
#endif
		if
		:: ok -> goto next
		:: else
		fi;
		assert(nr < MAX_NR);
		d_step { nr++; me = nr; begun = me };
		d_step { queued -> queued = 0 };
		d_step {
			if
			:: word == WAIT + me -> word = IDLE
			:: else
			fi
		};
next:		skip
	od;
	finished = 1
}

proctype watch()
{
	timeout;
	assert(finished)
}

init {
	atomic {
		if
		:: will_close = 1; run closer()
		:: skip
		fi;
		run poller(); run poller(); run maker(); run deadline();
		run machine(); run machine(); run reader(); run watch()
	}
}
