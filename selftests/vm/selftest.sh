#!/bin/bash
# SPDX-License-Identifier: MIT
#
# selftest.sh: prove that the rig can fail. Boots the 6.1 kernel without the
# module, lets tests/actor.c play every kind of program, and checks what run.sh
# says of each. TAP on stdout, a count in the last line.

. "$(dirname "$0")/lib.sh"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
nr=0 passed=0 failed=0

# check NAME COMMAND...: one result line; on the first failure of a run what it printed.
check()
{
	local name=$1

	shift
	nr=$((nr + 1))
	if "$@" >/dev/null 2>&1; then
		passed=$((passed + 1))
		echo "ok $nr $name"
	else
		failed=$((failed + 1))
		echo "not ok $nr $name"
		[ -e "$tmp/shown" ] || sed 's/^/# /' "$tmp/out"
		touch "$tmp/shown"
	fi
}

vm()
{
	rm -f "$tmp/shown"
	"$VM_DIR/run.sh" --kernel 6.1 --no-module --report "$tmp/report" "$@" \
		>"$tmp/out" 2>&1
	status=$?
}

says() { grep -qE -- "$1" "$tmp/out"; }
says_not() { ! says "$1"; }
counts() { [ "$(cat "$tmp/report")" = "$1" ]; }
last_line() { [ "$(tail -n 1 "$tmp/out")" = "$1" ]; }
exits() { [ "$status" -eq "$1" ]; }

need gcc gcc
gcc -O2 -Wall -static -o "$tmp/actor" "$VM_DIR/tests/actor.c" &&
	gcc -O2 -Wall -o "$tmp/dynamic" "$VM_DIR/tests/actor.c" &&
	gcc -O2 -w -static -o "$tmp/init" "$VM_DIR"/guest/*.c || die "the test programs do not build"
a=$tmp/actor

"$VM_DIR/kernel.sh" 6.1 >"$tmp/kernel" 2>"$tmp/out"
case $? in
0) ;;
4) sed 's/^/# /' "$tmp/out"; echo "1..0 # SKIP no 6.1 kernel"; exit 4 ;;
*) die "no 6.1 kernel: $(tail -n 1 "$tmp/out")" ;;
esac

vm "$a pass" "$a skip_one" "$a skip_all" "$a quiet" "$a noise" "$a orphan" \
	"$a alone" "COLOUR=green timeout=30 $a env" "$tmp/dynamic pass"
check "a run without failures exits 0" exits 0
check "TAP results and exit codes are counted" counts "10 0 2"
check "the last line is the summary" last_line "vm 6.1: 10 passed, 0 failed, 2 skipped"
check "a skipped result says why" says 'second # SKIP no second here'
check "a skipped program says why" says 'skip_all # SKIP this machine has no wheels'
check "fault injection and memcg noise are clean" says '^ok +actor noise: 1 passed'
check "a process left behind does not hold the run up" says '^ok +actor orphan: 1 passed'
check "a process left behind is gone for the next program" says '^ok +actor alone: 1 passed'
check "NAME=value reaches the program" says '^ok +actor env: 1 passed'
check "a dynamic program runs" says '^ok +dynamic pass: 2 passed'
check "how long a program took is told" says '^ok +actor env: .* skipped, [0-9]+\.[0-9] s$'

vm "$a fail" "timeout=2 $a hang" "$a alone" "$a dirty" "$a pass" "$a nonzero" \
	"$a short" "$a crash" "$a warn" "$a forge" "$tmp/init" "$a alone"
check "a run with failures exits 1" exits 1
check "a failed result is named" says 'FAIL  actor fail: second is wrong'
check "a failed result counts once" says '^not ok actor fail: 2 passed, 1 failed'
check "a hanging program is stopped and said so" says 'FAIL  actor hang: ended with timeout'
check "a hanging program shows its threads" says 'diag  process .*actor.* State:.*S'
check "the slowest programs are told" says '^slowest: actor hang [2-9] s'
check "the program after a hanging one runs alone" says '^ok +actor alone: 1 passed'
check "a dirty kernel log fails the program" says 'FAIL  actor dirty: the kernel log got dirty'
check "the dirty line is shown" says 'kmsg  BUG: fake'
check "dirt is charged to one program only" says '^ok +actor pass: 2 passed, 0 failed'
check "a lockdep text is dirt" says 'FAIL  actor warn: the kernel log got dirty'
check "a non-zero exit after good results fails" says 'FAIL  actor nonzero: ended with exit 3'
check "a result that never came fails" says 'FAIL  actor short: 2 results announced, 1 came'
check "death by a signal fails" says 'FAIL  actor crash: ended with signal 11'
check "a program cannot forge the guest's report" says_not 'FAIL  .*forged'
check "init does nothing when it is not PID 1" says 'FAIL  init: ended with exit 1'
check "failures are counted" counts "11 8 0"

vm "$a pass" "$a panic" "$a pass"
check "a panic exits 1" exits 1
check "a panic is charged to its program" says 'FAIL  actor panic: the machine died in it'
check "programs that were not run are counted" says 'FAIL  1 programs were not run'
check "a panic shows the console" says 'sysrq.*crash'
check "a panic is counted" counts "2 3 0"

vm --timeout 12 "timeout=600 $a hang"
check "a run over its time exits 1" exits 1
check "a run over its time says so" says 'took longer than 12 s'
check "a run over its time is counted" counts "0 2 0"

printf 'Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::https::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n' >"$tmp/dead.conf"
APT_CONFIG=$tmp/dead.conf "$VM_DIR/kernel.sh" 6.1 >"$tmp/again" 2>"$tmp/out"
check "a second use needs no network" cmp "$tmp/kernel" "$tmp/again"
BURROW_REFRESH=1 APT_CONFIG=$tmp/dead.conf "$VM_DIR/kernel.sh" 6.1 >"$tmp/again" 2>"$tmp/out"
check "a refresh without a network falls back to what is known" cmp "$tmp/kernel" "$tmp/again"
BURROW_CACHE=$tmp/cache APT_CONFIG=$tmp/dead.conf "$VM_DIR/kernel.sh" 6.1 >/dev/null 2>"$tmp/out"
status=$?
check "a first use without a network is a skip" exits 4
check "that skip has a reason" says 'no package lists for bookworm'

echo "1..$nr"
echo "vm selftest: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
