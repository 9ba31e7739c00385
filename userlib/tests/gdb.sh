#!/bin/sh
# SPDX-License-Identifier: MIT
# gdb.sh PROGRAM MALLOC-PROGRAM TAP: burrow.py says of addresses what the programs
# say of them (gdb_target and malloc_gdb_target, stopped in their function here()),
# live and in a core dump.
set -u
prog=$1
malloc=$2
tap=$3
script=$(dirname "$0")/../gdb/burrow.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$tap")"
: >"$tap"
nr=0
bad=0

say() { printf '%s\n' "$*" | tee -a "$tap"; }

# ask ARGUMENT...: what gdb says, in $work/out. A core dump has arenas, not all of
# the window, which would be more than the file may have.
ask()
{
	(ulimit -f 1048576 && exec env -u BURROW BURROW_MODE=user gdb -nx -batch \
		-ex 'set debuginfod enabled off' -ex "source $script" \
		"$@" \
		>"$work/out" 2>&1)
}

# expect SENTENCE LINE...: each is a pattern that $work/out has
expect()
{
	what=$1
	missing=
	shift
	nr=$((nr + 1))
	for line in "$@"; do
		grep -q -e "$line" "$work/out" || missing="$missing, '$line'"
	done
	if [ -z "$missing" ]; then
		say "ok $nr - $what"
		return
	fi
	sed 's/^/# /' "$work/out" | tee -a "$tap"
	say "not ok $nr - $what (missing$missing)"
	bad=1
}

live="burrow span tells span, class, slot and state of an address"
core="burrow span tells the same of a core dump"
same="numbers and names in burrow.py are the library's"
blocks="burrow span tells blocks of malloc from slots in magazines and spans"
if ! command -v gdb >/dev/null; then
	say "ok 1 - $live # SKIP no gdb (package gdb)"
	say "ok 2 - $core # SKIP no gdb (package gdb)"
	say "ok 3 - $blocks # SKIP no gdb (package gdb)"
	say "ok 4 - $same # SKIP no gdb (package gdb)"
	say "1..4"
	exit 0
fi

set -- -ex 'burrow span live' -ex 'burrow span hot' -ex 'burrow span old' \
	-ex 'burrow span shelved' \
	-ex 'burrow span large' -ex 'burrow span gone' -ex 'burrow span 0'
ask -ex 'break here' -ex run "$@" -ex "generate-core-file $work/core" \
	-ex kill "$prog"
expect_both()
{
	expect "$1" 'class  4: 170 slots of 48 bytes, conservative' \
		'byte 5 of it: allocated, in the window' \
		'byte 0 of it: free, in a stash of the mcache 0x' \
		'byte 0 of it: free, on a shelf of the mcache 0x' \
		'state  full' 'byte 0 of it: allocated$' \
		'state  large' 'class  0: 1 slots of 106496 bytes, noscan' \
		'byte 9 of it: allocated' 'which is in no span' \
		'0x0 is in no arena of the heap'
}
expect_both "$live"
ask "$@" "$prog" "$work/core"
expect_both "$core"

ask -ex 'break here' -ex run -ex 'burrow span live' -ex 'burrow span hot' \
	-ex 'burrow span old' -ex 'burrow span large' -ex kill "$malloc"
expect "$blocks" 'class  20: [0-9]* slots of 512 bytes, manual' \
	'byte 5 of it: allocated$' \
	'byte 0 of it: free, in a magazine of thread 1' \
	'byte 0 of it: free, in a magazine of the depot' \
	'byte 9 of it: allocated'
# A change of these that the script does not know shows nowhere else.
python3 - "$script" "$(dirname "$0")/../src/heap" >"$work/out" 2>&1 <<'END'
import re
import sys

with open(sys.argv[1], encoding="ascii") as f:
    script = f.read()
header = ""
for name in ("mspan.h", "mcache.h"):
    with open(f"{sys.argv[2]}/{name}", encoding="ascii") as f:
        header += f.read()
states = [s.lower() for s in re.findall(r"^\tBW_MSPAN_(\w+),", header, re.M)]
found = re.search(r"^STATES = \[(.*?)\]", script, re.M | re.S)[1]
if re.findall(r'"(\w+)"', found) != states:
    sys.exit(f"states: {states}")
for name in ("NO_WINDOW", "STASH_SLOTS", "STASH_BYTES"):
    value = re.search(rf"^#define BW_{name}\s+(\w+)U", header, re.M)[1]
    if f"\n{name} = {value}\n" not in script:
        sys.exit(f"{name}: {value}")
print("the same")
END
expect "$same" '^the same$'
say "1..4"
exit $bad
