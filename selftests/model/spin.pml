/* SPDX-License-Identifier: MIT */
/*
 * spin: waking and going idle (userlib/src/sched/schedule.c). One M submits Gs
 * into its own queue and does not run them (it computes for ever); two others
 * find work or sleep; each runs what it takes for ever, too. When nothing moves
 * any more, no G may wait while a M sleeps.
 *
 * Stores go through a buffer, as on real machines: @queue is what others see,
 * @buffer what the submitter has stored and is on its way. A full barrier waits
 * until the buffer is empty.
 *
 * Broken on purpose:
 *	NO_FENCE	the submitter does not wait for its buffer
 *	NO_RECHECK	who stops spinning sleeps without another look
 *	NO_PASS_ON	who found work does not look for more
 *	LATE_IDLE	the P goes into the idle list after the other look
 */
#define GS	2

byte queue, buffer;		/* Gs in the submitter's ring */
byte idle_p;			/* Ps in the idle list */
byte asleep;			/* Ms that sleep */
byte spinning;
byte woken;			/* wake-ups on their way, each with a P */
byte running;			/* Gs that found a M */
bit submitted;

proctype drain()
{
end:
	do
	:: d_step { buffer > 0 -> buffer--; queue++ }
	od
}

/*
 * One idle P for one M, if nobody spins. Where no M sleeps yet a new one would
 * be made; here the one on its way to sleep finds the wake-up.
 */
inline wake() {
	if
	:: idle_p > 0 ->
		if
		:: spinning == 0 ->
			atomic {
				if
				:: spinning == 0 -> spinning = 1; mine = 1
				:: else -> mine = 0
				fi
			};
			if
			:: mine ->
				atomic {
					if
					:: idle_p > 0 -> idle_p--; woken++
					:: else -> spinning--
					fi
				}
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

proctype submitter()
{
	byte n;
	bit mine;

	do
	:: n < GS ->
		n++;
		buffer++;
#ifndef NO_FENCE
		buffer == 0;
#endif
		wake()
	:: else -> break
	od;
	submitted = 1
}

/* Has a P and spins, at first. */
proctype machine()
{
	bit mine, got;

look:
	/* spinning, with a P */
	atomic {
		got = (queue > 0);
		if
		:: got -> queue--
		:: else
		fi
	};
	if
	:: got ->
		atomic { spinning--; running++ };
#ifndef NO_PASS_ON
		if
		:: queue > 0 -> wake()
		:: else
		fi;
#endif
		goto work
	:: else
	fi;
#ifdef LATE_IDLE
	atomic { spinning-- };
	if
	:: queue > 0 -> atomic { spinning++ }; goto look
	:: else
	fi;
	atomic { idle_p++ };
#else
	atomic { idle_p++ };
	atomic { spinning-- };
#ifndef NO_RECHECK
	if
	:: queue > 0 ->
		atomic {
			got = (idle_p > 0);
			if
			:: got -> idle_p--; spinning++
			:: else
			fi
		};
		if
		:: got -> goto look
		:: else
		fi
	:: else
	fi;
#endif
#endif
	atomic { asleep++ };
	atomic { woken > 0 -> woken--; asleep-- };
	goto look;
work:
	skip
}

proctype watch()
{
	timeout;
	assert(submitted);
	assert(queue == 0 || asleep == 0)
}

init {
	atomic {
		spinning = 2;
		run drain(); run submitter(); run machine(); run machine();
		run watch()
	}
}
