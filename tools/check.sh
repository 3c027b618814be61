#!/usr/bin/env bash
# make test: format, vet, staticcheck, tests with the race detector, a fuzz smoke, end to end.
# Stops at the first error. It installs all tools itself; no step is done by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s (%ds)\n' "$*" "$SECONDS"; }

say "Debian packages the tests want"
bash tools/debian.sh

# The same settings as in `make build`, so that packages are compiled only once, except for the race detector. On a fresh machine, most of the
# time is for compiling the clouds' SDKs.
export CGO_ENABLED=0 GOFLAGS="-trimpath -tags=grpcnotrace,nethttpomithttp2"

say "gofmt"
unformatted=$(git ls-files --cached --others --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted"
	exit 1
fi

# A compiler runs only for seconds, so rare garbage collection saves time. Tests do not use this setting.
rarely=400

say "go vet"
GOGC=$rarely go vet ./...

say "staticcheck"
mkdir -p bin/tools
(cd tools && GOGC=$rarely go build -o ../bin/tools/staticcheck honnef.co/go/tools/cmd/staticcheck)
GOGC=200 bin/tools/staticcheck ./...

say "build"
GOGC=$rarely make --no-print-directory build

say "licences of the linked modules"
(cd tools && go build -o ../bin/tools/sbom ./sbom)
bin/tools/sbom -version "$(cat VERSION)" -cyclonedx bin/tools/noi-agent.cdx.json -licences bin/tools/third-party-licences.txt bin/noi-agent bin/noi-sim
bin/tools/sbom -cyclonedx /dev/null -licences /dev/null -names bin/tools/licences.txt bin/noi-agent
diff -u status/web/licences.txt bin/tools/licences.txt # the page with the licences uses the first file

say "fuzz smoke"
bash tools/fuzz.sh "${FUZZTIME:-500x}" plain # inputs for each target; with a time, the number of inputs would depend on the machine

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Long simulations, which the race detector would make some five times slower. With it they run below in a shorter form, or not at all.
say "without the race detector: reads without a wrong value, the schema against the decoder, worlds, a month, distances, days"
simulations="NoWrongValueEver ConfigSchemaAndDecoderAgree TestWorlds AMonthWithoutACloud LostAnswersCarry OverADistance
	ADayIsConsistent TotalsAreTheIntegral StagesFollowTheSun BatteryNeitherRunsEmpty BatteryThatIsNotCharged"
go test -vet=off -v -run "$(printf '|%s' $simulations | cut -c2-)" ./modbus ./agent ./sim ./cmd/noi-agent >"$out/simulations" || { cat "$out/simulations"; exit 1; }
grep '^ok' "$out/simulations"
for name in $simulations; do
	grep -q "^--- PASS: .*$name" "$out/simulations" || { echo "no test has the name $name"; exit 1; }
done

# Both mostly wait for a browser or a daemon, so they run at the same time as the tests below. Their output is printed after the output of those.
(
	set -e
	say "the description of the API against routes, shapes and answers"
	(cd status/api/openapitest && go vet ./... && go test -vet=off -count=1 ./...)
	say "the pages in a browser"
	(cd status/web/browsertest && go vet ./... && go test -vet=off ./...)
) >"$out/beside" 2>&1 &
pages=$!

say "tests"
unset CGO_ENABLED GOFLAGS # the race detector needs cgo
GOGC=$rarely go list -race -deps -test -export ./... >/dev/null # compiles
# Four packages at a time, because tests wait for half of their time, and the longest first. `go vet` has run above already. -w leaves out the
# tables for debuggers, so linking takes a quarter less time.
failed=0
go test -race -vet=off -ldflags=-w -shuffle=on -p 4 -timeout 20m ./cmd/noi-agent/e2e ./agent ./store ./... || failed=1
wait "$pages" || failed=1
cat "$out/beside"
exit "$failed"
