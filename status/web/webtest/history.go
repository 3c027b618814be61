package webtest

import (
	"encoding/json"
	"math"
	"time"

	"noi-agent/status/api"
)

// step is the length of a bucket.
const step = 3 * time.Minute

// History returns a plausible day of an object, with twelve hours of sun. If s.Gap is set, an hour has no samples.
func (s *Scene) History(line string, unit int, object string, span time.Duration) (api.History, bool) {
	var latest *api.Latest
	for i := range s.Values.Objects {
		if l := &s.Values.Objects[i]; l.Line == line && l.UnitID == unit && l.Object == object {
			latest = l
		}
	}
	if latest == nil {
		return api.History{}, false
	}
	h := api.History{
		Line: line, UnitID: unit, Object: object, Unit: latest.Unit, Kind: api.HistoryNumber, Step: "3m0s",
		From: Moment().Add(-span), To: Moment(), KeptSince: Moment().Add(-s.Kept),
		Buckets: []api.Bucket{}, Runs: []api.Run{}, Gaps: []api.HistoryGap{},
	}
	if s.Gap && span > 6*time.Hour {
		h.Gaps = append(h.Gaps, api.HistoryGap{From: at(6 * time.Hour), To: at(5 * time.Hour),
			Reason: "bus: no answer"})
	}
	var level float64
	switch {
	case json.Unmarshal(latest.Value, &level) == nil:
		s.fill(&h, level)
	case string(latest.Value) == "[]" || latest.Value[0] == '[':
		h.Kind = api.HistoryBits
		h.Runs = append(h.Runs, api.Run{Value: json.RawMessage("[]"), From: h.From, To: at(40 * time.Minute)},
			api.Run{Value: latest.Value, From: at(40 * time.Minute), To: h.To})
	default:
		h.Kind = api.HistoryText
		h.Runs = states(&h, latest.Value)
	}
	return h, true
}

// fill makes the buckets of a day of numbers around level.
func (s *Scene) fill(h *api.History, level float64) {
	for t := h.From; t.Before(h.To); t = t.Add(step) {
		if t.Before(h.KeptSince) || len(h.Gaps) > 0 && !t.Before(h.Gaps[0].From) && t.Before(h.Gaps[0].To) {
			continue
		}
		ago := h.To.Sub(t).Hours()
		sun := max(0, math.Sin((ago-2)/12*math.Pi)) // from fourteen to two hours ago
		swing := 0.17*sun + 0.004*math.Sin(ago*9)
		mean := level * (1 + swing)
		h.Buckets = append(h.Buckets, api.Bucket{
			From: t, Mean: float32(mean), Min: float32(mean - level*(0.004+0.012*sun)),
			Max: float32(mean + level*(0.004+0.01*sun)), N: 3,
		})
	}
}

// states returns the charge states of a day. The last one is the latest value.
func states(h *api.History, latest json.RawMessage) []api.Run {
	words := []json.RawMessage{
		json.RawMessage(`"NIGHT"`), json.RawMessage(`"BULK"`), json.RawMessage(`"ABSORPTION"`),
		json.RawMessage(`"FLOAT"`), latest,
	}
	hours := []float64{24, 13, 9, 5, 3, 0}
	var runs []api.Run
	for i, word := range words {
		from, to := at(time.Duration(hours[i]*float64(time.Hour))), at(time.Duration(hours[i+1]*float64(time.Hour)))
		if to.After(h.From) {
			if from.Before(h.From) {
				from = h.From
			}
			runs = append(runs, api.Run{Value: word, From: from, To: to})
		}
	}
	return runs
}
