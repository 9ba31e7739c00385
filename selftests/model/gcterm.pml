/* SPDX-License-Identifier: MIT */
/*
 * gcterm: when is marking over? Two markers that share words, as in work.c of
 * userlib's collector. A word may lead to others, which a marker keeps or gives
 * to the pool. It is over when nobody has a word.
 *
 * Broken on purpose:
 *	NO_COUNT	a marker that finds no words thinks that it is over
 *	LATE_ENTER	a marker that was woken counts after it took words
 *	EARLY_LEAVE	a marker leaves before it gave away what it has
 */
byte pool = 2;			/* words in it */
byte nr_out = 2;		/* markers that are not idle */
byte left = 4;			/* words that may still come to light */
byte had[2];			/* words in the hands of a marker */
bit over;

inline leave()
{
	nr_out--;
	if
	:: nr_out == 0 && pool == 0 ->
		over = 1;
		assert(had[0] + had[1] == 0)
	:: else
	fi
}

proctype marker(byte me)
{
	bit woken, early;

	do
	:: over -> break
	:: !over && had[me] > 0 ->
#ifdef EARLY_LEAVE
		atomic { leave(); early = 1 };
#endif
		atomic {
			had[me]--;
			if
			:: left > 0 -> left--; had[me]++
			:: left > 0 -> left--; pool++
			:: skip
			fi
		};
		atomic {
			if
			:: early -> nr_out++; early = 0
			:: else
			fi
		}
	:: !over && had[me] == 0 && pool > 0 ->
		atomic {
			if
			:: pool > 0 ->
				pool--;
				had[me]++
			:: else
			fi
		};
		atomic {
			if
			:: woken -> nr_out++; woken = 0
			:: else
			fi
		}
	:: !over && had[me] == 0 && pool == 0 && !woken ->
#ifdef NO_COUNT
		atomic { over = 1; assert(had[0] + had[1] + pool == 0) }
#else
		/* under the pool's lock, in bw_work_wait() */
		atomic {
			if
			:: pool == 0 && !over -> leave(); woken = 1
			:: else
			fi
		};
		atomic {
			if
			:: woken ->
				(over || pool > 0);
#ifndef LATE_ENTER
				if
				:: pool > 0 ->
					pool--;
					had[me]++;
					nr_out++
				:: else
				fi;
				woken = 0
#endif
			:: else
			fi
		}
#endif
	od
}

init {
	atomic { run marker(0); run marker(1) }
}
