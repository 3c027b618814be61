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

// TestALineWithoutAPauseIsUsed: log intervals are shorter than a sweep, or hardly longer. The sweeps use the wire all
// the time, share it fairly, and skipped sweeps are counted. If there is enough time, the phase is kept.
func TestALineWithoutAPauseIsUsed(t *testing.T) {
	const sweep = 212 * time.Millisecond // duration of a sweep of all objects at 9600 baud
	for _, c := range []struct {
		slaves   int
		interval time.Duration
		share    float64 // least share of the wire's time
	}{
		{1, 195 * time.Millisecond, 0.98}, // was 0.52
		{1, sweep / 3, 0.98},
		{1, sweep, 0.98},
		{3, sweep, 0.98},
		{3, 3*sweep - 6*time.Millisecond, 0.98},
		{1, 2 * sweep, 0.48}, // all due sweeps
	} {
		t.Run(fmt.Sprint(c.slaves, " at ", c.interval), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { backToBack(t, c.slaves, c.interval, c.share) })
		})
	}
}

func backToBack(t *testing.T, n int, interval time.Duration, share float64) {
	const from, to = 5 * time.Second, 65 * time.Second // the start has probes
	var slaves []*modbustest.Slave
	var config strings.Builder
	config.WriteString("lines:\n  - name: a\n    port: /dev/ttyA\n    slaves:\n")
	sweeps, apart, begun := make([]atomic.Int64, n), new(atomic.Int64), time.Now()
	for i := range n {
		slave := controller(byte(i + 1))
		slave.Script = func(r modbustest.Request) (f modbustest.Fault) {
			if at := time.Since(begun); r.Addr == 0 && at > from && at <= to { // the first read of a sweep
				sweeps[i].Add(1)
				if late := time.Duration(time.Now().UnixNano()) % interval; late > time.Millisecond {
					apart.Add(1)
				}
			}
			return f
		}
		slaves = append(slaves, slave)
		fmt.Fprintf(&config, "      - {id: %d, model: PSPWM, name: unit%d, product_code: X, firmware: v1, objects: all, "+
			"intervals: {\"*\": %v}}\n", i+1, i+1, interval)
	}
	s := start(t, config.String(), map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slaves...)})
	time.Sleep(from)
	before := s.status().Lines[0]
	time.Sleep(to - from)
	after := s.status().Lines[0]
	s.stop()
	used := (after.Load*to.Seconds() - before.Load*from.Seconds()) / (to - from).Seconds()
	for i := range n {
		done, objects := int(sweeps[i].Load()), after.Slaves[i].Objects
		skipped := int(after.Slaves[i].Skipped-before.Slaves[i].Skipped) / objects
		t.Logf("unit %d: %d sweeps, %d skipped, %d due", i+1, done, skipped, (to-from)/interval)
		if off := done + skipped - int((to-from)/interval); off < -2 || off > 2 {
			t.Errorf("unit %d: %d sweeps and %d skipped, of %d", i+1, done, skipped, (to-from)/interval)
		}
		if off := done - int(sweeps[0].Load()); off < -1 || off > 1 {
			t.Errorf("unit %d had %d sweeps, and unit 1 %d", i+1, done, sweeps[0].Load())
		}
	}
	if t.Logf("%.3f of the wire", used); used < share {
		t.Errorf("%.3f of the wire is used, want %.2f", used, share)
	}
	if used < 0.9 && apart.Load() > 0 {
		t.Errorf("%d sweeps off the phase, with time for it", apart.Load())
	}
}
