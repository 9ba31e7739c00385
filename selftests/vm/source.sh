#!/bin/bash
# SPDX-License-Identifier: MIT
#
# source.sh: print a directory with pieces of the kernel source for tests:
#
#	tools/testing/selftests/kselftest_harness.h, kselftest.h
#	scripts/checkpatch.pl, spelling.txt, const_structs.checkpatch, ...
#	linux.tar.xz	all of it; kernel-debug.sh builds from it
#
# They come from the linux-source-6.12 package and are never copied into this
# tree. Exit code 4: cannot be had here.

. "$(dirname "$0")/lib.sh"

SUITE=bookworm-backports
PACKAGE=linux-source-6.12
PIECES='tools/testing/selftests/kselftest_harness.h
tools/testing/selftests/kselftest.h
scripts/checkpatch.pl
scripts/spelling.txt
scripts/const_structs.checkpatch
scripts/kernel-doc
scripts/coccicheck
scripts/coccinelle
scripts/get_maintainer.pl
scripts/Lindent
.clang-format
COPYING'

find_version()
{
	suite_update "$SUITE" || { say "$why"; return 1; }
	pkg_field "$SUITE" "$PACKAGE" Version
}

need xz xz-utils
lock source
version=$(resolve source find_version) || skip "no version of $PACKAGE known"
dir=$CACHE/source/$version-$(hash_of "$0")
if ! cache_has "$dir"; then
	say "fetching the kernel source, $version"
	cache_begin "$dir"
	pkg_unpack "$SUITE" "$dir/deb" "$PACKAGE=$version" ||
		{ rm -f "$CACHE/resolved/source"; skip "$why"; }
	mv "$dir/deb/usr/src/$PACKAGE.tar.xz" "$dir/linux.tar.xz" ||
		die "$PACKAGE holds no tarball"
	rm -rf "$dir/deb"
	printf '%s\n' "$version" >"$dir/version"
	# shellcheck disable=SC2086 # a list of names
	tar -C "$dir" -xf "$dir/linux.tar.xz" --strip-components=1 \
		$(printf "$PACKAGE/%s " $PIECES) || die "pieces missing in $PACKAGE"
	cache_end "$dir"
	cache_prune source 30
fi
printf '%s\n' "$dir"
