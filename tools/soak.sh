#!/usr/bin/env bash
# make soak: one daemon at the full rate of its bus for half an hour (SOAK=2m for a short form), with random faults of line, clouds, clock
# and disk, reloads, and edits over the API. In the end every sample is accounted for, and memory, descriptors, goroutines and file are flat.
# Writes dist/soak.svg and dist/soak.log. NOI_SOAK_SEED repeats the draws of a run.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p dist
NOI_SOAK=${SOAK:-30m} NOI_SOAK_OUT=$PWD/dist CGO_ENABLED=0 go test -trimpath -tags grpcnotrace,nethttpomithttp2 -count=1 -v -timeout 90m \
	-run '^TestSoak$' ./cmd/noi-agent/e2e >dist/soak.log 2>&1 || { tail -n 60 dist/soak.log; echo "soak: FAILED, dist/soak.log has all"; exit 1; }
grep -E 'seed|PASS' dist/soak.log
echo "soak: the plot is dist/soak.svg"
