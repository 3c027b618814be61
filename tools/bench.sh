#!/usr/bin/env bash
# Prints the figures the product is held to: the line (bench-line.sh), and the footprint beside that of the last release: binary, memory
# at rest, start, CPU (footprint.sh). Needs `make build` first.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tools/bench-line.sh

# wanted: binary under 26 MB, resident memory under 35 MB
bash tools/footprint.sh
