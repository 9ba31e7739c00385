#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb.sh PROGRAM TAP: burrow-gdb.py says of addresses what the program says of
# them (PROGRAM is gdb_target, stopped in its function here()).
set -u
prog=$1
tap=$2
script=$(dirname "$0")/../tools/burrow-gdb.py
what="burrow-addr tells span, class, slot and state of an address"

mkdir -p "$(dirname "$tap")"
say()
{
	printf '%s\n1..1\n' "$1" | tee "$tap"
}

if ! command -v gdb >/dev/null; then
	say "ok 1 - $what # SKIP no gdb"
	exit 0
fi
out=$(env -u BURROW BURROW_MODE=user gdb -nx -batch \
	-ex 'set debuginfod enabled off' -ex 'source '"$script" \
	-ex 'break here' -ex run -ex 'burrow-addr live' -ex 'burrow-addr hot' \
	-ex 'burrow-addr old' -ex 'burrow-addr large' -ex 'burrow-addr gone' \
	-ex 'burrow-addr 0' -ex kill "$prog" 2>&1)

missing=
for line in \
	'class  4: 170 slots of 48 bytes, conservative' \
	'byte 5 of it: allocated, in the window' \
	'byte 0 of it: free, the next to be allocated' \
	'state  full' 'byte 0 of it: allocated$' \
	'state  large' 'class  0: 1 slots of 106496 bytes, noscan' \
	'byte 9 of it: allocated' 'which is in no span' \
	'0x0 is in no arena of the heap'
do
	echo "$out" | grep -q "$line" || missing="$missing, '$line'"
done
if [ -z "$missing" ]; then
	say "ok 1 - $what"
else
	echo "$out" | sed 's/^/# /'
	say "not ok 1 - $what (missing$missing)"
	exit 1
fi
