package publish

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/store"
)

// waitingOf returns waiting samples: each letter is a sample of an object with that name.
func waitingOf(keys string) []outgoing {
	out := make([]outgoing, len(keys))
	for i, k := range keys {
		out[i] = outgoing{key: string(k), Delivery: &store.Delivery{Seq: uint64(i), Sample: objects.Sample{N: uint64(i)}}}
	}
	return out
}

func TestWhatGoesIntoTheNextRequest(t *testing.T) {
	trusted := func(l lanes) lanes { l.clean = trustAfter; return l }
	standard, fifo, ordered := sinks.Flight{Several: true}, sinks.Flight{Several: true, Distinct: true},
		sinks.Flight{Several: true, OneKey: true}
	for _, c := range []struct {
		name    string
		lanes   lanes
		busy    string
		waiting string
		slots   int
		alone   bool
		want    string // places
	}{
		{"one of each object, the oldest first", newLanes(standard), "", "abcabcd", 2, false, "0126"},
		{"none of an object that has one in flight", newLanes(standard), "ac", "abcabcd", 2, false, "16"},
		{"no more than fit", newLanes(standard), "", "abcdefg", 2, false, "01234"},
		{"alone, several of an object", newLanes(standard), "", "abab", 2, true, "0123"},
		{"objects are shared out among the slots", trusted(newLanes(standard)), "", "abcdabcdabcd", 4, false, "01458"},
		{"a request is filled with more objects", trusted(newLanes(standard)), "", "abcdabcd", 4, false, "01245"},
		{"a FIFO topic never has two of a group", trusted(newLanes(fifo)), "", "aab", 1, true, "02"},
		{"with ordering keys a request has one", newLanes(ordered), "", "abaabbbb", 2, false, "023"},
		{"all are busy", newLanes(standard), "ab", "abab", 2, false, ""},
	} {
		for _, k := range c.busy {
			c.lanes.busy[string(k)] = true
		}
		var got strings.Builder
		for _, at := range c.lanes.pick(waitingOf(c.waiting), 5, c.slots, c.alone) {
			fmt.Fprint(&got, at)
		}
		if got.String() != c.want {
			t.Errorf("%s: %s of %s are sent, want %s", c.name, got.String(), c.waiting, c.want)
		}
	}
}

// TestLanesKeepTheOrderOfEachObject has random objects in random requests that end in random order.
func TestLanesKeepTheOrderOfEachObject(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 44))
		l := newLanes(sinks.Flight{Several: true, Distinct: seed%3 == 1, OneKey: seed%3 == 2})
		l.clean = int(seed%2) * trustAfter
		var keys strings.Builder
		for range 300 {
			keys.WriteByte(byte('a' + rnd.IntN(1+int(seed%26))))
		}
		a := ahead{ready: waitingOf(keys.String())}
		last, landed := map[string]uint64{}, 0
		var air [][]outgoing
		for len(a.ready) > 0 || len(air) > 0 {
			if places := l.pick(a.ready, 10, 1+rnd.IntN(16), len(air) == 0); len(places) > 0 {
				items := a.take(nil, places)
				for i := range items {
					l.busy[items[i].key] = true
				}
				air = append(air, items)
			}
			if len(air) > 0 && rnd.IntN(4) > 0 || len(a.ready) == 0 {
				at := rnd.IntN(len(air))
				for _, o := range air[at] {
					if before, ok := last[o.key]; ok && o.Sample.N < before {
						t.Fatalf("seed %d: sample %d of %s arrives after %d", seed, o.Sample.N, o.key, before)
					}
					last[o.key] = o.Sample.N
					landed++
				}
				for _, o := range air[at] {
					delete(l.busy, o.key)
				}
				air = append(air[:at], air[at+1:]...)
			}
		}
		if landed != 300 {
			t.Fatalf("seed %d: %d of 300 arrived", seed, landed)
		}
	}
}

// An answer accepts some messages and asks for others again. If a request had several messages of one object, their
// order could change.
func TestAMixedAnswerHasEachObjectOnceInARequest(t *testing.T) {
	l := newLanes(sinks.Flight{Several: true})
	ok, again := sinks.Taken("m"), sinks.Failed(sinks.Retry, "InternalError", "")
	for range trustAfter {
		if l.repeats() {
			t.Fatal("an unknown cloud is trusted")
		}
		l.answered([]sinks.Result{ok, ok})
	}
	if !l.repeats() {
		t.Error("a cloud that accepts everything is not trusted")
	}
	l.answered([]sinks.Result{again, again})
	if l.repeats() {
		t.Error("a cloud that has just refused is trusted")
	}
	for range trustAfter {
		l.answered([]sinks.Result{ok})
	}
	if !l.repeats() {
		t.Error("a cloud that has recovered is not trusted")
	}
	l.answered([]sinks.Result{ok, again})
	for range trustAfter {
		l.answered([]sinks.Result{ok})
	}
	if l.repeats() {
		t.Error("a cloud with a mixed answer is trusted")
	}
}
