#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh BUILD RESULTS PROGRAM[@BURROW]...: runs each, with BURROW set to what
# stands behind the @ ("+" for ","), shows its TAP, keeps it in
# RESULTS/lib-<flavour>-<test>.tap. A program that ends badly without saying
# which test failed (a sanitizer, a crash, no plan) gets a line for that.
set -u
unset BURROW BURROW_MODE
build=$1
results=$2
shift 2

mkdir -p "$results"
bad=0
for prog in "$@"; do
	name=$(echo "$prog" | sed 's|/tests/|-|')
	tap=$results/lib-$name.tap
	echo "# $name"
	options=
	[ "$prog" = "${prog#*@}" ] || options=$(echo "${prog#*@}" | tr + ,)
	env ${options:+"BURROW=$options"} "$build/${prog%@*}" \
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
	cat "$tap"
done
exit $bad
