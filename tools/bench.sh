#!/usr/bin/env bash
# Prints the figures with limits: the line (bench-line.sh), and the footprint (footprint.sh: binary, memory at rest, start, CPU), compared with
# the limits and with the last release. Run `make build` first.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tools/bench-line.sh

# with two and with eight integrations; prints the limits too
bash tools/footprint.sh
