#!/bin/sh
# SPDX-License-Identifier: MIT
# Counts the results in files of TAP lines: prints "passed failed skipped".
#	tally.sh FILE...
cat /dev/null "$@" | awk '
	/^not ok/		{ failed++; next }
	/^ok .*# *[Ss][Kk][Ii][Pp]/	{ skipped++; next }
	/^ok/			{ passed++; next }
	/^Bail out!/		{ failed++ }
	END { printf "%d %d %d\n", passed, failed, skipped }'
