#!/usr/bin/env bash
# Prints the cost of the outbox: the bytes written to flash, the commits compared with a plain synced file, and start and
# memory by the size of the backlog.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== 48 objects a second, a commit window of a second: bytes written (record: wanted under 16 B a sample)"
go test -run '^$' -bench Steady -benchtime 1x ./store

echo "== offline, during a catch-up of 100 samples a second, and online, in virtual time (wanted: 41 commits a minute at most for a catch-up alone, 56 B a sample online at a sweep a second)"
go test -count=1 -v -run '^TestCommitsOfACatchUp$' ./store | grep -E 'a sweep each|FAIL'

echo "== bytes a commit before and after a backlog of 200 MiB was drained (wanted: ratio at most 1.5)"
go test -run '^$' -bench AfterBacklog -benchtime 1x ./store

echo "== commits of a sweep against a plain file to which the same bytes are appended and synced"
go test -run '^$' -bench Append -benchtime 3x ./store

echo "== start, memory and rate of a separate process, by the size of the backlog (wanted: start under 2 s, memory at most 16 MiB more, rate with ten million samples 0.9 of that with 100,000)"
go test -run '^$' -bench Backlog -benchtime 1x -timeout 30m ./store | grep -v AfterBacklog
