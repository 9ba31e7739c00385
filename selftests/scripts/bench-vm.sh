#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-vm: what pages and calls cost, in instructions, on each kernel. The
# guest's clock counts instructions, so repeats agree and the host does not
# matter. Prints a table per part.
#
#	KERNELS="6.1 6.12 7.x"	on which kernels
#	ONLY="sweep fork"	which parts: those of bench/main.c, and malloc
#	APPEND=STR		kernel command line, to see what a setting costs
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
out=${O:-build}
# memcg last: kernels account more from the first memory cgroup on.
parts=${ONLY:-pages calls huge sweep shrink meta stack move fork harvest arenas malloc memcg}
mkdir -p "$out/bench" "$out/static"
${CC:-gcc} -static -O2 -Wall -Wextra -Werror -Iuapi selftests/bench/*.c \
	-o "$out/static/bench" || exit 1

lines=()
for p in $parts; do
	if [ "$p" = malloc ]; then
		make -s O="$out" "$out/static/malloc_fault" || exit 1
		lines+=("timeout=800 $out/static/malloc_fault")
	else
		lines+=("timeout=800 $out/static/bench $p")
	fi
done

# Self-tests of the kernel's ciphers go on for seconds behind the first programs,
# and would be counted as theirs.
append="cryptomgr.notests ${APPEND:-}"
# 4,000 arenas have 256 MiB of K-words, huge spans want 128 MiB unbroken.
status=0
tables=()
for k in ${KERNELS:-6.1 6.12 7.x}; do
	log=$out/bench/$k.log
	selftests/vm/run.sh --kernel "$k" --icount --verbose --mem 2G \
		--timeout 3600 --append "$append" -- "${lines[@]}" \
		>"$log" 2>&1
	case $? in
	0)	sed -n 's/^        //p' "$log" >"$out/bench/$k.tsv"
		tables+=("$out/bench/$k.tsv") ;;
	4)	echo "skip: kernel $k: $(grep 'vm: skip:' "$log")" ;;
	*)	echo "kernel $k failed:"; tail -n 20 "$log"
		status=1 ;;
	esac
done
[ ${#tables[@]} -gt 0 ] || exit 1

python3 selftests/bench/table.py "${tables[@]}" || exit 1
exit $status
