#!/bin/sh
# SPDX-License-Identifier: MIT
# checkpatch over all C and header files, sparse and W=1 over the module.
# Prints TAP.
#	style.sh KDIR OUT	SINCE=REVISION: only what has changed since then
set -u

kdir=$1
out=$2
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$out/style"
cd "$top" || exit 1
status=0

# tell OK|SKIP|FAIL sentence [file to show]
tell()
{
	nr=$((${nr:-0} + 1))
	case $1 in
	ok)	echo "ok $nr - $2" ;;
	skip)	echo "ok $nr - $2 # SKIP $3" ;;
	*)	echo "not ok $nr - $2"; sed 's/^/# /' "$3" | head -n 60
		status=1 ;;
	esac
}

echo "1..3"

# files PATTERN...: of the tree
files()
{
	if [ -n "${SINCE:-}" ]; then
		git diff --name-only --diff-filter=d "$SINCE" -- "$@"
	else
		git ls-files -co --exclude-standard -- "$@"
	fi
}

# What checkpatch knows of the kernel tree alone, or of C11 not yet:
#   C99_COMMENTS is on; SPDX lines are checked.
#   NEW_TYPEDEFS: u8..u64 in env_user.h are the kernel's own names.
#   SPLIT_STRING, VOLATILE: tests that print, and watch memory change.
#   UNCOMMENTED_DEFINITION: kernel-doc above the struct says what a lock is for.
#   CAMELCASE: libFuzzer's entry point; REPEATED_WORD: tables in comments.
#   MACRO_ARG_UNUSED: macros that count their arguments.
#   BIT_MACRO, ARRAY_SIZE: not to be had in uapi headers and programs.
ignore=FILE_PATH_CHANGES,NEW_TYPEDEFS,SPLIT_STRING,VOLATILE,CONST_STRUCT
ignore=$ignore,PREFER_KERNEL_TYPES,CONSTANT_COMPARISON,AVOID_EXTERNS
ignore=$ignore,BIT_MACRO,ARRAY_SIZE,UNCOMMENTED_DEFINITION,CAMELCASE
ignore=$ignore,REPEATED_WORD,USE_RELATIVE_PATH,EMBEDDED_FUNCTION_NAME,LINUX_VERSION_CODE
ignore=$ignore,PREFER_DEFINED_ATTRIBUTE_MACRO,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,COMPLEX_MACRO,TRACING_LOGGING
if src=$(selftests/vm/source.sh 2>"$out/style/source.log"); then
	check()	# IGNORE-TOO, file names on standard input
	{
		xargs -r -n 40 -P "$(nproc)" perl "$src/scripts/checkpatch.pl" --no-tree --no-summary \
			--terse --strict --show-types --max-line-length=100 \
			--ignore "$ignore$1" -f
	}
	# FIXTURE_DATA(x) *self, a macro of the harness, is not seen as a declaration;
	# a trace header is written as all trace headers are
	{
		echo kmod/burrow_trace.h |
			check ,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE
		files 'selftests/*.c' |
			check ,SPACING,LINE_SPACING
		files '*.c' '*.h' ':!selftests/*.c' ':!kmod/burrow_trace.h' |
			check ""
	} >"$out/style/checkpatch.log" 2>&1
	rm -f .checkpatch-camelcase.git.*
	if grep -q '' "$out/style/checkpatch.log"; then
		tell fail "checkpatch has nothing to say" "$out/style/checkpatch.log"
	else
		tell ok "checkpatch has nothing to say"
	fi
else
	tell skip "checkpatch has nothing to say" \
		"$(tail -n 1 "$out/style/source.log")"
fi

if [ -n "${SINCE:-}" ] && git diff --quiet "$SINCE" -- Kbuild kmod uapi; then
	tell skip "the module is clean under W=1 and sparse" "not changed"
elif [ -e "$kdir/Makefile" ]; then
	dir=$out/style/module
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r Kbuild kmod uapi "$dir/"
	# not our O=, which means another thing there
	env -u MAKEFLAGS make -s -C "$kdir" M="$(cd "$dir" && pwd)" \
		W=1 C=2 CF=-Wsparse-error CONFIG_DEBUG_INFO_BTF_MODULES= modules \
		>"$out/style/module.log" 2>&1
	built=$?
	grep -v '^Skipping BTF' "$out/style/module.log" \
		>"$out/style/module.warnings"
	if [ $built = 0 ] && ! [ -s "$out/style/module.warnings" ]; then
		tell ok "the module is clean under W=1 and sparse"
	else
		tell fail "the module is clean under W=1 and sparse" \
			"$out/style/module.log"
	fi
else
	tell skip "the module is clean under W=1 and sparse" "no kernel headers"
fi

grep -rnE '[ 	]+$' --include='*.[chS]' --include='*.sh' --include='*.mk' \
	--include=Makefile --include=Kbuild . --exclude-dir=build \
	--exclude-dir=.git >"$out/style/space.log"
if [ -s "$out/style/space.log" ]; then
	tell fail "no line ends in white space" "$out/style/space.log"
else
	tell ok "no line ends in white space"
fi
exit $status
