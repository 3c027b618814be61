#!/usr/bin/env bash
# make test: format, vet, staticcheck, tests with the race detector, a fuzz smoke, end to end.
# Stops at the first thing that is wrong. Every install step is here, none is done by hand.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s (%ds)\n' "$*" "$SECONDS"; }

say "Debian packages the tests want"
bash tools/debian.sh

# What `make build` builds with, so that everything but the race detector's tests is compiled once: most of the time on a fresh
# machine goes into the clouds' SDKs.
export CGO_ENABLED=0 GOFLAGS="-trimpath -tags=grpcnotrace,nethttpomithttp2"

say "gofmt"
unformatted=$(git ls-files --cached --others --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted"
	exit 1
fi

# Compilers live for seconds: they need not collect their garbage as often as a program that stays. Tests do not get this.
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
diff -u status/web/licences.txt bin/tools/licences.txt # the page of the licences has the first one

say "fuzz smoke"
bash tools/fuzz.sh "${FUZZTIME:-500x}" # inputs a target: a time would depend on the machine

say "no wrong value ever: 100,000 reads, without the race detector"
go test -vet=off -run NoWrongValueEver ./modbus

say "what needs no race detector: the schema against the decoder"
go test -vet=off -run ConfigSchemaAndDecoderAgree ./cmd/noi-agent

# Both mostly wait, for a browser or a daemon, so they run beside the tests below. Their output comes after it.
beside=$(mktemp)
trap 'rm -f "$beside"' EXIT
(
	set -e
	say "the description of the API against routes, shapes and answers"
	(cd status/api/openapitest && go vet ./... && go test -vet=off -count=1 ./...)
	say "the pages in a browser"
	(cd status/web/browsertest && go vet ./... && go test -vet=off ./...)
) >"$beside" 2>&1 &
pages=$!

say "tests"
unset CGO_ENABLED GOFLAGS # the race detector needs cgo
GOGC=$rarely go list -race -deps -test -export ./... >/dev/null # compiles
# four at a time: half of what they do is waiting. Vetted they are above, once and for all dependencies
failed=0
go test -race -vet=off -shuffle=on -p 4 -timeout 20m ./... || failed=1
wait "$pages" || failed=1
cat "$beside"
exit "$failed"
