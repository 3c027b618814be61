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

// twoSlaves is oneSlave with another slave before it on the line: unit 9.
func twoSlaves(keys string) string {
	return strings.Replace(oneSlave, "slaves: [{", "slaves: [{id: 9, model: PSPWM, "+keys+"}, {", 1)
}

func TestDeadSlaveIsProbedLessAndLessAndRecoversAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var dead atomic.Bool
		dead.Store(true)
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: dead.Load()} }
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		// There are three requests in a row, then one after 5, 10, 20, 40, 80 and 160 s, then one each five minutes.
		if n := slave.Requests(); n < 25 || n > 40 {
			t.Errorf("%d requests to a dead slave in two hours", n)
		}
		status := s.status()
		if st := status.Lines[0].Slaves[0]; st.State != "silent" || st.Missed < 3*(720-30) {
			t.Errorf("%+v", st)
		}
		dead.Store(false)
		back := time.Now()
		time.Sleep(5*time.Minute + time.Second)
		s.stop()
		seen := map[string]int{}
		for _, m := range s.messages() {
			seen[m.Object]++
		}
		if len(seen) != 3 {
			t.Errorf("since %v only %v were sampled", back, seen)
		}
		first, _ := time.Parse(time.RFC3339, s.messages()[0].SampledAt)
		if last, _ := time.Parse(time.RFC3339, s.messages()[2].SampledAt); last.Sub(first) > time.Second {
			t.Errorf("the first answer was at %v, the first round was complete at %v", first, last)
		}
	})
}

// TestLiveSlaveKeepsItsScheduleBesideADeadOne: a live slave waits at most for one exchange with the dead one.
func TestLiveSlaveKeepsItsScheduleBesideADeadOne(t *testing.T) {
	for _, state := range []string{"dead", "dying"} {
		t.Run(state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				other := controller(9)
				other.Script = func(r modbustest.Request) modbustest.Fault {
					return modbustest.Fault{Silent: state == "dead" || r.N%7 > 1}
				}
				config := twoSlaves(`objects: all, intervals: {"*": 1s}`)
				s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1), other)})
				time.Sleep(3 * time.Minute)
				status := s.status()
				s.stop()
				live := status.Lines[0].Slaves[1]
				// the timeout, the adapter slack, the silence for a late reply, the slack again; the dead slave's
				// reads are long
				if limit := int64(500 + 32 + 170 + 32 + 20); live.LatenessMS > limit {
					t.Errorf("an object of the live slave was read %d ms late, an exchange takes %d", live.LatenessMS, limit)
				}
				if live.Missed != 0 || live.Skipped != 0 {
					t.Errorf("%+v", live)
				}
			})
		})
	}
}

// TestRetriesByKind: after a damaged reply the read is repeated at once, after a busy slave's exception later, and
// after a refusal not at all.
func TestRetriesByKind(t *testing.T) {
	cases := []struct {
		name  string
		fault modbustest.Fault
		want  []string // seconds at which Et_float is sampled within 15 s; due at 0 and 10
	}{
		{"well", modbustest.Fault{}, []string{"00", "10"}},
		{"damaged", modbustest.Fault{Mangle: func(f []byte) []byte { f[3] ^= 1; return f }}, []string{"00", "10"}},
		{"busy", modbustest.Fault{Exception: 6}, []string{"01", "10"}},
		{"silent", modbustest.Fault{Silent: true}, []string{"01", "10"}},
		{"refused", modbustest.Fault{Exception: 2}, []string{"10"}},
		{"device failure", modbustest.Fault{Exception: 4}, []string{"10"}},
		{"gateway without target", modbustest.Fault{Exception: 0x0B}, []string{"01", "10"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slave := controller(1)
				slave.Script = func(r modbustest.Request) modbustest.Fault {
					if r.N != 2 { // the first request is the line's own probe
						return modbustest.Fault{}
					}
					return c.fault
				}
				config := strings.Replace(oneSlave, "[Et_float, EV_float, Ahc_r]", "Et_float", 1)
				s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
				time.Sleep(15 * time.Second)
				s.stop()
				var got []string
				for _, m := range s.messages() {
					got = append(got, m.SampledAt[17:19])
				}
				if fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("sampled at %v, want %v", got, c.want)
				}
			})
		})
	}
}

// TestLineThatIsTooSlowIsSharedFairly: three slaves, each with more than a third of the line.
func TestLineThatIsTooSlowIsSharedFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slaves []*modbustest.Slave
		config := "lines:\n  - name: a\n    port: /dev/ttyA\n    slaves:\n"
		for unit := byte(1); unit <= 3; unit++ {
			slaves = append(slaves, controller(unit))
			config += fmt.Sprintf("      - {id: %d, model: PSPWM, name: unit%d, objects: all, intervals: {\"*\": %dms}}\n", unit, unit, 50*int(unit))
		}
		config += "integrations:\n  - {name: x, type: gcp, topic: projects/test-project/topics/Main, objects: adc_vbterm}\n"
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slaves...)})
		time.Sleep(30 * time.Second)
		status := s.status()
		s.stop()
		sweeps := map[string]int{}
		for _, m := range s.messages() {
			sweeps[m.Slave]++
		}
		least, most := 1<<30, 0
		for _, n := range sweeps {
			least, most = min(least, n), max(most, n)
		}
		if len(sweeps) != 3 || most-least > 2 || least < 30 {
			t.Errorf("sweeps by slave: %v", sweeps)
		}
		line := status.Lines[0]
		if line.Load < 0.98 {
			t.Errorf("the line is busy for only %.2f of the time", line.Load)
		}
		overrun := 0
		for _, p := range status.Problems {
			if p.Code == "line_overrun" {
				overrun++
			}
		}
		if overrun != 3 || line.Slaves[0].Skipped == 0 {
			t.Errorf("problems %+v, slave %+v", status.Problems, line.Slaves[0])
		}
	})
}

func TestOtherMasterIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11, controller(1))
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		time.Sleep(11 * time.Second)
		pipe.Overhear(modbustest.AppendCRC([]byte{1, 4, 0, 0x20, 0, 2}))
		time.Sleep(11 * time.Second)
		during := s.status()
		time.Sleep(15 * time.Minute)
		after := s.status()
		s.stop()
		if len(during.Problems) != 1 || during.Problems[0].Code != "line_shared" || during.Lines[0].Counters.OtherMasters != 1 {
			t.Errorf("%+v %+v", during.Problems, during.Lines[0].Counters)
		}
		if len(after.Problems) != 0 {
			t.Errorf("after a quarter of an hour: %+v", after.Problems)
		}
	})
}

// TestSlowSlaveLetsTheOthersGoFirst: a slave answers, but each of its many reads takes two seconds.
func TestSlowSlaveLetsTheOthersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := controller(9)
		slow.Delay = 2 * time.Second
		config := twoSlaves(`timeout: 3s, max_registers: 2, objects: all, intervals: {"*": 5m}`)
		config = strings.Replace(config, `{"*": 10s}`, `{"*": 1s}`, 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1), slow)})
		time.Sleep(10 * time.Minute)
		status := s.status()
		s.stop()
		slaves := status.Lines[0].Slaves
		// One exchange of the slow slave; two at first, because a probe comes before.
		if limit := int64(4400); slaves[1].LatenessMS > limit {
			t.Errorf("an object of the quick slave was read %d ms late", slaves[1].LatenessMS)
		}
		if slaves[0].State != "ok" || slaves[0].Missed != 0 {
			t.Errorf("the slow one: %+v", slaves[0])
		}
	})
}

// TestRegisterThatASlaveIsSilentAboutCostsOnlyItself: the slave does not answer reads that include this register,
// instead of refusing them.
func TestRegisterThatASlaveIsSilentAboutCostsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Silent: r.Function == 0x04 && r.Addr <= 5 && 5 < r.Addr+r.Count} // adc_fgdrive
		}
		config := strings.Replace(oneSlave, "[Et_float, EV_float, Ahc_r]", "[sw_ver, vdd_actual, adc_fgdrive, adc_pmeter, adc_vbterm]", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(10 * time.Minute)
		first := len(s.messages())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		status := s.status()
		s.stop()
		got := map[string]int{}
		for _, m := range s.messages()[first:] {
			got[m.Object]++
		}
		for _, object := range []string{"sw_ver", "vdd_actual", "adc_pmeter", "adc_vbterm"} {
			if got[object] < 50 {
				t.Errorf("%s was sampled %d times in ten minutes, want 60", object, got[object])
			}
		}
		if st := status.Lines[0].Slaves[0]; fmt.Sprint(st.Refused) != "[adc_fgdrive]" || st.State != "ok" {
			t.Errorf("refused %v, %+v", st.Refused, st)
		}
		if n := slave.Functions()[0x2B]; n > 20 {
			t.Errorf("it was identified %d times", n)
		}
	})
}
