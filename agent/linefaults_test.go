package agent_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// The last failed exchanges of a line can be asked for, with the time of each by the clock, and they outlive the fault.
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
