package agent_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
)

// in runs a test in virtual time on a gateway of its own.
func in(t *testing.T, f func(g *gateway)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newGateway(t)) })
}

// TestRestartBeforeSynchronisation: within the boot nothing is lost of what can be known.
func TestRestartBeforeSynchronisation(t *testing.T) {
	in(t, func(g *gateway) {
		g.probed = true
		g.says(unsynched)
		g.set(-years(30))
		s := g.start("")
		time.Sleep(15 * time.Second) // at 0, 3, 13
		s.stop()
		g.set(-years(20)) // an RTC helper was at work
		s = g.start("")
		time.Sleep(5 * time.Second) // at 15
		s.stop()
		g.of("Et_float", 0)
		g.set(0)
		g.says(g.synched())
		s = g.start("")
		time.Sleep(time.Second) // at 20
		s.stop()
		g.times(g.of("Et_float", 5), "", 0, 3, 13, 15, 20)
	})
}

// TestRebootBeforeSynchronisation: what was known in a boot is kept with it; what never was is estimated, not before
// the last good time.
func TestRebootBeforeSynchronisation(t *testing.T) {
	in(t, func(g *gateway) {
		g.probed = true
		g.says(unsynched)
		g.set(-years(30))
		g.catcher.refuses(&away)
		s := g.start("")
		time.Sleep(4 * time.Second) // at 0 and 3
		g.set(0)
		g.says(g.synched())
		time.Sleep(8 * time.Second) // seen at 10: at 10 and 13 by the old phase
		s.stop()

		g.reboot("boot-2") // up a minute at once
		g.says(unsynched)
		g.set(-years(30))
		s = g.start("")
		time.Sleep(time.Second)
		s.stop() // at 12, and never known

		g.reboot("boot-3")
		g.catcher.refuses(nil)
		s = g.start("")
		time.Sleep(time.Second) // at 13, unsure
		held := s.status()
		s.stop()
		g.times(g.of("Et_float", -1)[:3], "", 0, 3, 10)
		estimated := g.of("Et_float", 4)[3]
		floor := time.Date(2000, 1, 1, 0, 0, 10, 0, time.UTC) // of a commit after the clock was good
		if estimated.clock != "estimated" || estimated.SampledAt.Before(floor) || estimated.SampledAt.After(floor.Add(2*time.Minute)) {
			t.Errorf("of the boot that never knew: %+v", estimated)
		}
		if held.Clock.Held != 3 || held.Integrations[0].Backlog != 3 || held.Integrations[0].State != "waiting_for_clock" {
			t.Errorf("in the third boot: %+v %+v", held.Clock, held.Integrations[0])
		}
	})
}

func TestUnknownForEverIsPublishedAfterMaxWaitAndMarked(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("") // the last good time is of here
		time.Sleep(time.Minute)
		s.stop()
		known := len(g.of("Et_float", -1))
		g.reboot("boot-2")
		g.set(-years(30))
		s = g.start("clock: {max_wait: 10m}\n")
		begun := time.Now()
		time.Sleep(9 * time.Minute)
		g.of("Et_float", known)
		time.Sleep(2 * time.Minute)
		late := g.of("Et_float", -1)[known:]
		if n := len(late); n < 6 || n > 8 {
			t.Errorf("after 11 min %d messages, want those of the first minute", n)
		}
		for i, c := range late {
			if c.clock != "estimated" || c.SampledAt.Before(begun.Add(-2*time.Second)) || i > 0 && c.SampledAt.Before(late[i-1].SampledAt) {
				t.Errorf("message %d: %+v, the last good time is %v", i, c, begun)
			}
			if c.PublishedAt.Year() != 1970 {
				t.Errorf("published_at %v is not the clock as it is", c.PublishedAt)
			}
		}
		if st := s.status(); st.Integrations[0].Dropped != 0 || codes(st) != "clock_unset" {
			t.Errorf("%+v %+v", st.Integrations[0], st.Problems)
		}
		g.set(0)
		time.Sleep(11 * time.Second)
		s.stop()
		mended := 0
		for _, c := range g.of("Et_float", -1)[known+len(late):] {
			if c.clock != "" { // its ten minutes were over before
				continue
			}
			mended++
			if off := c.SampledAt.Sub(begun); off < time.Minute || c.SampledAt.After(time.Now()) {
				t.Errorf("after the clock was right: %+v", c)
			}
		}
		if mended < 9*6 {
			t.Errorf("%d samples were mended, want those of nine minutes", mended)
		}
	})
}

// A clock that is decades ahead, as one of an RTC whose battery leaks, is no better guess than one of 1970.
func TestNoEstimateLiesBeyondTheLifeOfTheProgram(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("") // the last good time is of here
		time.Sleep(time.Minute)
		s.stop()
		known := len(g.of("Et_float", -1))
		for _, boot := range []string{"boot-2", "boot-3"} { // the first never knows, and is over when its samples go
			g.reboot(boot)
			g.set(years(30))
			s = g.start("clock: {max_wait: 10m}\n")
			time.Sleep(time.Minute)
			s.stop()
		}
		got := g.of("Et_float", -1)[known:]
		floor := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		if len(got) == 0 {
			t.Error("nothing of the boot that never knew")
		}
		for _, c := range got {
			if c.clock != "estimated" || c.SampledAt.Before(floor) || c.SampledAt.After(floor.Add(5*time.Minute)) {
				t.Errorf("of the boot that never knew: %+v", c)
			}
		}
	})
}

// Samples that are missing while the clock is wrong are reported when it becomes right, or after the machine was booted
// again.
func TestGapsOfAClockThatIsNeverRightAreToldAfterTheNextBoot(t *testing.T) {
	in(t, func(g *gateway) {
		silent := silenced(g.slave)
		g.set(-years(30))
		s := g.start("")
		time.Sleep(15 * time.Second)
		silent.Store(true)
		time.Sleep(2 * time.Minute)
		silent.Store(false)
		time.Sleep(2 * time.Minute)
		if rows := s.gapRows(); len(rows) != 0 {
			t.Errorf("rows with the time of a wrong clock: %q", rows)
		}
		s.stop()
		g.reboot("boot-2")
		s = g.start("")
		time.Sleep(2 * time.Second)
		s.stop()
		told := map[string]uint64{}
		for _, gap := range s.status().Integrations[0].Gaps {
			if gap.Reason == "bus: no answer" {
				told[gap.Object] += gap.Count
			}
		}
		if len(told) != 3 || told["Et_float"] < 10 {
			t.Errorf("told %v, want each of three objects", told)
		}
	})
}

// TestStepThatAServiceMade is followed: what comes after has the new time, and no schedule moves.
func TestStepThatAServiceMade(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour, -25 * time.Hour, 3500 * time.Millisecond} {
		in(t, func(g *gateway) {
			g.probed = true
			g.says(g.synched())
			s := g.start("")
			time.Sleep(25*time.Second + 300*time.Millisecond) // not while the agent looks at the clock
			g.set(by)
			g.says(g.synched())
			time.Sleep(60 * time.Second)
			st := s.status()
			s.stop()
			shift := int(by / time.Second)
			got := g.of("Et_float", 9)
			g.times(got[:3], "", 0, 10, 20)
			if by%time.Second != 0 { // half seconds are cut
				shift = 3
			}
			g.times(got[3:], "", 30+shift, 40+shift, 50+shift, 60+shift, 70+shift, 80+shift)
			if st.Clock.Steps != 1 || st.Clock.State != "good" || st.Clock.LastGood.After(g.now()) {
				t.Errorf("%v: %+v", by, st.Clock)
			}
		})
	}
}

// TestStepBackWithoutAService: what follows is stamped by the clock that was right before, until the new one passes the
// last good time.
func TestStepBackWithoutAService(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("")
		time.Sleep(25 * time.Second)
		g.set(-time.Hour)
		time.Sleep(60 * time.Second)
		unsure := s.status()
		g.times(g.of("Et_float", 9), "", 0, 10, 20, 30, 40, 50, 60, 70, 80)
		if unsure.Clock.State != "unsure" || unsure.Clock.Steps != 1 || unsure.Integrations[0].State != "ok" {
			t.Errorf("%+v %+v", unsure.Clock, unsure.Integrations[0])
		}
		time.Sleep(time.Hour)
		good := s.status()
		s.stop()
		all := g.of("Et_float", 9+360)
		if off := time.Since(all[len(all)-1].SampledAt); good.Clock.State != "good" || off < time.Hour-time.Minute {
			t.Errorf("an hour later: %+v, the last sample %v behind the old clock", good.Clock, off)
		}
	})
}

// TestStepsByDecadesExpireNothingAndMoveNoSchedule: of this boot or another, with a service that is silent about it,
// and without.
func TestStepsByDecadesExpireNothingAndMoveNoSchedule(t *testing.T) {
	for _, service := range []bool{true, false} {
		for _, by := range []int{56, -56, 15} {
			in(t, func(g *gateway) {
				t := g.t
				const config = "buffer: {max_age: 1h}\ntriggers: {flush_every: 1s}\n"
				g.probed = service
				g.says(g.synched())
				if !service {
					g.says(clock.Synch{})
				}
				g.catcher.refuses(&away)
				s := g.start(config)
				time.Sleep(15 * time.Second) // at 0 and 10
				s.stop()
				g.reboot("boot-2")
				s = g.start(config) // at 15
				time.Sleep(10 * time.Second)
				g.set(years(by))
				time.Sleep(2 * time.Minute)
				stepped := s.status()
				g.set(0)
				time.Sleep(20 * time.Second)
				g.catcher.refuses(nil)
				time.Sleep(time.Minute)
				st := s.status()
				s.stop()
				if in := st.Integrations[0]; in.Dropped != 0 || st.Clock.Steps != 2 || st.Clock.State != "good" || st.Clock.LastGood.Year() != 2000 || codes(st) != "" {
					t.Errorf("%d years: %+v %+v %+v", by, in, st.Clock, st.Problems)
				}
				believed := by == 15 && !service // stamped by it, but nothing is old by it
				if good := stepped.Clock.State == "good"; good != believed || stepped.Clock.LastGood.Year() != 2000 {
					t.Errorf("%d years, while it lasts: %+v", by, stepped.Clock)
				}
				got := g.of("Et_float", 24)
				g.times(got[:4], "", 0, 10, 15, 20)
				if !believed {
					g.times(got[4:], "", 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200, 210, 220)
				}
			})
		}
	}
}

// TestSchedulesAreRephasedOnce: the second time that the clock becomes good moves nothing.
func TestSchedulesAreRephasedOnce(t *testing.T) {
	in(t, func(g *gateway) {
		g.set(-years(30)) // 3 s off
		s := g.start("")
		time.Sleep(5 * time.Second)
		g.set(0)
		time.Sleep(30 * time.Second) // in phase since 10, where the probe and a multiple of 10 s are one moment
		g.set(-years(30))
		time.Sleep(30 * time.Second)
		g.set(5 * time.Second)
		time.Sleep(30 * time.Second)
		s.stop()
		third := 13
		if g.of("Et_float", 11)[2].SampledAt.Second() == 10 { // the schedule sees the right clock first
			third = 10
		}
		g.times(g.of("Et_float", 11)[:8], "", 0, 3, third, 20, 30, 40, 50, 60)
		g.times(g.of("Et_float", 11)[8:], "", 75, 85, 95) // by a clock that is 5 s ahead
	})
}

// TestOneSweepHasOneClock: it is set between two reads of one sweep.
func TestOneSweepHasOneClock(t *testing.T) {
	in(t, func(g *gateway) {
		var first uint16
		g.slave.Script = func(r modbustest.Request) modbustest.Fault {
			switch {
			case r.Function == 0x2B || r.N == 1: // identification, and what the line asks at first contact
			case first == 0:
				first = r.Addr
			case r.Addr != first:
				g.set(time.Hour)
			}
			return modbustest.Fault{}
		}
		s := g.start("")
		time.Sleep(5 * time.Second)
		s.stop()
		for _, object := range []string{"Et_float", "EV_float", "Ahc_r"} {
			g.times(g.of(object, 1), "", 3600)
		}
		if st := s.status(); st.Clock.Steps != 1 {
			t.Errorf("%d steps: the test says nothing", st.Clock.Steps)
		}
	})
}

// TestNotYetValidIsTheClocksFault, as long as the clock is not known to be right.
func TestNotYetValidIsTheClocksFault(t *testing.T) {
	for _, refusal := range []sinks.Result{
		sinks.Failed(sinks.Retry, "RequestError", `tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 1970-01-01T00:01:00Z is before 2026-01-01T00:00:00Z`),
		sinks.Failed(sinks.Retry, "ClockError", "the clock"),
	} {
		in(t, func(g *gateway) {
			g.set(-years(30))
			g.catcher.refuses(&refusal)
			s := g.start("clock: {max_wait: 0s}\n") // so that there is an attempt at all
			time.Sleep(5 * time.Second)
			unsure := s.status()
			g.set(0)
			time.Sleep(3 * time.Minute)
			good := s.status()
			s.stop()
			if unsure.Integrations[0].State != "waiting_for_clock" || codes(unsure) != "clock_unset" {
				t.Errorf("unsure: %+v %+v", unsure.Integrations[0], unsure.Problems)
			}
			if good.Integrations[0].State != "retrying" || codes(good) != "clock_wrong" {
				t.Errorf("good: %+v %+v", good.Integrations[0], good.Problems)
			}
		})
	}
}

// TestLastGoodTimeIsOfferedInTheLog and never set by us.
func TestLastGoodTimeIsOfferedInTheLog(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("")
		time.Sleep(10 * time.Second)
		s.stop()
		g.reboot("boot-2")
		g.set(-years(30))
		var log strings.Builder
		g.log = &log
		s = g.start("")
		s.stop()
		for _, want := range []string{"the system's clock is before the last time known to be right", "last_good=2000-01-01T00:00:", `to_set_it="date -u -s @9466848`} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %q in the log:\n%s", want, log.String())
			}
		}
		g.log = io.Discard
	})
}

// TestSystemSourceTrustsTheClock whatever it says.
func TestSystemSourceTrustsTheClock(t *testing.T) {
	in(t, func(g *gateway) {
		g.probed = true
		g.says(unsynched)
		g.set(-30 * 365 * 24 * time.Hour)
		s := g.start("clock: {source: system}\n")
		time.Sleep(5 * time.Second)
		st := s.status()
		s.stop()
		if got := g.of("Et_float", 1)[0]; got.SampledAt.Year() != 1970 || got.clock != "" || st.Clock.State != "good" || codes(st) != "" {
			t.Errorf("%+v, %+v", got, st.Clock)
		}
	})
}

// TestAfterARunThatNeverKnewTheTimeTheAgentWasNotDownForDecades: its clock does not say when that run ended, but
// the last good time.
func TestAfterARunThatNeverKnewTheTimeTheAgentWasNotDownForDecades(t *testing.T) {
	in(t, func(g *gateway) {
		g.probed = true
		g.says(g.synched())
		s := g.start("")
		time.Sleep(15 * time.Second)
		s.stop()
		good := time.Now().UTC()
		time.Sleep(10 * time.Minute)
		g.reboot("boot-2")
		g.says(unsynched)
		g.set(-years(30))
		s = g.start("")
		time.Sleep(3 * time.Minute)
		s.stop()
		time.Sleep(time.Minute)
		g.set(0)
		g.says(g.synched())
		s = g.start("")
		time.Sleep(time.Minute)
		synctest.Wait()
		gaps := s.status().Integrations[0].Gaps
		s.stop()
		if len(gaps) != 6 {
			t.Fatalf("gaps %+v, want that before the run which never knew, and that after it", gaps)
		}
		for _, gap := range gaps {
			if gap.Reason != "agent_down" || gap.From.Before(good.Add(-time.Minute)) || gap.To.After(time.Now()) || gap.Count > 14*6 {
				t.Errorf("%s from %v to %v, %d samples: %s", gap.Object, gap.From, gap.To, gap.Count, gap.Reason)
			}
		}
	})
}

// TestABootYearsAheadExpiresNothing: an RTC without a battery comes up far in the future, and no time source is there
// to say so. What waits from the boot before is sent, also after the agent was started once more, and what is taken
// then is not old either.
func TestABootYearsAheadExpiresNothing(t *testing.T) {
	in(t, func(g *gateway) {
		g.catcher.refuses(&away)
		s := g.start("")
		time.Sleep(25 * time.Second)
		s.stop()
		waits := s.status().Integrations[0].Backlog
		for _, boot := range []string{"boot-2", "", "boot-3"} {
			if boot != "" {
				g.reboot(boot)
			}
			g.set(years(5))
			s = g.start("")
			time.Sleep(15 * time.Second)
			synctest.Wait()
			st := s.status()
			in := st.Integrations[0]
			if in.Dropped != 0 || in.Backlog <= waits || st.Clock.State != "good" || !strings.Contains(st.Clock.Reason, "no sample of earlier boots expires by it") {
				t.Errorf("%s: %d dropped, %d wait after %d; the clock: %+v", boot, in.Dropped, in.Backlog, waits, st.Clock)
			}
			waits = in.Backlog
			s.stop()
		}
		g.set(0) // a service is there again, and sets it right
		g.probed = true
		g.says(g.synched())
		g.catcher.refuses(nil)
		s = g.start("")
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := s.status(); st.Integrations[0].Dropped != 0 || st.Integrations[0].Backlog != 0 || strings.Contains(st.Clock.Reason, "old") {
			t.Errorf("%+v, the clock: %+v", st.Integrations[0], st.Clock)
		}
		s.stop()
	})
}

// TestDaysWithoutTheAgentInOneBootAreNoLeap: the boot's moment was known to be right, and still is.
func TestDaysWithoutTheAgentInOneBootAreNoLeap(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("")
		time.Sleep(25 * time.Second)
		s.stop()
		time.Sleep(48 * time.Hour)
		s = g.start("")
		time.Sleep(25 * time.Second)
		synctest.Wait()
		st := s.status()
		if st.Clock.State != "good" || strings.Contains(st.Clock.Reason, "expires") || time.Since(*st.Clock.LastGood) > time.Minute {
			t.Errorf("the clock: %+v", st.Clock)
		}
		s.stop()
	})
}
