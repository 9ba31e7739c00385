#!/bin/sh
# SPDX-License-Identifier: MIT
# make check-aarch64: the scheduler's tests on the other architecture, under user
# mode emulation. Prints TAP; what a test skips it says itself.
#	sched_aarch64.sh OUT FLAGS SOURCE...
# TESTS='eyes stop' chooses.
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

mkdir -p "$out/lib"
# the library once, for all; the flags are several words
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh -c '
	obj=$1/lib/$(echo "$2" | tr / _).o
	[ "$obj" -nt "$2" ] && [ -z "$(find kmod uapi userlib -name "*.h" \
		-newer "$obj" -o -name "*.def" -newer "$obj")" ] ||
		'"$cc -O2 -g -DBW_DEBUG=1 $flags"' -c -o "$obj" "$2"' \
	sh "$out" {} > "$out/lib.log" 2>&1 || {
	echo "not ok 1 - the library builds for aarch64"
	head -n 20 "$out/lib.log" | sed 's/^/# /'
	echo "1..1"
	exit 1
}

# not signal: the emulator waits for all threads at fork(), and knows no
# epoll_pwait2(); nor fork, where its own assertions fail; nor deadlock, which counts
# threads, and it has its own; nor exit: it cannot exec what it runs; nor many, which
# looks at its memory
nr=0
bad=0
for test in ${TESTS:-runq life block section stop preempt timer sleep net \
	netpoll eyes dump close stress slot cpus death}; do
	nr=$((nr + 1))
	prog=$out/sched_${test}_test
	if $cc -O2 -g -DBW_DEBUG=1 $flags -static -o "$prog" \
	   "userlib/tests/sched_${test}_test.c" "$out"/lib/*.o \
	   > "$prog.log" 2>&1 &&
	   BURROW_MODE=user RIG_SLOW=1 timeout 600 qemu-aarch64 "$prog" \
	   >> "$prog.log" 2>&1; then
		echo "ok $nr - sched_${test}_test on aarch64"
	else
		echo "not ok $nr - sched_${test}_test on aarch64"
		grep -v '^ok' "$prog.log" | head -n 40 | sed 's/^/# /'
		bad=1
	fi
	grep ' # SKIP ' "$prog.log" | sed 's/^/# /'
done
echo "1..$nr"
exit $bad
