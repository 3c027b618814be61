#!/usr/bin/env bash
# debian.sh [LIST]: installs the Debian packages in debian-packages.txt or LIST, if it has the permission. Prints the packages that are still
# missing. Tests that need a missing package are skipped; with CI=true a missing package is a failure.
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
