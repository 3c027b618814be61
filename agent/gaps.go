package agent

import (
	"time"

	"noi-agent/agent/clock"
	"noi-agent/objects"
	"noi-agent/store"
)

// Gap is a stretch of time from which an object has no samples though it was to have them, as status and trigger log show it.
type Gap struct {
	Unit   string     `json:"unit"`   // "line/unit id"; "" when it is not known
	Object string     `json:"object"` // "" when it is not known, or all of the unit's
	From   *time.Time `json:"from"`   // null when it is not known
	To     *time.Time `json:"to"`
	Run    uint64     `json:"run"`   // of the agent, in which they were due
	First  uint64     `json:"first"` // sequence numbers of the object in that run; 0: they had none
	Last   uint64     `json:"last"`
	Count  uint64     `json:"count"`  // 0: not known
	Reason string     `json:"reason"` // a word of the table in docs/durability.md, perhaps with a colon and more
}

func gapOf(g objects.Gap) Gap {
	return Gap{
		Unit: g.Unit, Object: g.Object, From: clock.WallTime(g.From), To: clock.WallTime(g.To), Run: g.Run, First: g.First, Last: g.Last,
		Count: g.Count, Reason: g.Reason,
	}
}

// gapsOf returns the newest gaps of an integration, the newest first.
func gapsOf(rows []store.Trigger) []Gap {
	out := make([]Gap, 0, len(rows))
	for i := len(rows) - 1; i >= 0; i-- {
		out = append(out, gapOf(rows[i].Gap))
	}
	return out
}
