package agent

import (
	"slices"
	"time"

	"noi-agent/agent/history"
	"noi-agent/agent/poll"
	"noi-agent/status/api"
)

// History returns the values of an object in the last span, or as far back as they are kept; false if the object is not
// sampled. For an object without a sample since the start the history is empty.
func (a *Agent) History(line string, unit int, object string, span time.Duration) (api.History, bool) {
	pollers := a.current().pollers
	at := slices.IndexFunc(pollers, func(p *poll.Poller) bool { return p.Line().Name == line })
	if at < 0 || unit < 0 || unit > 255 {
		return api.History{}, false
	}
	_, uptime := a.clock.Wall.Read()
	q := history.Question{
		Key: history.Key{Line: line, UnitID: uint8(unit), Object: object}, Span: span, Uptime: uptime,
		Booted: a.clock.Wall.BootedAt(), Why: pollers[at].WhyMissing(unit),
	}
	if h, ok := a.history.Object(q); ok {
		return h, true
	}
	polled, ok := pollers[at].Polls(unit, object)
	return a.history.Empty(q, polled.Object.Unit), ok
}
