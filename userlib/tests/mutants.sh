# SPDX-License-Identifier: MIT
#
# mutants.sh: sourced by gc_mutants.sh and lang_mutants.sh, which leave out one rule at
# a time, in a copy, and see whether the test that is to know of it fails. One that no
# test finds is a hole in the tests; one whose sed no longer changes anything is a hole
# in the list. Both fail.
#
#	mutants_begin DIR PATTERN TEST...	only mutants whose name matches; the tests
#						hold as the library is
#	mutant NAME TEST FILE SED		FILE is below userlib/src
#	mutants_end				the status

# A TEST is a program of userlib/tests, or a server that examples.py tries.
run()
{
	case $1 in
	httpd|kvd) target=examples/$1; set -- "$1" python3 \
		"$dir/tree/userlib/tests/examples.py" "$dir/tree/out" "$1" ;;
	*) target=rel/tests/$1; set -- "$1" "$dir/tree/out/rel/tests/$1" ;;
	esac
	shift
	if ! make -s -C "$dir/tree" O=out CFLAGS="-O2 -w" "out/$target" \
	     > "$dir/make.log" 2>&1; then
		cat "$dir/make.log" >&2
		return 2
	fi
	timeout 100 "$@" > "$dir/log" 2>&1
	[ $? = 0 ] || return 1
}

mutants_begin()
{
	dir=$1
	only=$2
	found=0
	missed=0
	shift 2
	# a place of our own, from before, or none yet
	if [ -e "$dir" ] && [ ! -d "$dir/tree" ]; then
		echo "  $dir is something else: it stays"
		exit 1
	fi
	rm -rf "$dir"
	mkdir -p "$dir/tree"
	dir=$(cd "$dir" && pwd)
	cp -R Makefile Kbuild uapi kmod userlib selftests "$dir/tree/"
	cp -R userlib "$dir/whole"
	for t in "$@"; do
		if ! run "$t"; then
			echo "  the library as it is fails already ($t)"
			exit 1
		fi
	done
}

# The test many times: what is left out may go well.
mutant()
{
	echo "$1" | grep -q "$only" || return 0
	file=$dir/tree/userlib/src/$3
	whole=$dir/whole/src/$3
	sed -i "$4" "$file"
	if cmp -s "$whole" "$file"; then
		echo "  STALE  $1"
		missed=$((missed + 1))
		return
	fi
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		run "$2"
		status=$?
		[ $status = 0 ] || break
	done
	cp "$whole" "$file"
	if [ $status = 1 ]; then
		echo "  found  $1 (by $2, try $try)"
		found=$((found + 1))
	else
		echo "  MISSED $1 (by $2)"
		missed=$((missed + 1))
	fi
}

mutants_end()
{
	echo "$found found, $missed not"
	[ "$missed" = 0 ]
}
