#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel-stock.sh DIR SUITE RELEASE VERSION: a Debian kernel whose modules this
# machine's own compiler can build: image and headers unpacked into DIR, none
# installed. Called by kernel.sh, which holds the lock.

. "$(dirname "$0")/lib.sh"

dir=$1 suite=$2 release=$3 version=$4
headers=usr/src/linux-headers-$release

need make make
depends=$(pkg_field "$suite" "linux-headers-$release" Depends)
common=$(printf '%s' "$depends" | grep -oE 'linux-headers-[^ ]*-common' | head -n 1)
kbuild=$(printf '%s' "$depends" | grep -oE 'linux-kbuild-[^ ,]*' | head -n 1)
cc=$(printf '%s' "$depends" | grep -oE 'gcc-[0-9]+' | head -n 1)
if [ -z "$common" ] || [ -z "$kbuild" ]; then
	skip "no headers of $release in $suite (BURROW_REFRESH=1 looks for a newer one)"
fi
command -v "$cc" >/dev/null || skip "its modules need the compiler $cc"

pkg_unpack "$suite" "$dir/image" "linux-image-$release=$version" || skip "$why"
mv "$dir/image/boot/vmlinuz-$release" "$dir/vmlinuz" &&
	mv "$dir/image/boot/config-$release" "$dir/config" ||
	die "linux-image-$release holds no vmlinuz"
rm -rf "$dir/image"

pkg_unpack "$suite" "$dir/dev" "linux-headers-$release=$version" \
	"$common=$version" "$kbuild=$version" || skip "$why"
# The packages point at their installed place, here it is under DIR.
sed -i "s|/usr/src/|$dir/dev/usr/src/|g" "$dir/dev/$headers/Makefile"
cat >"$dir/kbuild" <<END
#!/bin/sh
# kbuild DIR [make arguments]: build the module in DIR for this kernel
dir=\$1 && shift &&
exec make -C "$dir/dev/$headers" M="\$dir" CONFIG_DEBUG_INFO_BTF_MODULES= "\$@"
END
chmod +x "$dir/kbuild"
