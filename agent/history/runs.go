package history

import (
	"slices"
	"time"

	"noi-agent/objects"
)

// run is a time with the same value.
type run struct {
	value    string // as JSON
	from, to time.Duration
}

const (
	// mostRuns is the most runs of a series. The oldest are removed first. A day of a controller has about twenty.
	mostRuns = 128
	// mostValue is the most bytes of one value. The longest list of faults has about 400.
	mostValue = 1024
)

// follow notes the value of a state at a time.
func (s *series) follow(at time.Duration, v objects.Value) {
	last := len(s.runs) - 1
	if last >= 0 && !s.resumes && same(s.value, v) {
		s.runs[last].to = max(s.runs[last].to, at)
		return
	}
	if last >= 0 && !s.resumes {
		s.runs[last].to = at
	}
	s.value = v
	text := string(v.AppendJSON(nil))
	if len(text) > mostValue {
		text = `"(too long)"`
	}
	if len(s.runs) == mostRuns {
		s.runs = slices.Delete(s.runs, 0, 1)
	}
	s.runs = append(s.runs, run{text, at, at})
}

// same reports whether two values are equal, without an allocation.
func same(a, b objects.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	if a.Kind() == objects.KindText {
		return a.String() == b.String()
	}
	return a.Float() == b.Float() && slices.Equal(a.Names(), b.Names())
}

// shed removes old runs because memory is short. It keeps the newest mostRuns/factor, at least one.
func (s *series) shed(factor int) {
	if most := max(1, mostRuns/factor); len(s.runs) > most {
		s.runs = slices.Clone(s.runs[len(s.runs)-most:])
	}
}
