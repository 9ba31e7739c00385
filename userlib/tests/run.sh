#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh BUILD RESULTS PROGRAM[@BURROW]...: runs each, as many at a time as there
# are CPUs, with BURROW set to what stands behind the @ ("+" for ","), shows its
# TAP, keeps it in RESULTS/lib-<flavour>-<test>.tap. A program that ends badly
# without saying which test failed (a sanitizer, a crash, no plan) gets a line
# for that.
set -u
unset BURROW BURROW_MODE

# one BUILD RESULTS PROGRAM[@BURROW]
one()
{
	name=$(echo "$3" | sed 's|/tests/|-|')
	tap=$2/lib-$name.tap
	bad=0
	options=
	[ "$3" = "${3#*@}" ] || options=$(echo "${3#*@}" | tr + ,)
	began=$(date +%s)
	# one that hangs is a failure, not the end of all the others
	env ${options:+"BURROW=$options"} timeout -k 10 600 "$1/${3%@*}" \
		> "$tap" 2> "$tap.err"
	status=$?
	if [ $status -ne 0 ]; then
		bad=1
		sed 's/^/# /' "$tap.err" >> "$tap"
	fi
	if ! grep -q '^1\.\.[1-9]' "$tap" ||
	   { [ $status -ne 0 ] && ! grep -q '^not ok' "$tap"; }; then
		bad=1
		echo "not ok 999 - $name ends well (exit status $status)" \
			>> "$tap"
	fi
	rm -f "$tap.err"
	# in one piece: others write too
	printf '# %s: %d s\n%s\n' "$name" $(($(date +%s) - began)) "$(cat "$tap")"
	return $bad
}

if [ "$1" = --one ]; then
	shift
	one "$@"
	exit
fi
build=$1
results=$2
shift 2
mkdir -p "$results"
printf '%s\n' "$@" |
	xargs -P "$(nproc)" -I PROGRAM sh "$0" --one "$build" "$results" PROGRAM
