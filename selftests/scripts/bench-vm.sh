#!/bin/bash
# SPDX-License-Identifier: MIT
# make bench-vm: what pages and calls cost, in instructions, on each kernel. The
# guest's clock counts instructions, so repeats agree and the host does not
# matter. The part wall is a guest of its own with two CPUs, by the clock: ratios of
# two modes that took turns. Prints a table per part, and what the module buys.
#
#	bench-vm.sh [--json FILE] [PART...]	for FILE see userlib/bench/bench.py
#
# Of the environment:
#
#	KERNELS="6.1 6.12 7.x"	on which kernels
#	ONLY="sweep fork"	which parts: those of bench/main.c, malloc, library,
#				wall (not with --json: then it is make bench's)
#	QUICK=1			6.12 and few rows, a minute
#	APPEND=STR		kernel command line, to see what a setting costs
#	BENCH_PROGRESS=FILE	is told how far it is
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
out=${O:-build}
json=
asked=${ONLY:-}
while [ $# -gt 0 ]; do
	case $1 in
	--json)	json=$2 asked=; shift ;;
	-r)	shift ;;		# so many as the programs say
	*)	break ;;
	esac
	shift
done
[ $# = 0 ] || asked=$*

# memcg last: kernels account more from the first memory cgroup on.
parts="pages calls huge sweep shrink meta stack move fork harvest arenas park malloc library memcg wall"
kernels="6.1 6.12 7.x"
env=
if [ -n "${QUICK:-}" ]; then
	parts="pages library wall"
	kernels=6.12
	env="QUICK=1 "
fi
parts=${asked:-$parts}
kernels=${KERNELS:-$kernels}
mkdir -p "$out/bench" "$out/static"
${CC:-gcc} -static -pthread -O2 -Wall -Wextra -Werror -Iuapi selftests/bench/*.c \
	-o "$out/static/bench" || exit 1

# One boot for what is counted, and another where the clock is one.
counted=()
timed=()
for p in $parts; do
	case $p in
	malloc)		program=malloc_fault what= ;;
	library)	program=mode_bench what= ;;
	wall)		program=mode_bench what=wall ;;
	*)		program=bench what=$p ;;
	esac
	[ $program = bench ] || make -s O="$out" "$out/static/$program" || exit 1
	line="timeout=1600 $env$out/static/$program $what"
	if [ "$p" = wall ]; then
		timed+=("$line")
	else
		counted+=("$line")
	fi
done

nr=0 of=$((($(echo $parts | wc -w)) * $(echo $kernels | wc -w)))
say()
{
	[ -z "${BENCH_PROGRESS:-}" ] || echo "$nr $of $1" >>"$BENCH_PROGRESS"
}

# follow LOG KERNEL: what run.sh prints goes to LOG, and where a part begins is said.
follow()
{
	local line

	while IFS= read -r line; do
		printf '%s\n' "$line" >>"$1"
		case $line in
		"        ="*)
			say "$2 ${line##*=}"
			nr=$((nr + 1)) ;;
		esac
	done
	return 0
}

# boot KERNEL TSV RUN-ARGS... -- LINES: what the programs told goes to the end of TSV.
# Self-tests of the kernel's ciphers go on for seconds behind the first programs,
# and would be counted as theirs.
boot()
{
	local kernel=$1 tsv=$2 log=${2%.tsv}.log status

	shift 2
	: >"$log"
	say "$kernel boots"
	follow "$log" "$kernel" < <(selftests/vm/run.sh --kernel "$kernel" \
		--verbose --mem 2G --timeout 3600 \
		--append "cryptomgr.notests ${APPEND:-}" "$@" 2>&1
		echo "status $?")
	status=$(sed -n '$s/^status //p' "$log")
	sed -n 's/^        //p' "$log" >>"$tsv"
	return $status
}

# 4,000 arenas have 256 MiB of K-words, huge spans want 128 MiB unbroken.
status=0
tables=()
for k in $kernels; do
	tsv=$out/bench/$k.tsv
	: >"$tsv"
	bad=0
	echo "# kernel $k" >&2
	[ ${#counted[@]} = 0 ] ||
		boot "$k" "$tsv" --icount -- "${counted[@]}" || bad=$?
	[ ${#timed[@]} = 0 ] || [ $bad != 0 ] ||
		boot "$k" "$tsv" --smp 2 -- "${timed[@]}" || bad=$?
	case $bad in
	0)	tables+=("$tsv") ;;
	4)	echo "skip: kernel $k: $(grep 'vm: skip:' "${tsv%.tsv}.log")" ;;
	*)	echo "kernel $k failed:"; tail -n 20 "${tsv%.tsv}.log"
		status=1 ;;
	esac
done
[ ${#tables[@]} -gt 0 ] || exit 1

python3 selftests/bench/table.py "${tables[@]}" || exit 1
results=${json:-$out/bench/vm.jsonl}
[ -n "$json" ] || rm -f "$results"
for t in "${tables[@]}"; do
	python3 selftests/bench/vm.py "$t" --json "$results" || exit 1
done
echo
python3 selftests/bench/buys.py "$results" || exit 1
exit $status
