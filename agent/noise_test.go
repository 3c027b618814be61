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
)

// TestALineThatSometimesFailsHasAProblem: each eighth reply is damaged, or does not come. The next attempt succeeds, so
// no sample is missing. The problem ends some minutes after the repair.
func TestALineThatSometimesFailsHasAProblem(t *testing.T) {
	for code, fault := range map[string]modbustest.Fault{
		"line_noisy": {Mangle: damage}, "line_unanswered": {Silent: true},
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var repaired atomic.Bool
				slave := controller(1)
				slave.Script = func(r modbustest.Request) modbustest.Fault {
					if r.N%8 == 0 && !repaired.Load() {
						return fault
					}
					return modbustest.Fault{}
				}
				s := after(10*time.Minute, startOne(t, oneSlave, slave))
				problems := s.status().Problems
				if len(problems) != 1 || problems[0].Code != code {
					t.Fatalf("each eighth reply has a fault: %+v", problems)
				}
				p := problems[0]
				var what string
				var n int // reads of the identification do not count
				if _, err := fmt.Sscanf(p.Title, "1 %s in %d %s a", &what, &n, &what); err != nil || n < 5 || n > 9 || p.Effect != api.None {
					t.Errorf("the problem is %q with the effect %q: %s", p.Title, p.Effect, p.Detail)
				}
				if sentence := s.agent.Sentence(); !strings.Contains(sentence, "No data is being lost") {
					t.Errorf("the sentence is %q", sentence)
				}
				repaired.Store(true)
				time.Sleep(21 * time.Minute)
				if got := codes(s.status()); got != "" {
					t.Errorf("21 minutes after the repair: %q", got)
				}
				s.stop()
			})
		})
	}
}

// TestHalfOfTheRepliesAreDamaged: some repetitions fail too, so samples are missing, and the problem says so. No failure
// lasts long enough to be a problem of the controller.
func TestHalfOfTheRepliesAreDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave, random := controller(1), rand.New(rand.NewPCG(1, 2))
		slave.Script = func(modbustest.Request) modbustest.Fault {
			if random.Float64() < 0.5 {
				return modbustest.Fault{Mangle: damage}
			}
			return modbustest.Fault{}
		}
		s := after(10*time.Minute, startOne(t, strings.Replace(oneSlave, "10s", "1s", 1), slave))
		problems := s.status().Problems
		s.stop()
		noisy := slices.ContainsFunc(problems, func(p api.Problem) bool { return p.Code == "line_noisy" && p.Effect == api.Lost })
		if !noisy || slices.ContainsFunc(problems, func(p api.Problem) bool { return p.Code == "slave_garbled" }) {
			t.Errorf("every second reply is damaged: %+v", problems)
		}
	})
}

// TestAnOutageIsNoNoise: a controller that is silent for longer has a problem of its own. Its attempts do not count as
// noise of the line, neither during the outage nor after it. The same holds for damaged replies.
func TestAnOutageIsNoNoise(t *testing.T) {
	for name, fault := range map[string]modbustest.Fault{"silent": {Silent: true}, "damaged": {Mangle: damage}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out atomic.Bool
				slave := controller(1)
				slave.Script = func(modbustest.Request) modbustest.Fault {
					if out.Load() {
						return fault
					}
					return modbustest.Fault{}
				}
				s := after(3*time.Minute, startOne(t, oneSlave, slave))
				for range 4 {
					out.Store(true)
					for range 6 {
						time.Sleep(10 * time.Second)
						if got := codes(s.status()); strings.Contains(got, "line_") {
							t.Fatalf("in the outage: %q", got)
						}
					}
					out.Store(false)
					for range 12 {
						time.Sleep(10 * time.Second)
						if got := codes(s.status()); strings.Contains(got, "line_") {
							t.Fatalf("after the outage: %q", got)
						}
					}
				}
				s.stop()
			})
		})
	}
}
