/* SPDX-License-Identifier: MIT */
/*
 * runq: the ring of userlib/src/sched/runq.h, with 4 slots, one owner and two
 * thieves. Each item comes out exactly once.
 *
 * Broken on purpose:
 *	NO_CMPXCHG	a thief moves head without a look whether it moved
 *	TAIL_FIRST	tail is stored before the slot (Q2 without release)
 *	HEAD_FIRST	head moves before the slots are read (Q3 without release)
 *	NO_SPILL_CHECK	a full ring spills without a look whether head moved
 */
#define SLOTS	4
#define ITEMS	6
#define TRIES	1		/* of each thief */

byte slot[SLOTS];
byte head, tail;		/* numbers that wrap at 256 */
byte taken[ITEMS + 1];
byte thieves = 2;

inline took(item) {
	assert(item > 0 && item <= ITEMS);
	assert(taken[item] == 0);
	taken[item] = 1
}

/* head from @h to @h + @n, if it is still @h */
inline cas_head(h, n, ok) {
	atomic {
		ok = (head == h);
		if
		:: ok -> head = h + n
		:: else
		fi
	}
}

proctype owner()
{
	byte item, h, got, a, b;
	bit ok;

	item = 1;
	do
	:: item <= ITEMS ->
again:
		h = head;
		if
		:: (tail - h + 256) % 256 >= SLOTS ->
			a = slot[h % SLOTS];
			b = slot[(h + 1) % SLOTS];
#ifdef NO_SPILL_CHECK
			head = h + 2; ok = 1;
#else
			cas_head(h, 2, ok);
#endif
			if
			:: ok -> d_step { took(a); took(b); took(item) }
			:: else -> goto again
			fi
		:: else ->
#ifdef TAIL_FIRST
			tail = tail + 1;
			slot[(tail - 1) % SLOTS] = item
#else
			slot[tail % SLOTS] = item;
			tail = tail + 1
#endif
		fi;
		item++;
		/* takes one itself, or not */
		if
		:: skip
		:: h = head;
		   if
		   :: h != tail ->
			got = slot[h % SLOTS];
			cas_head(h, 1, ok);
			if
			:: ok -> took(got)
			:: else
			fi
		   :: else
		   fi
		fi
	:: else -> break
	od;
	/* what is left, when nobody steals any more */
	thieves == 0;
	do
	:: head != tail -> d_step { took(slot[head % SLOTS]); head++ }
	:: else -> break
	od;
	for (item : 1 .. ITEMS) {
		assert(taken[item] == 1)
	}
}

proctype thief()
{
	byte h, t, n, i, tries, got[2];
	bit ok;

	do
	:: tries < TRIES ->
		tries++;
		h = head;
		d_step {
			t = tail;
			n = t - h;
			if
			:: n > SLOTS -> n = 0
			:: else
			fi;
			n = n - n / 2;
			t = 0
		};
		if
		:: n == 0 -> skip
		:: else ->
#ifdef HEAD_FIRST
			cas_head(h, n, ok);
			i = 0;
			do
			:: i < n -> got[i] = slot[(h + i) % SLOTS]; i++
			:: else -> break
			od;
#else
			i = 0;
			do
			:: i < n -> got[i] = slot[(h + i) % SLOTS]; i++
			:: else -> break
			od;
#ifdef NO_CMPXCHG
			head = h + n; ok = 1;
#else
			cas_head(h, n, ok);
#endif
#endif
			i = 0;
			do
			:: ok && i < n -> took(got[i]); i++
			:: else -> break
			od
		fi
	:: else -> break
	od;
	thieves--
}

init {
	atomic {
		head = 254; tail = 254;
		run owner(); run thief(); run thief()
	}
}
