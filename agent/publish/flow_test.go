package publish

import (
	"slices"
	"testing"
	"time"
)

// link carries requests of ten messages one after the other, and has a round trip in addition.
type link struct {
	carries   time.Duration // how long one request uses the link
	roundTrip time.Duration
	idle      time.Duration // until then the link is in use
}

// answer returns the time of the answer to a request that begins now.
func (l *link) answer(now time.Duration) time.Duration {
	l.idle = max(l.idle, now) + l.carries
	return l.idle + l.roundTrip
}

// run sends bursts of requests with a flow, at regular times. It returns three figures: the messages that were
// answered in a second while there was something to send, the longest time of a request, and the share of requests
// that began while another was in flight.
func run(w *flow, l *link, from, until, every time.Duration, burst int) (rate float64, longest time.Duration, beside float64) {
	type request struct{ begun, answered time.Duration }
	var air []request
	var busy time.Duration
	answered, besides := 0, 0
	for begin := from; begin < until; begin += every {
		now, left := begin, burst
		for left > 0 || len(air) > 0 {
			for left > 0 && len(air) < w.now {
				w.launched(now, len(air) == 0)
				if len(air) > 0 {
					besides++
				}
				air = append(air, request{now, l.answer(now)})
				left--
			}
			if len(air) < w.now {
				w.slack()
			}
			next := slices.MinFunc(air, func(a, b request) int { return int(a.answered - b.answered) })
			air = slices.DeleteFunc(air, func(r request) bool { return r == next })
			busy, now = busy+next.answered-now, next.answered
			longest = max(longest, next.answered-next.begun)
			answered++
			w.answered(now, now-next.begun, 10)
			if now > until {
				break
			}
		}
		w.slack()
	}
	return 10 * float64(answered) / busy.Seconds(), longest, float64(besides) / float64(answered)
}

const forEver = 1 << 30 // requests of one burst

func TestTheNumberInFlightGrowsWhileThatWinsThroughput(t *testing.T) {
	for _, c := range []struct {
		name  string
		link  link
		most  int
		least float64 // messages a second after ten seconds
		now   int     // in flight then
	}{
		{"100 ms", link{100 * time.Microsecond, 100 * time.Millisecond, 0}, 16, 1590, 16},
		{"500 ms", link{100 * time.Microsecond, 500 * time.Millisecond, 0}, 16, 310, 16},
		{"20 ms", link{100 * time.Microsecond, 20 * time.Millisecond, 0}, 16, 7000, 16},
		{"a bound that is no power of two", link{100 * time.Microsecond, 100 * time.Millisecond, 0}, 10, 990, 10},
		{"a bound of one", link{100 * time.Microsecond, 100 * time.Millisecond, 0}, 1, 99, 1},
		{"a link of 400 messages a second", link{25 * time.Millisecond, 100 * time.Millisecond, 0}, 16, 390, 8},
	} {
		w := newFlow(c.most)
		run(&w, &c.link, 0, 10*time.Second, time.Hour, forEver)
		rate, _, _ := run(&w, &c.link, 10*time.Second, 40*time.Second, time.Hour, forEver)
		if rate < c.least || w.now > c.now || w.now < (c.now+1)/2 {
			t.Errorf("%s: %.0f messages a second with %d in flight, want %.0f with %d", c.name, rate, w.now, c.least, c.now)
		}
	}
}

// On a link that one request fills, a second request only waits for the first. It is tried now and then, less and
// less often, and does not delay a new sample.
func TestOnALinkThatOneRequestFillsItStaysAtOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		link    link
		longest time.Duration
		beside  float64
	}{
		{"10 messages a second", link{time.Second, 100 * time.Millisecond, 0}, 2200 * time.Millisecond, 0.02},
		{"30 messages a second", link{330 * time.Millisecond, 50 * time.Millisecond, 0}, 800 * time.Millisecond, 0.02},
		{"a request takes three seconds", link{3 * time.Second, 100 * time.Millisecond, 0}, 3100 * time.Millisecond, 0},
	} {
		w := newFlow(16)
		_, longest, beside := run(&w, &c.link, 0, 2*time.Hour, 24*time.Hour, forEver)
		if longest > c.longest || beside > c.beside || w.now > 2 {
			t.Errorf("%s: %d in flight, %.3f of the requests beside another, the longest takes %v", c.name, w.now, beside, longest)
		}
	}
}

// A sweep that is sent in half a second needs one connection.
func TestASweepAMinuteGoesOneRequestAfterTheOther(t *testing.T) {
	w := newFlow(16)
	_, _, beside := run(&w, &link{time.Millisecond, 80 * time.Millisecond, 0}, 0, 3*time.Hour, time.Minute, 6)
	if beside > 0 || w.now != 1 {
		t.Errorf("%.3f of the requests at the same time as another", beside)
	}
}

func TestALinkThatBecomesSlowHasFewInFlight(t *testing.T) {
	w, l := newFlow(16), link{time.Millisecond, 100 * time.Millisecond, 0}
	run(&w, &l, 0, time.Minute, time.Hour, forEver)
	if w.now != 16 {
		t.Fatalf("%d in flight on the fast link", w.now)
	}
	l.carries = time.Second
	run(&w, &l, time.Minute, 5*time.Minute, time.Hour, forEver)
	if w.now > 2 {
		t.Errorf("%d in flight on the slow link", w.now)
	}
}

func TestAFailureHalvesTheNumberAndSilenceBeginsAtOne(t *testing.T) {
	w, l := newFlow(16), link{time.Millisecond, 100 * time.Millisecond, 0}
	run(&w, &l, 0, time.Minute, time.Hour, forEver)
	for _, want := range []int{8, 4, 2, 1, 1} {
		if w.failed(time.Minute); w.now != want {
			t.Errorf("%d in flight after a failure, want %d", w.now, want)
		}
	}
	w = newFlow(16)
	run(&w, &l, 0, time.Minute, time.Hour, forEver)
	if w.launched(w.last+restsAfter, true); w.now != 1 {
		t.Errorf("%d in flight after a silence", w.now)
	}
}
