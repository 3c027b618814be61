#!/usr/bin/env bash
# Prints how late objects are read while the status endpoint is under load, compared with an agent without requests.
# The load: 32 event streams, 8 clients with 10 requests a second each, and one download of the trigger log and one
# bundle each second. Each agent has ten controllers at 115200 baud. The two agents run at the same time, so other
# programs on the machine affect both. Limit: a ratio of 1.2. Run `make build` first. BENCH_SECONDS is the time of the
# load in seconds (default 60).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${BIN:-bin}") seconds=${BENCH_SECONDS:-60} dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

world() { # name, port of the endpoint; the simulated clouds use the next two ports
	local home=$dir/$1 port=$2 slaves="" i
	mkdir -p "$home/run"
	{
		printf 'state_dir: run/state\nlines:\n  - name: rs485\n    port: run/ttyNOI\n    baud: 115200\n    slaves:\n'
		for i in 1 2 3 4 5 6 7 8 9 10; do
			printf '      - {id: %d, model: PSPWM, name: unit-%d, encodings: {kWhc_r: f16, kWhc_t: f16}, intervals: {"*": 10s}}\n' "$i" "$i"
			slaves+="${slaves:+,}$i=PSPWM"
		done
		printf 'integrations:\n  - {name: bench, type: gcp, objects: all, topic: projects/test-project/topics/MainSolarData, endpoint: "127.0.0.1:%d"}\n' $((port + 2))
		printf 'status: {listen: "127.0.0.1:%d", socket: run/agent.sock}\nclock: {source: system}\n' "$port"
	} >"$home/config.yaml"
	(cd "$home" && exec "$bin/noi-sim" run --baud 115200 --slaves "$slaves" --status "127.0.0.1:$port" --sns "127.0.0.1:$((port + 1))" \
		--pubsub "127.0.0.1:$((port + 2))" -- "$bin/noi-agent" run --config config.yaml >out 2>&1) &
}
ready() { until curl -sf -o /dev/null "http://127.0.0.1:$1/readyz"; do sleep 0.2; done; }
lateness() { # prints the median, over all controllers, of the longest lateness since the start, in ms
	curl -s "http://127.0.0.1:$1/api/v1/status" | grep -o '"lateness_ms":[0-9]*' | cut -d: -f2 | sort -n | sed -n 5p
}
load() { # port
	local url=http://127.0.0.1:$1 i
	for i in $(seq 32); do timeout "$seconds" curl -sN -o /dev/null "$url/api/v1/events" & done
	for i in $(seq 8); do
		timeout "$seconds" curl -s -o /dev/null --rate 10/s "$url/api/v1/$([ $((i % 2)) = 0 ] && echo status || echo objects)#[1-100000]" &
	done
	timeout "$seconds" curl -s -o /dev/null --rate 1/s "$url/api/v1/triggers.csv#[1-100000]" &
	timeout "$seconds" curl -s -o /dev/null --rate 1/s "$url/api/v1/bundle#[1-100000]" &
}

world loaded 18980
world calm 18990
ready 18980
ready 18990
load 18980
sleep "$seconds"
loaded=$(lateness 18980) calm=$(lateness 18990)
echo "== lateness of polls, median over ten controllers of the greatest (wanted: a ratio of at most 1.2)"
echo "without load $calm ms, under load $loaded ms, ratio $(awk -v a="$loaded" -v b="$calm" 'BEGIN{printf "%.2f", a/b}')"
