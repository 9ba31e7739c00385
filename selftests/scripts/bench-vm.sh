#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-vm: what pages and calls cost, in instructions, on each kernel. The
# guest's clock counts instructions, so repeats agree and the host does not
# matter. Prints a table; ratios are to the anonymous demand fault (pages) and to
# MADV_DONTNEED (reclaim) of the same kernel.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
out=${O:-build}
mkdir -p "$out/bench" "$out/static"
${CC:-gcc} -static -O2 -Wall -Wextra -Werror -Iuapi selftests/bench/pages.c \
	-o "$out/static/pages" || exit 1

kernels=()
for k in ${KERNELS:-6.1 6.12 7.x}; do
	log=$out/bench/pages-$k.log
	selftests/vm/run.sh --kernel "$k" --icount --verbose --mem 1G --timeout 900 \
		-- "timeout=800 $out/static/pages" >"$log" 2>&1
	case $? in
	0)	sed -n 's/^        //p' "$log" >"$out/bench/pages-$k.tsv"
		kernels+=("$k") ;;
	4)	echo "skip: kernel $k: $(grep 'vm: skip:' "$log")" ;;
	*)	echo "kernel $k failed:"; tail -n 20 "$log" ;;
	esac
done
[ ${#kernels[@]} -gt 0 ] || exit 1

python3 selftests/bench/table.py \
	"${kernels[@]/#/$out/bench/pages-}"
