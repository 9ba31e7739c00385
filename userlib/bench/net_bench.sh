#!/bin/sh
# SPDX-License-Identifier: MIT
# net_bench.sh OUT NET_BENCH: echo servers at 100, 1,000 and 10,000 connections,
# with 1 and 2 Ps: an epoll loop, burrow and, if it can be had, Go.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$1
bench=$2
servers="raw burrow"
mkdir -p "$out"
out=$(cd "$out" && pwd)
dir=$("$here/../../selftests/scripts/peer.sh" go 2> "$out/go.log")
if [ -n "$dir" ]; then
	env GOROOT="$dir" GOCACHE="$out/go-cache" GO111MODULE=off \
		GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off CGO_ENABLED=0 \
		GOPATH="$out/go-path" \
		"$dir/bin/go" build -o "$out/go" "$here/net_bench.go" &&
		servers="$servers $out/go"
else
	echo "# go is not here: $(tail -n 1 "$out/go.log")"
fi
echo "# server, connections, round trips a second: least, median, most; ratio"
for procs in 1 2; do
	echo "# $procs Ps"
	for conns in 100 1000 10000; do
		# the servers are several words
		BURROW_PROCS=$procs GOMAXPROCS=$procs \
			"$bench" "$conns" "${MS:-1000}" "${ROUNDS:-7}" $servers ||
			exit
	done
done
