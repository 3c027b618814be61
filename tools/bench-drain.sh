#!/usr/bin/env bash
# Prints three figures:
# - the rate at which the agent sends a backlog to clouds on loopback, compared with the clouds' own clients
# - the rate over a distance, compared with one request in flight
# - the time of a sample without a backlog
# Fails if a ratio, a rate, the memory or the time is outside its limit. NOI_DRAIN is the number of samples of the first
# figure (default 200000). All figures together take about five minutes; with a million samples some minutes more.
set -euo pipefail
cd "$(dirname "$0")/.."
bench() { go test -run '^$' -bench "$1" -benchtime 1x -timeout 60m ./agent | grep -E 'Benchmark|wanted|memory|acceptance|FAIL|panic' | sed -E 's/ *\t +1\t *[0-9]+ ns\/op//; s/\t */\n    /g'; }

export NOI_DRAIN=${NOI_DRAIN:-200000}
echo "== $NOI_DRAIN samples from the outbox on disk to each cloud (wanted: 0.50 of the rate of the first client in the list; RssAnon of the process at most 16 MiB above that of the first slice)"
bench Drain

echo "== over a distance: round trip and share of lost segments, with and without several requests in flight (wanted: 2.0 of one in flight; 1,500 messages a second at 100 ms without loss)"
bench Afar

echo "== time of a sample from the store until the cloud has accepted it (wanted: p99 100 ms above the commit window of 1 s), and until it is durable or spared; time of a commit alone"
bench Online
