#!/bin/bash
# SPDX-License-Identifier: MIT
# alloc_bench.sh OUT LIBBURROW.a [alloc_bench.py's arguments]: builds alloc_bench
# for each peer that can be had here, says why the others cannot, and runs them.
set -u
out=$1
lib=$2
shift 2
. "$(dirname "$0")/peers.sh"
source=$here/alloc_bench.c

build_with_burrow "$out/alloc_bw" "$source" alloc_bw.h "$lib"
if peer mimalloc; then
	libs=$(dirname "$(find "$dir/usr/lib" -name libmimalloc.so)")
	build "$out/alloc_mi" -DPEER='"alloc_mi.h"' "$source" \
		-I"$(dirname "$(find "$dir/usr" -name mimalloc.h)")" \
		"$libs/libmimalloc.so" -Wl,-rpath,"$libs"
	peers+=(mimalloc="$out/alloc_mi")
fi
peer bdwgc && build_with_bdwgc "$out/alloc_gc" "$source" alloc_gc.h
peer_in_go "$here/alloc_bench.go" "$out/alloc_go"
exec python3 "$here/alloc_bench.py" burrow="$out/alloc_bw" "${peers[@]}" -- "$@"
