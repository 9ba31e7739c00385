#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds burrow.ko in a copy of the tree, so that the sources stay clean.
#	module.sh KDIR OUT
set -eu

kdir=$1
out=$2
top=$(cd "$(dirname "$0")/../.." && pwd)

if [ -z "$kdir" ] || [ ! -e "$kdir/Makefile" ]; then
	echo "burrow: no kernel headers to build the module with:" \
	     "apt-get install linux-headers-amd64 (or set KDIR)" >&2
	exit 1
fi

mkdir -p "$out/module"
cp -rp "$top/Kbuild" "$top/kmod" "$top/uapi" "$out/module/"
dir=$(cd "$out/module" && pwd)
# not our O=, which means another thing there
env -u MAKEFLAGS make -s -C "$kdir" M="$dir" W=1 \
	CONFIG_DEBUG_INFO_BTF_MODULES= modules
cp "$dir/burrow.ko" "$out/burrow.ko"
