#!/usr/bin/env bash
# debian.sh [LIST]: installs the Debian packages that debian-packages.txt or LIST names when it may. What stays missing is named: the tests
# that need it skip locally, and CI=true makes it a failure.
set -euo pipefail
cd "$(dirname "$0")"
missing=()
while read -r package _; do
	case $package in ''|'#'*) continue ;; esac
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done < "${1:-debian-packages.txt}"
[ ${#missing[@]} -eq 0 ] && { echo "all there"; exit 0; }
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null && exit 0
fi
echo "missing Debian packages: ${missing[*]} (apt-get install ${missing[*]})"
[ "${CI:-}" != true ] || exit 1
