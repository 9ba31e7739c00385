#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run: one test program. Its TAP goes to a file; what is worth reading, and one
# line that counts, to the terminal.
#
#	usage: run.sh PROGRAM FILE.tap
set -u

"$1" > "$2" 2> "$2.log"
status=$?
grep -v '^ok \|^1\.\.' "$2" | sed 's/^/    /'
if [ "$status" -ne 0 ] || ! grep -q '^1\.\.[1-9]' "$2"; then
	cat "$2.log"
	echo "  FAIL $1 (status $status, see $2)"
	exit 1
fi
rm -f "$2.log"
echo "  pass $1: $(grep -c '^ok ' "$2") tests"
