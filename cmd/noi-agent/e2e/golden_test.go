package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
)

// fixedRegisters is a controller with known registers. A register that is not named here has 0x4000 plus its address.
// As half precision these are different numbers from 2.0 up.
func fixedRegisters(_ byte, addr, count uint16) ([]uint16, byte) {
	named := map[uint16]uint16{
		0x0000: 0x0006, 0x0001: 0x3C00, 0x0012: 0x4A0F, 0x0019: 0xC000, 0x001D: 0x7E00, // T_rts: no sensor
		0x0021: 7, 0x0022: 0x0840, 0x002E: 1, 0x002F: 0, 0x0038: 0x1000, 0x0039: 0x0001, 0x003A: 0x0081, 0x003B: 6,
		0x0045: 0, 0x0046: 0x8001, 0x0047: 0, 0x0048: 0x0008, 0x004D: 8, 0x004E: 1,
		0x0026: 0x0001, 0x0027: 0x0000, 0x0036: 0, 0x0037: 10000,
	}
	regs := make([]uint16, count)
	for i := range regs {
		at := addr + uint16(i)
		value, ok := named[at]
		if !ok {
			value = 0x4000 + at
		}
		regs[i] = value
	}
	return regs, 0
}

func fixedSlave() *modbustest.Slave {
	return &modbustest.Slave{
		Unit: 1, Read: fixedRegisters,
		Identity: &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "PS-PWM-30M", Revision: "v01.04.06"},
	}
}

// frozen is the time of the example in docs/messages.md. The monotonic clock does not move either.
func frozen(p *cli.Program) {
	at := time.Date(2022, 6, 28, 8, 20, 29, 502_000_000, time.UTC)
	p.Now = func() time.Time { return at }
	p.Elapsed = func() time.Duration { return 42 * time.Second }
	p.Time = clock.Source{Boot: "5cf3eb5a-9f0b-4a5e-9f8f-3f8d5c0a7f11", Uptime: p.Elapsed}
}

// TestGoldenEndToEnd reads every live object of a controller once. It compares the messages at both clouds, the
// status and the trigger log with golden files.
func TestGoldenEndToEnd(t *testing.T) {
	w := newWorld(t, fixedSlave())
	daemon := w.start(w.config("encodings: {kWhc_r: u16, kWhc_t: f16}", "all"), frozen)
	const samples = 53 // 54 live objects, one of them without a sensor
	eventually(t, "both clouds have all samples and the outbox knows it", func() bool {
		s := w.status()
		return w.sns.Taken() == samples && w.pubsub.Taken() == samples &&
			s.Integrations[0].Sent == samples && s.Integrations[1].Sent == samples
	})
	status := w.get("/api/v1/status")
	metrics := w.get("/metrics")
	values := w.get("/api/v1/objects")
	snsRows := w.get("/api/v1/triggers?limit=500&integration=" + snsID)
	pubsubRows := w.get("/api/v1/triggers?limit=500&integration=" + pubsubID)
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	if log := daemon.stderr.String(); !strings.Contains(log, " lines=1 slaves=1 integrations=2 ") {
		t.Error("the line \"ready\" of the log has wrong counts of the configuration")
	}
	clitest.Golden(t, "sns-messages.jsonl", messageLines(w.sns.Messages()))
	clitest.Golden(t, "pubsub-messages.jsonl", messageLines(w.pubsub.Messages()))
	clitest.Golden(t, "status.json", steady(status, w))
	clitest.Golden(t, "metrics.txt", steadyMetrics(metrics))
	clitest.Golden(t, "objects.json", steady(values, w))
	clitest.Golden(t, "sns-triggers.json", steady(snsRows, w))
	clitest.Golden(t, "pubsub-triggers.json", steady(pubsubRows, w))
	voltage := slices.ContainsFunc(w.sns.Messages(), func(m standin.Message) bool {
		return bytes.Contains(m.Body, []byte(`"data":12.117188,`)) && bytes.Contains(m.Body, []byte(`"object":"adc_vbterm"`))
	})
	if !voltage {
		t.Error("no message has adc_vbterm as 12.117188")
	}
}

// messageLines prints each message's body, exactly, and its attributes after it.
func messageLines(messages []standin.Message) []byte {
	var out bytes.Buffer
	for _, m := range messages {
		out.Write(m.Body)
		for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
			fmt.Fprintf(&out, " %s=%s", name, m.Attributes[name])
		}
		out.WriteByte('\n')
	}
	return storeID.ReplaceAll(out.Bytes(), []byte("$1-00000000-"))
}

// storeID is the random id of a store. The golden files do not have it.
var storeID = regexp.MustCompile(`(5300520006504b5957343920)-[0-9a-f]{8}-`)

// steady indents JSON and removes the differences between runs: paths, counts that depend on the real time, and
// whether the clouds were faster than the commit.
func steady(raw []byte, w *world) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", " "); err != nil {
		w.t.Fatalf("%s: %v", raw, err)
	}
	text := strings.ReplaceAll(out.String(), w.pty.Path(), "/dev/pts/N")
	for _, key := range []string{"load", "bytes", "commits", "committed", "spared", "written_bytes", "today_sent", "today_received", "month_sent", "month_received", "sent_per_sample", "samples", "id", "turnaround_p50_ms", "turnaround_p99_ms", "lateness_ms", "age_s", "last_success_age_s", "oldest_age_s", "booted_age_s"} {
		text = regexp.MustCompile(`"`+key+`": [0-9.e-]+`).ReplaceAllString(text, `"`+key+`": 0`)
	}
	text = regexp.MustCompile(`http://127\.0\.0\.1:[0-9]+`).ReplaceAllString(text, "http://127.0.0.1:8780")
	return append([]byte(strings.TrimSpace(text)), '\n')
}

// steadyMetrics does the same as steady for the text of /metrics. It leaves out the metrics of Go and of the process.
func steadyMetrics(raw []byte) []byte {
	raw = regexp.MustCompile(`(?m)^(# (HELP|TYPE) )?(go|process)_.*\n`).ReplaceAll(raw, nil)
	volatile := regexp.MustCompile(`(?m)^(noi_(?:line_load|slave_load|slave_turnaround|slave_lateness|store_bytes|store_samples|store_commits_total|store_committed_samples_total|store_written_bytes_total|integration_uplink_month_bytes|store_spared_samples_total)[^ ]*) .*$`)
	return volatile.ReplaceAll(raw, []byte("$1 0"))
}
