#!/bin/sh
# SPDX-License-Identifier: MIT
#
# seeds: writes the first inputs of coreheap_fuzz into a directory. Each is a
# story in the opcodes of move(); see there.
#
#	usage: seeds.sh DIR
set -eu

dir=$1
mkdir -p "$dir"

# seed NAME HEX...: the bytes, in hex
seed()
{
	name=$1
	shift
	for hex in "$@"; do
		# shellcheck disable=SC2059
		printf "\\$(printf %03o "0x$hex")"
	done > "$dir/$name"
}

# repeat N HEX...: the bytes N times over
repeat()
{
	n=$1
	shift
	i=0
	while [ "$i" -lt "$n" ]; do
		printf '%s ' "$@"
		i=$((i + 1))
	done
}

# window of 3, two arenas: allocate, touch, free, reclaim, end
seed lazy 02 03  02 10 07  0c 01 00 05  05 00  09 01 00 20 20  0a  0f
# a claim that outlives its arena
seed claim_gone 02 03  02 10 07  08 00 00 00 00 03  01 00  0a  00 00  02 10 07
# a span across two arenas, and the second goes
seed cross 02 03  02 10 cf ff  02 10 10  0c 02 04 08  01 01  0f
# batches, aligned and not
# shellcheck disable=SC2046
seed batches 02 03 $(repeat 20 04 03 05 08 04 10 01 27 05 00)
# every other page free
# shellcheck disable=SC2046
seed holes 00 01 $(repeat 60 02 10 00) $(repeat 30 05 01) $(repeat 10 02 01 00)
# a full arena, drained and refilled
# shellcheck disable=SC2046
seed full 00 01 $(repeat 18 02 10 c1 00) $(repeat 9 05 02) $(repeat 9 04 10 c0 80 09)
# an odd window with a gap between its arenas
seed gap 12 05  02 10 cf ff  02 10 20  0e 01 00 40  00 01  02 10 cf ff  0f
# discards and what they forbid
seed discard 02 01  02 10 20  0c 01 00 20  08 00 00 00 03 05  07 01 00 00 \
	0d 01 00 04  0b  05 00  0e 01 00 10
# two arenas of different kinds side by side, spans up to the border, reclaim
seed kinds 02 0b  12 10 cf ff  12 10 bf  12 10 3f  02 10 20 \
	0c 02 40 3f  0c 05 00 20  05 03  05 02 \
	09 02 40 c0 ff ff ff  09 02 40 c0 ff ff ff  0a  0a  0f
# whole units of a huge arena, and a reclaim that cuts through one
seed units 02 11  22 10 c1 00  0c 01 00 c1 80  05 00  09 01 80 ff ff 20  0a  0f
# an arena that comes back as another kind
seed other_kind 02 0b  02 10 30  12 10 30  01 00  10 00  12 10 c8 00  02 10 01  0f
# guards: what may be filled, in a span and after it
seed guard 02 09  52 10 09  0e 01 00 09  08 00 00 00 03 05  0e 01 02 01  0a \
	05 00  0e 01 00 09  3f 00
# a clone, moves on both, a clone of the clone
seed clone 02 0b  02 10 cf ff  12 10 20  0c 01 00 10  05 01  1f  05 00  2f  12 10 cf 01 \
	3f 00  05 00  1f  2f  02 10 cf ff  0f  2f  01 01  0f
# a clone is refused while a claim is open
seed clone_claim 02 01  02 10 20  08 00 00 00 03 05  1f  2f  0a  1f  2f  05 00  0f
