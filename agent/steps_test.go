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

// in runs a test in virtual time on a new gateway.
func in(t *testing.T, f func(g *gateway)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newGateway(t)) })
}

// TestRestartBeforeSynchronisation: after restarts within one boot, all samples get their right times.
func TestRestartBeforeSynchronisation(t *testing.T) {
	in(t, func(g *gateway) {
		g.probed = true
		g.says(unsynched)
		g.set(-years(30))
		s := g.start("")
		time.Sleep(15 * time.Second) // samples at 0, 3, 13
		s.stop()
		g.set(-years(20)) // as an RTC helper does
		s = g.start("")
		time.Sleep(5 * time.Second) // sample at 15
		s.stop()
		g.of("Et_float", 0)
		g.set(0)
		g.says(g.synched())
		s = g.start("")
		time.Sleep(time.Second) // sample at 20
		s.stop()
		g.times(g.of("Et_float", 5), "", 0, 3, 13, 15, 20)
	})
}

// TestRebootBeforeSynchronisation: samples keep the time of their boot if it was known. If it never was, their times
// are estimated, and not before the last good time.
func TestRebootBeforeSynchronisation(t *testing.T) {
	in(t, func(g *gateway) {
		g.probed = true
		g.says(unsynched)
		g.set(-years(30))
		g.catcher.refuses(&away)
		s := g.start("")
		time.Sleep(4 * time.Second) // samples at 0 and 3
		g.set(0)
		g.says(g.synched())
		time.Sleep(8 * time.Second) // the right clock is noticed at 10: samples at 10 and 13, in the old phase
		s.stop()

		g.reboot("boot-2") // the machine has run for a minute
		g.says(unsynched)
		g.set(-years(30))
		s = g.start("")
		time.Sleep(time.Second)
		s.stop() // sample at 12, its time never becomes known

		g.reboot("boot-3")
		g.catcher.refuses(nil)
		s = g.start("")
		time.Sleep(time.Second) // sample at 13, by an unsure clock
		held := s.status()
		s.stop()
		g.times(g.of("Et_float", -1)[:3], "", 0, 3, 10)
		estimated := g.of("Et_float", 4)[3]
		floor := time.Date(2000, 1, 1, 0, 0, 10, 0, time.UTC) // the time of a commit with a good clock
		if estimated.clock != "estimated" || estimated.SampledAt.Before(floor) || estimated.SampledAt.After(floor.Add(2*time.Minute)) {
			t.Errorf("the boot that never learnt the time: %+v", estimated)
		}
		if held.Clock.Held != 3 || held.Integrations[0].Backlog != 3 || held.Integrations[0].State != "waiting_for_clock" {
			t.Errorf("in the third boot: %+v %+v", held.Clock, held.Integrations[0])
		}
	})
}

func TestUnknownForEverIsPublishedAfterMaxWaitAndMarked(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("") // sets the last good time
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
				t.Errorf("published_at %v is not the time of the clock", c.PublishedAt)
			}
		}
		if st := s.status(); st.Integrations[0].Dropped != 0 || codes(st) != "clock_unset" {
			t.Errorf("%+v %+v", st.Integrations[0], st.Problems)
		}
		g.set(0)
		time.Sleep(11 * time.Second)
		s.stop()
		corrected := 0
		for _, c := range g.of("Et_float", -1)[known+len(late):] {
			if c.clock != "" { // the sample had waited ten minutes before
				continue
			}
			corrected++
			if off := c.SampledAt.Sub(begun); off < time.Minute || c.SampledAt.After(time.Now()) {
				t.Errorf("after the clock was right: %+v", c)
			}
		}
		if corrected < 9*6 {
			t.Errorf("%d samples were corrected, want those of nine minutes", corrected)
		}
	})
}

// A clock that is decades ahead, like an RTC with a leaking battery, is no better estimate than one in 1970.
func TestNoEstimateLiesBeyondTheLifeOfTheProgram(t *testing.T) {
	in(t, func(g *gateway) {
		s := g.start("") // sets the last good time
		time.Sleep(time.Minute)
		s.stop()
		known := len(g.of("Et_float", -1))
		// boot-2 never learns the time, and its samples are sent in boot-3
		for _, boot := range []string{"boot-2", "boot-3"} {
			g.reboot(boot)
			g.set(years(30))
			s = g.start("clock: {max_wait: 10m}\n")
			time.Sleep(time.Minute)
			s.stop()
		}
		got := g.of("Et_float", -1)[known:]
		floor := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		if len(got) == 0 {
			t.Error("no message of the boot that never learnt the time")
		}
		for _, c := range got {
			if c.clock != "estimated" || c.SampledAt.Before(floor) || c.SampledAt.After(floor.Add(5*time.Minute)) {
				t.Errorf("the boot that never learnt the time: %+v", c)
			}
		}
	})
}

// Samples that are missing while the clock is wrong are reported when the clock becomes right, or after the next
// boot.
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
			t.Errorf("gaps %v, want one for each of three objects", told)
		}
	})
}

// TestStepThatAServiceMade: the agent follows the step. Later samples have the new time, and no schedule changes.
func TestStepThatAServiceMade(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour, -25 * time.Hour, 3500 * time.Millisecond} {
		in(t, func(g *gateway) {
			g.probed = true
			g.says(g.synched())
			s := g.start("")
			time.Sleep(25*time.Second + 300*time.Millisecond) // between two checks of the clock
			g.set(by)
			g.says(g.synched())
			time.Sleep(60 * time.Second)
			st := s.status()
			s.stop()
			shift := int(by / time.Second)
			got := g.of("Et_float", 9)
			g.times(got[:3], "", 0, 10, 20)
			if by%time.Second != 0 { // samples have whole seconds
				shift = 3
			}
			g.times(got[3:], "", 30+shift, 40+shift, 50+shift, 60+shift, 70+shift, 80+shift)
			if st.Clock.Steps != 1 || st.Clock.State != "good" || st.Clock.LastGood.After(g.now()) {
				t.Errorf("%v: %+v", by, st.Clock)
			}
		})
	}
}

// TestStepBackWithoutAService: later samples get their times from the old clock, which was right, until the new clock
// passes the last good time.
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

// TestStepsByDecadesExpireNothingAndMoveNoSchedule: in this boot or another, with a service that has no answer, and
// without a service.
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
				time.Sleep(15 * time.Second) // samples at 0 and 10
				s.stop()
				g.reboot("boot-2")
				s = g.start(config) // sample at 15
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
				believed := by == 15 && !service // the clock is believed for stamps, but expires nothing
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

// TestSchedulesAreRephasedOnce: when the clock becomes good a second time, no schedule changes.
func TestSchedulesAreRephasedOnce(t *testing.T) {
	in(t, func(g *gateway) {
		g.set(-years(30)) // 3 s off
		s := g.start("")
		time.Sleep(5 * time.Second)
		g.set(0)
		time.Sleep(30 * time.Second) // in phase since 10: the probe and a multiple of 10 s are the same moment
		g.set(-years(30))
		time.Sleep(30 * time.Second)
		g.set(5 * time.Second)
		time.Sleep(30 * time.Second)
		s.stop()
		third := 13
		if g.of("Et_float", 11)[2].SampledAt.Second() == 10 { // if the schedule notices the right clock first
			third = 10
		}
		g.times(g.of("Et_float", 11)[:8], "", 0, 3, third, 20, 30, 40, 50, 60)
		g.times(g.of("Et_float", 11)[8:], "", 75, 85, 95) // the clock is 5 s ahead
	})
}

// TestOneSweepHasOneClock: the clock is set between two reads of one sweep.
func TestOneSweepHasOneClock(t *testing.T) {
	in(t, func(g *gateway) {
		var first uint16
		g.slave.Script = func(r modbustest.Request) modbustest.Fault {
			switch {
			case r.Function == 0x2B || r.N == 1: // the identification, and the line's own first request
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
			t.Errorf("%d steps: the test proves nothing", st.Clock.Steps)
		}
	})
}

// TestNotYetValidIsTheClocksFault: a certificate that is not yet valid is a fault of the clock while the clock is not
// known to be right.
func TestNotYetValidIsTheClocksFault(t *testing.T) {
	for _, refusal := range []sinks.Result{
		sinks.Failed(sinks.Retry, "RequestError", `tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 1970-01-01T00:01:00Z is before 2026-01-01T00:00:00Z`),
		sinks.Failed(sinks.Retry, "ClockError", "the clock"),
	} {
		in(t, func(g *gateway) {
			g.set(-years(30))
			g.catcher.refuses(&refusal)
			s := g.start("clock: {max_wait: 0s}\n") // so that the agent tries to send
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

// TestLastGoodTimeIsOfferedInTheLog: the log shows the command that sets the clock to the last good time. The agent
// never sets the clock.
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

// TestSystemSourceTrustsTheClock: with `source: system` the agent trusts the clock, whatever its time.
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

// TestAfterARunThatNeverKnewTheTimeTheAgentWasNotDownForDecades: a run with a wrong clock cannot show when it ended.
// The last good time counts instead.
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
			t.Fatalf("gaps %+v, want one before the run that never learnt the time, and one after it", gaps)
		}
		for _, gap := range gaps {
			if gap.Reason != "agent_down" || gap.From.Before(good.Add(-time.Minute)) || gap.To.After(time.Now()) || gap.Count > 14*6 {
				t.Errorf("%s from %v to %v, %d samples: %s", gap.Object, gap.From, gap.To, gap.Count, gap.Reason)
			}
		}
	})
}

// TestABootYearsAheadExpiresNothing: an RTC without a battery starts far in the future, and there is no time source.
// Samples of the boot before are sent, even after another start of the agent. New samples do not expire either.
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
		g.set(0) // a time service sets the clock right
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

// TestDaysWithoutTheAgentInOneBootAreNoLeap: the time of the boot was known to be right, and still is.
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
