#!/bin/bash
# SPDX-License-Identifier: MIT
#
# kernel-debug.sh: build the debug kernel (tinyconfig + debug.config) from the
# packaged source, once per source, fragment and compiler. Called by kernel.sh,
# which holds the lock; prints the entry's directory.
#
# The tree is built in place and cut down afterwards to what a module build
# reads: 1.7 GB become less than 200 MB.

. "$(dirname "$0")/lib.sh"

FRAGMENT=$VM_DIR/debug.config
JOBS=${BURROW_JOBS:-2}

# The fragment's lines that the final .config does not hold.
dropped()
{
	sed -n '/^CONFIG_/p; /^# CONFIG_.* is not set$/p' "$FRAGMENT" |
	while IFS= read -r line; do
		grep -qxF "$line" .config && continue
		case $line in
		'# '*)	# absent is as good as "not set"
			name=${line#\# }
			grep -q "^${name%% *}=" .config || continue ;;
		esac
		printf '%s\n' "$line"
	done
}

run()
{
	"$@" >>"$dir/build.log" 2>&1 </dev/null && return
	tail -n 25 "$dir/build.log" >&2
	die "$* failed; the whole log is $dir/build.log"
}

# Keep what M= builds need, and no sources that they do not.
slim()
{
	local top

	for top in */; do
		case $top in
		arch/ | include/ | scripts/ | tools/) ;;
		*) rm -rf "$top" ;;
		esac
	done
	find arch -mindepth 1 -maxdepth 1 ! -name x86 ! -name Kconfig -exec rm -rf {} +
	find tools -mindepth 1 -maxdepth 1 ! -name objtool ! -name include -exec rm -rf {} +
	find arch/x86 -mindepth 1 -maxdepth 1 -type d ! -name include \
		! -name entry ! -name tools -exec rm -rf {} +
	find tools/objtool -mindepth 1 ! -name objtool -type f -delete
	find . \( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name '*.S' \) -delete
	rm -f vmlinux* .tmp_vmlinux* modules.* .vmlinux*
}

for tool in 'gcc gcc' 'make make' 'flex flex' 'bison bison' 'bc bc' 'xz xz-utils'; do
	# shellcheck disable=SC2086 # a command and its package
	need $tool
done
[ -e /usr/include/libelf.h ] || [ -e /usr/include/gelf.h ] ||
	die "libelf.h is missing: install the package libelf-dev"

source=$("$VM_DIR/source.sh") || exit
gcc=$(gcc -dumpfullversion)
dir=$CACHE/kernel/debug-$(cat "$source/version")-gcc$gcc-$(hash_of "$FRAGMENT" "$0")
if ! cache_has "$dir"; then
	say "building the debug kernel, some minutes (log: $dir/build.log)"
	cache_begin "$dir"
	mkdir "$dir/tree" && cd "$dir/tree" || exit 1
	tar -xf "$source/linux.tar.xz" --strip-components=1 \
		--exclude='*/tools/testing' --exclude='*/tools/perf' ||
		die "cannot unpack the kernel source"
	run make tinyconfig
	run scripts/kconfig/merge_config.sh -m .config "$FRAGMENT"
	run make olddefconfig
	lost=$(dropped)
	[ -z "$lost" ] || die "Kconfig dropped from debug.config: ${lost//$'\n'/ }"
	run make "-j$JOBS" bzImage modules_prepare
	cp arch/x86/boot/bzImage "$dir/vmlinuz"
	cp .config "$dir/config"
	cp vmlinux.symvers Module.symvers
	cat include/config/kernel.release >"$dir/version"
	slim
	cat >"$dir/kbuild" <<-'END'
	#!/bin/sh
	# kbuild DIR [make arguments]: build the module in DIR for this kernel
	here=$(cd "$(dirname "$0")" && pwd) && dir=$1 && shift &&
	exec make -C "$here/tree" M="$dir" "$@"
	END
	chmod +x "$dir/kbuild"
	cache_end "$dir"
fi
printf '%s\n' "$dir"
