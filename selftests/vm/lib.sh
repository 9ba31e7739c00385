# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2016,SC2015
#
# lib.sh: what the scripts of the VM rig share. Sourced, never run.
#
# cache	one directory, $BURROW_CACHE or ~/.cache/burrow. An entry is a
#	directory whose name holds all its inputs; it counts once `.complete`
#	exists, which is written last and under the entry's lock. An entry
#	without it is the rest of a run that died and is made anew.
# apt	a private state per suite: the machine's own lists, sources and
#	installed packages are neither read nor changed. Only the address of
#	the mirror comes from the machine's apt configuration.
#
# Exit codes everywhere: 0 done, 1 error, 4 cannot be had here (a skip).

set -u
export LC_ALL=C

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${BURROW_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/burrow}
REMEMBER_DAYS=7
EXIT_SKIP=4

say() { printf 'vm: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
skip() { say "skip: $*"; exit "$EXIT_SKIP"; }

# need COMMAND PACKAGE: the one line that a missing tool costs.
need()
{
	command -v "$1" >/dev/null 2>&1 ||
		PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 ||
		die "$1 is missing: install the package $2"
}

# hash_of FILE...: twelve digits that change when any of the files does.
hash_of() { cat -- "$@" | sha256sum | cut -c1-12; }

# lock NAME: held until this process ends.
lock()
{
	local fd

	mkdir -p "$CACHE/lock" || die "cannot write to the cache $CACHE"
	exec {fd}>"$CACHE/lock/$1" || die "cannot lock $CACHE/lock/$1"
	flock -n "$fd" && return
	say "waiting for another run that makes $1"
	flock "$fd"
}

# cache_has DIR: complete? Marks it as used, for cache_prune.
cache_has() { [ -e "$1/.complete" ] && touch -c "$1/.complete"; }

cache_begin()
{
	rm -rf --one-file-system "$1" && mkdir -p "$1" || die "cannot make $1"
}

cache_end() { touch "$1/.complete" || die "cannot finish $1"; }

# cache_prune KIND DAYS: drop entries of $CACHE/KIND that nobody used lately.
cache_prune()
{
	local entry

	find "$CACHE/$1" -mindepth 1 -maxdepth 1 -type d -mtime "+$2" 2>/dev/null |
	while IFS= read -r entry; do
		[ -n "$(find "$entry/.complete" -mtime "-$2" 2>/dev/null)" ] ||
			rm -rf --one-file-system "$entry"
	done
}

# --- apt -----------------------------------------------------------------

# Debian sources as "URI SUITE" lines, read by hand: for machines whose
# package lists were never updated, where apt itself cannot say.
parse_sources()
{
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -nE 's/^deb[[:space:]]+(\[[^]]*\][[:space:]]+)?([^[:space:]]+)[[:space:]]+([^[:space:]]+).*/\2 \3/p'
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] && awk '
			function flush(  i, j, n, m, u, s) {
				n = split(uris, u); m = split(suites, s)
				for (i = 1; i <= n; i++)
					for (j = 1; j <= m; j++)
						print u[i], s[j]
				uris = suites = ""
			}
			/^[Uu][Rr][Ii][Ss]:/	{ sub(/^[^:]*:/, ""); uris = $0 }
			/^[Ss]uites:/		{ sub(/^[^:]*:/, ""); suites = $0 }
			/^[ \t]*$/		{ flush() }
			END			{ flush() }' "$f"
	done
}

# mirror main|security: the address the machine itself takes that from.
mirror()
{
	local label=Debian codename uri

	[ "$1" = security ] && label=Debian-Security
	uri=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' \
		'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
		sed -n "s/^$label|//p" | head -n 1)
	if [ -z "$uri" ]; then
		codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
		[ "$1" = security ] && codename="$codename(-security|/updates)"
		uri=$(parse_sources | awk -v s="^($codename)\$" '$2 ~ s { print $1; exit }')
		[ -n "$uri" ] &&
			say "apt has no lists yet: mirror read from the sources files"
	fi
	[ -n "$uri" ] && printf '%s\n' "$uri"
}

# apt_private SUITE get|cache ARGS...
apt_private()
{
	local state=$CACHE/apt/$1 tool=apt-$2

	shift 2
	"$tool" -q \
		-o Dir::Etc::SourceList="$state/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State::Lists="$state/lists" \
		-o Dir::State::Status="$state/status" \
		-o Dir::Cache="$state/cache" \
		-o Acquire::Languages=none -o Acquire::Retries=2 \
		-o APT::Update::Error-Mode=any -o APT::Architecture=amd64 \
		-o APT::Sandbox::User=root "$@"
}

# suite_update SUITE: fetch its lists. 1 with a reason in $why if that fails.
suite_update()
{
	local state=$CACHE/apt/$1 uri out

	need apt-get apt
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	: >"$state/status"
	uri=$(mirror main) || { why="no Debian mirror in this machine's apt sources"; return 1; }
	printf 'deb %s %s main\n' "$uri" "$1" >"$state/sources.list"
	case $1 in
	sid | *-*) ;;
	*)	uri=$(mirror security) &&
			printf 'deb %s %s-security main\n' "$uri" "$1" >>"$state/sources.list" ;;
	esac
	out=$(lock "apt-$1"; apt_private "$1" get update 2>&1) && return
	why="no package lists for $1: $(printf '%s\n' "$out" | grep '^[EW]:' | head -n 1)"
	return 1
}

# pkg_field SUITE PACKAGE FIELD: of the newest version there.
pkg_field()
{
	apt_private "$1" cache show --no-all-versions "$2" 2>/dev/null |
		sed -n "s/^$3: //p" | head -n 1
}

# pkg_unpack SUITE DIR PACKAGE=VERSION...: download and unpack, not install.
pkg_unpack()
{
	local suite=$1 dir=$2 tmp deb

	shift 2
	need dpkg-deb dpkg
	tmp=$(mktemp -d "$CACHE/download.XXXXXX") || die "cannot write to $CACHE"
	if ! (lock "apt-$suite"; cd "$tmp" && apt_private "$suite" get download "$@") >"$tmp/log" 2>&1; then
		why="download of $* failed: $(grep '^E:' "$tmp/log" | head -n 1)"
		rm -rf "$tmp"
		return 1
	fi
	mkdir -p "$dir"
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$dir" || { why="cannot unpack ${deb##*/}"; rm -rf "$tmp"; return 1; }
	done
	rm -rf "$tmp"
}

# resolve NAME FUNCTION: print what FUNCTION found out about NAME (a line such
# as "uname version"), asked again after REMEMBER_DAYS or BURROW_REFRESH=1.
# With no answer an old one still serves, so that a network is not needed.
resolve()
{
	local file=$CACHE/resolved/$1 line

	if [ "${BURROW_REFRESH:-0}" = 1 ] ||
	   [ -z "$(find "$file" -mtime "-$REMEMBER_DAYS" 2>/dev/null)" ]; then
		mkdir -p "$CACHE/resolved"
		line=$("$2" "$1") && [ -n "$line" ] &&
			printf '%s\n' "$line" >"$file.$$" && mv "$file.$$" "$file"
	fi
	[ -s "$file" ] && cat "$file"
}
