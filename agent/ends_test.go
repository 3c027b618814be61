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

	"noi-agent/status/api"
	"noi-agent/store/storetest"
)

// TestEachEndOfARunCountsItsMomentsOnce ends runs at any moment, by a stop or a kill, while the controller answers or
// is silent. At the end each due moment has a sample, or is counted by exactly one gap.
func TestEachEndOfARunCountsItsMomentsOnce(t *testing.T) {
	for range storetest.Rounds(20, 1000) {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { newEndings(t, seed).judge() })
	}
}

const sampledEvery = 10 * time.Second // the objects of oneSlave

// endings is a gateway whose runs end in all possible ways.
type endings struct {
	*gateway
	rng    *rand.Rand
	silent *atomic.Bool
	doubts int // samples just before a kill, when a new gap may still wait for its commit
	story  []string
}

// newEndings begins at a due moment. Two of its runs end while the controller answers or not. The last run waits for
// judge.
func newEndings(t *testing.T, seed uint64) *endings {
	e := &endings{gateway: newGateway(t), rng: rand.New(rand.NewPCG(seed, 5))}
	e.memory, e.silent = t.TempDir(), silenced(e.slave)
	e.note("seed ", seed)
	s := e.start("")
	time.Sleep(15*time.Second + e.upTo(20*time.Second))
	s.stop()
	for range 2 {
		e.pause()
		e.run([]string{"kill", "stop"}[e.rng.IntN(2)])
	}
	e.silent.Store(false)
	e.pause()
	return e
}

func (e *endings) upTo(most time.Duration) time.Duration {
	return time.Duration(e.rng.Int64N(int64(most)))
}

func (e *endings) note(what ...any) {
	e.story = append(e.story, time.Now().Format("04:05.000 ")+fmt.Sprint(what...))
}

// pause is the time without an agent. It ends so that the first sample afterwards does not also count for an earlier
// moment.
func (e *endings) pause() {
	time.Sleep(time.Second + e.upTo(40*time.Second))
	if time.Until(time.Now().Truncate(sampledEvery).Add(sampledEvery)) < time.Second {
		time.Sleep(time.Second)
	}
	e.note("start")
}

func (e *endings) run(kind string) {
	s := e.start("")
	for range e.rng.IntN(3) {
		time.Sleep(e.upTo(40 * time.Second))
		e.silent.Store(!e.silent.Load())
		e.note("silent ", e.silent.Load())
	}
	time.Sleep(e.upTo(40 * time.Second))
	e.note(kind)
	if kind == "stop" {
		s.stop()
		return
	}
	for _, at := range e.sampledTimes("Et_float") {
		if time.Since(at) < 3*time.Second {
			e.doubts++
		}
	}
	e.kill(s)
}

// judge counts samples and gaps. A late sample counts for the last moment before it, unless the run before has
// reported that moment in a gap. A kill before the commit of a new gap makes the gap of the kill include the samples
// after the new gap.
func (e *endings) judge() {
	s := e.start("")
	time.Sleep(2*time.Minute + e.upTo(20*time.Second))
	synctest.Wait()
	samples, gaps := e.sampledTimes("Et_float"), gapsOf(s, "Et_float")
	s.stop()
	found, sampled := 0, map[time.Time]bool{}
	for _, g := range gaps {
		found += int(g.Count)
		e.note("gap ", g.From.Format("04:05-"), g.To.Format("04:05 "), g.Count, " ", g.Reason)
	}
	for _, at := range samples {
		moment := at.Truncate(sampledEvery)
		sampled[moment] = sampled[moment] || !slices.ContainsFunc(gaps, func(g api.Gap) bool {
			return g.From.Before(moment) && !g.To.Before(moment) && g.To.Before(at)
		})
		e.note("sample ", at.Format("04:05"))
	}
	for _, counts := range sampled {
		if counts {
			found++
		}
	}
	due := int(samples[len(samples)-1].Sub(samples[0])/sampledEvery) + 1
	if found < due || found > due+e.doubts {
		e.t.Errorf("%d moments are sampled or missing, %d were due:\n%s", found, due, strings.Join(e.story, "\n"))
	}
}

// gapsOf returns the gaps of an object in the log of the first integration.
func gapsOf(s *site, object string) (out []api.Gap) {
	s.t.Helper()
	page, err := s.agent.Triggers(api.TriggerQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, w := range page.Triggers {
		if w.Gap != nil && w.Gap.Object == object {
			out = append(out, *w.Gap)
		}
	}
	return out
}
