#!/bin/bash
# SPDX-License-Identifier: MIT
#
# peer.sh NAME: something to be measured against, as new as this machine's apt can
# reach, unpacked in the cache and not installed. Prints its directory, and on
# standard error its packages ("peer: NAME PACKAGE=VERSION..."). 4: it cannot be had
# here, and why is the last line there.
#
#	go		GOROOT
#	mimalloc	usr/lib, usr/include
#	bdwgc		the same
#	absl		the same
#	boost		usr/include

. "$(dirname "$0")/../vm/lib.sh"

# NAME -> "SUITE PACKAGE=VERSION..."
newest()
{
	local suite=sid list= depends p version

	case $1 in
	go)
		suite_update "$suite" || { say "$why"; return 1; }
		depends=$(pkg_field "$suite" golang-go Depends)
		depends=$(grep -oE 'golang-[0-9.]+-go' <<<"$depends" | head -n 1)
		[ -n "$depends" ] && list="$depends ${depends%-go}-src" ;;
	mimalloc)
		suite_update "$suite" || { say "$why"; return 1; }
		depends=$(pkg_field "$suite" libmimalloc-dev Depends)
		depends=$(grep -oE 'libmimalloc[0-9.]+' <<<"$depends" | head -n 1)
		[ -n "$depends" ] && list="$depends libmimalloc-dev" ;;
	bdwgc | absl)	# newer ones need a newer C library
		suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
		suite_update "$suite" || { say "$why"; return 1; }
		list="libgc1 libgc-dev"
		[ "$1" = bdwgc ] || list=libabsl-dev ;;
	boost)	# headers
		suite_update "$suite" || { say "$why"; return 1; }
		depends=$(pkg_field "$suite" libboost-dev Depends)
		list=$(grep -oE 'libboost[0-9.]+-dev' <<<"$depends" | head -n 1) ;;
	esac
	printf '%s' "$suite"
	for p in $list; do
		version=$(pkg_field "$suite" "$p" Version)
		[ -n "$version" ] || { say "no $p in $suite"; return 1; }
		printf ' %s=%s' "$p" "$version"
	done
	printf '\n'
}

name=${1:-}
case $name in
go | mimalloc | bdwgc | absl | boost) ;;
*) die "what is '$name'?" ;;
esac
why=
mkdir -p "$CACHE" || die "cannot write to the cache $CACHE"
newest_of() { newest "${1#peer-}"; }
line=$(resolve "peer-$name" newest_of)
read -r suite packages <<<"$line"
[ -n "$packages" ] || skip "no packages of $name"
dir=$CACHE/peer/$name-$(printf '%s' "$packages" | sha256sum | cut -c1-12)
lock "peer-$name"
if ! cache_has "$dir"; then
	cache_begin "$dir"
	# shellcheck disable=SC2086
	pkg_unpack "$suite" "$dir" $packages || skip "$why"
	cache_end "$dir"
fi
cache_prune peer 30
if [ "$name" = go ]; then
	dir=$(echo "$dir"/usr/lib/go-*)
	[ -x "$dir/bin/go" ] || die "no Go in $packages"
fi
echo "peer: $name $packages" >&2
printf '%s\n' "$dir"
