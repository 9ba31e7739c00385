#!/bin/bash
# SPDX-License-Identifier: MIT
#
# gdb.sh: print what run.sh's --file wants to bring a debugger into the guest:
# lines SRC=DST, gdb as /bin/gdb and the libraries that this machine has not.
#
# It is Debian's gdb-minimal of this machine's own release, unpacked in the
# cache, not installed. Exit code 4: cannot be had here.

. "$(dirname "$0")/lib.sh"

PACKAGE=gdb-minimal
NEVER='libc6 libgcc-s1 libstdc++6'	# what comes with the compiler
ROUNDS=4				# how deep libraries need libraries

suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
[ -n "$suite" ] || skip "no $PACKAGE: this is no release of Debian"

find_version()
{
	suite_update "$suite" || { say "$why"; return 1; }
	pkg_field "$suite" "$PACKAGE" Version
}

libraries() { find "$dir/root" -name '*.so*' | sort; }

lib_path() { libraries | sed 's|/[^/]*$||' | sort -u | paste -sd:; }

is_complete()
{
	! LD_LIBRARY_PATH=$(lib_path) ldd "$dir/root/usr/bin/gdb" |
		grep -q 'not found'
}

# Unpacks what $1 (a list) depends on, prints which packages those were.
unpack_depends()
{
	local p d version

	for p in $1; do
		for d in $(pkg_field "$suite" "$p" Depends | tr ',' '\n' |
			   sed 's/^ *//; s/[ (|:].*//' | sort -u); do
			case " $NEVER $seen " in *" $d "*) continue ;; esac
			seen="$seen $d"
			version=$(pkg_field "$suite" "$d" Version)
			[ -n "$version" ] || continue
			pkg_unpack "$suite" "$dir/root" "$d=$version" || skip "$why"
			next="$next $d"
		done
	done
}

fetch()
{
	local round list=$PACKAGE next seen=$PACKAGE

	pkg_unpack "$suite" "$dir/root" "$PACKAGE=$version" || skip "$why"
	for ((round = 0; round < ROUNDS; round++)); do
		is_complete && return
		next=
		unpack_depends "$list"
		list=$next
	done
	is_complete || skip "$PACKAGE of $suite lacks libraries"
}

lock gdb
version=$(resolve "gdb-$suite" find_version) || skip "no version of $PACKAGE known"
dir=$CACHE/gdb/$suite-$version-$(hash_of "$0")
if ! cache_has "$dir"; then
	say "fetching $PACKAGE $version"
	cache_begin "$dir"
	fetch
	cache_end "$dir"
	cache_prune gdb 30
fi
# What this machine has run.sh finds by itself.
is_here() { PATH=$PATH:/sbin ldconfig -p | grep -q "^[[:space:]]*$1 "; }

printf '%s=/bin/gdb\n' "$dir/root/usr/bin/gdb"
LD_LIBRARY_PATH=$(lib_path) ldd "$dir/root/usr/bin/gdb" |
	sed -n "s|^[[:space:]]*\([^ ]*\) => \($dir/[^ ]*\) .*|\1 \2|p" |
while read -r name lib; do
	is_here "$name" || printf '%s=/lib/%s\n' "$lib" "$name"
done
