#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes sure that the packages the build and the tests need are installed:
# installs them as root, otherwise prints the one line that does.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)

missing=
for p in $(cat "$top/selftests/scripts/packages" \
	       "$top/selftests/vm/packages" | sed 's/#.*//' | sort -u); do
	dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null |
		grep -qx installed || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "burrow: packages are missing; as root, run:" >&2
	echo "apt-get update && apt-get install --no-install-recommends -y$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # a list of words
apt-get -qq install --no-install-recommends -y $missing >/dev/null
