package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// job is one sweep of one slave: when it was due, when its first request came, and when its last reply ended.
type job struct {
	unit              byte
	due, begun, ended time.Time
}

// TestTenSlavesOnOneLine: ten slaves with mixed intervals use two thirds of the line's time at 19200 baud. Every due
// sweep is read. A sweep waits only for sweeps that were due before it, and for two exchanges more.
func TestTenSlavesOnOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var jobs []job
		var slaves []*modbustest.Slave
		var config strings.Builder
		config.WriteString("lines:\n  - name: a\n    port: /dev/ttyA\n    baud: 19200\n    slaves:\n")
		begin := time.Now()
		const exchange = 75 * time.Millisecond // 52 registers at 19200 8N2, with their silences
		for i := range 10 {
			unit, interval := byte(i+1), time.Duration(1100+130*i)*time.Millisecond
			slave := controller(unit)
			slave.Script = func(r modbustest.Request) modbustest.Fault {
				mu.Lock()
				defer mu.Unlock()
				now := time.Now()
				due := now.Add(-time.Duration(now.UnixNano()) % interval)
				if n := len(jobs); n > 0 && jobs[n-1].unit == unit && jobs[n-1].due.Equal(due) {
					jobs[n-1].ended = now.Add(exchange)
				} else {
					jobs = append(jobs, job{unit, due, now, now.Add(exchange)})
				}
				return modbustest.Fault{}
			}
			slaves = append(slaves, slave)
			fmt.Fprintf(&config, "      - {id: %d, model: PSPWM, name: unit%d, product_code: X, firmware: v1, objects: all, intervals: {\"*\": %v}}\n", unit, unit, interval)
		}
		s := start(t, config.String(), map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(19200, 11, slaves...)})
		time.Sleep(2 * time.Minute)
		status := s.status()
		s.stop()
		planned := 0.0
		for i := range 10 {
			planned += time.Since(begin).Seconds() / (1.1 + 0.13*float64(i))
		}
		done := float64(len(jobs))
		// At the start everything is due at once, and each unit gets a probe. The test ignores this time, and the
		// sweeps that came due in it.
		started := slices.IndexFunc(jobs, func(j job) bool { return j.due.After(begin.Add(3 * time.Second)) })
		worst := worstExcess(jobs[started:])
		t.Logf("load %.2f; %.0f sweeps of %.0f planned: %.3f; worst lateness beyond what was due before: %v, an exchange is %v",
			status.Lines[0].Load, done, planned, done/planned, worst, exchange)
		if done < 0.9*planned || status.Lines[0].Load < 0.5 {
			t.Errorf("%.0f sweeps of %.0f, load %.2f", done, planned, status.Lines[0].Load)
		}
		if worst > 2*exchange {
			t.Errorf("a slave waited %v longer than for what was due before it", worst)
		}
	})
}

// worstExcess returns the longest time that a job took in addition to the unfinished jobs that were due before it.
func worstExcess(jobs []job) (worst time.Duration) {
	for _, j := range jobs {
		var before time.Duration
		for _, k := range jobs {
			if !k.due.After(j.due) && k.ended.After(j.due) {
				from := k.begun
				if from.Before(j.due) {
					from = j.due
				}
				before += k.ended.Sub(from)
			}
		}
		worst = max(worst, j.ended.Sub(j.due)-before)
	}
	return worst
}
