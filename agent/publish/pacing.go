package publish

import (
	"math/rand/v2"
	"time"

	"noi-agent/configs"
)

// pacing makes the gateways of a fleet send at different times, not in the same second. Each gateway has a phase of its
// own, which comes from its device id and never changes. The gateway waits for this share of a given time. All
// integrations of a gateway have the same phase, so its modem wakes up once for all of them.
type pacing struct {
	phase  float64       // 0 to below 1
	live   time.Duration // `pacing`: the time over which new samples are spread; 0: they are sent at once
	spread time.Duration // `catch_up.spread`: the time over which the backlogs of a fleet are spread; 0: at once
}

func newPacing(deviceID string, in *configs.Integration) pacing {
	own := rand.New(rand.NewPCG(seedOf(deviceID), 0))
	return pacing{phase: own.Float64(), live: in.Pacing, spread: in.CatchUp.Spread}
}

// fresh returns the wait of new samples when no other sample waits. Samples that come meanwhile are sent with them.
func (p pacing) fresh() time.Duration { return p.share(p.live) }

// back returns the wait of a backlog after the first message that a cloud has accepted again. The gateway cannot know
// whether other gateways had the same outage. So the wait has two bounds. It is never longer than the outage, because a
// short outage has left little to send. It is never longer than a quarter of held, the time for which the link had
// worked before. Otherwise a link that works only for single minutes would be lost by waiting. held < 0: not known.
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
