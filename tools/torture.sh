#!/usr/bin/env bash
# make torture: long runs of the tests with kills, power cuts, failing system calls, damaged files, full disks and faulty controllers, to find
# rare errors. Prints the counts of these tests. `make test` has short runs of the same tests.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/debian.sh

# without the race detector: these tests mostly start processes, and a start then takes a fifth of the time
failed=0
part() { # name, package, tests
	printf '\n== %s (%ds)\n' "$1" "$SECONDS"
	NOI_TORTURE=1 go test -count=1 -v -timeout 90m -run "^($3)\$" "$2" 2>&1 |
		grep -vE '^ *=== |^ *--- PASS: .*/|^PASS$' || failed=1
}
part "kills" ./store TestOutboxSurvivesKill
part "power cuts" ./cmd/noi-agent/e2e TestPowerCutAtAnyMomentLosesNothingCommitted
part "the ledger" ./cmd/noi-agent/e2e TestEveryDueMomentIsASampleOrInAGap
part "edits of integrations" ./cmd/noi-agent/e2e TestEditsReloadsKillsAndOutages
part "failing system calls" ./store TestEveryFailedSystemCallEndsInAnErrorAndLosesNothing
part "damaged files" ./store TestDamagedFilesComeUpByThemselves
part "a full disk" ./store TestDiskFilledByANeighbourNeverStopsTheDraining
part "worlds of controllers" ./agent TestWorlds
part "the model" ./store TestStoreAgreesWithModel
printf '\n== a large backlog: start, memory, rate (%ds)\n' "$SECONDS"
go test -run '^$' -bench 'Backlog/(0|100000|1000000|10000000)$' -benchtime 1x -timeout 60m ./store | grep -E 'Benchmark|FAIL|_test.go' || failed=1
printf '\n== %s (%ds)\n' "$([ $failed = 0 ] && echo "nothing found" || echo "FAILED: see above")" "$SECONDS"
exit $failed
