#!/bin/bash
# SPDX-License-Identifier: MIT
# alloc_bench.sh OUT LIBBURROW.a [alloc_bench.py's arguments]: builds alloc_bench
# for each peer that can be had here, says why the others cannot, and runs them.
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
	"$cc" "${flags[@]}" -DPEER="\"alloc_$name.h\"" -o "$out/alloc_$name" \
		"$here/alloc_bench.c" "$@" || exit 1
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
if peer mimalloc; then
	libs=$(dirname "$(find "$dir/usr/lib" -name libmimalloc.so)")
	build mi -I"$(dirname "$(find "$dir/usr" -name mimalloc.h)")" \
		"$libs/libmimalloc.so" -Wl,-rpath,"$libs"
	peers+=(mimalloc="$out/alloc_mi")
fi
if peer bdwgc; then
	build gc -I"$dir/usr/include" \
		"$(find "$dir/usr/lib" -name libgc.a)" -ldl
	peers+=(bdwgc="$out/alloc_gc")
fi
if peer go; then
	env GOROOT="$dir" GOCACHE="$(realpath "$out")/go" GO111MODULE=off \
		GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off CGO_ENABLED=0 \
		GOPATH="$(realpath "$out")/go/path" \
		"$dir/bin/go" build -o "$out/alloc_go" "$here/alloc_bench.go" &&
		peers+=(go="$out/alloc_go")
	"$dir/bin/go" version | sed 's/^/# /'
fi
exec python3 "$here/alloc_bench.py" burrow="$out/alloc_bw" "${peers[@]}" -- "$@"
