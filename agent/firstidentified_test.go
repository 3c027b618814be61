package agent_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

const autoObject = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: auto, objects: [Et_float], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main}
`

// Samples that were due before the first identification of a `model: auto` slave are a gap, both after a start and
// after a change of the line.
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
			// without the moment at the start, for which the first sample counts
			due := uint64(last.Sub(begun) / (10 * time.Second))
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

// A slave of `model: auto` is replaced by a controller of another family, which has none of the requested registers.
// It refuses the reads, so that no reply is missed, or does not answer them. It is identified again nevertheless, and
// sampled by its own family.
func TestAControllerThatGivesNothingIsIdentifiedAgain(t *testing.T) {
	for _, lacks := range []modbustest.Fault{{Exception: 2}, {Silent: true}} {
		t.Run(fmt.Sprintf("%+v", lacks), func(t *testing.T) { exchangedForAnotherFamily(t, lacks) })
	}
}

func exchangedForAnotherFamily(t *testing.T, lacks modbustest.Fault) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var addr atomic.Int32 // of time_eq_daily
		addr.Store(0x4A)
		slave.Script = func(r modbustest.Request) (f modbustest.Fault) {
			if (r.Function == 3 || r.Function == 4) && (int32(r.Addr) != addr.Load() || r.Count != 1) {
				return lacks
			}
			return f
		}
		become := exchangeable(slave)
		s := startOne(t, strings.Replace(autoObject, "Et_float", "time_eq_daily", 1), slave)
		time.Sleep(5 * time.Minute)
		become("TS-MPPT-60")
		addr.Store(0x4E)
		exchanged := time.Now()
		time.Sleep(25 * time.Minute)
		if n := s.after(exchanged); n < 6*14 {
			t.Errorf("%d samples of the new controller", n)
		}
		if problems := s.status().Problems; len(problems) > 0 {
			t.Errorf("%+v", problems)
		}
		s.stop()
	})
}
