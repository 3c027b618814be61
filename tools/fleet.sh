#!/usr/bin/env bash
# Simulates 100,000 gateways that lose and regain their link together, on the agent's own backoff and pacing,
# and writes the figures into docs/fleet.md and the plot docs/fleet.svg. Virtual time; some minutes of one core.
set -euo pipefail
cd "$(dirname "$0")/.."
go test ./agent/publish -run AFleetThatComesBackTogether -update -v -timeout 1h
