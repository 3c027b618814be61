package publish

import (
	"noi-agent/agent/clock"
	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/store"
)

func GapOf(g objects.Gap) api.Gap {
	return api.Gap{
		Unit: g.Unit, Object: g.Object, From: clock.WallTime(g.From), To: clock.WallTime(g.To), Run: g.Run,
		First: g.First, Last: g.Last,
		Count: g.Count, Reason: g.Reason, Acknowledged: g.Acknowledged,
	}
}

// toldGap returns a gap as a cloud gets it: without the mark that an operator of this gateway has acknowledged it.
func toldGap(g objects.Gap) api.Gap {
	g.Acknowledged = false
	return GapOf(g)
}

// gapsOf returns the newest gaps of an integration, the newest first.
func gapsOf(rows []store.Trigger) []api.Gap {
	out := make([]api.Gap, 0, len(rows))
	for i := len(rows) - 1; i >= 0; i-- {
		out = append(out, GapOf(rows[i].Gap))
	}
	return out
}
