#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel-sid.sh DIR SUITE RELEASE VERSION: a Debian kernel too new for this
# machine's compiler and C library. Image as usual; its headers and build
# programs go into a small chroot of SUITE, with that suite's gcc, and kbuild
# runs make in there. Called by kernel.sh, which holds the lock; root only.
#
# The chroot's mounts live in a mount namespace of their own and end with it:
# nothing stays mounted, so dropping the cache entry stays a plain rm.

. "$(dirname "$0")/lib.sh"

dir=$1 suite=$2 release=$3 version=$4
root=$dir/root
PATH=$PATH:/usr/sbin:/sbin

need debootstrap debootstrap
need unshare util-linux
uri=$(mirror main) || skip "no Debian mirror in this machine's apt sources"
depends=$(pkg_field "$suite" "linux-headers-$release" Depends)
common=$(printf '%s' "$depends" | grep -oE 'linux-headers-[^ ]*-common' | head -n 1)
kbuild=$(printf '%s' "$depends" | grep -oE 'linux-kbuild-[^ ,]*' | head -n 1)
gcc=$(printf '%s' "$depends" | grep -oE 'gcc-[0-9]+' | head -n 1)
if [ -z "$common" ] || [ -z "$kbuild" ] || [ -z "$gcc" ]; then
	skip "no headers of $release in $suite (BURROW_REFRESH=1 looks for a newer one)"
fi

# 7.x splits the image: the kernel itself is in linux-binary-RELEASE
pkg_unpack "$suite" "$dir/image" "linux-binary-$release=$version" || skip "$why"
image=$(find "$dir/image" -type f -name 'vmlinuz*' | head -n 1)
config=$(find "$dir/image" -type f \( -name config -o -name "config-$release" \) | head -n 1)
[ -n "$image" ] || die "linux-binary-$release holds no vmlinuz"
mv "$image" "$dir/vmlinuz"
[ -n "$config" ] && mv "$config" "$dir/config"
rm -rf "$dir/image"

say "making a $suite chroot with $gcc"
debootstrap --variant=minbase --arch=amd64 \
	--include="$gcc,make,libelf1t64,libssl3t64,zlib1g,kmod" \
	"$suite" "$root" "$uri" >"$dir/debootstrap.log" 2>&1 ||
	skip "debootstrap $suite failed, see its log: $(grep '^E:' "$dir/debootstrap.log" | head -n 1)"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
pkg_unpack "$suite" "$root" "linux-headers-$release=$version" \
	"$common=$version" "$kbuild=$version" || skip "$why"
[ -e "$dir/config" ] || cp "$root/usr/src/linux-headers-$release/.config" "$dir/config" ||
	die "no .config of $release"

cat >"$dir/kbuild" <<END
#!/bin/sh
# kbuild DIR [make arguments]: build the module in DIR for this kernel
[ "\$(id -u)" -eq 0 ] || { echo "kbuild: needs root for its chroot" >&2; exit 1; }
dir=\$1 && shift &&
exec unshare --mount sh -c '
	root=\$1 dir=\$2 && shift 2 &&
	mount -t proc proc "\$root/proc" &&
	mkdir -p "\$root/build" &&
	mount --bind "\$dir" "\$root/build" &&
	exec chroot "\$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
		make -C /usr/src/linux-headers-$release M=/build \\
		CONFIG_DEBUG_INFO_BTF_MODULES= "\$@"
' sh "$root" "\$dir" "\$@"
END
chmod +x "$dir/kbuild"
