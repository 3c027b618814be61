package cli

import (
	"fmt"
	"time"

	"noi-agent/status/api"
)

// sentence says in one line how the agent is.
type sentence struct {
	text   string // with its mark
	faults int
}

// sentenceOf reads it from the problems: the worst effect on the data counts.
func sentenceOf(s *api.Status, now time.Time) sentence {
	var faults, warnings int
	var lost *time.Time
	effect := " No data is being lost."
	for i := range s.Problems {
		switch pr := &s.Problems[i]; pr.Severity {
		case api.Fault:
			faults++
			if pr.Effect == api.Lost && (lost == nil || pr.Since.Before(*lost)) {
				lost = &pr.Since
			}
		case api.Warning:
			warnings++
			if pr.Effect == api.Lost {
				effect = " Some samples may be missing."
			}
		}
	}
	switch n := faults + warnings; {
	case lost != nil:
		return sentence{markFault + "Samples are being lost since " + shortLocal(now, *lost) + ".", faults}
	case faults > 0:
		return sentence{markFault + needing(n) + effect, faults}
	case n > 0:
		return sentence{markWarning + needing(n) + effect, 0}
	case len(s.Lines) == 0 && len(s.Integrations) == 0:
		return sentence{markCalm + "Not configured yet.", 0}
	}
	if at := lastSuccess(s); at != nil {
		return sentence{fmt.Sprintf("%sEverything works. Last message %s ago.", markGood, since(now, at)), 0}
	}
	return sentence{markGood + "Everything works. No message was sent yet.", 0}
}

func needing(n int) string {
	if n == 1 {
		return "1 thing needs attention."
	}
	return fmt.Sprintf("%d things need attention.", n)
}

// lastSuccess is when a cloud last took a message; nil: never.
func lastSuccess(s *api.Status) (last *time.Time) {
	for i := range s.Integrations {
		if at := s.Integrations[i].LastSuccess; at != nil && (last == nil || at.After(*last)) {
			last = at
		}
	}
	return last
}
