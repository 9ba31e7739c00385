#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb_sched.sh PROGRAM TAP: burrow_sched.py lists the Gs of PROGRAM
# (gdb_sched_target, stopped in its function here()) and shows their stacks, in
# the process and in a core dump of it.
set -u
prog=$1
tap=$2
script=$(dirname "$0")/../gdb/burrow_sched.py
nr=0
bad=0

mkdir -p "$(dirname "$tap")"
: > "$tap"
say()
{
	nr=$((nr + 1))
	printf '%s\n' "$1" | sed "s/ok -/ok $nr -/" | tee -a "$tap"
}

# check WHAT OUTPUT LINE...: each is in the output.
check()
{
	what=$1
	out=$2
	shift 2
	missing=
	for line in "$@"; do
		echo "$out" | grep -q -- "$line" || missing="$missing, '$line'"
	done
	if [ -z "$missing" ]; then
		say "ok - $what"
	else
		echo "$out" | sed 's/^/# /'
		say "not ok - $what (missing$missing)"
		bad=1
	fi
}

live="burrow gs and burrow g show Gs and their stacks"
dead="and so they do in a core dump"
why=
command -v gdb >/dev/null || why="no gdb"
[ -n "$why" ] || gdb -nx -batch -ex 'python import gdb.unwinder' 2>&1 |
	grep -q . && why="${why:-gdb has no python}"
if [ -n "$why" ]; then
	say "ok - $live # SKIP $why"
	say "ok - $dead # SKIP $why"
	echo 1..2 | tee -a "$tap"
	exit 0
fi

look="-ex 'burrow gs' -ex 'burrow g 1 bt' -ex 'burrow g 2 bt' \
	-ex 'burrow g 2 up' -ex 'burrow g 3 bt' -ex 'burrow g 2' \
	-ex 'print kept' -ex 'frame function inner' -ex 'print kept' \
	-ex 'burrow g off' -ex bt -ex 'burrow g 99'"
begin="-ex 'set debuginfod enabled off' -ex 'source $script'"
out=$(eval env -u BURROW BURROW_MODE=user BURROW_PROCS=1 gdb -nx -batch \
	"$begin" -ex "'break here'" -ex run "$look" -ex kill "$prog" 2>&1)
set -- "G 1 'main' running on thread [0-9]*, started with first_main" \
	"G 2 'sleepy' parked (park), started with sleepy" \
	"G 3 'reader' in a call on thread [0-9]*, started with reader" \
	'^3 Gs' 'inner (number=' 'outer ()' 'sleepy (arg=' \
	'bw_g_main' 'reader (arg=' ' = 4711' 'there is no G 99'
check "$live" "$out" 'here ()' "$@"

# The kernel's dump; gdb.sh looks into one of gdb's own.
dir=$(mktemp -d)
prog=$(realpath "$prog")
(cd "$dir" && ulimit -c unlimited && env -u BURROW BURROW_MODE=user \
	BURROW_PROCS=1 "$prog" abort; true) > /dev/null 2>&1
core=$(find "$dir" -name 'core*' -type f)
if [ -n "$core" ]; then
	out=$(eval env -u BURROW gdb -nx -batch "$begin" "$look" "$prog" \
		"$core" 2>&1)
	check "$dead" "$out" 'abort ()' "$@"
else
	say "ok - $dead # SKIP the kernel puts core dumps elsewhere"
fi
rm -rf "$dir"
echo 1..2 | tee -a "$tap"
exit $bad
