#!/usr/bin/env bash
# Prints the bytes of a sample at the socket, by cloud and envelope, compared with the clouds' own clients in the same run. Fails if a ratio is
# above its limit.
set -euo pipefail
cd "$(dirname "$0")/.."
run() { go test -count 1 -v -run "$1" ./sinks/sns ./sinks/pubsub | grep -vE '^(===|--- PASS|PASS)'; }

echo "== sweeps of 48 objects on an open connection, with TLS (ratio: agent to the cloud's own client; the wanted maximum is listed)"
NOI_UPLINK_SWEEPS=${NOI_UPLINK_SWEEPS:-100} run UplinkAgainst

echo "== by attributes and envelope, without TLS (docs/messages.md)"
run UplinkOfEnvelopes

echo "== a backlog of 20,000 samples of 100 objects on Pub/Sub, of which the topic refuses some (ratio: bytes by those of a topic that refuses none; halving: this ratio in an earlier version, which halved each refused request)"
NOI_REFUSED_WINDOWS=${NOI_REFUSED_WINDOWS:-20} run UplinkOfRefused
