#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [options] [--] [TESTLINE ...]: boot a kernel in QEMU, load the module,
# run programs in it, count results.
#
#	--kernel NAME	6.1 (default), 6.12, 7.x, debug, or a directory that
#			holds vmlinuz and version
#	--smp N, --mem SIZE	2, 1G
#	--timeout S	of the whole run in host seconds, 900
#	--icount	one instruction a nanosecond, one CPU: for measuring
#	--append STR	kernel command line
#	--params STR	of the module
#	--no-module	do not build and load burrow.ko
#	--file SRC=DST	put a file in the guest (repeat)
#	--report FILE	write "passed failed skipped" there
#	--shell		a shell on this terminal instead of tests
#	--verbose	show what the programs print
#
# TESTLINE: "[timeout=S] [NAME=VALUE ...] PROGRAM [ARGUMENT ...]", no quoting.
# PROGRAM is a path here and /t/<its name> there; a dynamic one gets its
# libraries into /lib. On the debug kernel timeouts count four times.
# Exit status: 0 no failure, 1 a failure, 4 the kernel cannot be had.

. "$(dirname "$0")/lib.sh"

usage() { sed -n '5,/^$/s/^#\( \|$\)\{0,1\}//p' "$0" >&2; exit 1; }

arguments=("$@")
kernel=6.1 smp=2 mem=1G limit=900 module=1
report=/dev/null icount='' append='' params='' shell='' verbose='' files=()
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2; shift ;;
	--smp) smp=$2; shift ;;
	--mem) mem=$2; shift ;;
	--timeout) limit=$2; shift ;;
	--append) append=$2; shift ;;
	--params) params=$2; shift ;;
	--file) files+=("$2"); shift ;;
	--report) report=$2; shift ;;
	--icount) icount=1 ;;
	--no-module) module= ;;
	--shell) shell=1 ;;
	--verbose) verbose=1 ;;
	--) shift; break ;;
	-*) usage ;;
	*) break ;;
	esac
	shift
done

need qemu-system-x86_64 qemu-system-x86
need cpio cpio
need gcc gcc
need readelf binutils

# --- the guest's files ---------------------------------------------------

# put FILE PATH: FILE as PATH in the guest, with the libraries it wants.
put()
{
	local lib

	[ -f "$1" ] || die "no such file: $1"
	[ ! -e "$root$2" ] || cmp -s "$1" "$root$2" || die "two files for $2 in the guest"
	mkdir -p "$root$(dirname "$2")" && cp -L "$1" "$root$2" || exit 1
	readelf -lW "$1" 2>/dev/null | grep -q '^ *DYNAMIC' || return 0
	for lib in $(ldd "$1" 2>/dev/null | grep -oE '/[^ )]+'); do
		case $lib in
		*/ld-linux*) mkdir -p "$root$(dirname "$lib")"; cp -L "$lib" "$root$lib" ;;
		*) mkdir -p "$root/lib"; cp -L "$lib" "$root/lib/" ;;
		esac
	done
}

# add_test "TESTLINE": its program into the guest, the line into the list.
add_test()
{
	local word line='' program='' words

	read -ra words <<<"$1"
	for word in "${words[@]}"; do
		if [ -z "$program" ] && [[ $word != *=* ]]; then
			program=/t/${word##*/}
			put "$word" "$program"
			chmod 755 "$root$program"
			word=$program
		fi
		line="$line${line:+ }$word"
	done
	[ -n "$program" ] || die "no program in the line: $1"
	printf '%s\n' "$line" >>"$root/tests.list"
}

make_init()
{
	local src=$VM_DIR/guest dir

	dir=$CACHE/init/$(hash_of "$src"/*.[ch])
	(
		lock init
		cache_has "$dir" && exit 0
		cache_begin "$dir"
		gcc -std=gnu11 -O2 -Wall -Wextra -Wno-unused-result -static \
			-o "$dir/init" "$src"/*.c || die "the guest's init does not build"
		cache_end "$dir"
		cache_prune init 30
	) || exit
	cp "$dir/init" "$root/init"
}

# --- the kernel, or why there is none ------------------------------------

gone()
{
	local status=$?

	[ "$status" -eq "$EXIT_SKIP" ] || exit 1
	echo "0 0 1" >"$report"
	printf 'vm %s: 0 passed, 0 failed, 1 skipped\n' "$kernel"
	exit "$EXIT_SKIP"
}

case $kernel in
*/*)	kdir=$kernel module= ;;
*)	kdir=$("$VM_DIR/kernel.sh" "$kernel") || gone ;;
esac
kos=
if [ -n "$module" ]; then
	kos=$("$VM_DIR/module.sh" "$kernel") || gone
fi

cache_prune run 3
mkdir -p "$CACHE/run"
work=$(mktemp -d "$CACHE/run/$(basename "$kernel").XXXXXX") || die "cannot write to $CACHE"
root=$work/root
qemu_pid=
finish() { [ -z "$qemu_pid" ] || kill "$qemu_pid" 2>/dev/null; rm -rf "$root" "$work/initramfs"; }
trap finish EXIT
trap 'exit 130' INT TERM HUP

mkdir -p "$root"/{dev,proc,sys,tmp,t,bin,lib}
make_init
for f in "${kos:-/nonexistent}"/*.ko; do
	[ ! -e "$f" ] || cp "$f" "$root/"
done
: >"$root/tests.list"
for line in "$@"; do
	add_test "$line"
done
for f in ${files[@]+"${files[@]}"}; do
	put "${f%%=*}" "${f#*=}"
done
if [ -n "$shell" ]; then
	busybox=$(command -v busybox) || die "busybox is missing: install the package busybox-static"
	put "$busybox" /bin/busybox
fi
(cd "$root" && find . -print0 | cpio -0 -o -H newc -R 0:0 --quiet) >"$work/initramfs" ||
	die "cannot make the initramfs"

# --- the machine ---------------------------------------------------------

nonce=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
cmdline="console=ttyS0 loglevel=7 panic=-1 no_timer_check tsc=reliable"
cmdline="$cmdline watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=60"
cmdline="$cmdline burrow.nonce=$nonce"
[ -z "$params" ] || cmdline="$cmdline burrow.params=\"$params\""
[ "$kernel" != debug ] || cmdline="$cmdline burrow.slow=4"
[ -z "$shell" ] || cmdline="$cmdline burrow.shell=1"
qemu=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
	-m "$mem" -kernel "$kdir/vmlinuz" -initrd "$work/initramfs")
if [ -n "$icount" ]; then
	cmdline="$cmdline clearcpuid=rep_good"
	qemu+=(-icount shift=0 -smp 1 -accel tcg,thread=single
		-cpu max,-cx16,-erms,-la57)
else
	qemu+=(-smp "$smp" -accel tcg,thread=multi -cpu max,-cx16)
fi
qemu+=(-append "$cmdline${append:+ $append}")

if [ -n "$shell" ]; then
	"${qemu[@]}" -serial mon:stdio -serial "file:$work/report.log"
	exit
fi

awk=(awk)
# mawk waits for a full buffer unless told otherwise
awk -W version 2>&1 </dev/null | grep -q mawk && awk+=(-W interactive)
mkfifo "$work/report.fifo" || exit 1
timeout -k 10 "$limit" "${qemu[@]}" -serial "file:$work/console.log" \
	-chardev stdio,id=report,signal=off -serial chardev:report \
	</dev/null >"$work/report.fifo" 2>"$work/qemu.log" &
qemu_pid=$!
tee "$work/report.log" <"$work/report.fifo" |
	"${awk[@]}" -v nonce="$nonce" -v expected=$# -v verbose="$verbose" \
		-v summary="$work/summary" -f "$VM_DIR/report.awk"
verdict=$?
wait "$qemu_pid"
status=$?
qemu_pid=

# What says nothing of the tests, on a machine that is starved of time. Each line
# of the report begins with @, but QEMU's serial port has been seen to lose
# bytes. And a debug kernel has been seen to boot with a report of its own (an
# interrupt too early), before the module: lockdep is off from there on.
excuse=
! grep -qv '^@' "$work/report.log" || excuse="the report was damaged on its way"
[ "$verdict" -eq 0 ] ||
	! grep -q '^@note.* dirty before any test ran' "$work/report.log" ||
	excuse="the kernel had something to report before the module was loaded"
if [ -n "$excuse" ] && [ -z "${BURROW_VM_AGAIN:-}" ]; then
	say "$excuse ($work/report.log): once more"
	BURROW_VM_AGAIN=1 exec "$0" "${arguments[@]}"
fi
[ "$status" -ne 124 ] && [ "$status" -ne 137 ] ||
	echo "the whole run took longer than $limit s and was stopped"
if [ "$verdict" -eq 2 ]; then
	echo "the end of the console ($work/console.log):"
	cat "$work/qemu.log"
	tail -n 60 "$work/console.log" | sed 's/\r$//; s/^/  | /'
	echo "the end of the report ($work/report.log):"
	tail -n 10 "$work/report.log" | sed 's/^/  | /'
fi
read -r passed failed skipped <"$work/summary" || die "no summary"
echo "$passed $failed $skipped" >"$report"
printf 'vm %s: %d passed, %d failed, %d skipped\n' "$kernel" "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] || exit 1
rm -rf "$work"
