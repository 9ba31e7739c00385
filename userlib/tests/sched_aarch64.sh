#!/bin/sh
# SPDX-License-Identifier: MIT
# make check-aarch64: the switch of stacks on the other architecture, under user
# mode emulation. Prints TAP.
#	sched_aarch64.sh OUT FLAGS SOURCE...
set -u
out=$1
flags=$2
shift 2

cc=aarch64-linux-gnu-gcc
for tool in $cc qemu-aarch64; do
	command -v $tool > /dev/null && continue
	echo "1..0 # SKIP no $tool (gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user)"
	exit 0
done

mkdir -p "$out"
nr=0
bad=0
for test in runq life block; do
	nr=$((nr + 1))
	prog=$out/sched_${test}_test
	# the flags are several words
	if $cc -O2 -g -DBW_DEBUG=1 $flags -static -o "$prog" \
	   "userlib/tests/sched_${test}_test.c" "$@" > "$prog.log" 2>&1 &&
	   BURROW_MODE=user timeout 300 qemu-aarch64 "$prog" \
	   >> "$prog.log" 2>&1; then
		echo "ok $nr - sched_${test}_test on aarch64"
	else
		echo "not ok $nr - sched_${test}_test on aarch64"
		grep -v '^ok' "$prog.log" | head -n 40 | sed 's/^/# /'
		bad=1
	fi
done
echo "1..$nr"
exit $bad
