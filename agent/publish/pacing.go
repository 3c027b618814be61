package publish

import (
	"math/rand/v2"
	"time"

	"noi-agent/configs"
)

// pacing spreads what the gateways of a fleet would do in the same second. Each gateway has a phase of its own, which
// comes from its device id and never changes. The gateway waits for this share of a given time. All integrations of a
// gateway have the same phase, so its modem wakes up once for all of them.
type pacing struct {
	phase  float64       // 0 to below 1
	live   time.Duration // `pacing`: over which what has just been sampled is spread; 0: it goes at once
	spread time.Duration // `catch_up.spread`: over which the fleet's way back from an outage is spread; 0: it is not
}

func newPacing(deviceID string, in *configs.Integration) pacing {
	own := rand.New(rand.NewPCG(seedOf(deviceID), 0))
	return pacing{phase: own.Float64(), live: in.Pacing, spread: in.CatchUp.Spread}
}

// fresh returns the wait of samples that come when nothing else waits. Samples that come meanwhile go with them.
func (p pacing) fresh() time.Duration { return p.share(p.live) }

// back returns the wait of a backlog after the first message that a cloud has accepted again. The gateway cannot know
// whether other gateways had the same outage. So the wait has two bounds. It is never longer than the outage, because a
// short outage has left little to send. It is never longer than a quarter of held, the time for which the link had
// worked before. Otherwise a link that works for a minute now and then would be used up by waiting. held < 0: not
// known.
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
