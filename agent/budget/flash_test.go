package budget_test

import (
	"cmp"
	"testing"

	"noi-agent/agent/budget"
	"noi-agent/configs"
)

func TestFlashIsPredicted(t *testing.T) {
	const base = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {"*": 1m}}]}
integrations:
  - name: x
    type: gcp
    topic: projects/test-project/topics/Main
    objects: Et_float
`
	for name, c := range map[string]struct {
		more            string
		online, offline float64 // MB a day, at the most
		least           float64 // online, at least; 0: equal to online
	}{
		"a sweep a minute":         {"", 1440 * (14400 + 13000 + 90) / 1e6, 1440 * (14400 + 42) / 1e6, 0},
		"a window of a minute":     {"buffer: {commit_every: 1m}", 1440 * (14400 + 13000 + 90) / 1e6, 1440 * (14400 + 42) / 1e6, 0},
		"rows once in ten minutes": {"triggers: {flush_every: 10m}", (144*(14400+13000) + 1440*90) / 1e6, 1440 * (14400 + 42) / 1e6, 0},
		"a log of five rows":       {"triggers: {flush_every: 10m, keep: 5}", 144 * (14400 + 13000 + 5*90) / 1e6, 1440 * (14400 + 42) / 1e6, 0},
		"all is kept for a day":    {"buffer: {retain_after_ack: 24h}", 1440 * (2*14400 + 13000 + 90 + 42) / 1e6, 1440 * (14400 + 42) / 1e6, 0},
		// A commit comes before the turn of a waiting sample.
		"sent every five minutes":  {"    publish_every: 5m", 1440 * (2*14400 + 13000 + 90 + 42) / 1e6, 1440 * (14400 + 42) / 1e6, 0},
		"sent within the window":   {"    publish_every: 1m\nbuffer: {commit_every: 1m}", 1440 * (14400 + 13000 + 90) / 1e6, 1440 * (14400 + 42) / 1e6, 0},
		"changes":                  {"    when: change", 1440 * (14400 + 13000 + 90) / 1e6, 1440 * (14400 + 42) / 1e6, 24 * (14400 + 13000 + 90) / 1e6},
		"changes and nothing else": {"    when: change\n    heartbeat: 0s", 1440 * (14400 + 13000 + 90) / 1e6, 1440 * (14400 + 42) / 1e6, 0.0001},
		"changes with a beat":      {"    when: change\n    heartbeat: 10m", 1440 * (14400 + 13000 + 90) / 1e6, 1440 * (14400 + 42) / 1e6, 144 * (14400 + 13000 + 90) / 1e6},
	} {
		parsed, faults := configs.Parse([]byte(base+c.more), catalogOf(t))
		if err := faults.Err(); err != nil {
			t.Fatal(err)
		}
		least, most := budget.Flash(parsed, catalogOf(t))
		if most.Samples != 1440 || !within(most.Online, c.online) || !within(most.Offline, c.offline) {
			t.Errorf("%s: %+v, want %.2f online and %.2f offline", name, most, c.online, c.offline)
		}
		if want := cmp.Or(c.least, c.online); !within(least.Online+0.0001, want) {
			t.Errorf("%s: at least %+v, want %.2f online", name, least, want)
		}
	}
}

func within(a, b float64) bool { return a > 0.999*b && a < 1.001*b }
