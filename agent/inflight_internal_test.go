package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/sinks"
	"noi-agent/store/storetest"
)

// far is a cloud at a distance, in virtual time. It accepts several requests at once.
type far struct {
	roundTrip time.Duration
	carries   time.Duration // how long a request occupies the link, which carries one at a time
	each      time.Duration // additional time on the link for each message of the request
	shape     sinks.Flight
	window    int
	// fate decides what happens to a request: nothing, or a result for some of its messages. It may be nil.
	fate func(rnd *rand.Rand, messages []sinks.Message) fate

	mu       sync.Mutex
	rnd      *rand.Rand
	idle     time.Time // until then the link is in use
	air      int
	mostAir  int
	requests int
	taken    []arrival
	ids      map[string]bool // of accepted messages
	keys     map[string]bool // in flight
	wrong    string          // the first rule that was broken
}

// fate is what happens to a request.
type fate struct {
	hang   bool         // no answer before the end of the attempt
	lost   bool         // the messages are accepted, and the connection breaks before the answer
	result sinks.Result // of all its messages; zero: they are accepted
	only   int          // this message alone has the result, from 1; 0: all have it
}

// arrival is a message that the cloud has accepted.
type arrival struct {
	key, id string
	at      time.Time
}

func newFar(roundTrip time.Duration) *far {
	return &far{roundTrip: roundTrip, shape: sinks.Flight{Several: true}, window: 10, rnd: rand.New(rand.NewPCG(17, 44)), keys: map[string]bool{}, ids: map[string]bool{}}
}

func (c *far) Flight() sinks.Flight { return c.shape }
func (c *far) Window() int          { return c.window }
func (c *far) Close() error         { return nil }

// Publish is part of Sink.
func (c *far) Publish(ctx context.Context, messages []sinks.Message) []sinks.Result {
	f, until := c.arrives(messages)
	defer c.leaves(messages)
	if f.hang {
		<-ctx.Done()
		return sinks.Repeat(sinks.Failed(sinks.Retry, sinks.CodeTimeout, "no answer"), len(messages))
	}
	select {
	case <-time.After(until):
	case <-ctx.Done():
		return sinks.Repeat(sinks.Failed(sinks.Retry, sinks.CodeCanceled, "ended"), len(messages))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	results := make([]sinks.Result, len(messages))
	for i, m := range messages {
		if results[i] = f.result; f.result.Outcome == 0 || f.only > 0 && f.only != i+1 {
			results[i] = sinks.Taken("m")
		}
		if results[i].Outcome == sinks.Accepted {
			c.taken, c.ids[m.SampleID] = append(c.taken, arrival{m.Key, m.SampleID, time.Now()}), true
		}
	}
	if f.lost {
		return sinks.Repeat(sinks.Failed(sinks.Retry, sinks.CodeNetwork, "cut"), len(messages))
	}
	return results
}

// arrives records a request in flight. It returns its fate, and the time until its answer.
func (c *far) arrives(messages []sinks.Message) (f fate, until time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests, c.air = c.requests+1, c.air+1
	c.mostAir = max(c.mostAir, c.air)
	for _, m := range messages {
		if c.keys[m.Key] && c.wrong == "" {
			c.wrong = "two requests in the air have " + m.Key
		}
		if c.shape.OneKey && m.Key != messages[0].Key {
			c.wrong = "a request has " + m.Key + " and " + messages[0].Key
		}
	}
	for _, m := range messages {
		c.keys[m.Key] = true
	}
	if c.fate != nil {
		f = c.fate(c.rnd, messages)
	}
	if now := time.Now(); c.idle.Before(now) {
		c.idle = now
	}
	c.idle = c.idle.Add(c.carries + time.Duration(len(messages))*c.each)
	return f, time.Until(c.idle) + c.roundTrip
}

func (c *far) leaves(messages []sinks.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.air--
	for _, m := range messages {
		delete(c.keys, m.Key)
	}
}

func (c *far) arrivals() []arrival {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.taken)
}

// judge checks that the samples of each object came in their order, and returns the number of different samples. A
// sample that comes again must have the same id.
func (c *far) judge(t *testing.T) (different int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong != "" {
		t.Error(c.wrong)
	}
	different, wrong := judgeOrder(c.taken)
	for _, text := range wrong[:min(3, len(wrong))] {
		t.Error(text)
	}
	return different
}

// judgeOrder checks the order of the samples of each object that a cloud has accepted.
func judgeOrder(taken []arrival) (different int, wrong []string) {
	seen, last := map[string]bool{}, map[string]uint64{}
	for _, a := range taken {
		if seen[a.id] {
			continue
		}
		seen[a.id] = true
		n := numberOf(a.id)
		if n <= last[a.key] {
			wrong = append(wrong, fmt.Sprintf("%s: sample %d comes after %d", a.key, n, last[a.key]))
		}
		last[a.key] = n
	}
	return len(seen), wrong
}

// numberOf is the number in a sample id.
func numberOf(id string) (n uint64) {
	// a number that cannot be read is 0, which counts as out of order
	_, _ = fmt.Sscan(id[strings.LastIndexByte(id, '-')+1:], &n)
	return n
}

// until waits, in virtual time, until so many different samples have arrived.
func (c *far) until(t *testing.T, samples int) {
	t.Helper()
	for range 24 * 3600 {
		c.mu.Lock()
		n := len(c.ids)
		c.mu.Unlock()
		if n >= samples {
			return
		}
		time.Sleep(time.Second)
	}
	t.Fatal("the backlog is not sent in time")
}

// drainFar drains a backlog into a cloud. It must be called inside a synctest bubble.
func drainFar(t *testing.T, c *far, samples, units int, config string) {
	t.Helper()
	dir := t.TempDir()
	samples = fillOutbox(t, dir, samples, units)
	_, stop := benchAgent(t, dir, awsConfig+config, c)
	c.until(t, samples)
	stop()
	if n := c.judge(t); n != samples {
		t.Errorf("%d samples arrived of %d", n, samples)
	}
}

// rateOf returns the messages a second between two shares of the arrivals.
func (c *far) rateOf(from, to float64) float64 {
	all := c.arrivals()
	a, b := int(from*float64(len(all))), int(to*float64(len(all)))-1
	return float64(b-a) / all[b].at.Sub(all[a].at).Seconds()
}

func TestABacklogDrainsOverADistance(t *testing.T) {
	for _, tt := range []struct {
		roundTrip time.Duration
		units     int // controllers with 48 objects each
		config    string
		least     float64 // messages a second in the second half
		most      int     // in flight
	}{
		{100 * time.Millisecond, 4, "", 1500, 16},
		{100 * time.Millisecond, 1, "", 1500, 16},
		{500 * time.Millisecond, 1, "", 300, 16},
		{100 * time.Millisecond, 1, ", in_flight: 4", 390, 4},
		{100 * time.Millisecond, 1, ", in_flight: 1", 98, 1},
	} {
		t.Run(fmt.Sprint(tt.roundTrip, tt.units, tt.config), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFar(tt.roundTrip)
				drainFar(t, c, storetest.Simulated(6_000, 12_000), tt.units, tt.config)
				if got := c.rateOf(0.5, 0.95); got < tt.least || c.mostAir != tt.most {
					t.Errorf("%.0f messages a second with %d requests in flight, want %.0f with %d", got, c.mostAir, tt.least, tt.most)
				}
			})
		})
	}
}

// TestOrderingKeysOverADistance: with ordering keys, each request to Pub/Sub has samples of one object.
func TestOrderingKeysOverADistance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFar(100 * time.Millisecond)
		c.shape, c.window = sinks.Flight{Several: true, OneKey: true}, 1000
		drainFar(t, c, storetest.Simulated(6_000, 12_000), 1, "")
		if got := c.rateOf(0.5, 0.95); got < 2000 {
			t.Errorf("%.0f messages a second", got)
		}
	})
}

// TestLiveSamplesOverADistanceLeaveNoBacklog: three controllers with 52 objects each, a sweep a second.
func TestLiveSamplesOverADistanceLeaveNoBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFar(100 * time.Millisecond)
		a, stop := benchAgent(t, t.TempDir(), awsConfig, c)
		first := benchSweep(t, a.store.Run())
		for n := range 60 {
			for unit := range 3 {
				sw := later(first, 3*n+unit, time.Now())
				sw.Source.UnitID, sw.Routes = byte(unit+1), slices.Clone(sw.Routes)
				for i := range 4 { // 52 objects
					s := sw.Samples[i]
					s.Object, s.N = fmt.Sprint("more_", i), s.N+1_000_000
					sw.Samples, sw.Routes[0].Picked = append(sw.Samples, s), append(slices.Clone(sw.Routes[0].Picked), len(sw.Samples))
				}
				if _, err := a.store.Offer(t.Context(), sw); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
			if left := a.store.Stats().Integrations[benchID].Backlog; n > 5 && left > 0 {
				t.Errorf("%d samples wait after %d seconds", left, n)
			}
		}
		if n := c.judge(t); n != 60*156 {
			t.Errorf("%d samples arrived", n)
		}
		stop()
	})
}

// TestASlowLinkIsNoWorseForIt: if one request fills the link, the number and size of requests are the same as with
// in_flight: 1.
func TestASlowLinkIsNoWorseForIt(t *testing.T) {
	requests, took := map[string]int{}, map[string]time.Duration{}
	for _, config := range []string{", in_flight: 1", ""} {
		synctest.Test(t, func(t *testing.T) {
			c, begin := newFar(100*time.Millisecond), time.Now()
			c.carries = time.Second // 550 bytes a message: 5 kB/s
			drainFar(t, c, 6000, 1, config)
			requests[config], took[config] = c.requests, c.arrivals()[5999].at.Sub(begin)
		})
	}
	if few, many := requests[", in_flight: 1"], requests[""]; many > few*101/100 {
		t.Errorf("%d requests, with one in flight %d", many, few)
	}
	if one, several := took[", in_flight: 1"], took[""]; several > one*101/100 {
		t.Errorf("it took %v, with one in flight %v", several, one)
	}
}

// faulty gives each fiftieth request a fault.
func faulty(rnd *rand.Rand, messages []sinks.Message) fate {
	internal := sinks.Failed(sinks.Retry, "InternalError", "try again")
	switch rnd.IntN(500) {
	case 0:
		return fate{hang: true}
	case 1, 2:
		return fate{lost: true}
	case 3, 4:
		return fate{result: sinks.Failed(sinks.Retry, "Throttling", "Rate exceeded")}
	case 5, 6, 7, 8, 9:
		return fate{result: internal, only: 1 + rnd.IntN(len(messages))}
	default:
		return fate{}
	}
}

// TestFaultsWithManyRequestsInFlight: no sample is lost or out of order, and a repeated sample has the same id.
func TestFaultsWithManyRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFar(100 * time.Millisecond)
		c.fate = faulty
		drainFar(t, c, drained(10_000), 4, "")
		if c.mostAir < 8 {
			t.Errorf("only %d requests were in flight", c.mostAir)
		}
	})
}

// TestAStopWithManyRequestsInFlightRepeatsNothing: accepted samples are settled, also at the end of the agent.
func TestAStopWithManyRequestsInFlightRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, dir := newFar(100*time.Millisecond), t.TempDir()
		samples := fillOutbox(t, dir, 12_000, 4)
		for range 3 {
			_, stop := benchAgent(t, dir, awsConfig, c)
			time.Sleep(1930 * time.Millisecond) // while requests are in flight
			stop()
		}
		if c.mostAir < 8 {
			t.Fatalf("only %d requests were in flight", c.mostAir)
		}
		_, stop := benchAgent(t, dir, awsConfig, c)
		c.until(t, samples)
		stop()
		if n, all := c.judge(t), len(c.arrivals()); n != samples || all != samples {
			t.Errorf("%d arrived of %d, %d of them different", all, samples, n)
		}
	})
}
