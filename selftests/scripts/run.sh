#!/bin/bash
# SPDX-License-Identifier: MIT
# make run: builds all, shows the demo in user-only mode and in kernel mode (in
# a VM with a stock Debian kernel), side by side.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
out=${O:-build}
kernel=${KERNEL:-6.1}
mkdir -p "$out/run"

say()
{
	printf '\n== %s\n' "$*"
}

say "building the library, the example and the module"
make --no-print-directory lib examples module static || exit 1

say "user-only mode, on this machine"
BURROW_MODE=user "$out/static/spans" | tee "$out/run/user.txt"
[ "${PIPESTATUS[0]}" = 0 ] || exit 1

say "kernel mode, in a VM with Debian's $kernel kernel (emulated: some seconds)"
selftests/vm/run.sh --kernel "$kernel" --verbose --report "$out/run/vm.report" \
	-- "BURROW_MODE=kernel $out/static/spans" >"$out/run/vm.log" 2>&1
status=$?
case $status in
0)	;;
4)	grep 'vm: skip:' "$out/run/vm.log"
	echo "kernel mode could not be shown here (the reason is above)"
	exit 0 ;;
*)	tail -n 40 "$out/run/vm.log"
	exit 1 ;;
esac
sed -n 's/^        //p' "$out/run/vm.log" >"$out/run/kernel.txt"

say "side by side"
pr -m -t -w 150 -S' | ' "$out/run/user.txt" "$out/run/kernel.txt"
