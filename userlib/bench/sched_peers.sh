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
mkdir -p "$out"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

peer_in_go "$here/sched_peers.go" "$out/sched_go"
# not unpacked from elsewhere: it is built against this machine's C++ library
if "${CXX:-c++}" -O2 -DNDEBUG -std=gnu++17 -Wall -Wextra -pthread \
		-o "$out/sched_fiber" "$here/sched_peers_fiber.cpp" \
		-lboost_fiber -lboost_context 2>"$log"; then
	peers+=(fiber="$out/sched_fiber")
elif grep -q boost/fiber "$log"; then
	echo "# boost.fiber is not here (package libboost-fiber-dev)"
else
	cat "$log" >&2
	exit 1
fi
build "$out/sched_thread" "$here/sched_peers_thread.c"
peers+=(threads="$out/sched_thread")
python3 "$here/sched_peers.py" burrow="$burrow" "${peers[@]}" -- "$@"
