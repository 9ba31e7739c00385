#!/bin/sh
# SPDX-License-Identifier: MIT
# make model: checks the models with Spin, and that each finds what was broken
# on purpose. Prints TAP.
#	run.sh OUT
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$1
mkdir -p "$out"
nr=0
bad=0

tell()
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		bad=1
	fi
}

# check MODEL VARIANT: 0 when every state was seen and none was bad, 1 when one
# was, 2 when Spin itself failed.
check()
{
	dir=$out/$1-${2:-good}
	rm -rf "$dir"
	mkdir -p "$dir"
	cd "$dir" || return 2
	spin ${2:+-D$2} -a "$here/$1.pml" > log 2>&1 || return 2
	${CC:-cc} -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c >> log 2>&1 ||
		return 2
	timeout 300 ./pan -m1000000 -w22 > pan.log 2>&1
	grep -q 'max search depth too small\|out of memory' pan.log && return 2
	grep -q 'errors: 0$' pan.log && return 0
	grep -q 'errors: [1-9]' pan.log && return 1
	return 2
}

# model NAME SENTENCE VARIANT...
model()
{
	name=$1
	sentence=$2
	shift 2
	check "$name" ""
	tell $? "$name: $sentence"
	sed -n 's/^ *\([0-9.e+]*\) states, stored.*/# \1 states/p' pan.log
	for variant in "$@"; do
		check "$name" "$variant"
		[ $? = 1 ]
		tell $? "$name: $variant is found"
	done
}

if ! command -v spin > /dev/null; then
	echo "1..0 # SKIP spin is not installed (apt-get install spin)"
	exit 0
fi
model runq "each G comes out of the ring exactly once" \
	NO_CMPXCHG TAIL_FIRST HEAD_FIRST NO_SPILL_CHECK
model park "no wake-up is lost, and no G goes on under two threads" \
	COMMIT_EARLY NO_RMW KEEP_ASLEEP
model spin "no G waits while a thread sleeps" \
	NO_FENCE NO_RECHECK NO_PASS_ON LATE_IDLE
model preempt "a P is taken from nobody who uses it" \
	NO_MEMBARRIER LOOK_FIRST NO_ANSWER BLIND
model stop "in a stop nobody moves, and after it everybody does" \
	NO_RECHECK LOOK_FIRST FORGET ONE_LOOK
model clock "nobody sleeps beyond a timer, and somebody minds the clock" \
	NO_FENCE NO_LOOK NO_POKE NO_AGAIN NO_LEAST
model doubt "who minds the clock for nothing any more is told" \
	NO_DOUBT NO_DROP NO_LOOK
model desc "no edge is lost, and a wait is ended once, by event, deadline or close" \
	LOSE_EDGE READY_LATE NO_NUMBER PLAIN_STORE EARLY_TIMER NO_CLOSED
model select "a value has one receiver, and a select goes on once, with its waiters gone" \
	NO_TICKET NO_LEAVE ONE_LOCK EARLY_DROP KEEP_TICKET
model gcmark "what somebody has is marked when marking is over" \
	NO_DELETION NO_BARRIER TEST_FIRST NO_FLUSH NO_REGISTERS
model gcterm "marking is over when no marker has a word" \
	NO_COUNT LATE_ENTER EARLY_LEAVE
model gcsweep "a span is swept once a cycle, and what is new stays" \
	NO_AWAY NO_GEN NO_LOCK NO_SECTION PUBLISH_PLAIN
echo "1..$nr"
exit $bad
