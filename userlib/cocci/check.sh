#!/bin/sh
# SPDX-License-Identifier: MIT
# barriers.cocci does what it says: on tried.c, and on the examples. Prints TAP.
#	check.sh OUT RESULT CFLAGS...
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$1
tap=$2
shift 2
mkdir -p "$out"
exec 3>&1 > "$tap"
status=0

tell()
{
	nr=$((${nr:-0} + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr - $2"
	else
		echo "not ok $nr - $2"
		sed 's/^/# /' "$out/log"
		status=1
	fi
}

end()
{
	echo "1..$nr"
	cat "$tap" >&3
	exit $status
}

# rewrite FILE
rewrite()
{
	spatch --very-quiet --sp-file "$here/barriers.cocci" --in-place "$1" \
		> "$out/diff" 2> "$out/told"
}

if ! command -v spatch > /dev/null; then
	nr=1
	echo "ok 1 - plain stores become barriers # SKIP spatch is not" \
		"installed (apt-get install coccinelle)"
	end
fi
cp "$here/tried.c" "$out/tried.c"
rewrite "$out/tried.c"
diff -w "$here/tried.out.c" "$out/tried.c" > "$out/log" 2>&1
tell $? "plain stores into objects become barriers, and no others"
grep -c 'pointers are stored here' "$out/told" > "$out/log"
[ "$(cat "$out/log")" = "$(grep -c 'is told' "$here/tried.c")" ]
tell $? "what cannot be rewritten is told"
"$@" -Wno-missing-prototypes -c -o "$out/tried.o" "$out/tried.c" > "$out/log" 2>&1
tell $? "what was rewritten compiles"
cp "$out/tried.c" "$out/again.c"
rewrite "$out/again.c"
cmp "$out/tried.c" "$out/again.c" > "$out/log" 2>&1
tell $? "a second time there is nothing to do"
: > "$out/log"
for f in "$here"/../examples/*.c "$here"/../examples/*/*.c; do
	cp "$f" "$out/example.c"
	rewrite "$out/example.c"
	diff "$f" "$out/example.c" >> "$out/log"
	cat "$out/told" >> "$out/log"
done
[ ! -s "$out/log" ]
tell $? "the examples have all of theirs"
# as one writes it who has not heard of barriers
sed 's/bw_set(&\(.*->[a-z]*\), \(.*\));/\1 = \2;/' \
	"$here/../examples/trees.c" > "$out/trees.c"
cmp -s "$out/trees.c" "$here/../examples/trees.c"
differs=$?
rewrite "$out/trees.c"
diff -w "$here/../examples/trees.c" "$out/trees.c" > "$out/log" &&
	[ $differs = 1 ]
tell $? "an example that lost them gets them back"
end
