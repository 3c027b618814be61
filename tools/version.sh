#!/usr/bin/env bash
# Prints the version of the packages. If the commit has the tag vVERSION, or if there is no git, this is VERSION. Otherwise it is VERSION with the
# time of the commit, such as 0.1.0-git20261129014400; package managers sort it before the release.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(cat VERSION)
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" != "$PWD" ]; then
	echo "$version"
	exit
fi
tags=$(git tag --points-at HEAD --list 'v[0-9]*')
case $'\n'$tags$'\n' in
*$'\n'v$version$'\n'*) echo "$version" ;;
$'\n\n') echo "$version-git$(TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd)" ;;
*) echo "the commit has the tag ${tags//$'\n'/ }, and VERSION is $version: make them agree" >&2; exit 1 ;;
esac
