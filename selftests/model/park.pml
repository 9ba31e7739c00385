/* SPDX-License-Identifier: MIT */
/*
 * park: bw_park() and bw_ready() of userlib/src/sched/park.c: one G on two Ms,
 * two that ready it after they left mail. The G gets all mail, is never in a
 * queue twice, and never goes on while another M is still on its stack.
 *
 * Broken on purpose:
 *	COMMIT_EARLY	ASLEEP is set before the G is off its stack (K1)
 *	NO_RMW		the commit looks, and then stores (K4)
 *	KEEP_ASLEEP	who readies does not take ASLEEP away (K3)
 */
mtype = { EMPTY, TOKEN, ASLEEP };

#define MAIL	3

mtype word = EMPTY;
byte mail, seen;		/* left, and read by the G */
byte queued = 1;		/* times the G is in a queue */
bit on_stack;			/* a M is on its stack */
bit finished;

/* Runs the G whenever it is in the queue. */
proctype machine()
{
	bit sleeps;

end:
	do
	:: atomic { queued > 0 -> queued--; assert(!on_stack); on_stack = 1 };
go_on:
		seen = mail;
		if
		:: seen == MAIL -> finished = 1; on_stack = 0
		:: else ->
			sleeps = 0;
#ifdef COMMIT_EARLY
			atomic {
				if
				:: word == EMPTY -> word = ASLEEP; sleeps = 1
				:: else -> word = EMPTY
				fi
			};
			if
			:: sleeps -> on_stack = 0
			:: else -> goto go_on
			fi
#else
			on_stack = 0;
#ifdef NO_RMW
			if
			:: word == EMPTY -> sleeps = 1
			:: else
			fi;
			if
			:: sleeps -> word = ASLEEP
			:: else -> word = EMPTY
			fi;
#else
			atomic {
				if
				:: word == EMPTY -> word = ASLEEP; sleeps = 1
				:: else -> word = EMPTY
				fi
			};
#endif
			if
			:: sleeps -> skip
			:: else -> on_stack = 1; goto go_on
			fi
#endif
		fi
	od
}

proctype waker(byte letters)
{
	mtype was;

	do
	:: letters > 0 ->
		letters--;
		atomic { mail++ };
		atomic {
			was = word;
			if
#ifdef KEEP_ASLEEP
			:: was == ASLEEP -> skip
#else
			:: was == ASLEEP -> word = EMPTY
#endif
			:: else -> word = TOKEN
			fi
		};
		if
		:: was == ASLEEP ->
			atomic { assert(queued == 0); queued++ }
		:: else
		fi
	:: else -> break
	od
}

/* When nothing moves any more the G has read everything. */
proctype watch()
{
	timeout;
	assert(finished && seen == MAIL)
}

init {
	atomic {
		run machine(); run machine();
		run waker(2); run waker(1); run watch()
	}
}
