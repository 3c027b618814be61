package agent_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

const monthly = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float], intervals: {Et_float: 20m, EV_float: 1h}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main, attributes: seq}
buffer: {max_size: %d}
triggers: {flush_every: 1h}
`

// numbersOf are the sequence numbers of one object in one run: those that arrived, and those in gaps.
type numbersOf struct {
	arrived map[uint64]bool
	gaps    []api.Gap
	last    uint64
}

// TestAMonthWithoutACloudLosesNothingUntold: a controller is silent for some hours, the outbox is much too small, and
// a restart comes in the middle of a month's outage. At the end every number of every object has arrived, or is in a
// gap. The short form has days of two hours and a twelfth of the outbox.
func TestAMonthWithoutACloudLosesNothingUntold(t *testing.T) {
	if storetest.Raced {
		t.Skip("tools/check.sh runs it without the race detector")
	}
	day := time.Duration(storetest.Rounds(2, 24)) * time.Hour
	monthly := fmt.Sprintf(monthly, storetest.Rounds(2, 24)<<10)
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		silent := silenced(slave)
		pipes := map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)}
		sink, dir := &memorySink{window: 4}, t.TempDir()
		down := func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Wait, "Unavailable", "no link") }

		s := startIn(t, dir, monthly, pipes, "", sink)
		time.Sleep(2 * time.Hour) // the cloud accepts these samples
		sink.answers(down)
		time.Sleep(10 * day)
		silent.Store(true)
		time.Sleep(9 * time.Hour)
		silent.Store(false)
		time.Sleep(5 * day)
		s.stop()
		time.Sleep(8 * time.Hour) // the gateway is off
		s = startIn(t, dir, monthly, pipes, "", sink)
		time.Sleep(14 * day)
		sink.answers(nil)
		time.Sleep(day)
		s.stop()

		found := map[string]*numbersOf{}
		sink.mu.Lock()
		defer sink.mu.Unlock()
		for _, seq := range sink.seqs {
			var key string
			var run, n uint64
			if _, err := fmt.Sscanf(strings.Replace(seq, "-", " ", 1), "%s %d %d", &key, &run, &n); err != nil {
				t.Fatalf("%q: %v", seq, err)
			}
			o := numbersIn(found, key, run)
			if o.arrived[n] {
				t.Errorf("%s came twice", seq)
			}
			o.arrived[n], o.last = true, max(o.last, n)
		}
		reasons := readGaps(t, dir, found)
		if len(found) != 4 {
			t.Fatalf("%d objects and runs, want two of each", len(found))
		}
		for key, o := range found {
			checkNumbers(t, key, o)
		}
		for _, want := range []string{"max_size", "bus", "agent_down"} {
			if reasons[want] == 0 {
				t.Errorf("no gap has the reason %s: %v", want, reasons)
			}
		}
	})
}

func numbersIn(found map[string]*numbersOf, key string, run uint64) *numbersOf {
	key = fmt.Sprintf("%s in run %d", key, run)
	if found[key] == nil {
		found[key] = &numbersOf{arrived: map[uint64]bool{}}
	}
	return found[key]
}

// readGaps reads the gaps from the store of the ended agent, and counts the missing samples by reason.
func readGaps(t *testing.T, dir string, found map[string]*numbersOf) map[string]uint64 {
	t.Helper()
	st, err := store.Open(dir+"/noi.db", store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	rows, _, err := st.Triggers(store.TriggerQuery{Gaps: true, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]uint64{}
	for _, w := range rows {
		g := w.Gap
		if g.Reason == "" {
			continue
		}
		word, _, _ := strings.Cut(g.Reason, ":")
		reasons[word] += g.Count
		if g.First == 0 {
			continue
		}
		o := numbersIn(found, g.Unit+"/"+g.Object, g.Run)
		o.gaps = append(o.gaps, api.Gap{First: g.First, Last: g.Last, Count: g.Count, Reason: g.Reason})
		o.last = max(o.last, g.Last)
	}
	return reasons
}

// checkNumbers checks that each number from 1 to the last has arrived or is in a gap, and that the counts of the gaps are
// right.
func checkNumbers(t *testing.T, key string, o *numbersOf) {
	t.Helper()
	var counted uint64
	for _, g := range o.gaps {
		counted += g.Count
	}
	missing := uint64(0)
	for n := uint64(1); n <= o.last; n++ {
		if o.arrived[n] {
			continue
		}
		missing++
		told := false
		for _, g := range o.gaps {
			told = told || n >= g.First && n <= g.Last
		}
		if !told {
			t.Errorf("%s: number %d has neither arrived nor is it in a gap", key, n)
		}
	}
	if missing != counted {
		t.Errorf("%s: %d missing of %d, the gaps count %d: %+v", key, missing, o.last, counted, o.gaps)
	}
}
