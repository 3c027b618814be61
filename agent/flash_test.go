package agent_test

import (
	"testing"

	"noi-agent/agent"
	"noi-agent/configs"
)

func TestFlashIsPredicted(t *testing.T) {
	const base = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {"*": 1m}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main, objects: Et_float}
`
	for name, c := range map[string]struct {
		more            string
		online, offline float64 // MB a day
	}{
		"a sweep a minute":         {"", 1440 * (14400 + 240) / 1e6, 1440 * (14400 + 42) / 1e6},
		"a window of a minute":     {"buffer: {commit_every: 1m}", 1440 * (14400 + 240) / 1e6, 1440 * (14400 + 42) / 1e6},
		"rows once in ten minutes": {"triggers: {flush_every: 10m}", (144*14400 + 1440*240) / 1e6, 1440 * (14400 + 42) / 1e6},
		"all is kept for a day":    {"buffer: {retain_after_ack: 24h}", 1440 * (2*14400 + 240 + 42) / 1e6, 1440 * (14400 + 42) / 1e6},
	} {
		parsed, faults := configs.Parse([]byte(base+c.more), mustCatalog(t))
		if err := faults.Err(); err != nil {
			t.Fatal(err)
		}
		f := agent.Flash(parsed, mustCatalog(t))
		if f.Samples != 1440 || !within(f.Online, c.online) || !within(f.Offline, c.offline) {
			t.Errorf("%s: %+v, want %.2f online and %.2f offline", name, f, c.online, c.offline)
		}
	}
}

func within(a, b float64) bool { return a > 0.999*b && a < 1.001*b }
