#!/usr/bin/env bash
# Prints the figures the product is held to: the line against the wire's limit beside goburrow's transporter,
# memory of the daemon at rest with both integrations, size of the binary. Needs `make build` first.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== the line: share of the wire's limit (wanted: 0.9 at 9600 baud, 0.7 at 115200)"
go test -run '^$' -bench Sweep -benchtime 5x -benchmem ./modbus

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
