package agent_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/clock"
	"noi-agent/store"

	"github.com/google/go-cmp/cmp"
)

// TestASampleHasOneTimeEverywhere: in its message, in an export and in a replay, of a boot that never knew the time, in that boot and
// in the next, with a clock that is stepped by an hour while nobody knows. What waits still is only in the export.
func TestASampleHasOneTimeEverywhere(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"1970": -years(30), "2099": years(99), "a year ahead": years(1), "slow": -29 * time.Second} {
		for _, reboots := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(t)
				g.probed = true
				g.says(unsynched)
				g.set(ahead)
				const config = "buffer: {retain_after_ack: 2000h, max_age: 2000h}\nclock: {max_wait: 10s}\n"
				s := g.start(config)
				time.Sleep(35 * time.Second) // the first are published as estimates
				g.set(ahead + time.Hour)
				time.Sleep(35 * time.Second)
				s.stop()
				if reboots {
					g.reboot("boot-2")
				}

				g.set(0)
				if reboots {
					g.says(g.synched())
				}
				s = g.start(config)
				time.Sleep(15 * time.Second)
				synctest.Wait()
				published := g.sampledTimes("Et_float")
				exported := exportedTimes(t, s.agent, "Et_float")
				if err := s.agent.Replay(t.Context(), s.status().Integrations[0].ID, store.Range{}, func(any) error { return nil }); err != nil {
					t.Error(err)
				}
				replayed := g.sampledTimes("Et_float")[len(published):]
				s.stop()
				if len(published) < 7 || cmp.Diff(published, exported[:min(len(published), len(exported))]) != "" || cmp.Diff(published, replayed) != "" {
					t.Errorf("%s, rebooted %v: published %v\nexported %v\nreplayed %v", name, reboots, published, exported, replayed)
				}
			})
		}
	}
}

// exportedTimes are the times of an object's samples in an export.
func exportedTimes(t *testing.T, a *agent.Agent, object string) (out []time.Time) {
	t.Helper()
	var text bytes.Buffer
	if _, _, err := a.Export(t.Context(), store.Range{}, agent.FormatJSONL, &text); err != nil {
		t.Fatal(err)
	}
	for line := range slices.Values(bytes.Split(bytes.TrimSpace(text.Bytes()), []byte("\n"))) {
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

// TestAStepIsNotBelievedByWhatAServiceSaidBefore: the service is asked again, and does not stand for the clock any more.
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
