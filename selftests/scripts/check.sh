#!/bin/bash
# SPDX-License-Identifier: MIT
# make check: every test there is, one stage after the other, then one line
#	N passed, N failed, N skipped
# A stage that ends badly without a failed test counts as a failure itself.
#	check.sh [STAGE...]	build layers guests style core model lib rig kunit vm
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
out=${O:-build}
logs=$out/check
rm -rf "$logs" "$out/results"
mkdir -p "$logs" "$out/results"
passed=0 failed=0 skipped=0

count()
{
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

say()
{
	printf '[%4ds] %s\n' "$SECONDS" "$*"
}

# stage NAME COMMAND...: its TAP lines count (those it prints, else those it
# left in results/NAME-*.tap), and so does its end.
stage()
{
	local name=$1 status p f s
	shift
	say "$name"
	"$@" </dev/null >"$logs/$name.log" 2>&1
	status=$?
	read -r p f s < <(selftests/scripts/tally.sh "$logs/$name.log")
	[ "$p$f$s" != 000 ] ||
		read -r p f s < <(selftests/scripts/tally.sh "$out/results/$name"-*.tap)
	[ $status = 0 ] || [ "$f" != 0 ] || f=1
	count "$p" "$f" "$s"
	grep -E '^ok .*# *SKIP' "$logs/$name.log" | sed 's/^ok/       skip:/'
	if [ "$f" != 0 ]; then
		grep -E '^not ok' "$logs/$name.log" | sed 's/^/       /'
		[ $status = 0 ] || tail -n 30 "$logs/$name.log" | sed 's/^/       | /'
	fi
	say "$name: $p passed, $f failed, $s skipped"
}

# skip WHAT WHY: counted and said.
skip()
{
	say "skip: $1: $2"
	count 0 0 1
}

# A stage that answers with one ok or not ok.
one()
{
	"${@:2}" && echo "ok 1 - $1" || { echo "not ok 1 - $1"; return 1; }
}

# vm_boot KERNEL RUN-ARGS... -- TESTS...: the rig counts for itself.
vm_boot()
{
	local kernel=$1
	shift
	say "vm $kernel"
	rm -f "$logs/vm-$kernel.report"
	selftests/vm/run.sh --kernel "$kernel" --timeout 3600 \
		--report "$logs/vm-$kernel.report" "$@" \
		</dev/null >"$logs/vm-$kernel.log" 2>&1
	echo $? >"$logs/vm-$kernel.status"
}

# vm_tell KERNEL: what came of it.
vm_tell()
{
	local kernel=$1 status report=$logs/vm-$1.report why
	read -r status <"$logs/vm-$kernel.status"
	if [ "$status" = 4 ]; then
		why=$(sed -n 's/^vm: skip: //p' "$logs/vm-$kernel.log" | tail -n 1)
		skip "kernel $kernel" "$why"
		return
	fi
	booted=$((booted + 1))
	if [ -s "$report" ]; then
		read -r p f s <"$report"
		[ "$status" = 0 ] || [ "$f" != 0 ] || f=1
	else
		p=0 f=1 s=0
	fi
	count "$p" "$f" "$s"
	grep -iE '# *SKIP' "$logs/vm-$kernel.log" | sed 's/^/       /'
	[ "$f" = 0 ] || grep -vE '^ok|^ *# +(RUN|OK)' "$logs/vm-$kernel.log" |
		tail -n 60 | sed 's/^/       | /'
	say "vm $kernel: $p passed, $f failed, $s skipped"
}

# libburrow and libburrow-malloc in one process open one device (oneheap.c).
one_heap()
{
	local how="timeout=60 BURROW_MODE=kernel BURROW=window=1G"
	local malloc=/lib/libburrow-malloc.so.0 lib=/lib/libburrow.so.0
	local late=GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384

	echo "$how $out/oneheap/so-malloc"
	echo "$how $out/oneheap/malloc-so"
	echo "$how LD_PRELOAD=$malloc $out/oneheap/so"
	echo "$how LD_PRELOAD=$malloc $out/oneheap/a"
	echo "$how LD_PRELOAD=$malloc $out/oneheap/plain local:$lib"
	echo "$how $late $out/oneheap/so local:$malloc"
	echo "$how $late $out/oneheap/plain local:$lib local:$malloc"
}

# The examples, for /t/examples in the guest.
examples_files()
{
	local f
	for f in "$out"/guest/*; do
		echo "$f=/t/examples/${f##*/}"
	done
}

# Every program of the kernel tests, as lines for the rig.
kernel_tests()
{
	local t
	for t in "$out"/kselftest/*; do
		[ -x "$t" ] && echo "timeout=600 $t"
	done
	echo "timeout=120 BURROW_MODE=kernel $out/static/spans"
	echo "timeout=300 $out/static/both /t/parity"
	echo "timeout=300 $out/static/both /t/sched_parity"
	echo "timeout=300 $out/static/both /t/examples_parity /t/examples"
	# mremap() is another in each of them
	echo "timeout=300 BURROW_MODE=user $out/static/resize_test"
	one_heap
	for t in "$out"/static/*_test; do
		[ -x "$t" ] && echo "timeout=300 BURROW_MODE=kernel $t"
	done
}

jobs=-j$(nproc)

do_build() { stage build one "library and module build without a warning" \
	make --no-print-directory $jobs all static; }
do_layers() { stage layers make --no-print-directory layers; }
do_style() { stage style make --no-print-directory style; }
do_core() { stage core make --no-print-directory $jobs check-core; }
do_model() { stage model make --no-print-directory model; }
do_lib() { stage lib make --no-print-directory $jobs check-lib; }
do_rig() { stage rig selftests/vm/selftest.sh; }
do_kunit() { booted=0; vm_boot debug --mem 2G --; vm_tell debug; }

kernels=${KERNELS:-6.1 6.12 7.x debug}
vm_tests=()
vm_files=()

# What the guests are given. The debug kernel takes longer than the others
# together: it starts now, beside all that comes.
do_guests()
{
	local f
	booted=0
	stage kselftest-build one "the kernel tests build" \
		make --no-print-directory $jobs kselftest-build static
	mapfile -t vm_tests < <(kernel_tests)
	# without a debugger core_dump says what it skips
	for f in "$out/static/parity=/t/parity" \
		 "$out/static/sched_parity=/t/sched_parity" \
		 "$out/static/examples_parity=/t/examples_parity" \
		 "$out/libburrow.so.0=/lib/libburrow.so.0" \
		 "$out/libburrow-malloc.so.0=/lib/libburrow-malloc.so.0" \
		 $(examples_files) \
		 $(selftests/vm/gdb.sh 2>"$logs/gdb.log"); do
		vm_files+=(--file "$f")
	done
	case " $kernels " in *" debug "*)
		vm_boot debug --mem 2G "${vm_files[@]}" -- "${vm_tests[@]}" &
	esac
}

do_vm()
{
	local k
	[ ${#vm_tests[@]} != 0 ] || do_guests
	for k in $kernels; do
		[ "$k" != debug ] || continue
		vm_boot "$k" --mem 2G "${vm_files[@]}" -- "${vm_tests[@]}"
		vm_tell "$k"
	done
	wait
	case " $kernels " in *" debug "*) vm_tell debug ;; esac
	if [ "$booted" = 0 ]; then
		say "no kernel could be had: at least one must run"
		count 0 1 0
	fi
}

stages=${*:-build layers guests style core model lib rig vm}
for s in $stages; do
	"do_$s"
done
say "done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
