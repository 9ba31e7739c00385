#!/bin/bash
# SPDX-License-Identifier: MIT
# net_bench.sh OUT NET_BENCH [net_bench.py's arguments]: echo servers at 100, 1,000 and
# 10,000 connections, with 1 and 2 Ps: burrow, an epoll loop and, if it can be had, Go.
set -u
out=$1
NET_BENCH=$2
export NET_BENCH
shift 2
. "$(dirname "$0")/peers.sh"

mkdir -p "$out/bin"
peer_in_go "$here/net_bench.go" "$out/bin/go"
exec python3 "$here/net_bench.py" burrow=burrow raw=raw "${peers[@]}" -- "$@"
