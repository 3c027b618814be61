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
	// mostRuns of a series are kept; the oldest go first. A day of a controller has about twenty.
	mostRuns = 128
	// mostValue bounds the bytes of one value. The longest list of faults has about 400.
	mostValue = 1024
)

// follow notes the present state.
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

// shed keeps only the newest runs, 1/factor of the allowed number, if memory is short.
func (s *series) shed(factor int) {
	if most := max(1, mostRuns/factor); len(s.runs) > most {
		s.runs = slices.Clone(s.runs[len(s.runs)-most:])
	}
}
