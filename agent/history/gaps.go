package history

import (
	"slices"
	"time"
)

// gap is the time between two samples, if other samples were due between them.
type gap struct {
	from, to time.Duration
	reason   uint16 // number of the reason's text
}

// mostGaps is the most gaps of a series. The oldest are removed first.
const mostGaps = 32

// miss notes a gap. The parts of a long gap are reported one by one, and are joined here.
func (s *series) miss(from, to time.Duration, reason uint16) {
	s.resumes = true
	g := gap{from, to, reason}
	if last := len(s.gaps) - 1; last >= 0 && s.gaps[last].to == g.from && s.gaps[last].reason == reason {
		s.gaps[last].to = g.to
		return
	}
	if len(s.gaps) == mostGaps {
		s.gaps = slices.Delete(s.gaps, 0, 1)
	}
	s.gaps = append(s.gaps, g)
}

// why returns the reason of the gap that covers the longest part of a time; false if there is none.
func (s *series) why(from, to time.Duration) (reason uint16, ok bool) {
	best := time.Duration(0)
	for _, g := range s.gaps {
		both := min(to, g.to) - max(from, g.from)
		if both > best {
			best, reason, ok = both, g.reason, true
		}
	}
	return reason, ok
}
