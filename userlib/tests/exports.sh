#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh LIBRARY MAP TAP: the shared library offers what the map lists.
set -u
lib=$1
map=$2
tap=$3

mkdir -p "$(dirname "$tap")"
want=$(sed -n 's/^\t\([a-z_0-9]*\);$/\1/p' "$map" | sort)
have=$(nm -D --defined-only "$lib" | awk '$2 ~ /^[TWuBDR]$/ { print $3 }' |
	sed 's/@.*//' | sort)
if [ -n "$want" ] && [ "$want" = "$have" ]; then
	verdict=ok
else
	verdict="not ok"
fi
echo "$verdict 1 - the shared library exports what its map lists, no more" |
	tee "$tap"
echo "1..1" | tee -a "$tap"
[ "$verdict" = ok ]
