#!/usr/bin/env bash
# Runs every fuzz target of the tree for a short while. usage: fuzz.sh [time a target]
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
found=0
while IFS=: read -r file target; do
	found=$((found + 1))
	echo "$(dirname "$file") $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 5x -parallel 2 "./$(dirname "$file")"
done < <(grep -roE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | sed 's|^\./||; s|func ||' | sort)
[ "$found" -gt 0 ] || { echo "no fuzz target found"; exit 1; }
