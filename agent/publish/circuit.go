package publish

import (
	"time"

	"noi-agent/sinks"
)

// busyProbe is how many messages go to a cloud that answers and has no room, as when it throttles: one request of SNS.
// A single message would cost it as much.
const busyProbe = 10

// widerEvery is which of the probes that wait for an operator has busyProbe messages too. Where the refusal is about
// one message alone, in words that no table has, single probes would try that one for ever and nothing behind it.
const widerEvery = 4

// circuit decides for one integration when the next attempt is made, and with how much. While nothing is wrong it lets
// full windows through. After a failure it lets through a small probe at a time, until one is accepted: what a dead
// link costs is a few bytes. Then it keeps the backlog back for the gateway's share of the spread, and full windows
// follow. One goroutine owns it; all times are monotonic.
type circuit struct {
	backoff backoff
	pacing  pacing
	fit     fit

	failing bool          // the last attempt failed
	network bool          // and no cloud was reached by it
	asked   bool          // and the cloud has asked for a least wait
	waiting bool          // and an operator has to act
	refused bool          // the last attempt had rejected messages alone
	rejects int           // rejected messages since one was accepted
	since   time.Duration // since when it fails, or works
	ever    bool          // it has worked since the start
	held    time.Duration // how long it had worked before it failed; below 0: not known
	pause   time.Duration // to be waited before the next attempt, see takePause
}

// newCircuit returns one for a gateway that has been silent: its first attempt has the gateway's phase.
func newCircuit(b backoff, p pacing) circuit {
	return circuit{backoff: b, pacing: p, held: -1, pause: p.fresh()}
}

// window returns how many messages the next attempt may have, of those that would fill it.
func (c *circuit) window(full int) int {
	switch {
	case !c.failing && c.probes():
		return 1
	case !c.failing:
		return c.fit.window(full)
	case c.network, c.waiting && c.backoff.failures%widerEvery != widerEvery-1:
		return 1
	default:
		return min(busyProbe, full)
	}
}

// probes reports whether only one request may be in flight: a probe after a failure, or one of the single messages
// after many rejected ones.
func (c *circuit) probes() bool { return c.failing || c.refused && c.rejects >= patience }

// failed notes an attempt in which r was the worst result and returns how long to wait.
func (c *circuit) failed(now time.Duration, r sinks.Result) time.Duration {
	if !c.failing {
		c.held = -1
		if c.ever {
			c.held = now - c.since
		}
		c.since = now
	}
	after := sinks.BoundAfter(r.After)
	c.failing, c.refused, c.asked, c.pause = true, false, after > 0, 0
	c.waiting, c.network = r.Outcome == sinks.Wait, r.Unreached()
	if c.waiting {
		return c.backoff.failAfter(capOperator, after)
	}
	return c.backoff.failAfter(capNetwork, after)
}

// succeeded notes that a cloud has taken something.
func (c *circuit) succeeded(now time.Duration) {
	c.backoff.succeed()
	c.refused, c.rejects = false, 0
	if c.failing {
		// An operator who has acted wants to see it, and no operator acts for a whole fleet in one second.
		if !c.waiting {
			c.pause = c.pacing.back(now-c.since, c.held)
		}
		c.since = now
	} else if !c.ever {
		c.since = now
	}
	c.failing, c.network, c.asked, c.waiting, c.ever = false, false, false, false, true
}

// patience is after how many rejected messages, with none accepted between them, it is the set-up that is at fault and
// not the messages: a topic with a schema that none fits. They go on to be set aside, slowly, so that a good one behind
// them still arrives: at once they would push one another out of the dead letters before anybody has looked.
const patience = 64

// rejected notes that a cloud has rejected all the n messages that an attempt had, and returns how long to wait.
func (c *circuit) rejected(n int) time.Duration {
	c.refused = true
	if c.rejects += n; c.rejects < patience {
		return 0
	}
	return c.backoff.failAfter(capOperator, 0)
}

// idle notes that nothing waits: what comes next is fresh.
func (c *circuit) idle() {
	if !c.failing {
		c.pause = c.pacing.fresh()
	}
}

// takePause returns how long what waits is to be kept back before the next attempt, once.
func (c *circuit) takePause() time.Duration {
	rest := c.pause
	c.pause = 0
	return rest
}
