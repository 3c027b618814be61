#!/usr/bin/env bash
# bench-cpu.sh [minutes]: processor time, thread switches and memory of the agent beside Telegraf, in the same minutes. Each reads 52 values of a
# simulated ProStar PWM once a second in two reads, over a line of 9600 baud, and publishes them to a simulated Pub/Sub. The agent sends 52
# messages a second, each with one sample. Telegraf sends one message with 52 values. Run `make build` first. Exit code 1: the agent takes more
# than the wanted share.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-5}
wanted=1.05 # processor time for a sweep, agent by Telegraf, median
version=v1.39.0
top=$PWD
telegraf=$top/bin/tools/telegraf-$version
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

if [ ! -x "$telegraf" ]; then
	echo "Building Telegraf $version with only the plugins used here. This takes some minutes."
	CGO_ENABLED=0 GOBIN=$dir go install -trimpath -ldflags '-s -w' -tags custom,inputs.modbus,outputs.cloud_pubsub,serializers.json \
		"github.com/influxdata/telegraf/cmd/telegraf@$version"
	mkdir -p bin/tools
	mv "$dir/telegraf" "$telegraf"
fi

world() { # name, port of the endpoint; the simulated clouds use the next two ports
	local name=$1 port=$2
	shift 2
	(cd "$dir/$name" && PUBSUB_EMULATOR_HOST=127.0.0.1:$((port + 2)) GOMEMLIMIT=64MiB GOMAXPROCS=2 exec "$top/bin/noi-sim" run \
		--sns "127.0.0.1:$((port + 1))" --pubsub "127.0.0.1:$((port + 2))" --status "127.0.0.1:$port" -- "$@") >"$dir/$name/out" 2>"$dir/$name/log" &
	for _ in $(seq 100); do
		pgrep -P "$!" >"$dir/$name/pid" && return
		sleep 0.1
	done
	cat "$dir/$name/log"
	exit 1
}

mkdir "$dir/agent" "$dir/telegraf"
{
	sed "/^integrations:/,\$d; s/\"\*\": 2s.*/\"*\": 1s}/" configs/demo.yaml
	printf 'integrations:\n  - {name: g, type: gcp, objects: all, topic: projects/test-project/topics/MainSolarData, endpoint: "127.0.0.1:8763"}\n'
	printf 'buffer: {commit_every: 1s}\nstatus: {listen: "127.0.0.1:8761", socket: run/agent.sock}\nclock: {source: system}\n'
} >"$dir/agent/config.yaml"
echo '{"type": "authorized_user", "client_id": "x", "client_secret": "x", "refresh_token": "x"}' >"$dir/telegraf/key.json" # only so that it starts
{
	cat <<-END
		[agent]
		  interval = "1s"
		  flush_interval = "1s"
		[[outputs.cloud_pubsub]]
		  project = "test-project"
		  topic = "MainSolarData"
		  credentials_file = "key.json"
		  data_format = "json"
		[[inputs.modbus]]
		  name = "prostar"
		  timeout = "1s"
		  controller = "file://$dir/telegraf/run/ttyNOI"
		  baud_rate = 9600
		  data_bits = 8
		  parity = "N"
		  stop_bits = 2
		  transmission_mode = "RTU"
		  configuration_type = "request"
		  [[inputs.modbus.request]]
		    slave_id = 1
		    register = "input"
		    optimization = "max_insert"
		    optimization_max_register_fill = 10
		    fields = [
	END
	for register in $(seq 0 16) 20 24 29 $(seq 33 63) 78; do
		echo "{address = $register, name = \"r$register\", type = \"FLOAT16\"},"
	done
	echo "]"
} >"$dir/telegraf/config.toml"
world agent 8761 "$top/bin/noi-agent" run --config config.yaml
world telegraf 8771 "$telegraf" --config config.toml
sleep 20

# Milliseconds of processor time, and the number of waits, of all threads. Threads do not end during a measurement.
used() { cat "/proc/$(cat "$dir/$1/pid")"/task/*/schedstat | awk '{n += $1} END {printf "%.3f", n / 1e6}'; }
waits() { cat "/proc/$(cat "$dir/$1/pid")"/task/*/status | awk '/^voluntary_ctxt/ {n += $2} END {print n}'; }
memory() { awk -v key="$2:" '$1 == key {printf "%.1f", $2 / 1024}' "/proc/$(cat "$dir/$1/pid")/status"; }
# Sweeps that have arrived. On a busy machine Telegraf loses some: its serial library waits for a reply with a fixed time limit.
sweeps() {
	case $1 in
	agent) echo $(($(grep -c '^{"published_at"' "$dir/agent/out" || true) / 52)) ;;
	telegraf) { grep -o '"fields"' "$dir/telegraf/out" || true; } | wc -l ;;
	esac
}
now() { echo "$(used "$1") $(sweeps "$1") $(waits "$1")"; }
printf '%-8s %28s %28s %8s\n' minute "agent: % of a core (sweeps)" "Telegraf: % of a core (sweeps)" ratio
for minute in $(seq "$minutes"); do
	before="$(now agent) $(now telegraf)"
	sleep 60
	echo "$before $(now agent) $(now telegraf)" | awk -v minute="$minute" -v waits="$dir/waits" '{
		agent = $7 - $1; agentSweeps = $8 - $2
		other = $10 - $4; otherSweeps = $11 - $5
		printf "%-8s %21.2f (%3d) %23.2f (%3d) %12.2f\n", minute, agent / 600, agentSweeps, other / 600, otherSweeps,
			(agent / agentSweeps) / (other / otherSweeps)
		printf "agent %d, Telegraf %d\n", ($9 - $3) / 60, ($12 - $6) / 60 >waits
	}' | tee -a "$dir/rounds"
done
printf '%-36s %s\n' "waits a second, last minute" "$(cat "$dir/waits")"
printf '%-36s agent %s, Telegraf %s\n' "resident memory, MiB" "$(memory agent VmRSS)" "$(memory telegraf VmRSS)"
printf '%-36s agent %s, Telegraf %s\n' "anonymous part of it, MiB" "$(memory agent RssAnon)" "$(memory telegraf RssAnon)"
awk '{print $NF}' "$dir/rounds" | sort -n | awk -v wanted=$wanted '{r[NR] = $1} END {
	median = r[int((NR + 1) / 2)]
	printf "CPU a sweep, agent by Telegraf: %s (%s to %s), wanted %s\n", median, r[1], r[NR], wanted
	exit median > wanted}'
