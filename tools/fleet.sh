#!/usr/bin/env bash
# Simulates 100,000 gateways that lose their link and get it back at the same time, with the agent's own code for backoff and pacing. Writes the
# figures into docs/fleet.md, and the plot docs/fleet.svg. Runs in virtual time, and needs some minutes on one core.
set -euo pipefail
cd "$(dirname "$0")/.."
go test ./agent/publish -run AFleetThatComesBackTogether -update -v -timeout 1h
