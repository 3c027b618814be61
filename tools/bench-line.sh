#!/usr/bin/env bash
# Prints what the line is held to, as ratios against the wire's limit in the same run, beside goburrow's own transporter.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== full sweep of a ProStar PWM, back to back (wanted: 0.97 of the wire's limit at 9600 baud, 0.95 at 19200, 0.88 at 115200)"
go test -run '^$' -bench Sweep -benchtime 20x -benchmem ./modbus

echo "== Modbus TCP on loopback: round trips per second of the line and of goburrow's bare client (wanted: 0.9 of the bare client's)"
go test -run '^$' -bench TCPRoundTrip -benchtime 80x ./modbus

echo "== the storm in real time: wrong values (wanted: none; goburrow's for comparison)"
go test -run '^$' -bench Storm -benchtime 500x ./modbus

echo "== ten units at 19200 baud, and CPU at a sweep a second (wanted: under 2 % of a core)"
go test -run '^$' -bench 'ManyUnits|Idle' -benchtime 20x -benchmem ./modbus

echo "== ten slaves with mixed intervals, in virtual time: sweeps done of those planned (wanted: 0.90), lateness (wanted: under two exchanges)"
go test -count 1 -run TenSlaves -v ./agent | grep -E 'load|FAIL|ok'
