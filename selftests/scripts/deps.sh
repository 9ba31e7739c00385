#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes sure that the packages the build and the tests need are installed:
# installs them as root, otherwise prints the one line that does.
#	deps.sh [LIST...]	other lists of packages
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)

is_installed()
{
	dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null |
		grep -qx installed
}

# The packages of one line that would have to be installed: one or none.
wanted()
{
	for p in $(echo "$1" | tr '|' ' '); do
		is_installed "$p" && return
	done
	for p in $(echo "$1" | tr '|' ' '); do
		apt-cache show "$p" >/dev/null 2>&1 && break
	done
	echo "$p"
}

find_missing()
{
	missing=
	for line in $(cat "$@" | sed 's/#.*//' | sort -u); do
		missing="$missing $(wanted "$line")"
	done
	missing=$(echo $missing)
}

[ $# != 0 ] || set -- "$top/selftests/scripts/packages" \
	"$top/selftests/vm/packages"
find_missing "$@"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "burrow: packages are missing; as root, run:" >&2
	echo "apt-get update && apt-get install --no-install-recommends -y $missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
find_missing "$@"	# alternatives show once there are lists
echo "installing: $missing"
# A server among them is not to run from now on.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod +x /usr/sbin/policy-rc.d
fi
# shellcheck disable=SC2086 # a list of words
apt-get -qq install --no-install-recommends -y $missing >/dev/null
