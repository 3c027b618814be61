#!/usr/bin/env bash
# Runs every fuzz target of the tree for a short time. Usage: fuzz.sh [time for each target, or number of inputs such as 500x] [plain]
# Without plain, `go test -fuzz` compiles all packages once more, with counters that show which code an input reaches. It finds rare paths.
# With plain there are no counters, so nothing is compiled twice. For some hundred inputs the counters make no difference.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s} way=${2:-guided}
tests=$(mktemp -d)
trap 'rm -rf "$tests"' EXIT

targets=$(grep -roE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | sed 's|^\./||; s|func ||' | sort)
[ -n "$targets" ] || { echo "no fuzz target found"; exit 1; }

guided() { # target, directory
	go test -vet=off -run '^$' -fuzz "^$1\$" -fuzztime "$time" -fuzzminimizetime 5x -parallel 2 "./$2"
}

plain() { # target, directory
	local program=$tests/$2/test
	[ -x "$program" ] || go test -vet=off -c -o "$program" "./$2"
	(cd "$2" && "$program" -test.run '^$' -test.fuzz "^$1\$" -test.fuzztime "$time" -test.fuzzminimizetime 5x -test.parallel 2 \
		-test.fuzzcachedir "$tests/inputs") 2>&1 | sed '/built with coverage instrumentation/d'
}

# Fails if an input fails. On a busy machine a run may also fail because of its own deadline, without an input: then the target runs once more.
while IFS=: read -r file target; do
	directory=$(dirname "$file")
	echo "$directory $target"
	"$way" "$target" "$directory" 2>&1 | tee "$tests/said" && continue
	grep -q 'context deadline exceeded' "$tests/said" && ! grep -q 'Failing input' "$tests/said" || exit 1
	"$way" "$target" "$directory"
done <<<"$targets"
