#!/usr/bin/env bash
# Prints the figures the product is held to: the line (bench-line.sh), memory of the daemon at rest with both
# integrations, size of the binary. Needs `make build` first.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tools/bench-line.sh

echo "== stripped binary (wanted: under 26 MB)"
stat -c '%s bytes' bin/noi-agent

echo "== memory of the daemon with both integrations, after 20 s of the demo (wanted: under 35 MB)"
out=$(mktemp)
bin/noi-sim run -- bin/noi-agent run --config configs/demo.yaml >"$out" 2>&1 &
sim=$!
trap 'kill -TERM $sim 2>/dev/null || true; wait $sim 2>/dev/null || true; rm -f "$out"' EXIT
sleep 20
agent=$(ps -o pid= --ppid $sim | tr -d ' ' | head -1)
grep -E 'VmRSS|RssAnon|VmHWM' "/proc/$agent/status"
