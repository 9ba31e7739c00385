#!/bin/bash
# SPDX-License-Identifier: MIT
# map_bench.sh OUT BURROW'S-PROGRAM [map_bench.py's arguments]: builds the peers of
# bench-map that can be had (Go, boost, absl, the C++ library) and runs all in turns.
set -u
out=$1
burrow=$2
shift 2
. "$(dirname "$0")/peers.sh"

# NAME FLAGS...
peer_in_cpp()
{
	local name=$1 log

	shift
	log=$(mktemp)
	if "${CXX:-c++}" -O2 -std=c++17 -o "$out/map_$name" \
		"$here/map_bench_peers.cpp" "$@" -pthread 2>"$log"; then
		peers+=("$name=$out/map_$name")
	else
		echo "# $name is not here: $(head -n 1 "$log")"
	fi
	rm -f "$log"
}

peer_in_go "$here/map_bench.go" "$out/map_go"
peer_in_cpp std -DPEER_STD
peer boost && peer_in_cpp boost -DPEER_BOOST -I"$dir/usr/include"
if peer absl; then
	lib=$(dirname "$(find "$dir" -name libabsl_hash.a)")
	peer_in_cpp absl -DPEER_ABSL -I"$dir/usr/include" \
		-Wl,--start-group "$lib"/libabsl_*.a -Wl,--end-group
fi
exec python3 "$here/map_bench.py" burrow="$burrow" "${peers[@]}" -- "$@"
