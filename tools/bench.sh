#!/usr/bin/env bash
# Prints the figures the product is held to: the line (bench-line.sh), and the footprint beside the wanted one and that of the last release: binary, memory
# at rest, start, CPU (footprint.sh). Needs `make build` first.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tools/bench-line.sh

# with two and with eight integrations; prints the wanted figures beside them
bash tools/footprint.sh
