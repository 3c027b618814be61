package agent_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// TestALineOnWhichNobodyAnswersHasOneProblem: the problem of the line includes the silence of its controllers. If one
// controller answers, each silent controller has a problem of its own.
func TestALineOnWhichNobodyAnswersHasOneProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := controller(1), controller(2)
		first, second := silenced(one), silenced(two)
		s := after(30*time.Second, startPair(t, one, two))
		first.Store(true)
		time.Sleep(5 * time.Minute)
		if got := codes(s.status()); got != "slave_silent" {
			t.Errorf("one of two is silent: %q", got)
		}
		second.Store(true)
		time.Sleep(time.Minute)
		problems := s.status().Problems
		if len(problems) != 1 || problems[0].Code != "line_silent" || problems[0].Subject != "a" || len(problems[0].Folded) != 2 {
			t.Errorf("both are silent: %+v", problems)
		} else if got := problems[0].Lasts; got > time.Minute {
			t.Errorf("both are silent for %v, want a minute at most", got)
		} else if f := problems[0].Folded[1]; f.Effect != "lost" || problems[0].Since.Sub(f.Since) < 4*time.Minute {
			t.Errorf("the first is silent for minutes longer: %+v", problems[0])
		}
		first.Store(false)
		time.Sleep(10 * time.Minute)
		problems = s.status().Problems
		if len(problems) != 1 || problems[0].Code != "slave_silent" || problems[0].Subject != "a/2" {
			t.Errorf("the first one answers again: %+v", problems)
		}
		s.stop()
	})
}

// TestALineWithTheWrongBaudRateHasOneProblem: all replies are damaged, or some do not come. If one controller answers, it
// is no problem of the line.
func TestALineWithTheWrongBaudRateHasOneProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := controller(1), controller(2)
		var right atomic.Bool
		one.Script = func(r modbustest.Request) modbustest.Fault {
			if right.Load() {
				return modbustest.Fault{}
			}
			return modbustest.Fault{Mangle: damage, Silent: r.N%4 == 0}
		}
		two.Script = func(modbustest.Request) modbustest.Fault { return modbustest.Fault{Mangle: damage} }
		s := after(time.Minute, startPair(t, one, two))
		for range 30 {
			time.Sleep(20 * time.Second)
			p := s.status().Problems
			if len(p) != 1 || p[0].Code != "line_garbled" || p[0].Subject != "a" || len(p[0].Folded) != 2 || p[0].AgeS < 60 {
				t.Fatalf("no reply is right: %+v", p)
			}
		}
		right.Store(true)
		time.Sleep(10 * time.Minute)
		if got := codes(s.status()); got != "slave_garbled" {
			t.Errorf("one of two answers: %q", got)
		}
		s.stop()
	})
}

// TestALineWithFewDamagedRepliesKeepsItsProblem: three of four requests get a damaged reply, so at times the last
// request of each controller was not answered. The problem changes only after no bytes have arrived for long.
func TestALineWithFewDamagedRepliesKeepsItsProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := controller(1), controller(2)
		var cut atomic.Bool
		mixed := func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Mangle: damage, Silent: r.N%4 == 0 || cut.Load()}
		}
		one.Script, two.Script = mixed, mixed
		s := after(time.Minute, startPair(t, one, two))
		for range 6 * 60 {
			time.Sleep(10 * time.Second)
			if got := codes(s.status()); got != "line_garbled" {
				t.Fatalf("three of four requests get a damaged reply: %q", got)
			}
		}
		cut.Store(true)
		time.Sleep(20 * time.Minute)
		if got := codes(s.status()); got != "line_silent" {
			t.Errorf("nothing arrives: %q", got)
		}
		s.stop()
	})
}

// TestEarlierDamageSaysNothingAboutASilentLine: a controller had damaged replies, and answered after them. Then the cable
// is cut.
func TestEarlierDamageSaysNothingAboutASilentLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := controller(1), controller(2)
		var fault atomic.Pointer[modbustest.Fault]
		fault.Store(&modbustest.Fault{})
		script := func(modbustest.Request) modbustest.Fault { return *fault.Load() }
		one.Script, two.Script = script, script
		s := after(time.Minute, startPair(t, one, two))
		for _, step := range []struct {
			fault modbustest.Fault
			lasts time.Duration
			want  string
		}{
			{modbustest.Fault{Mangle: damage}, time.Minute, "line_garbled"},
			{modbustest.Fault{}, 3 * time.Minute, ""},
			{modbustest.Fault{Silent: true}, 2 * time.Minute, "line_silent"},
		} {
			fault.Store(&step.fault)
			time.Sleep(step.lasts)
			if got := codes(s.status()); got != step.want {
				t.Errorf("%q, want %q", got, step.want)
			}
		}
		s.stop()
	})
}
