#!/bin/bash
# SPDX-License-Identifier: MIT
# sched_peers.sh OUT BURROW'S-PROGRAM [sched_peers.py's arguments]: builds the peers
# of bench-sched-peers that can be had here, says why the others cannot, and runs
# all of them in turns.
set -u
here=$(dirname "$0")
top=$here/../..
out=$1
burrow=$2
shift 2
mkdir -p "$out/go"
peers=()

log=$(mktemp)
trap 'rm -f "$log"' EXIT
dir=$("$top/selftests/scripts/peer.sh" go 2>"$log")
if [ -n "$dir" ]; then
	env GOROOT="$dir" GOCACHE="$(realpath "$out")/go" GO111MODULE=off \
		GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off CGO_ENABLED=0 \
		GOPATH="$(realpath "$out")/go/path" \
		"$dir/bin/go" build -o "$out/sched_go" "$here/sched_peers.go" &&
		peers+=(go="$out/sched_go")
	"$dir/bin/go" version | sed 's/^/# /'
else
	echo "# go is not here: $(tail -n 1 "$log")"
fi
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
"${CC:-cc}" -O2 -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror \
	-Wno-unused-parameter -pthread -o "$out/sched_thread" \
	"$here/sched_peers_thread.c" || exit 1
peers+=(threads="$out/sched_thread")
python3 "$here/sched_peers.py" burrow="$burrow" "${peers[@]}" -- "$@"
