#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel.sh NAME: print a directory that holds the kernel NAME, made if needed.
#
#	6.1	Debian's cloud kernel of bookworm
#	6.12	of bookworm-backports
#	7.x	of sid, with a sid chroot to build modules in (root only)
#	debug	6.12 built here with KUnit, KASAN, lockdep: debug.config
#
# The directory: vmlinuz, config, version (uname -r) and kbuild, a program
# that builds the module of a directory: kbuild DIR [make arguments].
# Exit code 4, with a line that says why: the kernel cannot be had here.

. "$(dirname "$0")/lib.sh"

[ $# -eq 1 ] || die "usage: kernel.sh 6.1|6.12|7.x|debug"
name=$1
case $name in
6.1) suite=bookworm recipe=kernel-stock.sh ;;
6.12) suite=bookworm-backports recipe=kernel-stock.sh ;;
7.x) suite=sid recipe=kernel-sid.sh ;;
debug) recipe=kernel-debug.sh ;;
*) die "no kernel is called $name" ;;
esac
[ "$name" != 7.x ] || [ "$(id -u)" -eq 0 ] ||
	skip "7.x needs root, its modules are built in a chroot"
[ "$(uname -m)" = x86_64 ] || skip "the rig knows x86-64 only"

# "release package-version", from the meta package linux-image-cloud-amd64
find_version()
{
	suite_update "$suite" || { say "$why"; return 1; }
	pkg_field "$suite" linux-image-cloud-amd64 Depends |
		sed -nE 's/.*linux-image-([^ ]*-cloud-amd64) \(= ([^)]*)\).*/\1 \2/p'
}

lock "kernel-$name"
for entry in "$CACHE/kernel/$name-"*/; do	# runs that died half-way
	[ -e "$entry/.complete" ] || rm -rf --one-file-system "$entry"
done
[ "$name" != debug ] || exec "$VM_DIR/$recipe"

pair=$(resolve "kernel-$name" find_version) || skip "no version of $name known"
release=${pair% *}
version=${pair#* }
dir=$CACHE/kernel/$name-$version-$(hash_of "$VM_DIR/$recipe")
if ! cache_has "$dir"; then
	say "fetching the kernel $name, $version"
	cache_begin "$dir"
	"$VM_DIR/$recipe" "$dir" "$suite" "$release" "$version" || {
		status=$?
		rm -f "$CACHE/resolved/kernel-$name"
		exit "$status"
	}
	printf '%s\n' "$release" >"$dir/version"
	for f in vmlinuz config kbuild; do
		[ -e "$dir/$f" ] || die "$recipe made no $f"
	done
	cache_end "$dir"
	cache_prune kernel 30
fi
printf '%s\n' "$dir"
