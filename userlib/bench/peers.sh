# SPDX-License-Identifier: MIT
# peers.sh, for bash: what the scripts share that measure burrow beside others. They
# say where objects go ($out, which is made) and find here: $here, $top, $flags, and the
# programs as name=program in $peers.
here=$(dirname "${BASH_SOURCE[0]}")
top=$here/../..
flags=(-O2 -std=gnu11 -D_GNU_SOURCE= -Wall -Wextra -Werror -Wno-unused-parameter -pthread)
peers=()
mkdir -p "$out"

# NAME: where it is unpacked, in $dir, or a line that says why it is not here. What it
# is goes to BENCH_PEERS, for the results (bench.py).
peer()
{
	local log

	log=$(mktemp)
	dir=$("$top/selftests/scripts/peer.sh" "$1" 2>"$log")
	if [ -n "$dir" ]; then
		export BENCH_PEERS="${BENCH_PEERS:+$BENCH_PEERS
}$1: $(sed -n "s/^peer: $1 //p" "$log")"
	else
		echo "# $1 is not here: $(tail -n 1 "$log")"
	fi
	rm -f "$log"
	[ -n "$dir" ]
}

# SOURCE PROGRAM [NAME]: a peer in Go, if there is a Go to be had
peer_in_go()
{
	local cache

	peer go || return
	mkdir -p "$out/go"
	cache=$(realpath "$out")/go
	env GOROOT="$dir" GOCACHE="$cache" GO111MODULE=off \
		GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off CGO_ENABLED=0 \
		GOPATH="$cache/path" "$dir/bin/go" build -o "$2" "$1" &&
		peers+=("${3:-go}=$2")
	"$dir/bin/go" version | sed 's/^/# /'
}

# SOURCE PROGRAM: a peer with boost.fiber, which is not unpacked from elsewhere: it is
# built against this machine's C++ library
peer_with_fiber()
{
	local log

	log=$(mktemp)
	if "${CXX:-c++}" -O2 -DNDEBUG -std=gnu++17 -Wall -Wextra -pthread \
			-o "$2" "$1" -lboost_fiber -lboost_context 2>"$log"; then
		peers+=(fiber="$2")
	elif grep -q boost/fiber "$log"; then
		echo "# boost.fiber is not here (package libboost-fiber-dev)"
	else
		cat "$log" >&2
		exit 1
	fi
	rm -f "$log"
}

# PROGRAM arguments: from C
build()
{
	local program=$1

	shift
	"${CC:-cc}" "${flags[@]}" -o "$program" "$@" || exit 1
}

# PROGRAM SOURCE HEADER LIBBURROW.a: from C, with the library
build_with_burrow()
{
	build "$1" -DPEER="\"$3\"" "$2" -I"$top/userlib/include" -I"$top/uapi" "$4"
}

# PROGRAM SOURCE HEADER: from C, with the bdwgc of $dir
build_with_bdwgc()
{
	build "$1" -DPEER="\"$3\"" "$2" -I"$dir/usr/include" \
		"$(find "$dir/usr/lib" -name libgc.a)" -ldl
	peers+=(bdwgc="$1")
}
