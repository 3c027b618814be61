package publish

import (
	"testing"
	"time"

	"noi-agent/configs"
	"noi-agent/sinks"
)

// Results in the form that the sinks return.
var (
	noLink    = sinks.Failed(sinks.Retry, sinks.CodeNetwork, "no route to host")
	noRoom    = sinks.Failed(sinks.Retry, "ThrottlingException", "Rate exceeded")
	forbidden = sinks.Failed(sinks.Wait, "AuthorizationError", "not authorized")
)

// working returns a circuit that has worked for a day, and the present time. Its phase is half of each spread.
func working(live, spread time.Duration) (c circuit, now time.Duration) {
	in := &configs.Integration{ID: "FFjU28MMaL3W9B9hhhhH"}
	c = newCircuit(newBackoff("5300520006504b5957343920", in), pacing{phase: 0.5, live: live, spread: spread})
	c.succeeded(time.Second)
	c.takePause()
	return c, 24 * time.Hour
}

func TestAnAttemptAfterAFailureIsSmallUntilOneIsAccepted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault sinks.Result
		full  int
		want  int
	}{
		{"no link", noLink, 1000, 1},
		{"refused", forbidden, 1000, 1},
		{"no room on Pub/Sub", noRoom, 1000, busyProbe},
		{"no room on SNS", noRoom, 10, 10},
		{"no room, and a low rate", noRoom, 4, 4},
	} {
		c, now := working(0, 0)
		if n := c.window(tt.full); n != tt.full {
			t.Errorf("%s: %d messages without a failure", tt.name, n)
		}
		for range widerEvery - 2 {
			c.failed(now, tt.fault)
			if n := c.window(tt.full); n != tt.want {
				t.Errorf("%s: a probe of %d messages, want %d", tt.name, n, tt.want)
			}
		}
		c.succeeded(now)
		if n := c.window(tt.full); n != tt.full {
			t.Errorf("%s: %d messages after a success", tt.name, n)
		}
	}
}

// While the topic refuses every message, requests become small: after many refusals each has one message.
func TestAfterManyRefusalsMessagesGoAloneUntilOneIsAccepted(t *testing.T) {
	c, now := working(0, 0)
	for _, step := range []struct {
		note     func()
		window   int
		explains string
	}{
		{func() { c.rejected(1) }, 1000, "one was rejected"},
		{func() { c.rejected(patience) }, 1, "many were rejected"},
		{func() { c.succeeded(now) }, 1000, "one was accepted"},
		{func() { c.rejected(patience); c.failed(now, noRoom) }, busyProbe, "a failure behind it"},
	} {
		step.note()
		if n := c.window(1000); n != step.window {
			t.Errorf("%s: a window of %d, want %d", step.explains, n, step.window)
		}
	}
}

// A bad message now and then is not a fault of the set-up: each accepted message sets the count to zero.
func TestRejectionsWithAcceptedMessagesBetweenThemSlowNothing(t *testing.T) {
	c, now := working(0, 0)
	for range 3 * patience {
		c.succeeded(now)
		if wait := c.rejected(1); wait != 0 {
			t.Fatalf("a wait of %v", wait)
		}
	}
	if wait := c.rejected(patience - 1); wait <= 0 {
		t.Error("no wait after as many in a row")
	}
}

// After a power cut of a whole region all gateways start in the same second.
func TestTheFirstAttemptHasTheGatewaysPhase(t *testing.T) {
	in := &configs.Integration{ID: "FFjU28MMaL3W9B9hhhhH", Pacing: time.Minute}
	p := newPacing("5300520006504b5957343920", in)
	c := newCircuit(newBackoff("5300520006504b5957343920", in), p)
	if rest := c.takePause(); rest != p.fresh() || rest <= 0 || rest >= time.Minute {
		t.Errorf("the first attempt waits %v, want %v", rest, p.fresh())
	}
}

func TestTheCloudIsNotAskedBeforeItWants(t *testing.T) {
	for _, asked := range []time.Duration{time.Second, 30 * time.Second, 10 * time.Minute, time.Hour, 100 * time.Hour} {
		c, now := working(0, 0)
		r := noRoom
		r.After = asked
		least, shortest, longest := min(asked, sinks.MaxAfter), 2*sinks.MaxAfter, time.Duration(0)
		for range 200 {
			c.backoff.succeed()
			wait := c.failed(now, r)
			shortest, longest = min(shortest, wait), max(longest, wait)
		}
		jitter := min(max(least, firstWait), capNetwork)
		if shortest < least || longest > least+jitter+time.Millisecond {
			t.Errorf("asked for %v: waits of %v to %v", asked, shortest, longest)
		}
		if longest-shortest < jitter*9/10 { // of 200 random waits
			t.Errorf("asked for %v: all gateways would return within %v, want %v", asked, longest-shortest, jitter)
		}
	}
}

func TestABacklogWaitsForTheGatewaysShare(t *testing.T) {
	for _, tt := range []struct {
		name         string
		live, spread time.Duration
		held, outage time.Duration
		fault        sinks.Result
		want         time.Duration
	}{
		{"a long outage", 0, 5 * time.Minute, day, time.Hour, noLink, 150 * time.Second},
		{"a cloud without room", 0, 5 * time.Minute, day, time.Hour, noRoom, 150 * time.Second},
		{"no longer than the outage", 0, 5 * time.Minute, day, 20 * time.Second, noLink, 10 * time.Second},
		{"a link that holds for a minute only is made use of", 0, 5 * time.Minute, time.Minute, time.Hour, noLink, 7500 * time.Millisecond},
		{"an operator wants to see it", 0, 5 * time.Minute, day, time.Hour, forbidden, 0},
		{"switched off", 0, 0, day, time.Hour, noLink, 0},
		{"pacing is the least", 10 * time.Minute, 5 * time.Minute, day, time.Hour, noLink, 5 * time.Minute},
	} {
		c, now := working(tt.live, tt.spread)
		c.since = now - tt.held
		c.failed(now, tt.fault)
		c.failed(now+tt.outage/2, tt.fault)
		c.succeeded(now + tt.outage)
		if rest := c.takePause(); rest != tt.want {
			t.Errorf("%s: the backlog waits %v, want %v", tt.name, rest, tt.want)
		}
		if rest := c.takePause(); rest != 0 {
			t.Errorf("%s: the backlog waits %v a second time", tt.name, rest)
		}
	}
}

const day = 24 * time.Hour

func TestOnlyWhereNoCloudWasReachedIsItTheNetwork(t *testing.T) {
	asked := noLink
	asked.After = time.Second
	unavailable := sinks.Failed(sinks.Retry, "Unavailable", "connection refused")
	for _, tt := range []struct {
		name  string
		fault sinks.Result
		want  bool
	}{
		{"no link", noLink, true},
		{"no link, said by gRPC", unavailable, true},
		{"timeout", sinks.Failed(sinks.Retry, sinks.CodeTimeout, "no answer"), true},
		{"the cloud has asked for a wait", asked, false},
		{"throttled", noRoom, false},
		{"refused", forbidden, false},
		{"no credentials, for want of a link", sinks.Failed(sinks.Wait, sinks.CodeNetwork, "as it may be"), false},
		{"the clock is wrong", sinks.Failed(sinks.Retry, sinks.CodeClock, "expired"), false},
	} {
		c, now := working(0, 0)
		c.failed(now, tt.fault)
		if c.network != tt.want {
			t.Errorf("%s: network %v", tt.name, c.network)
		}
		if c.succeeded(now); c.network {
			t.Errorf("%s: still a fault of the network after a success", tt.name)
		}
	}
}

func TestPhasesOfAFleetAreSpreadEvenly(t *testing.T) {
	in := &configs.Integration{Pacing: time.Minute}
	const gateways, tenth = 10_000, 1_000
	var tenths [10]int
	for i := range gateways {
		p := newPacing(simID(i), in)
		if p.fresh() != newPacing(simID(i), in).fresh() {
			t.Fatal("the phase of a gateway changes")
		}
		tenths[p.fresh()*10/time.Minute]++
	}
	for i, n := range tenths {
		if n < tenth*85/100 || n > tenth*115/100 { // five sigma: 150
			t.Errorf("%d of %d gateways in tenth %d", n, gateways, i)
		}
	}
}
