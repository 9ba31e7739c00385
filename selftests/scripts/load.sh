#!/bin/sh
# SPDX-License-Identifier: MIT
# Inserts the module into the running kernel, or removes it.
#	load.sh burrow.ko | load.sh --unload
set -eu

die()
{
	echo "burrow: $*" >&2
	exit 1
}

[ -e /proc/modules ] ||
	die "this kernel takes no modules; 'make run' shows the module in a VM"
[ "$(id -u)" = 0 ] || die "only root may load modules: try sudo make $(
	[ "$1" = --unload ] && echo unload || echo load)"

if [ "$1" = --unload ]; then
	grep -q '^burrow ' /proc/modules || die "the module is not loaded"
	rmmod burrow || die "a program still has /dev/burrow open"
	exit
fi
grep -q '^burrow ' /proc/modules && die "the module is loaded already"
want=$(modinfo -F vermagic "$1" | cut -d' ' -f1)
[ "$want" = "$(uname -r)" ] ||
	die "the module was built for $want, this kernel is $(uname -r):" \
	    "apt-get install linux-headers-$(uname -r)"
insmod "$1"
ls -l /dev/burrow
