#!/bin/sh
# SPDX-License-Identifier: MIT
# sizeclass.sh TAP: sizeclass.c is what mksizeclass.py writes.
set -u
tap=$1
dir=$(dirname "$0")/../src/heap

mkdir -p "$(dirname "$tap")"
what="the table of size classes is the one that its script writes"
if ! command -v python3 >/dev/null; then
	line="ok 1 - $what # SKIP no python3"
elif python3 "$dir/mksizeclass.py" | cmp - "$dir/sizeclass.c"; then
	line="ok 1 - $what"
else
	line="not ok 1 - $what"
fi
printf '%s\n1..1\n' "$line" | tee "$tap"
case $line in not*) exit 1 ;; esac
