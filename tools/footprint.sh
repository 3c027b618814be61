#!/usr/bin/env bash
# footprint.sh [save]: prints the memory, CPU time and start time of the daemon, compared with the limits and with the last release in
# tools/footprint.txt. With "save" it writes the figures into tools/footprint.txt: do this at a release. Exit code 1: a figure is above its
# limit. A daemon with two integrations (one for each cloud) and one with eight run at the same time. Each reads all 52 objects of one controller
# once a second, and sends all of them to each integration. Run `make build` first.
set -euo pipefail
cd "$(dirname "$0")/.."
record=tools/footprint.txt
top=$PWD
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

config() { # number of integrations, port of the endpoint; the simulated clouds use the next two ports
	local i
	sed "/^integrations:/,\$d; s/\"\*\": 2s.*/\"*\": 1s}/" configs/demo.yaml
	printf 'integrations:\n'
	for i in $(seq "$1"); do
		if [ $((i % 2)) = 1 ]; then
			printf '  - {name: i%d, type: aws, objects: all, topic_arn: "arn:aws:sns:us-east-2:393221637266:MainSolarData", endpoint: "http://127.0.0.1:%d"}\n' "$i" $(($2 + 1))
		else
			printf '  - {name: i%d, type: gcp, objects: all, topic: projects/test-project/topics/MainSolarData, endpoint: "127.0.0.1:%d"}\n' "$i" $(($2 + 2))
		fi
	done
	printf 'buffer: {commit_every: 1s}\nstatus: {listen: "127.0.0.1:%d", socket: run/agent.sock}\nclock: {source: system}\n' "$2"
}
world() { # number of integrations, port
	local home=$dir/$1
	mkdir -p "$home"
	config "$1" "$2" >"$home/config.yaml"
	# as in packaging/noi-agent.service
	(cd "$home" && GOMEMLIMIT=64MiB GOMAXPROCS=2 exec "$top/bin/noi-sim" run --sns "127.0.0.1:$(($2 + 1))" --pubsub "127.0.0.1:$(($2 + 2))" --status "127.0.0.1:$2" -- \
		"$top/bin/noi-agent" run --config config.yaml) >"$home/out" 2>"$home/log" &
	for _ in $(seq 600); do
		grep -q 'msg="agent started"' "$home/log" && break
		sleep 0.1
	done
	grep -q 'msg="agent started"' "$home/log" || { cat "$home/log"; echo "footprint: the daemon has not started after a minute"; exit 1; }
	pgrep -P "$!" noi-agent >"$home/pid"
}
ticks() { awk '{print $14 + $15}' "/proc/$(cat "$dir/$1/pid")/stat"; }
memory() { awk -v key="$2:" '$1 == key {printf "%.1f", $2 / 1024}' "/proc/$(cat "$dir/$1/pid")/status"; }
counters() { curl -s "http://127.0.0.1:8711/metrics" | awk '$1 == "go_memstats_mallocs_total" {n = $2} $1 == "go_memstats_alloc_bytes_total" {b = $2} END {printf "%.0f %.0f\n", n, b}'; }

world 2 8711
agent=$(cat "$dir/2/pid")
hertz=$(getconf CLK_TCK)
# The kernel gives the start time of the process, in ticks since the boot.
ready=$(date -d "$(sed -n 's/^time=\([^ ]*\) .*msg="agent started".*/\1/p' "$dir/2/log" | head -1)" +%s.%N)
began=$(awk -v now="$(date +%s.%N)" -v up="$(cut -d' ' -f1 /proc/uptime)" -v hertz="$hertz" '{print now - up + $22 / hertz}' OFMT=%.3f "/proc/$agent/stat")
world 8 8721
sleep 20
read -r n0 b0 < <(counters) # the first request for metrics costs more than the others
read -r n1 b1 < <(counters)
before=$(ticks 2)
sleep 60
after=$(ticks 2)
read -r n2 b2 < <(counters)
grep -qE '^noi_integration_sent_samples_total.* [1-9]' <(curl -s http://127.0.0.1:8711/metrics) || { cat "$dir/2/log"; echo "footprint: nothing was sent"; exit 1; }

now() {
	echo "version: $(cat VERSION) of $(date -u +%Y-%m-%d)"
	echo "machine: $(uname -m), $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
	echo "load while measured: $(cut -d. -f1 /proc/loadavg)"
	echo "binary, MB: $(stat -c %s bin/noi-agent | awk '{printf "%.1f", $1 / 1e6}')"
	echo "start to ready, ms: $(awk -v a="$began" -v b="$ready" 'BEGIN {printf "%.0f", (b - a) * 1000}')"
	echo "resident memory, MiB: $(memory 2 VmRSS)"
	echo "anonymous part of it, MiB: $(memory 2 RssAnon)"
	echo "resident memory with eight integrations, MiB: $(memory 8 VmRSS)"
	echo "anonymous part of it with eight, MiB: $(memory 8 RssAnon)"
	echo "each further integration, anonymous MiB: $(awk -v two="$(memory 2 RssAnon)" -v eight="$(memory 8 RssAnon)" 'BEGIN {printf "%.1f", (eight - two) / 6}')"
	echo "CPU at a sweep a second, % of a core: $(awk -v n=$((after - before)) -v hertz="$hertz" 'BEGIN {printf "%.1f", n / hertz / 60 * 100}')"
	echo "allocations a sweep, both clouds: $(((n2 - n1 - (n1 - n0)) / 60))"
	echo "allocated a sweep, both clouds, kB: $(((b2 - b1 - (b1 - b0)) / 60000))"
}
wanted() {
	cat <<-'END'
		binary, MB: 27
		resident memory, MiB: 32
		anonymous part of it, MiB: 11
		each further integration, anonymous MiB: 1.2
		CPU at a sweep a second, % of a core: 0.8
		allocations a sweep, both clouds: 2000
		allocated a sweep, both clouds, kB: 250
	END
}
now >"$dir/now"
wanted >"$dir/wanted"
echo "== footprint: now, wanted, and at the last release: $(sed -n 's/^version: //p' $record) on $(sed -n 's/^machine: //p' $record)"
missed=0
awk -F': ' 'FILENAME == ARGV[1] {was[$1] = $2; next} FILENAME == ARGV[2] {want[$1] = $2; next}
	BEGIN {printf "%-48s %-10s %-8s %-8s %s\n", "", "now", "wanted", "ratio", "last release"}
	$1 == "version" {next}
	{ratio = ""}
	want[$1] {ratio = sprintf("%.2f", $2 / want[$1])}
	want[$1] && $2 > want[$1] {ratio = ratio " !"; missed = 1}
	{printf "%-48s %-10s %-8s %-8s %s\n", $1, $2, want[$1], ratio, was[$1]}
	END {exit missed}' $record "$dir/wanted" "$dir/now" || missed=1
cmp -s <(grep ^machine "$dir/now") <(grep ^machine $record) || echo "Other machine: start and CPU cannot be compared."
[ "${1:-}" != save ] || cp "$dir/now" $record
[ $missed = 0 ] || { echo "footprint: more than wanted (!)"; exit 1; }
