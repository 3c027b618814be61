package web

import (
	"html/template"
	"sync"
	"time"

	"noi-agent/status/api"
)

// sparksFor is how long the small lines of the values are kept: a bucket of the history is as long, so that they would
// hardly look different. Ten controllers have 400 of them.
const sparksFor = 3 * time.Minute

// sparks are the small lines of the values, made once for a while.
type sparks struct {
	mu    sync.Mutex
	since time.Time
	lines map[string]template.HTML // by "line/unit id/object"
}

// smallSpark is the line of a value.
func (s *Site) smallSpark(l *api.Latest) template.HTML {
	key, now := unitOf(l.Line, l.UnitID)+"/"+l.Object, s.o.Now()
	s.sparks.mu.Lock()
	defer s.sparks.mu.Unlock()
	if age := now.Sub(s.sparks.since); age < 0 || age >= sparksFor || s.sparks.lines == nil {
		s.sparks.since, s.sparks.lines = now, map[string]template.HTML{}
	}
	line, made := s.sparks.lines[key]
	if !made {
		if h, ok := s.o.Source.History(l.Line, l.UnitID, l.Object, 24*time.Hour); ok {
			line = spark(&h, smallColumns)
		}
		s.sparks.lines[key] = line
	}
	return line
}
