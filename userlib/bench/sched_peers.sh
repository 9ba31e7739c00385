#!/bin/bash
# SPDX-License-Identifier: MIT
# sched_peers.sh OUT BURROW'S-PROGRAM [sched_peers.py's arguments]: builds the peers
# of bench-sched-peers that can be had here, says why the others cannot, and runs
# all of them in turns.
set -u
out=$1
burrow=$2
shift 2
. "$(dirname "$0")/peers.sh"
peer_in_go "$here/sched_peers.go" "$out/sched_go"
peer_with_fiber "$here/sched_peers_fiber.cpp" "$out/sched_fiber"
build "$out/sched_thread" "$here/sched_peers_thread.c"
peers+=(threads="$out/sched_thread")
python3 "$here/sched_peers.py" burrow="$burrow" "${peers[@]}" -- "$@"
