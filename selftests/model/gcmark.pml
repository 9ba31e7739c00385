/* SPDX-License-Identifier: MIT */
/*
 * gcmark: marking while two threads move an object about: from hybrid.c,
 * barrier.c and burrow/barrier.h in userlib. The object X may be in two slots of
 * the heap, in a global, in the frame of a G that waits, and in registers.
 * Set-up looks at registers and the global, in a stop; slots and the frame are
 * looked at once, in any order, while threads go on; termination is a stop. A
 * stop comes between any two steps, but not while a note is taken (a section).
 * When marking is over, X is marked or nobody has it.
 *
 * Broken on purpose:
 *	NO_DELETION	only what is stored is noted
 *	NO_BARRIER	nothing is
 *	TEST_FIRST	the word is tested before the store
 *	NO_FLUSH	termination does not look into buffers (the naive way)
 *	NO_REGISTERS	nor into registers of running threads
 */
bit slot[2], global, frame;
bit reg[2], was[2];		/* of each thread; X or nothing */
bit noted[2];			/* in its buffer */
bit on, marked, over;

inline note(me)
{
	atomic {
		if
		:: on ->
#ifndef NO_BARRIER
#ifndef NO_DELETION
			noted[me] = noted[me] | was[me];
#endif
			noted[me] = noted[me] | reg[me];
#endif
			skip
		:: else
		fi
	}
}

/* bw_set(&slot[i], reg) */
inline set(me, i)
{
#ifdef TEST_FIRST
	d_step { test[me] = on; was[me] = slot[i] };
	atomic {
		if
		:: test[me] -> noted[me] = noted[me] | was[me] | reg[me]
		:: else
		fi;
		was[me] = 0
	};
	slot[i] = reg[me];
#else
	was[me] = slot[i];
	slot[i] = reg[me];
	note(me);
	was[me] = 0;
#endif
}

bit test[2];

proctype thread(byte me; byte steps)
{
	do
	:: steps == 0 -> break
	:: steps > 0 ->
		steps--;
		if
		:: reg[me] = slot[0]
		:: reg[me] = slot[1]
		:: reg[me] = global
		:: reg[me] = 0
		:: global = reg[me]
		:: frame = frame | reg[me]	/* a value is handed over */
		:: set(me, 0)
		:: set(me, 1)
		fi
	od
}

proctype collector()
{
	bit did[3];

	/* set-up, a stop */
	atomic {
		on = 1;
		marked = reg[0] | reg[1] | was[0] | was[1] | global
	};
	do
	:: !did[0] -> atomic { did[0] = 1; marked = marked | slot[0] }
	:: !did[1] -> atomic { did[1] = 1; marked = marked | slot[1] }
	:: !did[2] -> atomic { did[2] = 1; marked = marked | frame }
	:: did[0] && did[1] && did[2] -> break
	od;
	/* termination, a stop */
	atomic {
#ifndef NO_FLUSH
		marked = marked | noted[0] | noted[1];
#endif
#ifndef NO_REGISTERS
		marked = marked | reg[0] | reg[1] | was[0] | was[1];
#endif
		on = 0;
		over = 1;
		assert(marked || !(slot[0] | slot[1] | global | frame |
				   reg[0] | reg[1]))
	}
}

init {
	atomic {
		if
		:: slot[0] = 1
		:: slot[1] = 1
		:: global = 1
		:: frame = 1
		fi;
		run thread(0, 4); run thread(1, 3); run collector()
	}
}
