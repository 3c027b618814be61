#!/usr/bin/env bash
# Prints the bytes of a sample at the socket, by cloud and envelope, compared with the clouds' own clients in the same run. Fails if a ratio is
# above its limit.
set -euo pipefail
cd "$(dirname "$0")/.."
run() { go test -count 1 -v -run "$1" ./sinks/sns ./sinks/pubsub | grep -vE '^(===|--- PASS|PASS)'; }

echo "== sweeps of 48 objects on a connection that stands, TLS included (ratio: of the client's own way; wanted at most: as listed)"
NOI_UPLINK_SWEEPS=${NOI_UPLINK_SWEEPS:-100} run UplinkAgainst

echo "== by attributes and envelope, without TLS (docs/messages.md)"
run UplinkOfEnvelopes

echo "== a backlog of 20,000 samples of 100 objects on Pub/Sub, of which the topic refuses some (ratio: of a topic that refuses none; halving: as it was)"
NOI_REFUSED_WINDOWS=${NOI_REFUSED_WINDOWS:-20} run UplinkOfRefused
