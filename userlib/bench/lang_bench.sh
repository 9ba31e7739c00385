#!/bin/bash
# SPDX-License-Identifier: MIT
# lang_bench.sh OUT BURROW'S-PROGRAM [lang_bench.py's arguments]: builds Go's rows of
# bench-lang, if there is a Go to be had, and runs both in turns.
set -u
here=$(dirname "$0")
out=$1
burrow=$2
shift 2
mkdir -p "$out/go"
peers=()

log=$(mktemp)
trap 'rm -f "$log"' EXIT
dir=$("$here/../../selftests/scripts/peer.sh" go 2>"$log")
if [ -n "$dir" ]; then
	env GOROOT="$dir" GOCACHE="$(realpath "$out")/go" GO111MODULE=off \
		GOTOOLCHAIN=local GOPROXY=off GOTELEMETRY=off CGO_ENABLED=0 \
		GOPATH="$(realpath "$out")/go/path" \
		"$dir/bin/go" build -o "$out/lang_go" "$here/lang_bench.go" &&
		peers+=(go="$out/lang_go")
	"$dir/bin/go" version | sed 's/^/# /'
else
	echo "# go is not here: $(tail -n 1 "$log")"
fi
python3 "$here/lang_bench.py" burrow="$burrow" "${peers[@]}" -- "$@"
