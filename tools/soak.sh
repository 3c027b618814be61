#!/usr/bin/env bash
# make soak: runs one daemon at the full rate of its line for half an hour (SOAK=2m: two minutes), with random faults of line, clouds, clock and
# disk, reloads, and edits over the API. At the end every sample must be accounted for, and memory, descriptors, goroutines and the store's file
# must not have grown. Writes dist/soak.svg and dist/soak.log. NOI_SOAK_SEED is the seed of the random faults, to repeat a run.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p dist
NOI_SOAK=${SOAK:-30m} NOI_SOAK_OUT=$PWD/dist CGO_ENABLED=0 go test -trimpath -tags grpcnotrace,nethttpomithttp2 -count=1 -v -timeout 90m \
	-run '^TestSoak$' ./cmd/noi-agent/e2e >dist/soak.log 2>&1 || { tail -n 60 dist/soak.log; echo "soak: FAILED, the whole output is in dist/soak.log"; exit 1; }
grep -E 'seed|PASS' dist/soak.log
echo "soak: the plot is dist/soak.svg"
