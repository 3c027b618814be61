package agent_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const autoObject = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: auto, objects: [Et_float], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main}
`

// What was due before a slave of `model: auto` was identified for the first time is a gap: after a start, and after an edit of the line.
func TestBeforeTheFirstIdentificationIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		silent.Store(true)
		s := startOne(t, autoObject, slave)
		begun := time.Now().Truncate(10 * time.Second)
		missing := func() (n uint64) {
			t.Helper()
			synctest.Wait()
			for _, g := range s.status().Integrations[0].Gaps {
				if n += g.Count; !strings.HasPrefix(g.Reason, "identity: ") {
					t.Errorf("gap %+v", g)
				}
			}
			return n
		}
		accounted := func() {
			t.Helper()
			last, err := time.Parse(time.RFC3339, s.messages()[len(s.messages())-1].SampledAt)
			due := uint64(last.Sub(begun) / (10 * time.Second)) // beside the one at the start, in whose place the first sample came
			if err != nil || uint64(len(s.messages()))+missing() < due {
				t.Errorf("%d samples and %d missing of %d; gaps %q", len(s.messages()), missing(), due, s.gapRows())
			}
		}
		time.Sleep(10 * time.Minute)
		silent.Store(false)
		time.Sleep(10 * time.Minute)
		accounted()
		silent.Store(true)
		s.reload(strings.Replace(autoObject, "port: /dev/ttyA", "port: /dev/ttyA, timeout: 600ms", 1))
		time.Sleep(10 * time.Minute)
		silent.Store(false)
		time.Sleep(10 * time.Minute)
		accounted()
		if rows := s.gapRows(); len(rows) == 0 {
			t.Errorf("gaps %q", rows)
		}
		s.stop()
	})
}
