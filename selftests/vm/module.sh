#!/bin/bash
# SPDX-License-Identifier: MIT
#
# module.sh KERNEL [make arguments]: build the tree's modules for a kernel of
# kernel.sh, away from the tree, and print the directory with the .ko files.
#
# Kbuild, kmod/ and uapi/ are copied to a cache entry keyed by their content,
# the kernel and the arguments. $BURROW_TREE is the tree, the one this script
# is in by default. Built with W=1; whatever the compiler says is shown, also
# when the entry was there already. Exit code 4: the kernel cannot be had.

. "$(dirname "$0")/lib.sh"

[ $# -ge 1 ] || die "usage: module.sh KERNEL [make arguments]"
name=$1
shift
TREE=$(cd "${BURROW_TREE:-$VM_DIR/../..}" && pwd) || die "no tree"
[ -e "$TREE/Kbuild" ] || die "$TREE has no Kbuild"
kernel=$("$VM_DIR/kernel.sh" "$name") || exit
[ "$name" != debug ] || set -- CONFIG_BURROW_KUNIT_TEST=m KBUILD_MODPOST_WARN=1 "$@"

# The sources, without what a build in the tree may have left there.
sources()
{
	cd "$TREE" && find Kbuild kmod uapi -type f ! -name '.*' ! -name '*.o' \
		! -name '*.ko' ! -name '*.mod' ! -name '*.mod.c' ! -name '*.a' \
		! -name Module.symvers ! -name modules.order -print0 2>/dev/null |
		sort -z
}

# Everything but the lines that say what is being done, that pahole (only for
# BTF, which is off) is not Debian's, and that the KUnit module is made of the
# module's own objects, which is meant.
remarks()
{
	grep -vE -e '^ +[A-Z]+( \[M\])? |^make(\[[0-9]+\])?: (Entering|Leaving)|^$' \
		-e 'pahole version differs|kernel was built with: [0-9]+$|are using: +[0-9]+$' \
		-e 'is added to multiple modules: burrow burrow_kunit$' \
		"$1" >&2
}

key=$({ sources | (cd "$TREE" && xargs -0 sha256sum); basename "$kernel"
	printf '%s\n' "$@"; hash_of "$0"; } | sha256sum | cut -c1-16)
lock "module-$key"
dir=$CACHE/module/$name-$key
if ! cache_has "$dir"; then
	cache_begin "$dir"
	sources | tar -C "$TREE" --null -T - -cf - | tar -C "$dir" -xf - ||
		die "cannot copy the sources"
	if ! "$kernel/kbuild" "$dir" W=1 "$@" modules >"$dir/build.log" 2>&1 </dev/null; then
		remarks "$dir/build.log"
		die "the module does not build for $name ($dir/build.log)"
	fi
	ls "$dir"/*.ko >/dev/null 2>&1 || die "Kbuild made no module"
	cache_end "$dir"
	cache_prune module 7
fi
remarks "$dir/build.log"
printf '%s\n' "$dir"
