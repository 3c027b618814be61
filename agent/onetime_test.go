package agent_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/clock"
	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/store"

	"github.com/google/go-cmp/cmp"
)

// bootsTime is when the time of the boot of the samples becomes known.
type bootsTime struct {
	inTime, later, reboots bool // known before the agent ends; in the run after; the next run is of another boot
}

// TestASampleHasOneTimeEverywhere compares a sample's time in all places, with the clocks of docs/time.md: in its
// message, an export, a replay, the ends of a gap, and the oldest waiting sample in the status, before and after a
// restart. The clock changes by an hour while no time source answers, the controller is silent for a while, and the
// last samples wait for the cloud.
func TestASampleHasOneTimeEverywhere(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"right": 0, "1970": -years(30), "2099": years(99), "a year ahead": years(1), "slow": -29 * time.Second} {
		for what, boot := range map[string]bootsTime{
			"never known": {}, "never known, another boot": {reboots: true}, "known by the next run": {later: true},
			"known, another boot": {inTime: true, reboots: true},
		} {
			t.Run(name+", "+what, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { oneTime(t, ahead, boot) }) })
		}
	}
}

func oneTime(t *testing.T, ahead time.Duration, boot bootsTime) {
	g := newGateway(t)
	g.probed = true
	silent := silenced(g.slave)
	g.says(unsynched)
	g.set(ahead)
	config := "buffer: {retain_after_ack: 2000h, max_age: 2000h}\nclock: {max_wait: 10s}\n"
	if boot.inTime || boot.later { // no sample is published with an estimated time before
		config = strings.Replace(config, "10s", "1h", 1)
	}
	begun := time.Now()
	s := g.start(config)
	time.Sleep(35 * time.Second) // the first samples are published with estimated times
	silent.Store(true)
	time.Sleep(25 * time.Second)
	silent.Store(false)
	time.Sleep(25 * time.Second)
	g.set(ahead + time.Hour)
	time.Sleep(25 * time.Second)
	g.catcher.refuses(&away)
	time.Sleep(25 * time.Second)
	if boot.inTime {
		g.set(0)
		g.says(g.synched())
		time.Sleep(15 * time.Second)
	}
	oldest := []*time.Time{s.status().Integrations[0].Oldest}
	s.stop()
	before := len(g.of("Et_float", -1)) // messages of the first boot

	if boot.reboots {
		g.reboot("boot-2")
	}
	g.set(0)
	if boot.reboots || boot.later {
		g.says(g.synched())
	}
	s = g.start(config)
	time.Sleep(15 * time.Second)
	oldest = append(oldest, s.status().Integrations[0].Oldest)
	g.catcher.refuses(nil)
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	published := g.sampledTimes("Et_float")
	exported := exportedTimes(t, s.agent, "Et_float", store.Range{})
	gaps := s.status().Integrations[0].Gaps
	if err := s.agent.Replay(t.Context(), s.status().Integrations[0].ID, store.Range{}, func(any) error { return nil }); err != nil {
		t.Error(err)
	}
	replayed := g.sampledTimes("Et_float")[len(published):]
	s.stop()

	if len(published) < 12 || cmp.Diff(published, exported[:min(len(published), len(exported))]) != "" || cmp.Diff(published, replayed[:min(len(published), len(replayed))]) != "" {
		t.Errorf("published %v\nexported %v\nreplayed %v", published, exported, replayed)
	}
	for i, at := range oldest {
		if i == 0 && boot.later { // the time is an estimate until the next run
			continue
		}
		if at == nil || !at.Equal(published[before]) {
			t.Errorf("status %d: the oldest that waits is of %v, want %v", i, at, published[before])
		}
	}
	bus := slices.IndexFunc(gaps, func(gap api.Gap) bool {
		return gap.Object == "Et_float" && strings.HasPrefix(gap.Reason, objects.GapBus)
	})
	if boot == (bootsTime{}) { // the gap waits for the clock of its boot
		if bus >= 0 {
			t.Errorf("a gap is shown although its time may still become known: %+v", gaps)
		}
	} else if bus < 0 || !slices.ContainsFunc(published, gaps[bus].From.Equal) || !slices.ContainsFunc(published, gaps[bus].To.Equal) {
		t.Errorf("the gap %+v is not between two of the samples at %v", gaps, published)
	}
	if (boot.inTime || boot.later) && published[0].Sub(begun).Abs() > time.Second {
		t.Errorf("the time is known, and the first sample has %v, taken at %v", published[0], begun)
	}
}

// TestARangeIsOfTheTimesThatSamplesAreSentWith: the clock was in 1970 when the samples were taken. A replay and an
// export of the true time find them, and those of 1970 do not.
func TestARangeIsOfTheTimesThatSamplesAreSentWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.probed = true
		g.says(unsynched)
		g.set(-years(30))
		begun := time.Now()
		s := g.start("buffer: {retain_after_ack: 24h}\n")
		time.Sleep(25 * time.Second) // due at 0, and at 3, 13 and 23: multiples of 10 s by that clock
		g.set(0)
		g.says(g.synched())
		time.Sleep(30 * time.Second)
		synctest.Wait()
		for _, c := range []struct {
			what     string
			from, to time.Time
			want     []int // seconds after the begin
		}{
			{"the true time", begun.Add(time.Second), begun.Add(15 * time.Second), []int{3, 13}},
			{"the time of the wrong clock", begun.Add(-years(30) - time.Hour), begun.Add(-years(30) + time.Hour), nil},
		} {
			before := len(g.sampledTimes("Et_float"))
			r := store.Range{From: c.from, To: c.to}
			if err := s.agent.Replay(t.Context(), s.status().Integrations[0].ID, r, func(any) error { return nil }); err != nil {
				t.Error(err)
			}
			var want []time.Time
			for _, second := range c.want {
				want = append(want, begun.Add(time.Duration(second)*time.Second).UTC())
			}
			replayed, exported := g.sampledTimes("Et_float")[before:], exportedTimes(t, s.agent, "Et_float", r)
			if !slices.EqualFunc(replayed, want, time.Time.Equal) || !slices.EqualFunc(exported, want, time.Time.Equal) {
				t.Errorf("%s: replayed %v, exported %v, want %v", c.what, replayed, exported, want)
			}
		}
		s.stop()
	})
}

// exportedTimes returns the times of an object's samples in an export of a range.
func exportedTimes(t *testing.T, a *agent.Agent, object string, r store.Range) (out []time.Time) {
	t.Helper()
	var text bytes.Buffer
	if _, _, err := a.Export(t.Context(), r, agent.FormatJSONL, &text); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text.Bytes()) {
		var row struct {
			Object    string
			SampledAt time.Time `json:"sampled_at"`
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if row.Object == object {
			out = append(out, row.SampledAt)
		}
	}
	return out
}

// TestAStepIsNotBelievedByWhatAServiceSaidBefore: after a step of the clock, the agent asks the time service again.
// The earlier answer no longer proves that the clock is right.
func TestAStepIsNotBelievedByWhatAServiceSaidBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.probed = true
		g.says(clock.Synch{Service: "timesyncd", Synched: true})
		s := g.start("")
		begun := time.Now()
		time.Sleep(25 * time.Second)
		g.says(unsynched)
		g.set(-29 * time.Second)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		s.stop()
		times := g.sampledTimes("Et_float")
		for i, at := range times {
			if want := begun.Add(time.Duration(i) * 10 * time.Second); at.Sub(want).Abs() > 2*time.Second {
				t.Errorf("sample %d is of %v, want %v", i+1, at, want)
			}
		}
		if len(times) < 5 {
			t.Errorf("%d samples", len(times))
		}
	})
}
