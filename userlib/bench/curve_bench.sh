#!/bin/bash
# SPDX-License-Identifier: MIT
# curve_bench.sh OUT LIBBURROW.a SCHED_PEERS [curve_bench.py's arguments]: builds what
# curves are made of for each peer that can be had here, and runs it.
set -u
out=$1
lib=$2
sched=$3
shift 3
. "$(dirname "$0")/peers.sh"

source=$here/gc_peers.c
build_with_burrow "$out/gc_peers_bw" "$source" gc_peers_bw.h "$lib"
peer_in_go "$here/gc_peers.go" "$out/gc_peers_go"
peer_in_go "$here/sched_peers.go" "$out/sched_go" go-sched
peer bdwgc && build_with_bdwgc "$out/gc_peers_gc" "$source" gc_peers_gc.h
exec python3 "$here/curve_bench.py" burrow="$out/gc_peers_bw" \
	burrow-sched="$sched" hybrid="$out/gc_peers_bw" "${peers[@]}" -- "$@"
