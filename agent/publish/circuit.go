package publish

import (
	"time"

	"noi-agent/sinks"
)

// busyProbe is the number of messages that go to a cloud that answers but has no room, for example when it throttles.
// It is one request of SNS. A single message would cost the cloud as much.
const busyProbe = 10

// widerEvery: while an operator has to act, every fourth probe has busyProbe messages. The refusal may concern only the
// first message, with an error that the agent does not know. Probes of one message would then never try the messages
// after it.
const widerEvery = 4

// circuit decides for one integration when the next attempt is made, and with how many messages. While nothing is
// wrong, it lets full windows through. After a failure it lets through one small probe at a time, until one is
// accepted: a dead link costs a few bytes. Then it keeps the backlog back for the gateway's share of the spread. Full
// windows follow. One goroutine owns a circuit; all times are monotonic.
type circuit struct {
	backoff backoff
	pacing  pacing
	fit     fit

	failing bool          // the last attempt failed
	network bool          // and it reached no cloud
	asked   bool          // and the cloud has asked for a least wait
	waiting bool          // and an operator has to act
	refused bool          // the last attempt had rejected messages alone
	rejects int           // rejected messages since one was accepted
	since   time.Duration // since when it fails, or works
	ever    bool          // it has worked since the start
	held    time.Duration // how long it had worked before it failed; below 0: not known
	pause   time.Duration // wait before the next attempt, see takePause
}

// newCircuit returns the circuit of a gateway that has sent nothing yet. The first attempt has the gateway's phase.
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

// succeeded notes that a cloud has accepted a message.
func (c *circuit) succeeded(now time.Duration) {
	c.backoff.succeed()
	c.refused, c.rejects = false, 0
	if c.failing {
		// After an operator has fixed the cause, the backlog is sent at once: no operator fixes a whole fleet in one
		// second.
		if !c.waiting {
			c.pause = c.pacing.back(now-c.since, c.held)
		}
		c.since = now
	} else if !c.ever {
		c.since = now
	}
	c.failing, c.network, c.asked, c.waiting, c.ever = false, false, false, false, true
}

// patience is a number of rejected messages with no accepted one between them. From this number on the set-up is at
// fault and not the messages, for example a topic with a schema that no message fits. Rejected messages then go to the
// dead letters slowly, so a good message behind them still arrives. If they went at once, they would push one another
// out of the dead letters before an operator has looked.
const patience = 64

// rejected notes that a cloud has rejected all the n messages that an attempt had, and returns how long to wait.
func (c *circuit) rejected(n int) time.Duration {
	c.refused = true
	if c.rejects += n; c.rejects < patience {
		return 0
	}
	return c.backoff.failAfter(capOperator, 0)
}

// idle notes that nothing waits. The next samples are fresh.
func (c *circuit) idle() {
	if !c.failing {
		c.pause = c.pacing.fresh()
	}
}

// takePause returns, once, the time for which the waiting samples must wait before the next attempt.
func (c *circuit) takePause() time.Duration {
	rest := c.pause
	c.pause = 0
	return rest
}
