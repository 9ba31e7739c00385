#!/bin/sh
# SPDX-License-Identifier: MIT
# leaf.sh TAP OBJECT...: leaves (base/section.h) call nobody but in place of their
# return: a thread that is stopped in a call of one would be in the middle of it.
set -u
tap=$1
shift

mkdir -p "$(dirname "$tap")"
code=$(objdump -d --no-show-raw-insn -j bw_leaf "$@" 2> /dev/null)
nr=$(echo "$code" | grep -c '>:$')
calls=$(echo "$code" | grep -Ec '[[:space:]](call|bl|blr)[[:space:]]')
verdict="not ok"
[ "$nr" -ge 1 ] && [ "$calls" = 0 ] && verdict=ok
{
	echo "$verdict 1 - $nr leaves make $calls calls"
	echo "1..1"
} | tee "$tap"
[ "$verdict" = ok ]
