#!/bin/bash
# SPDX-License-Identifier: MIT
# make layers: no include goes upwards. Prints TAP.
#	layers.sh		this tree, and the proof that the check can fail
#	layers.sh TREE		the tree there: each upward include, status 1
#
# Kernel:	uapi < kmod/core < kmod < kmod/tests
# Library:	uapi, userlib/include < base < backend < heap < sched < gc < rt <
#		lang < trace < whoever uses it (tests, bench, examples)
#		heap < malloc, which no other room includes
# From kmod the library may include core alone, and that in backend alone; core
# and uapi know nothing of the library, nor kmod.
#
# A quoted or bracketed name belongs to this tree if there is a file of that
# name beside the includer or under one of the roots that builds search.
set -u

here=$(cd "$(dirname "$0")/../.." && pwd)

lib_rooms="base backend heap sched gc rt lang trace"

# room FILE: the room that a path of the tree belongs to.
room()
{
	case $1 in
	uapi/*)				echo uapi ;;
	kmod/core/*)			echo core ;;
	kmod/tests/*)			echo ktests ;;
	kmod/*)				echo kmod ;;
	userlib/include/*)		echo public ;;
	userlib/src/*/*)		set -- "${1#userlib/src/}"
					echo "${1%%/*}" ;;
	userlib/*|selftests/*)		echo user ;;
	*)				echo elsewhere ;;
	esac
}

# may FROM TO: may a file of room FROM include one of room TO?
may()
{
	local r seen=

	[ "$1" = "$2" ] && return 0
	case $1-$2 in
	*-uapi)				[ "$1" != elsewhere ]; return ;;
	uapi-*)				return 1 ;;
	kmod-core|ktests-core|ktests-kmod) return 0 ;;
	core-*|kmod-*|ktests-*)		return 1 ;;
	backend-core)			return 0 ;;
	public-*)			return 1 ;;
	user-*)				return 0 ;;
	malloc-base|malloc-backend|malloc-heap|malloc-public) return 0 ;;
	malloc-*|*-malloc)		return 1 ;;
	*-public)			;;
	esac
	for r in public $lib_rooms; do
		[ "$r" = "$2" ] && seen=yes
		[ "$r" = "$1" ] && { [ -n "$seen" ]; return; }
	done
	return 1
}

# Which file of the tree an include means: nothing when it is the system's.
resolve()
{
	local from=$1 name=$2 dir path

	for dir in "$(dirname "$from")" uapi userlib/include userlib/src kmod; do
		path=$dir/$name
		[ -f "$path" ] && { realpath --relative-to=. "$path"; return; }
	done
}

# upward TREE: every include that goes upwards. Status 1 if there is one.
upward()
{
	local file line name to status=0

	cd "$1" || return 2
	while IFS=: read -r file line name; do
		name=$(sed -n 's/^[ \t]*#[ \t]*include[ \t]*["<]\([^">]*\)[">].*/\1/p' \
			<<<"$name")
		to=$(resolve "$file" "$name")
		[ -n "$to" ] || continue
		may "$(room "$file")" "$(room "$to")" && continue
		echo "$file:$line: $(room "$file") includes $to of $(room "$to")"
		status=1
	done < <(grep -rnE '^[ 	]*#[ 	]*include' --include='*.[chS]' \
		--include='*.def' uapi kmod userlib selftests 2>/dev/null)
	return $status
}

# hooks TREE: every upward call that base/hooks.def does not know, or that another
# room than it says makes or sets. Status 1 if there is one.
hooks()
{
	local file line text name by set status=0 def room

	cd "$1" || return 2
	def=userlib/src/base/hooks.def
	while IFS=: read -r file line text; do
		room=$(room "$file")
		[ "$room" = base ] && continue
		name=$(sed -n 's/.*BW_UP(\([a-z_]*\).*/\1/p;t
			s/.*bw_up_\([a-z_]*\) = .*/\1/p' <<<"$text")
		[ -n "$name" ] || continue
		read -r by set < <(sed -n "s/^BW_HOOK($name, (.*), \([a-z]*\), \([a-z]*\), [A-Z]*, [a-z]*);\$/\1 \2/p" $def)
		case $text in
		*BW_UP*) [ "$room" = "$by" ] && continue ;;
		*) [ "$room" = "$set" ] && continue ;;
		esac
		echo "$file:$line: upward call $name of $room is not in hooks.def"
		status=1
	done < <(grep -rnE 'BW_UP\(|bw_up_[a-z_]* =' --include='*.[ch]' \
		userlib/src 2>/dev/null)
	return $status
}

# plant_hook NAME FILE LINE: in a small tree with one good hook, that is found.
plant_hook()
{
	local tree found

	tree=$(mktemp -d)
	mkdir -p "$tree"/userlib/src/{base,heap,gc}
	echo 'BW_HOOK(due, (int a), heap, gc, NONE, false);' \
		>"$tree/userlib/src/base/hooks.def"
	echo 'BW_UP(due, 1);' >"$tree/userlib/src/heap/good.c"
	echo 'bw_up_due = f;' >"$tree/userlib/src/gc/good.c"
	if found=$(hooks "$tree") && [ -z "$found" ]; then
		echo "$3" >"$tree/$2"
		found=$(hooks "$tree")
		[ $? = 1 ] && [[ $found == "$2:1: "* ]]
		tell $? "$1"
	else
		tell 1 "$1 (the good tree is good: $found)"
	fi
	rm -rf "$tree"
}

# plant NAME FILE INCLUDE: in a small tree of good files, that line is found.
plant()
{
	local tree found

	tree=$(mktemp -d)
	mkdir -p "$tree"/{uapi/burrow,kmod/{core,tests}} \
		"$tree"/userlib/{include/burrow,tests,src/{base,backend,heap,malloc,rt}}
	touch "$tree"/{uapi/burrow/layout.h,kmod/heap.h,kmod/core/span.h} \
		"$tree"/kmod/tests/scene.h "$tree"/userlib/tests/tap.h \
		"$tree"/userlib/include/burrow/heap.h \
		"$tree"/userlib/src/{base/lock.h,backend/backend.h} \
		"$tree"/userlib/src/{heap/heap.h,malloc/front.h,rt/alloc.h}
	echo '#include "heap/heap.h"' >"$tree/userlib/src/malloc/good.c"
	echo '#include "core/span.h"' >"$tree/userlib/src/backend/good.c"
	echo '#include "base/lock.h"' >"$tree/userlib/src/heap/good.c"
	echo '#include <burrow/layout.h>' >"$tree/kmod/core/good.c"
	echo '#include "backend/backend.h"' >"$tree/userlib/tests/good.c"
	if found=$(upward "$tree") && [ -z "$found" ]; then
		echo "$3" >"$tree/$2"
		found=$(upward "$tree")
		[ $? = 1 ] && [[ $found == "$2:1: "* ]]
		tell $? "$1"
	else
		tell 1 "$1 (the good tree is good: $found)"
	fi
	rm -rf "$tree"
}

nr=0
bad=0

tell()
{
	nr=$((nr + 1))
	[ "$1" = 0 ] && echo "ok $nr - $2" && return
	echo "not ok $nr - $2"
	bad=1
}

if [ $# -gt 0 ]; then
	(upward "$1") && hooks "$1"
	exit
fi

found=$(upward "$here")
tell $? "no include goes upwards"
[ -z "$found" ] || sed 's/^/# /' <<<"$found"
found=$(hooks "$here")
tell $? "every upward call is in hooks.def"
[ -z "$found" ] || sed 's/^/# /' <<<"$found"
plant_hook "an upward call by another room is found" \
	userlib/src/gc/bad.c 'BW_UP(due, 1);'
plant_hook "a hook that another room sets is found" \
	userlib/src/heap/bad.c 'bw_up_due = f;'
plant "base including heap is found" \
	userlib/src/base/bad.c '#include "heap/heap.h"'
plant "backend including rt by a bracketed name is found" \
	userlib/src/backend/bad.h '  #  include <rt/alloc.h>'
plant "heap including core past backend is found" \
	userlib/src/heap/bad.c '#include "core/span.h"'
plant "malloc including rt is found" \
	userlib/src/malloc/bad.c '#include "rt/alloc.h"'
plant "heap including malloc is found" \
	userlib/src/heap/bad.c '#include "malloc/front.h"'
plant "rt including malloc is found" \
	userlib/src/rt/bad.c '#include "malloc/front.h"'
plant "a relative path hides nothing" \
	userlib/src/base/bad.c '#include "../backend/backend.h"'
plant "core including kmod is found" \
	kmod/core/bad.c '#include "../heap.h"'
plant "kmod including its tests is found" \
	kmod/bad.c '#include "tests/scene.h"'
plant "kmod including the library is found" \
	kmod/bad.c '#include "../userlib/src/base/lock.h"'
plant "uapi including anything is found" \
	uapi/burrow/bad.h '#include "../../kmod/core/span.h"'
plant "a public header including the inside is found" \
	userlib/include/burrow/bad.h '#include "../../src/base/lock.h"'
plant "the library including a test is found" \
	userlib/src/base/bad.c '#include "../../tests/tap.h"'
echo "1..$nr"
exit $bad
