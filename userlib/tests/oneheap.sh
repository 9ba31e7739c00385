#!/bin/bash
# SPDX-License-Identifier: MIT
# oneheap.sh BUILD RESULTS: one heap in the process, whichever way libburrow and
# libburrow-malloc came into it (heap/anchor.h). BUILD/oneheap has the programs:
#	plain	neither		so	libburrow.so
#	a, nopie	libburrow.a	so-malloc, malloc-so	both, in that order
#	stop	oneheap_stop.c
# Prints TAP.
set -u
unset BURROW LD_PRELOAD
export BURROW_MODE=user
build=$(realpath "$1")
results=$2
lib=$build/libburrow.so
malloc=$build/libburrow-malloc.so
other=$build/oneheap/libburrow-malloc-other.so
dir=$build/oneheap
mkdir -p "$results"
exec > >(tee "$results/lib-oneheap.tap") 2>&1
export LD_LIBRARY_PATH=$build BURROW=window=1G
# the malloc's thread-local memory is more than dlopen() has to give by default
export GLIBC_TUNABLES=glibc.rtld.optional_static_tls=16384
nr=0
bad=0

# is WANT SENTENCE COMMAND...
is()
{
	local want=$1 sentence=$2 said

	shift 2
	nr=$((nr + 1))
	said=$(timeout 60 env "$@" 2>&1)
	if [[ $said == *"$want"* ]] && [ "$(wc -l <<<"$said")" = 1 ]; then
		echo "ok $nr - $sentence"
		return
	fi
	echo "not ok $nr - $sentence"
	sed 's/^/# /' <<<"$said" | head -n 5
	bad=1
}

preload=LD_PRELOAD=$malloc
is one "linked to libburrow, then libburrow-malloc" "$dir/so-malloc"
is one "linked to libburrow-malloc, then libburrow" "$dir/malloc-so"
is one "libburrow.so with the malloc preloaded" "$preload" "$dir/so"
is one "libburrow.a with the malloc preloaded" "$preload" "$dir/a"
is one "libburrow.a, not PIE, with the malloc preloaded" "$preload" \
	"$dir/nopie"
is one "libburrow.a and libburrow.so in one process" \
	LD_PRELOAD="$malloc $lib" "$dir/a"
is one "libburrow.so by dlopen() under a preloaded malloc" "$preload" \
	"$dir/plain" "now:$lib"
is one "libburrow.so by dlopen(), to itself, under a preloaded malloc" \
	"$preload" "$dir/plain" "local:$lib"
is one "the malloc by dlopen() under libburrow.so" "$dir/so" "now:$malloc"
is one "the malloc by dlopen(), to itself, under libburrow.so" "$dir/so" \
	"local:$malloc"
is one "both by dlopen(), to themselves, libburrow first" "$dir/plain" \
	"local:$lib" "local:$malloc"
is one "both by dlopen(), to themselves, the malloc first" "$dir/plain" \
	"local:$malloc" "local:$lib"
is whole "a stop waits for sections of the malloc, another copy of the library" \
	"$preload" "$dir/stop"
is "burrow: fatal: libburrow and libburrow-malloc of this process are not of" \
	"a malloc of another version is one clear line" \
	LD_PRELOAD="$other" "$dir/so"
is "has a handler already: the program's, or that of another copy of" \
	"a second scheduler in the process is one clear line" \
	"$dir/a" "run:$lib"
is "has a handler already: the program's, or that of another copy of" \
	"so it is where the two have one heap" \
	LD_PRELOAD="$malloc $lib" "$dir/a" "run:$lib"
is "cannot allocate memory in static TLS block" \
	"without room for its thread-local memory dlopen() says so" \
	GLIBC_TUNABLES=glibc.rtld.optional_static_tls=512 "$dir/so" "now:$malloc"
echo "1..$nr"
exit $bad
