#!/bin/bash
# SPDX-License-Identifier: MIT
# programs_bench.sh OUT LIBBURROW.a LIBBURROW-MALLOC EXAMPLES [-r N] [-w N]
# [--json FILE] [ROW...]: whole programs. compile and sqlite are others' with a malloc
# preloaded (programs_bench.py), trees:N is binary-trees (gc_peers.py), get and set
# are kvd and hello is httpd, under their clients (servers_bench.py).
set -u
out=$1
lib=$2
malloc=$3
examples=$4
shift 4
here=$(dirname "$0")

options=()
while [ $# -gt 0 ]; do
	case $1 in
	-r|-w|--json)	options+=("$1" "$2"); shift ;;
	*)		break ;;
	esac
	shift
done
rows=${*:-compile sqlite trees:18 get:1:1 get:16:1 set:1:1 hello:1}

mallocs=()
collectors=()
servers=()
for row in $rows; do
	case $row in
	compile|sqlite)		mallocs+=("$row") ;;
	trees:*)		collectors+=("$row") ;;
	get:*|set:*|hello:*)	servers+=("$row") ;;
	*)	echo "no such row: $row (compile, sqlite, trees:N, get:N:N, set:N:N, hello:N)" >&2
		exit 1 ;;
	esac
done

status=0
[ ${#mallocs[@]} = 0 ] ||
	python3 "$here/programs_bench.py" "$out/programs" "$malloc" \
		${options[@]+"${options[@]}"} "${mallocs[@]}" || status=1
[ ${#collectors[@]} = 0 ] ||
	"$here/gc_peers.sh" "$out" "$lib" \
		${options[@]+"${options[@]}"} "${collectors[@]}" || status=1
[ ${#servers[@]} = 0 ] ||
	"$here/servers_bench.sh" "$out" "$examples" \
		${options[@]+"${options[@]}"} "${servers[@]}" || status=1
exit $status
