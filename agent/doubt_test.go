package agent_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
	"noi-agent/store/storetest"
)

// threeObjects are next to one another, so that one read serves all: adc_vbterm 0x12, adc_va 0x13, adc_vl 0x14.
const threeObjects = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [adc_vbterm, adc_va, adc_vl], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main}
`

// holds reports whether a read includes a register.
func holds(r modbustest.Request, register uint16) bool {
	return (r.Function == 3 || r.Function == 4) && r.Addr <= register && register < r.Addr+r.Count
}

// counted returns the number of messages of each object.
func (s *site) counted() map[string]int {
	s.t.Helper()
	got := map[string]int{}
	for _, m := range s.messages() {
		got[m.Object]++
	}
	return got
}

// problemOf returns the live problem of a code, nil when there is none.
func problemOf(st api.Status, code string) *api.Problem {
	if i := slices.IndexFunc(st.Problems, func(p api.Problem) bool { return p.Code == code }); i >= 0 {
		return &st.Problems[i]
	}
	return nil
}

// TestOneRefusedRegisterCostsOnlyItselfWhateverTheException: the other objects of the same read are sampled, and the
// problem names the refused object.
func TestOneRefusedRegisterCostsOnlyItselfWhateverTheException(t *testing.T) {
	for _, code := range []byte{1, 2, 3, 4, 5, 6, 7, 8, 10, 11} {
		synctest.Test(t, func(t *testing.T) {
			slave := controller(1)
			slave.Script = func(r modbustest.Request) modbustest.Fault {
				if holds(r, 0x13) {
					return modbustest.Fault{Exception: code}
				}
				return modbustest.Fault{}
			}
			s := start(t, threeObjects, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
			time.Sleep(12 * time.Minute)
			status := s.status()
			s.stop()
			got := s.counted()
			if got["adc_vbterm"] < 62 || got["adc_vl"] < 62 || got["adc_vbterm"] > 75 {
				t.Errorf("exception %d: sampled %v in 12 minutes, want 73 of each neighbour", code, got)
			}
			p := problemOf(status, "object_refused")
			if p == nil || !strings.HasPrefix(p.Detail, "adc_va: ") || len(status.Problems) != 1 {
				t.Errorf("exception %d: problems %+v", code, status.Problems)
			}
			if st := status.Lines[0].Slaves[0]; st.State != "ok" || fmt.Sprint(st.Refused) != "[adc_va]" {
				t.Errorf("exception %d: state %s, refused %v", code, st.State, st.Refused)
			}
			if n := slave.Requests(); n > 300 {
				t.Errorf("exception %d: %d requests in 12 minutes", code, n)
			}
		})
	}
}

// TestControllerThatRefusesEverythingIsAFault: the controller has its own state and problem, and its missing samples
// are a gap. It is sampled again soon after it has recovered.
func TestControllerThatRefusesEverythingIsAFault(t *testing.T) {
	for code, minutes := range map[byte]int{1: storetest.Rounds(120, 300), 2: 30, 3: 30, 4: 30, 5: 30, 6: 30, 7: 30, 8: 30} {
		synctest.Test(t, func(t *testing.T) {
			slave := controller(1)
			var on atomic.Bool
			slave.Script = func(r modbustest.Request) modbustest.Fault {
				if on.Load() && r.Function == 4 {
					return modbustest.Fault{Exception: code}
				}
				return modbustest.Fault{}
			}
			s := start(t, threeObjects, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
			time.Sleep(10*time.Minute + 5*time.Second)
			before := slave.Requests()
			on.Store(true)
			time.Sleep(time.Duration(minutes) * time.Minute)
			status := s.status()
			asked := slave.Requests() - before
			on.Store(false)
			time.Sleep(6 * time.Minute)
			synctest.Wait()
			healed := s.status()
			rows := s.gapRows()
			s.stop()
			p := problemOf(status, "slave_refusing")
			if p == nil || len(status.Problems) != 1 || p.Since.Sub(time.Date(2000, 1, 1, 0, 10, 10, 0, time.UTC)).Abs() > 10*time.Second {
				t.Errorf("exception %d: problems %+v", code, status.Problems)
			}
			if st := status.Lines[0].Slaves[0].State; st != "refusing" {
				t.Errorf("exception %d: state %s", code, st)
			}
			if asked > minutes*4*6 {
				t.Errorf("exception %d: %d requests in %d minutes", code, asked, minutes)
			}
			if len(healed.Problems) != 0 || healed.Lines[0].Slaves[0].State != "ok" {
				t.Errorf("exception %d: after it has recovered %+v", code, healed.Problems)
			}
			if len(rows) != 3 || !strings.Contains(rows[0], "answered with an exception") {
				t.Errorf("exception %d: gaps %q", code, rows)
			}
			if got := s.counted()["adc_va"]; got < 65 {
				t.Errorf("exception %d: %d samples", code, got)
			}
		})
	}
}

// TestSlaveThatIsSilentAboutARegisterGivesAllOthers: the slave does not answer reads of one register, whichever it
// is. The slave may identify itself or not.
func TestSlaveThatIsSilentAboutARegisterGivesAllOthers(t *testing.T) {
	for _, mute := range []uint16{0x12, 0x13, 0x14} {
		for _, nameless := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				slave.Script = func(r modbustest.Request) modbustest.Fault {
					return modbustest.Fault{Silent: holds(r, mute) || nameless && (r.Function == 0x2B || r.Function == 0x11)}
				}
				s := start(t, threeObjects, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
				time.Sleep(10 * time.Minute)
				first := s.counted()
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				status, got := s.status(), s.counted()
				s.stop()
				lacking := []string{"adc_vbterm", "adc_va", "adc_vl"}[mute-0x12]
				for _, object := range []string{"adc_vbterm", "adc_va", "adc_vl"} {
					if n := got[object] - first[object]; object != lacking && (n < 115 || n > 125) {
						t.Errorf("without %s, nameless %v: %s was sampled %d times in 20 minutes, want 120", lacking, nameless, object, n)
					}
				}
				st := status.Lines[0].Slaves[0]
				if fmt.Sprint(st.Refused) != "["+lacking+"]" || st.State != "ok" || problemOf(status, "object_refused") == nil {
					t.Errorf("without %s, nameless %v: refused %v, state %s, problems %+v", lacking, nameless, st.Refused, st.State, status.Problems)
				}
			})
		}
	}
}

// TestSlaveThatIsSilentAboutGapsGivesAllObjects: the slave has no registers between its objects, and does not answer
// a read that includes one.
func TestSlaveThatIsSilentAboutGapsGivesAllObjects(t *testing.T) {
	for _, slug := range []string{"PSPWM", "TSMPPT"} {
		for _, lacks := range []string{"", "first", "middle"} {
			synctest.Test(t, func(t *testing.T) {
				slave, objects := muteBetween(t, slug, lacks)
				config := fmt.Sprintf("lines:\n  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: %s, intervals: {\"*\": 1m}}]}\n"+
					"integrations:\n  - {name: x, type: gcp, topic: projects/test-project/topics/Main}\n", slug)
				s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				first, before := s.counted(), slave.Requests()
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				got, requests, status := s.counted(), slave.Requests()-before, s.status()
				s.stop()
				noValue := status.Lines[0].Slaves[0].NoValue
				for _, object := range objects {
					if n := got[object] - first[object]; (n < 29 || n > 31) && noValue[object] == "" {
						t.Errorf("%s without %q: %s was sampled %d times in half an hour, want 30", slug, lacks, object, n)
					}
				}
				if requests > 30*30 {
					t.Errorf("%s without %q: %d requests in half an hour", slug, lacks, requests)
				}
			})
		}
	}
}

// muteBetween is a slave of a family. It does not answer reads that include a register of no object, or of the first
// or middle object if lacks says so. It returns the objects that it has.
func muteBetween(t *testing.T, slug, lacks string) (slave *modbustest.Slave, names []string) {
	t.Helper()
	family, ok := mustCatalog(t).Family(slug)
	if !ok {
		t.Fatal(slug)
	}
	polled := slices.DeleteFunc(slices.Clone(family.Objects), func(o objectT) bool {
		return o.Table != "input" || len(o.Choices) > 0 || o.ByName
	})
	switch lacks {
	case "first":
		polled = polled[1:]
	case "middle":
		polled = slices.Delete(polled, len(polled)/2, len(polled)/2+1)
	}
	has := map[uint16]bool{}
	for i := range polled {
		addr, count := polled[i].Span()
		for at := addr; at < addr+count; at++ {
			has[at] = true
		}
		names = append(names, polled[i].Name)
	}
	slave = controller(1)
	slave.Identity.Product = family.ProductCodes[0]
	slave.Script = func(r modbustest.Request) (fault modbustest.Fault) {
		if r.Function == 3 || r.Function == 4 {
			for at := r.Addr; at < r.Addr+r.Count; at++ {
				fault.Silent = fault.Silent || !has[at]
			}
		}
		return fault
	}
	return slave, names
}

// TestAReadThatAlwaysArrivesDamagedCostsOnlyItself: the damaged read comes first in the plan. The other objects are
// read too.
func TestAReadThatAlwaysArrivesDamagedCostsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if holds(r, 0xE000) {
				return modbustest.Fault{Mangle: func(f []byte) []byte { f[len(f)-1] ^= 1; return f }}
			}
			return modbustest.Fault{}
		}
		config := strings.Replace(threeObjects, "[adc_vbterm, adc_va, adc_vl]", "[EV_reg, adc_vbterm, adc_va, T_hs]", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(30 * time.Minute)
		status := s.status()
		s.stop()
		if got := s.counted(); got["adc_vbterm"] < 175 || got["T_hs"] < 175 || got["EV_reg"] != 0 {
			t.Errorf("sampled %v in half an hour, want 181 of each but EV_reg", got)
		}
		if p := problemOf(status, "object_refused"); p == nil || p.Detail != "EV_reg: always damaged" {
			t.Errorf("problems %+v", status.Problems)
		}
	})
}

// TestALossyLineTeachesNothing: some share of the replies is lost. Each due moment has a sample or is in a gap. No
// object counts as refused, and the planner learns no limits.
func TestALossyLineTeachesNothing(t *testing.T) {
	for _, loss := range []float64{0.1, 0.3, 0.5} {
		rng := rand.New(rand.NewPCG(3, uint64(loss*100)))
		synctest.Test(t, func(t *testing.T) {
			slave := controller(1)
			var better atomic.Bool
			slave.Script = func(modbustest.Request) modbustest.Fault {
				return modbustest.Fault{Silent: rng.Float64() < loss && !better.Load()}
			}
			config := strings.Replace(threeObjects, `[adc_vbterm, adc_va, adc_vl], intervals: {"*": 10s}`, `[adc_vbterm, adc_va, adc_vl, Et_float, EV_float, Ahc_r, T_hs], intervals: {"*": 1m}`, 1)
			s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
			w := watch(s)
			for range storetest.Rounds(2, 4) * 60 {
				time.Sleep(time.Minute)
				if st := s.status().Lines[0].Slaves[0]; len(st.Refused) > 0 || st.Learnt != "" {
					t.Fatalf("loss %.1f: after %v refused %v, learnt %q", loss, time.Since(w.begun), st.Refused, st.Learnt)
				}
			}
			better.Store(true) // a gap that goes on is reported only every hour
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			for _, object := range []string{"adc_vbterm", "Et_float", "T_hs"} {
				if untold := w.untold("a/1", object, time.Minute, w.begun, time.Now()); len(untold) > 0 {
					t.Errorf("loss %.1f: %s has neither sample nor gap at %v", loss, object, untold)
				}
			}
			s.stop()
		})
	}
}

// TestAGapBeforeAReplyWithoutAValueIsTold: the reply ends the gap. A later gap has its own begin and reason.
func TestAGapBeforeAReplyWithoutAValueIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var mode atomic.Int32 // 1 silent, 2 no value, 3 exception
		slave.Script = func(r modbustest.Request) (f modbustest.Fault) {
			f.Silent = mode.Load() == 1
			if mode.Load() == 3 && r.Function == 4 {
				f.Exception = 4
			}
			return f
		}
		slave.Read = func(f byte, addr, count uint16) ([]uint16, byte) {
			words, code := modbustest.OwnAddress(f, addr, count)
			for i := range words {
				if mode.Load() == 2 {
					words[i] = 0x7E00
				}
			}
			return words, code
		}
		s := start(t, strings.Replace(oneObject, "Et_float", "adc_vbterm", 1), map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(25 * time.Second)
		mode.Store(1)
		time.Sleep(10 * time.Minute)
		mode.Store(2)
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if rows := s.gapRows(); len(rows) != 1 || !strings.HasPrefix(rows[0], "a/1 adc_vbterm 00:20-") || !strings.HasSuffix(rows[0], "bus: no answer") {
			t.Errorf("after the outage: %q", rows)
		}
		mode.Store(3)
		time.Sleep(2 * time.Minute)
		mode.Store(0)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		rows := s.gapRows()
		s.stop()
		if len(rows) != 2 || !strings.HasPrefix(rows[1], "a/1 adc_vbterm 10:20-") || !strings.HasSuffix(rows[1], "answered with an exception") {
			t.Errorf("after the exceptions: %q", rows)
		}
	})
}

// TestAnOverrunIsOverTenMinutesAfterTheLastSkippedMoment.
func TestAnOverrunIsOverTenMinutesAfterTheLastSkippedMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave, quick := controller(1), controller(2)
		var slow atomic.Bool
		slave.Script = func(modbustest.Request) (f modbustest.Fault) {
			if slow.Load() {
				f.Late = 1500 * time.Millisecond
			}
			return f
		}
		s := start(t, `
lines:
  - name: a
    port: /dev/ttyA
    timeout: 5s
    slaves:
      - {id: 1, model: PSPWM, objects: [adc_vbterm], intervals: {"*": 10s}}
      - {id: 2, model: PSPWM, objects: [adc_vbterm], intervals: {"*": 1s}}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main}
`, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave, quick)})
		time.Sleep(10 * time.Minute)
		slow.Store(true)
		time.Sleep(12 * time.Second)
		slow.Store(false)
		time.Sleep(time.Minute)
		during := problemOf(s.status(), "line_overrun")
		time.Sleep(10 * time.Minute)
		after := problemOf(s.status(), "line_overrun")
		s.stop()
		if during == nil || during.Subject != "a/2" || during.Since.Before(time.Date(2000, 1, 1, 0, 10, 0, 0, time.UTC)) {
			t.Errorf("a minute after: %+v", during)
		}
		if after != nil {
			t.Errorf("ten minutes later: %+v", after)
		}
	})
}

// TestMomentsBetweenAFailedOpenAndTheEndAreAGap: the agent tries the port only every 15 s, and ends between two
// tries.
func TestMomentsBetweenAFailedOpenAndTheEndAreAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11, controller(1))
		s := start(t, strings.Replace(oneObject, "10s", "1s", 1), map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		w := watch(s)
		time.Sleep(12500 * time.Millisecond)
		pipe.Unplug()
		time.Sleep(2*time.Minute + 13*time.Second)
		s.stop()
		moments := uint64(time.Since(w.begun)/time.Second) + 1
		gaps := s.status().Integrations[0].Gaps
		if len(gaps) != 1 || gaps[0].Count+uint64(len(s.messages())) != moments || !strings.HasPrefix(gaps[0].Reason, "line") {
			t.Errorf("%d samples and gaps %+v of %d moments", len(s.messages()), gaps, moments)
		}
	})
}
