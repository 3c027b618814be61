package agent_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/status/api"
)

// kill ends an agent like SIGKILL: the next agent finds the files as they are now.
func (g *gateway) kill(s *site) {
	g.t.Helper()
	synctest.Wait()
	left := map[string]string{g.dir: g.t.TempDir(), g.memory: g.t.TempDir()}
	for dir, copied := range left {
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			g.t.Fatal(err)
		}
	}
	g.catcher.refuses(&away)
	s.stop()
	g.catcher.refuses(nil)
	for dir, copied := range left {
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(copied))); err != nil {
			g.t.Fatal(err)
		}
	}
}

// dark returns the gaps of one object in the log, for times without an agent.
func dark(s *site, object string) (out []api.Gap) {
	for _, gap := range s.status().Integrations[0].Gaps {
		if gap.Object == object && gap.Reason == "agent_down" {
			out = append([]api.Gap{gap}, out...)
		}
	}
	return out
}

// sampledTimes returns the times of all samples of an object that the cloud has.
func (g *gateway) sampledTimes(object string) (out []time.Time) {
	for _, c := range g.of(object, -1) {
		out = append(out, c.SampledAt)
	}
	return out
}

// checkDark checks that the count of each gap is right, and that no sample is inside a gap.
func (g *gateway) checkDark(gaps []api.Gap, want ...uint64) {
	g.t.Helper()
	if len(gaps) != len(want) {
		g.t.Errorf("%d gaps, want %d: %+v", len(gaps), len(want), gaps)
		return
	}
	for i, gap := range gaps {
		if gap.Count+1 < want[i] || gap.Count > want[i]+1 {
			g.t.Errorf("gap %d from %v to %v counts %d, want %d", i, gap.From, gap.To, gap.Count, want[i])
		}
		for _, at := range g.sampledTimes("Et_float") {
			if !at.Before(*gap.From) && !at.After(*gap.To) {
				g.t.Errorf("gap %d from %v to %v covers the sample of %v", i, gap.From, gap.To, at)
			}
		}
	}
}

// TestEachDarkTimeBeforeARunWhoseClockStaysUnsureIsTold: there are two power cuts without an uplink, and a third run
// that learns the time. The times of its boot are exact. The times of a boot that never learnt the time are the best
// estimate.
func TestEachDarkTimeBeforeARunWhoseClockStaysUnsureIsTold(t *testing.T) {
	in(t, func(g *gateway) {
		g.probed, g.memory = true, t.TempDir()
		g.says(g.synched())
		s := g.start("")
		time.Sleep(65 * time.Second)
		g.kill(s)
		time.Sleep(6 * time.Minute)
		g.reboot("boot-2")
		g.says(unsynched)
		g.set(-29 * time.Second) // a slow clock
		s = g.start("")
		time.Sleep(15 * time.Second)
		g.kill(s)
		time.Sleep(3 * time.Minute)
		s = g.start("")
		time.Sleep(15 * time.Second)
		if gaps := dark(s, "Et_float"); len(gaps) != 0 {
			t.Errorf("gaps with the time of a clock that is not known to be right: %+v", gaps)
		}
		g.kill(s)
		time.Sleep(time.Minute)
		g.set(0)
		g.says(g.synched())
		s = g.start("")
		time.Sleep(time.Minute)
		synctest.Wait()
		gaps := dark(s, "Et_float")
		s.stop()
		g.checkDark(gaps, 36, 18, 6)
	})
}

// TestAYearAheadIsNoDarkTime: an RTC is a year ahead, the agent is killed before this is known, and then the clock is
// corrected.
func TestAYearAheadIsNoDarkTime(t *testing.T) {
	for _, service := range []bool{true, false} { // without a time service the clock is believed
		in(t, func(g *gateway) {
			g.probed, g.memory = service, t.TempDir()
			g.says(g.synched())
			s := g.start("")
			time.Sleep(65 * time.Second)
			g.kill(s)
			time.Sleep(2 * time.Minute)
			g.reboot("boot-2")
			g.says(unsynched)
			g.set(years(1))
			s = g.start("")
			time.Sleep(15 * time.Second)
			if gaps := dark(s, "Et_float"); len(gaps) != 0 {
				t.Errorf("a year without an agent: %+v", gaps)
			}
			g.kill(s)
			time.Sleep(2 * time.Minute)
			g.probed = true
			g.set(0)
			g.says(g.synched())
			s = g.start("")
			time.Sleep(time.Minute)
			synctest.Wait()
			gaps := dark(s, "Et_float")
			s.stop()
			if service {
				g.checkDark(gaps, 12, 12)
			} else if len(gaps) != 1 || gaps[0].Count > 13 { // samples with the wrong time were published with it
				t.Errorf("gaps %+v", gaps)
			}
		})
	}
}

// TestTheDarkTimeIsCountedByTheIntervalsOfBefore: the gap counts by the log intervals before it. A new integration
// has no gap.
func TestTheDarkTimeIsCountedByTheIntervalsOfBefore(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("")
		time.Sleep(65 * time.Second)
		s.stop()
		time.Sleep(5 * time.Minute)
		g.edit = strings.NewReplacer(`"*": 10s`, `"*": 1s`, "integrations:\n", "integrations:\n  - {name: new, type: gcp, topic: projects/test-project/topics/New}\n")
		s = g.start("")
		time.Sleep(5 * time.Second)
		synctest.Wait()
		st := s.status()
		s.stop()
		for _, in := range st.Integrations {
			if in.Name == "new" && len(in.Gaps) > 0 {
				t.Errorf("gaps from before the integration existed: %+v", in.Gaps)
			} else if in.Name == "x" && (len(in.Gaps) != 3 || in.Gaps[0].Count < 29 || in.Gaps[0].Count > 31) {
				t.Errorf("%+v, want thirty missing samples of each object", in.Gaps)
			}
		}
	})
}

// TestASlaveThatWasTakenOutHasNoDarkTime: the slave was not in the configuration during one run, so none of its
// samples is missing there.
func TestASlaveThatWasTakenOutHasNoDarkTime(t *testing.T) {
	in(t, func(g *gateway) {
		for _, id := range []string{"id: 1", "id: 2", "id: 1"} {
			g.edit = strings.NewReplacer("id: 1", id)
			s := g.start("")
			time.Sleep(time.Minute)
			synctest.Wait()
			if gaps := dark(s, "Et_float"); len(gaps) > 0 {
				t.Errorf("%s: gaps %+v", id, gaps)
			}
			s.stop()
			time.Sleep(time.Minute)
		}
	})
}

// TestWhatWasNotSampledHasNoDarkTime: an object, or a line, was not sampled during one run because of the configuration,
// so none of its samples is missing there.
func TestWhatWasNotSampledHasNoDarkTime(t *testing.T) {
	for name, without := range map[string]*strings.Replacer{
		"object": strings.NewReplacer("[Et_float, ", "["),
		"line":   strings.NewReplacer("{name: a,", "{name: a, enabled: false,"),
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(g *gateway) {
				for _, edit := range []*strings.Replacer{nil, without, nil} {
					g.edit = edit
					s := g.start("")
					time.Sleep(5 * time.Minute)
					synctest.Wait()
					if gaps := dark(s, "Et_float"); len(gaps) > 0 {
						t.Errorf("gaps %+v", gaps)
					}
					s.stop()
				}
			})
		})
	}
}

// TestAnAbsentSensorIsNoDarkTime: the sensor is absent at the end of one run and at the begin of the next one. Only the
// time between the two runs is a time without an agent.
func TestAnAbsentSensorIsNoDarkTime(t *testing.T) {
	in(t, func(g *gateway) {
		var absent atomic.Bool
		g.edit = strings.NewReplacer("Ahc_r", "T_rts")
		g.slave.Read = func(_ byte, _, count uint16) ([]uint16, byte) {
			value := uint16(0x4A00)
			if absent.Load() {
				value = 0x7E00
			}
			return slices.Repeat([]uint16{value}, int(count)), 0
		}
		s := g.start("")
		time.Sleep(65 * time.Second)
		absent.Store(true)
		time.Sleep(10 * time.Minute)
		s.stop()
		time.Sleep(2 * time.Minute)
		s = g.start("")
		time.Sleep(10 * time.Minute)
		absent.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		gaps := dark(s, "T_rts")
		s.stop()
		g.checkDark(gaps, 12)
	})
}

// TestAnIntegrationHasNoGapFromBeforeItGotTheObject: during a silence of the controller one integration is created, and
// another one gets two more objects, one after the other. Both have only the later part of the gap.
func TestAnIntegrationHasNoGapFromBeforeItGotTheObject(t *testing.T) {
	in(t, func(g *gateway) {
		silent := silenced(g.slave)
		s := g.start("  - {name: y, type: gcp, topic: projects/test-project/topics/Why, objects: EV_float}\n")
		time.Sleep(25 * time.Second)
		begun := map[string]time.Time{"yEV_float": time.Now()}
		for _, object := range []string{"Et_float", "Ahc_r", "EV_float"} {
			begun["x"+object] = time.Now()
		}
		silent.Store(true)
		for _, more := range []string{"Et_float", "Et_float, Ahc_r"} {
			time.Sleep(20 * time.Minute)
			s.reloadIn(g.dir, oneSlave+"  - {name: y, type: gcp, topic: projects/test-project/topics/Why, objects: [EV_float, "+
				more+"]}\n  - {name: z, type: gcp, topic: projects/test-project/topics/Zed, objects: Et_float}\n")
			for _, key := range []string{"zEt_float", "yEt_float", "yAhc_r"} {
				if _, twice := begun[key]; !twice && (key != "yAhc_r" || more != "Et_float") {
					begun[key] = time.Now()
				}
			}
		}
		time.Sleep(4 * time.Minute)
		silent.Store(false)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		for _, in := range s.status().Integrations {
			for _, gap := range in.Gaps {
				from := begun[in.Name+gap.Object]
				delete(begun, in.Name+gap.Object)
				off := time.Duration(gap.Count) - gap.To.Sub(from)/sampledEvery
				if gap.From.Sub(from).Abs() > sampledEvery || off.Abs() > 2 || gap.Last-gap.First+1 != gap.Count {
					t.Errorf("%s, %s: the gap from %v to %v counts %d (%d to %d), want it from %v", in.Name, gap.Object,
						gap.From, gap.To, gap.Count, gap.First, gap.Last, from)
				}
			}
		}
		if len(begun) > 0 {
			t.Errorf("no gap for %v", begun)
		}
		s.stop()
	})
}

// TestAGapIsReportedToAnIntegrationThatNoLongerGetsTheObject: during a silence of the controller an integration loses one
// object, and the slave another one.
func TestAGapIsReportedToAnIntegrationThatNoLongerGetsTheObject(t *testing.T) {
	in(t, func(g *gateway) {
		silent := silenced(g.slave)
		s := g.start("")
		time.Sleep(25 * time.Second)
		silent.Store(true)
		time.Sleep(10 * time.Minute)
		lost := time.Now()
		s.reloadIn(g.dir, strings.NewReplacer("EV_float, Ahc_r]", "EV_float]", "topics/Main}", "topics/Main, objects: EV_float}").
			Replace(oneSlave))
		time.Sleep(10 * time.Minute)
		silent.Store(false)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		gaps := s.status().Integrations[0].Gaps
		s.stop()
		for _, gap := range gaps {
			to := lost
			if gap.Object == "EV_float" {
				to = lost.Add(10 * time.Minute)
			}
			if gap.To.Sub(to) > 5*time.Minute || gap.To.Before(to.Add(-sampledEvery)) || gap.Object != "EV_float" && gap.To.After(to) ||
				gap.Last-gap.First+1 != gap.Count || time.Duration(gap.Count)-gap.To.Sub(*gap.From)/sampledEvery > 2 {
				t.Errorf("%+v, want it up to %v", gap, to)
			}
		}
		if len(gaps) != 3 {
			t.Errorf("gaps %+v, want one of each object", gaps)
		}
	})
}
