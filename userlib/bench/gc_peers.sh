#!/bin/bash
# SPDX-License-Identifier: MIT
# gc_peers.sh OUT LIBBURROW.a [gc_peers.py's arguments]: builds gc_peers for each
# peer that can be had here, says why the others cannot, and runs them.
set -u
out=$1
lib=$2
shift 2
. "$(dirname "$0")/peers.sh"
source=$here/gc_peers.c

build_with_burrow "$out/gc_peers_bw" "$source" gc_peers_bw.h "$lib"
build "$out/gc_peers_floor" -DPEER='"gc_peers_floor.h"' "$source"
peer_in_go "$here/gc_peers.go" "$out/gc_peers_go"
peer bdwgc && build_with_bdwgc "$out/gc_peers_gc" "$source" gc_peers_gc.h
exec python3 "$here/gc_peers.py" burrow="$out/gc_peers_bw" \
	hybrid="$out/gc_peers_bw" floor="$out/gc_peers_floor" "${peers[@]}" -- "$@"
