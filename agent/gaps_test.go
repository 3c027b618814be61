package agent_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
)

// gapRows returns the gaps in the trigger log, each as a short text, the oldest first.
func (s *site) gapRows() (rows []string) {
	s.t.Helper()
	page, err := s.agent.Triggers(api.TriggerQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, w := range slices.Backward(page.Triggers) {
		if g := w.Gap; g != nil {
			rows = append(rows, fmt.Sprintf("%s %s %s-%s %d (%d-%d) %s", g.Unit, g.Object,
				g.From.Format("04:05"), g.To.Format("04:05"), g.Count, g.First, g.Last, g.Reason))
		}
	}
	return rows
}

const oneObject = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main}
`

func TestWhatTheBusDidNotGiveIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := start(t, oneObject, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(25 * time.Second) // samples at 0, 10 and 20 s: numbers 1 to 3
		silent.Store(true)
		time.Sleep(40 * time.Second) // nothing at 30, 40, 50 and 60 s
		silent.Store(false)
		time.Sleep(90 * time.Second) // a probe finds the slave again
		synctest.Wait()
		back, err := time.Parse(time.RFC3339, s.messages()[3].SampledAt)
		if err != nil {
			t.Fatal(err)
		}
		missing := back.Unix()/10 - 946684820/10 - 1 // the moments after 00:00:20, without the one of the late sample
		want := fmt.Sprintf("a/1 Et_float 00:20-%s %d (4-%d) bus: no answer", back.Format("04:05"), missing, 3+missing)
		if rows := s.gapRows(); len(rows) != 1 || rows[0] != want || missing < 3 {
			t.Errorf("gaps %q, want %q", rows, want)
		}
		status := s.status().Integrations[0]
		if len(status.Gaps) != 1 || status.Gaps[0].Count != uint64(missing) || status.Dropped != 0 {
			t.Errorf("status %+v", status)
		}
		s.stop()
	})
}

func TestALateSampleIsNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := start(t, oneObject, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(15 * time.Second)
		silent.Store(true)
		time.Sleep(6 * time.Second) // not at 20 s, but soon after
		silent.Store(false)
		time.Sleep(20 * time.Second)
		s.stop()
		if rows := len(s.messages()); rows != 5 {
			t.Errorf("%d messages, want those of 0, 10, 20 (late), 30 and 40 s", rows)
		}
		if gaps := s.status().Integrations[0].Gaps; len(gaps) != 0 {
			t.Errorf("gaps %+v", gaps)
		}
	})
}

// A gap that continues is reported every hour, so that a kill does not lose it. It is one row, and the cloud gets no
// message about it before its end.
func TestAGapThatGoesOnIsToldSoFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := start(t, strings.Replace(oneObject, "type: gcp", "type: gcp, gaps: true", 1), map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(25 * time.Second) // samples at 0, 10 and 20 s: numbers 1 to 3
		silent.Store(true)
		time.Sleep(6 * time.Minute) // a dead controller is tried every five minutes
		for hour := uint64(1); hour <= 5; hour++ {
			time.Sleep(time.Hour)
			synctest.Wait()
			gaps := s.status().Integrations[0].Gaps
			if len(gaps) != 1 || gaps[0].Count > 360*hour+40 || gaps[0].Count < 360*hour-40 || gaps[0].First != 4 || gaps[0].Last != 3+gaps[0].Count {
				t.Fatalf("after %d hours: %+v", hour, gaps)
			}
			if n := len(s.sink.bodies()); n != 3 {
				t.Errorf("after %d hours %d messages, want the three samples", hour, n)
			}
		}
		silent.Store(false)
		time.Sleep(8 * time.Minute) // a probe, and a minute until the row is written
		synctest.Wait()
		gaps, messages := s.status().Integrations[0].Gaps, s.messages()
		back, err := time.Parse(time.RFC3339, messages[3].SampledAt)
		if err != nil {
			t.Fatal(err)
		}
		if missing := uint64(back.Unix()/10 - 946684820/10 - 1); len(gaps) != 1 || gaps[0].Count != missing || !gaps[0].To.Equal(back) {
			t.Errorf("at the end %+v, want %d missing to %v", gaps, missing, back)
		}
		s.stop()
		announced := 0
		for _, body := range s.sink.bodies() {
			if strings.Contains(body, "gap") {
				announced++
			}
		}
		if announced != 1 {
			t.Errorf("%d gap messages, want one", announced)
		}
	})
}

func TestTheEndTellsWhatIsMissingUpToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := start(t, oneObject, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(15 * time.Second)
		silent.Store(true)
		time.Sleep(60 * time.Second)
		s.stop()
		gaps := s.status().Integrations[0].Gaps
		if len(gaps) != 1 || gaps[0].Count != 6 || gaps[0].Reason != "bus: no answer" {
			t.Errorf("gaps %+v", gaps)
		}
	})
}

// Moments before the port failed keep their own reason, not that of the port. The agent tries a silent slave only
// every five minutes, and the next try finds that the port is gone.
func TestMomentsBeforeAPortFailsKeepTheirReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		pipe := modbustest.NewPipe(9600, 11, slave, controller(2))
		config := strings.Replace(oneSlave, "[{id: 1,", `[{id: 2, model: PSPWM, name: other, objects: Ahc_r, intervals: {"*": 10s}}, {id: 1, name: silent,`, 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		time.Sleep(2*time.Minute + 5*time.Second)
		silent.Store(true)
		time.Sleep(5*time.Minute + 15*time.Second) // the last probe was at 4:50
		pipe.Unplug()
		silent.Store(false)
		time.Sleep(200 * time.Second) // shorter than the silence
		pipe.Plug()
		time.Sleep(time.Minute)
		rows := slices.DeleteFunc(s.gapRows(), func(row string) bool { return !strings.HasPrefix(row, "a/1 ") })
		if s.stop(); len(rows) != 3 || !strings.HasSuffix(rows[0], "bus: no answer") {
			t.Errorf("%q, want three gaps for the reason of most of their moments: silence", rows)
		}
	})
}

// TestAnAcknowledgedGapIsNoNewsAndTheNextOneIs checks this in the status and the metrics. The trigger log lists both
// gaps.
func TestAnAcknowledgedGapIsNoNewsAndTheNextOneIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		s := start(t, oneObject, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		hush := func() {
			time.Sleep(25 * time.Second)
			silent.Store(true)
			time.Sleep(40 * time.Second)
			silent.Store(false)
			time.Sleep(90 * time.Second)
			synctest.Wait()
		}
		want := func(when string, news int, marks ...bool) {
			t.Helper()
			in := s.status().Integrations[0]
			page, err := s.agent.Triggers(api.TriggerQuery{Gaps: true})
			if err != nil {
				t.Fatal(err)
			}
			var got []bool
			for i := range page.Triggers {
				got = append(got, page.Triggers[i].Gap.Acknowledged)
			}
			rec := httptest.NewRecorder()
			s.agent.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
			metric := fmt.Sprintf(`noi_integration_new_gaps{integration=%q,type="gcp"} %d`, in.ID, news)
			if in.NewGaps != news || len(in.Gaps) != news || !slices.Equal(got, marks) || !strings.Contains(rec.Body.String(), metric) {
				t.Errorf("%s: %d new gaps, shown %v, marks %v; want %d, %v and the metric %s", when, in.NewGaps, in.Gaps, got, news, marks, metric)
			}
		}
		hush()
		want("before", 1, false)
		if done, err := s.agent.AcknowledgeGaps(time.Time{}); err != nil || done.Acknowledged != 1 {
			t.Errorf("%+v %v", done, err)
		}
		want("acknowledged", 0, true)
		hush()
		want("after the next one", 1, false, true)
		s.stop()
	})
}
