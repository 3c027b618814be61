#!/usr/bin/env bash
# footprint.sh [save]: what the daemon needs, beside the figures of the last release in tools/footprint.txt. With "save" the figures replace
# them: at a release. The daemon runs with both clouds, and reads one controller each second. Needs `make build` first.
set -euo pipefail
cd "$(dirname "$0")/.."
record=tools/footprint.txt
top=$PWD
dir=$(mktemp -d)
sns=127.0.0.1:4511 pubsub=127.0.0.1:8511 page=127.0.0.1:8711
sed "s/127.0.0.1:4100/$sns/; s/127.0.0.1:8085/$pubsub/; s/127.0.0.1:8780/$page/; s/\"\*\": 2s/\"*\": 1s/" configs/demo.yaml >"$dir/demo.yaml"

# as the unit has them
(cd "$dir" && GOMEMLIMIT=64MiB GOMAXPROCS=2 exec "$top/bin/noi-sim" run --sns $sns --pubsub $pubsub --status $page -- \
	"$top/bin/noi-agent" run --config demo.yaml) >"$dir/out" 2>"$dir/log" &
sim=$!
trap 'kill -TERM $sim 2>/dev/null || true; wait $sim 2>/dev/null || true; rm -rf "$dir"' EXIT

for _ in $(seq 600); do
	grep -q 'msg="agent started"' "$dir/log" && break
	sleep 0.1
done
grep -q 'msg="agent started"' "$dir/log" || { cat "$dir/log"; echo "footprint: the daemon has not started after a minute"; exit 1; }
agent=$(pgrep -P $sim noi-agent)
hertz=$(getconf CLK_TCK)

# The kernel knows when the process began, in ticks since the boot.
ready=$(date -d "$(sed -n 's/^time=\([^ ]*\) .*msg="agent started".*/\1/p' "$dir/log" | head -1)" +%s.%N)
began=$(awk -v now="$(date +%s.%N)" -v up="$(cut -d' ' -f1 /proc/uptime)" -v hertz="$hertz" '{print now - up + $22 / hertz}' OFMT=%.3f "/proc/$agent/stat")
ticks() { awk '{print $14 + $15}' "/proc/$agent/stat"; }
sleep 10
before=$(ticks)
sleep 60
after=$(ticks)
memory() { awk -v key="$1:" '$1 == key {printf "%.1f", $2 / 1024}' "/proc/$agent/status"; }

now() {
	echo "version: $(cat VERSION) of $(date -u +%Y-%m-%d)"
	echo "machine: $(uname -m), $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
	echo "load while measured: $(cut -d. -f1 /proc/loadavg)"
	echo "binary, MB: $(stat -c %s bin/noi-agent | awk '{printf "%.1f", $1 / 1e6}')"
	echo "resident memory at rest, MiB: $(memory VmRSS)"
	echo "anonymous part of it, MiB: $(memory RssAnon)"
	echo "start to ready, ms: $(awk -v a="$began" -v b="$ready" 'BEGIN {printf "%.0f", (b - a) * 1000}')"
	echo "CPU at a sweep a second, % of a core: $(awk -v n=$((after - before)) -v hertz="$hertz" 'BEGIN {printf "%.1f", n / hertz / 60 * 100}')"
}
now >"$dir/now"
echo "== footprint: now, and at the last release: $(sed -n 's/^version: //p' $record) on $(sed -n 's/^machine: //p' $record)"
awk -F': ' 'NR == FNR {was[$1] = $2; next} $1 != "version" {printf "%-40s %-32s %s\n", $1, $2, was[$1]}' $record "$dir/now"
cmp -s <(grep ^machine "$dir/now") <(grep ^machine $record) || echo "Other machine: start and CPU cannot be compared."
[ "${1:-}" != save ] || cp "$dir/now" $record
