package agent_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// The agent returns the last failed exchanges of a line, each with its time by the clock. They stay after the end of
// the fault.
func TestLineFaultsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var dead atomic.Bool
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: dead.Load()} }
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		defer s.stop()
		time.Sleep(time.Minute)
		if list := s.agent.LineFaults().Faults; len(list) != 0 {
			t.Fatalf("a line that works has faults: %+v", list)
		}
		dead.Store(true)
		from := time.Now()
		time.Sleep(time.Minute)
		dead.Store(false)
		to := time.Now()
		time.Sleep(10 * time.Minute)
		list := s.agent.LineFaults().Faults
		if len(list) == 0 {
			t.Fatal("no fault is reported")
		}
		for i, f := range list {
			if f.UnitID != 1 || f.Kind != "timeout" || f.Error != "timeout" || !strings.HasPrefix(f.Request, "01 ") || f.Received != "" ||
				f.At.Before(from) || f.At.After(to.Add(time.Second)) || f.AgeS != int64(time.Since(f.At).Seconds()) {
				t.Errorf("%+v, want a timeout from %v to %v", f, from, to)
			}
			if i > 0 && f.At.After(list[i-1].At) {
				t.Errorf("fault %d is newer than the one before it", i)
			}
		}
	})
}

// A port that fails is a fault of its line too. Repeated failures of the same kind stay one fault, so that they push
// out no other faults.
func TestAPortThatFailsIsAFaultOfItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11, controller(1))
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": pipe})
		defer s.stop()
		time.Sleep(time.Minute)
		pipe.Unplug()
		time.Sleep(10 * time.Minute)
		list := s.agent.LineFaults().Faults
		if len(list) == 0 || len(list) > 2 {
			t.Fatalf("%d faults of a port that was unplugged: %+v", len(list), list)
		}
		for _, f := range list {
			if f.Kind != "port" || f.UnitID != 0 || f.Request != "" || f.Error == "" {
				t.Errorf("%+v, want a fault of the port", f)
			}
		}
		if list[0].AgeS > 60 {
			t.Errorf("the port failed %d s ago, want the last attempt", list[0].AgeS)
		}
	})
}

// A scan sends requests to units that do not exist. Their silence is no fault, and the real faults stay in the list.
func TestAScanLeavesTheFaultsOfTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var dead atomic.Bool
		slave.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Silent: dead.Load()} }
		s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		defer s.stop()
		dead.Store(true)
		time.Sleep(time.Minute)
		dead.Store(false)
		time.Sleep(time.Minute)
		before := len(s.agent.LineFaults().Faults)
		for unit := 2; unit < 40; unit++ {
			if _, _, err := s.agent.Read(t.Context(), "a", unit, 4, 0, 1); err == nil {
				t.Fatalf("unit %d answers", unit)
			}
		}
		list := s.agent.LineFaults().Faults
		if len(list) != before || before == 0 {
			t.Errorf("%d faults before the scan, %d after: %+v", before, len(list), list)
		}
		dead.Store(true)
		if _, _, err := s.agent.Read(t.Context(), "a", 1, 4, 0, 1); err == nil || len(s.agent.LineFaults().Faults) <= before {
			t.Errorf("a requested read of a configured controller: %v, %d faults", err,
				len(s.agent.LineFaults().Faults))
		}
	})
}
