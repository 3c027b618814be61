package publish

import (
	"math/rand/v2"
	"time"

	"noi-agent/configs"
)

// pacing spreads what the gateways of a fleet would do in the same second. Each gateway has a phase of its own, from
// its device id and for good, and waits that share of the time given. It is the same for all integrations of a gateway,
// whose modem then wakes up once for all of them.
type pacing struct {
	phase  float64       // 0 to below 1
	live   time.Duration // `pacing`: over which what has just been sampled is spread; 0: it goes at once
	spread time.Duration // `catch_up.spread`: over which the fleet's way back from an outage is spread; 0: it is not
}

func newPacing(deviceID string, in *configs.Integration) pacing {
	own := rand.New(rand.NewPCG(seedOf(deviceID), 0))
	return pacing{phase: own.Float64(), live: in.Pacing, spread: in.CatchUp.Spread}
}

// fresh returns how long samples wait that come when nothing else waits. What comes meanwhile goes with them.
func (p pacing) fresh() time.Duration { return p.share(p.live) }

// back returns how long a backlog waits after the first message that a cloud has taken again. Neither outage nor link
// shows whether others were struck: so the spread is never longer than the outage was, for a short one has left little
// to send; and never longer than a quarter of the time for which the link had held before, or one that is there for a
// minute now and then would be waited away. held < 0: it is not known.
func (p pacing) back(outage, held time.Duration) time.Duration {
	spread := min(p.spread, outage)
	if held >= 0 {
		spread = min(spread, held/4)
	}
	return p.share(max(p.live, spread))
}

func (p pacing) share(of time.Duration) time.Duration {
	return time.Duration(p.phase * float64(of))
}
