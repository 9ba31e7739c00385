#!/bin/bash
# SPDX-License-Identifier: MIT
# gc_peers.sh OUT LIBBURROW.a [gc_peers.py's arguments]: builds gc_peers for each
# peer that can be had here, says why the others cannot, and runs them.
set -u
here=$(dirname "$0")
top=$here/../..
out=$1
lib=$2
shift 2
mkdir -p "$out/go"
cc=${CC:-cc}
flags=(-O2 -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror -Wno-unused-parameter -pthread)
peers=()

build()	# NAME arguments: a program for this peer
{
	local name=$1

	shift
	"$cc" "${flags[@]}" -DPEER="\"gc_peers_$name.h\"" \
		-o "$out/gc_peers_$name" "$here/gc_peers.c" "$@" || exit 1
}

# $dir, or why there is none
peer()
{
	local log

	log=$(mktemp)
	dir=$("$top/selftests/scripts/peer.sh" "$1" 2>"$log")
	[ -n "$dir" ] || echo "# $1 is not here: $(tail -n 1 "$log")"
	rm -f "$log"
	[ -n "$dir" ]
}

build bw -I"$top/userlib/include" -I"$top/uapi" "$lib"
build floor
if peer go; then
	env GOROOT="$dir" GOCACHE="$(realpath "$out")/go" GO111MODULE=off \
		GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off CGO_ENABLED=0 \
		GOPATH="$(realpath "$out")/go/path" \
		"$dir/bin/go" build -o "$out/gc_peers_go" "$here/gc_peers.go" &&
		peers+=(go="$out/gc_peers_go")
	"$dir/bin/go" version | sed 's/^/# /'
fi
if peer bdwgc; then
	build gc -I"$dir/usr/include" \
		"$(find "$dir/usr/lib" -name libgc.a)" -ldl
	peers+=(bdwgc="$out/gc_peers_gc")
fi
exec python3 "$here/gc_peers.py" burrow="$out/gc_peers_bw" \
	hybrid="$out/gc_peers_bw" floor="$out/gc_peers_floor" "${peers[@]}" -- "$@"
