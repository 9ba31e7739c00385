#!/bin/bash
# SPDX-License-Identifier: MIT
# net_bench.sh OUT NET_BENCH: echo servers at 100, 1,000 and 10,000 connections,
# with 1 and 2 Ps: an epoll loop, burrow and, if it can be had, Go.
set -u
out=$1
bench=$2
. "$(dirname "$0")/peers.sh"
mkdir -p "$out/bin"
out=$(realpath "$out")
peer_in_go "$here/net_bench.go" "$out/bin/go"
servers="raw burrow${peers[0]:+ ${peers[0]#go=}}"
echo "# server, connections, round trips a second: least, median, most; ratio;" \
	"us of CPU time for one; ratio"
for procs in 1 2; do
	echo "# $procs Ps"
	for conns in 100 1000 10000; do
		# the servers are several words
		BURROW_PROCS=$procs GOMAXPROCS=$procs \
			"$bench" "$conns" "${MS:-1000}" "${ROUNDS:-7}" $servers ||
			exit
	done
done
