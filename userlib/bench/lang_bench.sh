#!/bin/bash
# SPDX-License-Identifier: MIT
# lang_bench.sh OUT BURROW'S-PROGRAM [lang_bench.py's arguments]: builds Go's rows of
# bench-lang, if there is a Go to be had, and boost.fiber's, and runs all in turns.
set -u
out=$1
burrow=$2
shift 2
. "$(dirname "$0")/peers.sh"

peer_in_go "$here/lang_bench.go" "$out/lang_go"
peer_with_fiber "$here/lang_bench_fiber.cpp" "$out/lang_fiber"
exec python3 "$here/lang_bench.py" burrow="$burrow" "${peers[@]}" -- "$@"
