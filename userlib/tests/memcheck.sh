#!/bin/sh
# SPDX-License-Identifier: MIT
# memcheck.sh PROGRAM LIBBURROW-MALLOC TAP: valgrind's memcheck knows what objects
# are (PROGRAM is memcheck_target). Prints TAP.
set -u
prog=$1
malloc=$2
tap=$3
out=$(mktemp)
trap 'rm -f "$out"' EXIT
mkdir -p "$(dirname "$tap")"
: >"$tap"
nr=0
bad=0

say() { printf '%s\n' "$*" | tee -a "$tap"; }

# check SENTENCE DEED PRELOAD PATTERN...: each is in what memcheck says
check()
{
	what=$1
	deed=$2
	preload=$3
	shift 3
	nr=$((nr + 1))
	if ! command -v valgrind >/dev/null; then
		say "ok $nr - $what # SKIP no valgrind (package valgrind)"
		return
	fi
	# a collection reads every word there is, defined or not
	env -u BURROW BURROW_MODE=user BURROW_GC=off LD_PRELOAD="$preload" \
		valgrind --leak-check=full "$prog" "$deed" >"$out" 2>&1
	missing=
	for pattern in "$@"; do
		grep -q -e "$pattern" "$out" || missing="$missing, '$pattern'"
	done
	if [ -z "$missing" ]; then
		say "ok $nr - $what"
		return
	fi
	sed 's/^/# /' "$out" | tee -a "$tap"
	say "not ok $nr - $what (missing$missing)"
	bad=1
}

check "memcheck has nothing to say of objects that are used well" good '' \
	'ERROR SUMMARY: 0 errors' 'definitely lost: 0 bytes\|no leaks are possible'
check "memcheck reports a use after bw_free()" free '' \
	'Invalid read of size 1' "3 bytes inside a block of size 100 free'd"
check "memcheck reports a use of a large object after bw_free()" large-free '' \
	'Invalid read of size 1' "3 bytes inside a block of size 100,000 free'd"
check "memcheck reports a write behind a large object" large-overrun '' \
	'Invalid write of size 1' "0 bytes after a block of size 100,000 alloc'd"
check "memcheck has nothing to say of pages that large objects left" \
	large-again '' 'ERROR SUMMARY: 0 errors'
check "memcheck reports a write behind an object" overrun '' \
	'Invalid write of size 1' "0 bytes after a block of size 100 alloc'd"
check "memcheck reports objects that are lost" leak '' \
	'[0-9]* bytes in [0-9]* blocks are definitely lost'
check "memcheck reports a use after free() with our malloc preloaded" malloc \
	"$malloc" 'Invalid read of size 1' \
	"3 bytes inside a block of size 100 free'd"
say "1..$nr"
exit $bad
