#!/bin/bash
# SPDX-License-Identifier: MIT
# servers_bench.sh OUT EXAMPLES [servers_bench.py's arguments]: kvd beside redis-server
# and httpd beside Go's net/http and nginx, where these are installed or can be had.
set -u
out=$1
examples=$2
shift 2
. "$(dirname "$0")/peers.sh"

peer_in_go "$here/servers_bench.go" "$out/servers_go"
exec python3 "$here/servers_bench.py" "$examples" "$out" "${peers[0]-}" "$@"
